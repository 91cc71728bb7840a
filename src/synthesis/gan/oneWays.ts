import type { Rng } from '../../crypto/rng.js';
import { planEncoding } from '../../privacy/quantization.js';
import { parseRational, toNumber } from '../../privacy/rational.js';
import type { SumQuery } from '../../privacy/sumQuery.js';
import { InvalidOptions } from '../errors.js';
import { weightsFor } from '../marginals/measured.js';
import { mostRecords, scaleOf } from '../marginals/question.js';
import { seededRng } from '../randomness.js';
import type { NoisySum, SynthesisContext } from '../synthesizer.js';
import { cellsOf, type TableEncoding } from '../table/encoding.js';
import { fineCells } from '../table/fineCells.js';
import type { OneWay } from '../table/grids.js';
import type { RecordSource } from '../table/records.js';

export const ONE_WAYS = 'gan/one-ways';

/**
 * The first sum: every column counted on its fine cells, all records, in whole weights. A record adds one weight a column, so it moves
 * the sum by √Σ weight² at most, which is the scale.
 * @param noiseMultiplier standard deviation / that.
 */
export function oneWaysQuery(
  context: SynthesisContext,
  fine: TableEncoding,
  noiseMultiplier: number,
): SumQuery {
  const scale = scaleOf(context);
  return {
    version: 1,
    kind: ONE_WAYS,
    dimension: fine.width,
    l2Sensitivity: scale,
    samplingRate: 1,
    encoding: planEncoding({
      dimension: fine.width,
      l2Sensitivity: scale,
      noiseMultiplier,
      maxCoordinate: scale * mostRecords(context),
      cohort: context.cohort,
      members: context.members.length,
      rounding: 'exact',
      grid: 1,
    }),
    models: [],
    parameters: {},
  };
}

function weightsOf(fine: TableEncoding, scale: number): readonly number[] {
  const weights = weightsFor(
    fine.blocks.map(({ cells }) => cells),
    scale,
  );
  if (Math.hypot(...weights) > scale)
    throw new InvalidOptions('query.l2Sensitivity', 'is below what a record of so many columns adds');
  return weights;
}

/** The weighted counts of a participant's records: whole numbers, length `query.dimension`. */
export async function countOneWays(query: SumQuery, records: RecordSource, rng: Rng): Promise<Float64Array> {
  const fine = fineCells(records.schema);
  const { encoding, l2Sensitivity, samplingRate, dimension } = query;
  const exact = encoding.rounding === 'exact' && encoding.grid === 1 && samplingRate === 1;
  const noisy = query.localNoise === undefined;
  if (
    !exact ||
    !noisy ||
    !Number.isInteger(l2Sensitivity) ||
    dimension !== fine.width ||
    query.models.length > 0
  )
    throw new InvalidOptions('query', 'must count whole numbers of all records, on the fine cells');
  const weights = weightsOf(fine, l2Sensitivity);
  const sum = new Float64Array(dimension);
  // One seed before a record is touched, as every synthesizer takes it, though all records are counted.
  const coins = seededRng(rng(32), 'gan/sampling');
  for await (const batch of records.sample(samplingRate, coins)) {
    const cells = cellsOf(fine, batch);
    for (let i = 0; i < cells.length; i++) {
      const column = i % fine.blocks.length;
      const place = (fine.blocks[column]?.start as number) + (cells[i] as number);
      sum[place] = (sum[place] as number) + (weights[column] as number);
    }
  }
  return sum;
}

/** The opened sum as counts of records, with the variance of the noise in each. */
export function oneWaysOf(fine: TableEncoding, query: SumQuery, sum: NoisySum): readonly OneWay[] {
  const weights = weightsOf(fine, query.l2Sensitivity);
  const variance = toNumber(parseRational(query.encoding.shareVariance)) * sum.contributors.length;
  return fine.blocks.map(({ start, cells }, column) => {
    const weight = weights[column] as number;
    const counts = sum.values.slice(start, start + cells).map((value) => value / weight);
    return { counts, variance: variance / weight ** 2 };
  });
}
