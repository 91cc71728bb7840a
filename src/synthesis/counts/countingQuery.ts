import { eventOf, planEncoding } from '../../privacy/quantization.js';
import type { SumQuery } from '../../privacy/sumQuery.js';
import type { PlannedCost, SynthesisContext } from '../synthesizer.js';
import { mostRecords } from './weights.js';

/**
 * A sum over all records in whole numbers: each record adds a vector of integers of L2 norm ≤ `l2Sensitivity`, so nothing is rounded and
 * the sensitivity is that norm. It names no documents and has no parameters: who asks by some adds them.
 * Throws PrivacyError where no ring holds it.
 */
export function countingQuery(
  context: SynthesisContext,
  asked: Pick<SumQuery, 'kind' | 'dimension' | 'l2Sensitivity'> & { readonly noiseMultiplier: number },
): SumQuery {
  const { kind, dimension, l2Sensitivity, noiseMultiplier } = asked;
  return {
    version: 1,
    kind,
    dimension,
    l2Sensitivity,
    samplingRate: 1,
    encoding: planEncoding({
      dimension,
      l2Sensitivity,
      noiseMultiplier,
      // No coordinate of a record is above its norm.
      maxCoordinate: l2Sensitivity * mostRecords(context),
      cohort: context.cohort,
      members: context.members.length,
      rounding: 'exact',
      grid: 1,
    }),
    models: [],
    parameters: {},
  };
}

/** What the sum costs at most: with the fewest contributors that may be in it, whose noise is the least. */
export function plannedCost({ cohort }: SynthesisContext, query: SumQuery, count = 1): PlannedCost {
  return { event: eventOf(query, cohort.minSurvivors, cohort), count };
}
