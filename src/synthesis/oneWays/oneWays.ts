import { canonicalJson } from '../../crypto/canonical.js';
import type { Rng } from '../../crypto/rng.js';
import { parseRational, toNumber } from '../../privacy/rational.js';
import type { SumQuery } from '../../privacy/sumQuery.js';
import { countingQuery } from '../counts/countingQuery.js';
import { MAX_SCALE, scaleOf, weightsFor } from '../counts/weights.js';
import { InvalidOptions } from '../errors.js';
import { seededRng } from '../randomness.js';
import type { NoisySum, SynthesisContext } from '../synthesizer.js';
import { cellsOf, type TableEncoding } from '../table/encoding.js';
import { fineCells } from '../table/fineCells.js';
import type { OneWay } from '../table/grids.js';
import type { RecordSource } from '../table/records.js';

/**
 * The sum that most synthesizers begin with: every column counted on its fine cells, in whole numbers. It needs no document: what is
 * counted follows from the schema and the sensitivity.
 */
export const ONE_WAY_COUNTS = 'one-ways/counts';

/** What all columns say by themselves, noise included. Post-processing of one opened sum. */
export interface OneWays {
  /** In records, of all columns one after the other: length of `fine.width`; may be negative. */
  readonly counts: Float64Array;
  /** Of the noise in one count, by column. */
  readonly variances: readonly number[];
}

/**
 * A record adds the weight of each column to one of its cells, so its vector has norm √Σ weight² ≤ scale, the sensitivity.
 * Throws PrivacyError where no ring holds it.
 */
export function oneWaysQuery(
  context: SynthesisContext,
  fine: TableEncoding,
  noiseMultiplier: number,
): SumQuery {
  return countingQuery(context, {
    kind: ONE_WAY_COUNTS,
    dimension: fine.width,
    l2Sensitivity: scaleOf(context),
    noiseMultiplier,
  });
}

/** @throws InvalidOptions unless the query is `expected`, to the last field. */
export function assertSameQuery(query: SumQuery, expected: SumQuery): void {
  if (canonicalJson(query) !== canonicalJson(expected))
    throw new InvalidOptions('query', 'is not the one that the options of the run ask');
}

/**
 * Whole weighted counts of a participant's records, length `query.dimension`.
 * @throws InvalidOptions where the query contradicts the schema or itself, before a record is read.
 */
export async function contributeOneWays(
  query: SumQuery,
  records: RecordSource,
  rng: Rng,
): Promise<Float64Array> {
  const fine = fineCells(records.schema);
  const weights = weightsOf(fine, query);
  const starts = fine.blocks.map(({ start }) => start);
  const columns = starts.length;
  const sum = new Float64Array(query.dimension);
  // One seed before a record is touched, as every synthesizer takes it, though all records are counted.
  const coins = seededRng(rng(32), 'one-ways/sampling');
  for await (const batch of records.sample(1, coins)) {
    const cells = cellsOf(fine, batch);
    for (let i = 0; i < cells.length; i++) {
      const column = i % columns;
      sum[(starts[column] as number) + (cells[i] as number)]! += weights[column] as number;
    }
  }
  return sum;
}

/** A query comes from the coordinator, who may lie: whatever it says, a record moves the sum by its sensitivity at most. */
function weightsOf(fine: TableEncoding, query: SumQuery): readonly number[] {
  const { kind, dimension, l2Sensitivity, encoding, samplingRate, models, localNoise } = query;
  if (kind !== ONE_WAY_COUNTS || dimension !== fine.width || models.length > 0)
    throw new InvalidOptions('query', 'does not count the columns of this schema');
  if (!(Number.isInteger(l2Sensitivity) && l2Sensitivity >= 1 && l2Sensitivity <= MAX_SCALE))
    throw new InvalidOptions('query.l2Sensitivity', `must be a whole number from 1 to ${MAX_SCALE}`);
  // Local noise would be charged for, and nobody here adds any.
  if (encoding.rounding !== 'exact' || encoding.grid !== 1 || samplingRate !== 1 || localNoise !== undefined)
    throw new InvalidOptions('query', 'must count whole numbers, of all records, with no noise of their own');
  const weights = weightsByColumn(fine, l2Sensitivity);
  if (weights.reduce((sum, weight) => sum + weight ** 2, 0) > l2Sensitivity ** 2)
    throw new InvalidOptions('query.l2Sensitivity', 'is too small for so many columns');
  return weights;
}

function weightsByColumn({ blocks }: TableEncoding, scale: number): readonly number[] {
  return weightsFor(
    blocks.map(({ cells }) => cells),
    scale,
  );
}

/** @throws InvalidOptions where the sum has another length. */
export function openedOneWays(fine: TableEncoding, query: SumQuery, sum: NoisySum): OneWays {
  const { values, contributors } = sum;
  if (values.length !== query.dimension || values.length !== fine.width)
    throw new InvalidOptions('sum', 'has not the dimension of its query');
  const weights = weightsByColumn(fine, query.l2Sensitivity);
  // Of the shares of those who are in the sum: public.
  const variance = toNumber(parseRational(query.encoding.shareVariance)) * contributors.length;
  const counts = values.slice();
  fine.blocks.forEach(({ start, cells }, column) => {
    for (let k = start; k < start + cells; k++) counts[k]! /= weights[column] as number;
  });
  return { counts, variances: weights.map((weight) => variance / weight ** 2) };
}

export function byColumn({ blocks }: TableEncoding, { counts, variances }: OneWays): readonly OneWay[] {
  return blocks.map(({ start, cells }, column) => ({
    counts: counts.subarray(start, start + cells),
    variance: variances[column] as number,
  }));
}
