import type { Rng } from '../../crypto/rng.js';
import { planEncoding } from '../../privacy/quantization.js';
import type { SumQuery } from '../../privacy/sumQuery.js';
import { bytesToDoubles, numbersToBytes } from '../artefact.js';
import { MAX_SCALE, mostRecords, scaleOf } from '../counts/weights.js';
import { InvalidOptions } from '../errors.js';
import { modelNamed, stepOf } from '../models.js';
import { seededRng } from '../randomness.js';
import type { Models, Step, SynthesisContext } from '../synthesizer.js';
import { cellsOf } from '../table/encoding.js';
import { fineCells } from '../table/fineCells.js';
import type { RecordSource } from '../table/records.js';

export const SCORE_PRODUCTS = 'copula/score-products';
export const SCORES = 'scores';

/**
 * The public norm: records whose scores have ‖z‖² above NORM a column are shortened to it. Scores have variances of 1 at most, so
 * independent columns have about 1 a column, and columns that all say the same have a χ² with one degree of freedom: one
 * record in twelve is shortened there, and next to none elsewhere. Shortening leaves directions alone, so a
 * correlation, a ratio of sums, hardly moves.
 */
export const NORM = 3;

/** Products of `columns` scores: i ≤ j, row by row. */
export const productsOf = (columns: number): number => (columns * (columns + 1)) / 2;

/**
 * How many whole steps a product of 1 is: the vector is z_i·z_j for i < j and z_i²/√2, whose norm is ‖z‖²/√2, so NORM a column is
 * `scale` steps.
 */
export function stepsPerUnit(columns: number, scale: number): number {
  return (scale * Math.SQRT2) / (NORM * columns);
}

/**
 * The sum of products of scores, in whole steps; the scores themselves are the query's one model.
 * Throws PrivacyError where no ring holds it.
 */
export function productsQuery(context: SynthesisContext, noiseMultiplier: number): Omit<SumQuery, 'models'> {
  const scale = scaleOf(context);
  const dimension = productsOf(context.schema.fields.length);
  return {
    version: 1,
    kind: SCORE_PRODUCTS,
    dimension,
    l2Sensitivity: scale,
    samplingRate: 1,
    encoding: planEncoding({
      dimension,
      l2Sensitivity: scale,
      noiseMultiplier,
      maxCoordinate: scale * mostRecords(context),
      cohort: context.cohort,
      members: context.members.length,
      rounding: 'exact',
      grid: 1,
    }),
    parameters: {},
  };
}

export function productsStep(query: Omit<SumQuery, 'models'>, scores: Float64Array): Step {
  return stepOf(query, new Map([[SCORES, numbersToBytes(scores)]]));
}

/**
 * The products of each record's scores, each record's in whole steps and of norm ≤ l2Sensitivity, added up exactly. Length
 * `query.dimension`.
 * @throws InvalidOptions, MalformedBytes where query or scores are not of this schema, before a record is read.
 */
export async function contributeProducts(
  query: SumQuery,
  models: Models,
  records: RecordSource,
  rng: Rng,
): Promise<Float64Array> {
  const fine = fineCells(records.schema);
  const columns = fine.blocks.length;
  const scores = scoresIn(query, models, fine.width, columns);
  const sum = new Float64Array(query.dimension);
  const own = new Float64Array(query.dimension);
  const z = new Float64Array(columns);
  // One seed before a record is touched, as every synthesizer takes it, though all records are asked.
  const coins = seededRng(rng(32), 'copula/sampling');
  for await (const batch of records.sample(1, coins)) {
    const cells = cellsOf(fine, batch);
    for (let record = 0; record < batch.count; record++) {
      for (const [column, { start }] of fine.blocks.entries())
        z[column] = scores[start + (cells[record * columns + column] as number)] as number;
      writeProducts(z, query.l2Sensitivity, own);
      for (let k = 0; k < own.length; k++) sum[k]! += own[k] as number;
    }
  }
  return sum;
}

/**
 * One record's vector: whole numbers of norm ≤ scale, whatever z is; zeros where its length is no number (hazard P5). Rounded to
 * nearest; where that makes it longer than the norm, towards zero, which makes no coordinate longer.
 */
export function writeProducts(z: Float64Array, scale: number, out: Float64Array): void {
  const length = z.reduce((sum, value) => sum + value * value, 0);
  if (!Number.isFinite(length)) {
    out.fill(0);
    return;
  }
  const most = NORM * z.length;
  const factor = stepsPerUnit(z.length, scale) * (length > most ? most / length : 1);
  if (fill(z, factor, out, roundToNearest) <= scale * scale) return;
  // ‖·‖ of the exact vector is ≤ scale up to a few ulp, which one part in 10⁹ is more than.
  fill(z, factor * (1 - 1e-9), out, Math.trunc);
}

const roundToNearest = (value: number): number => Math.floor(value + 0.5);

/** Returns the squared norm: of whole numbers below 2⁵³, so exact. */
function fill(z: Float64Array, factor: number, out: Float64Array, round: (value: number) => number): number {
  let square = 0;
  for (let i = 0, k = 0; i < z.length; i++)
    for (let j = i; j < z.length; j++, k++) {
      const weight = i === j ? Math.SQRT1_2 : 1;
      const value = round(factor * weight * (z[i] as number) * (z[j] as number));
      out[k] = value;
      square += value * value;
    }
  return square;
}

function scoresIn(query: SumQuery, models: Models, width: number, columns: number): Float64Array {
  const { kind, dimension, l2Sensitivity, encoding, samplingRate } = query;
  if (kind !== SCORE_PRODUCTS || dimension !== productsOf(columns))
    throw new InvalidOptions('query', 'does not ask for the products of this schema’s columns');
  if (!(Number.isInteger(l2Sensitivity) && l2Sensitivity >= 1 && l2Sensitivity <= MAX_SCALE))
    throw new InvalidOptions('query.l2Sensitivity', `must be a whole number from 1 to ${MAX_SCALE}`);
  if (encoding.rounding !== 'exact' || encoding.grid !== 1 || samplingRate !== 1)
    throw new InvalidOptions('query', 'must add up whole numbers, of all records');
  return bytesToDoubles(modelNamed(query, models, SCORES, 8 * width));
}
