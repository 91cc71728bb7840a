import { Matrix } from 'ml-matrix';
import type { TableEncoding } from '../table/encoding.js';
import { nearestCorrelation } from './nearestCorrelation.js';
import { stepsPerUnit } from './products.js';
import { hermiteCoefficients, latentCorrelation, type Scores } from './scores.js';

/** What the second sum gave, and what it is divided by. */
export interface OpenedProducts {
  /** In whole steps, noisy. */
  readonly values: Float64Array;
  /** Of the noise in each value, steps². */
  readonly variance: number;
  /** l2Sensitivity of the query. */
  readonly scale: number;
}

/**
 * The correlations of the normal variables behind the columns, positive definite:
 *
 * 1. correlations of the scores, each sum of products over the root of the two sums of squares;
 * 2. shrunk to nothing together where noise explains them (James, Stein 1961, positive part);
 * 3. those of the normal variables that would give them, which for columns of few cells are larger (scores.ts);
 * 4. the nearest correlation matrix.
 */
export function correlationOf(
  fine: TableEncoding,
  shares: Float64Array,
  total: number,
  scores: Scores,
  opened: OpenedProducts,
): Matrix {
  const columns = fine.blocks.length;
  const sums = symmetric(columns, opened.values, stepsPerUnit(columns, opened.scale));
  const lengths = scores.variances.map((variance, i) => lengthOf(sums.get(i, i), total * variance));
  const noise = Math.sqrt(opened.variance) / stepsPerUnit(columns, opened.scale);
  let signal = 0;
  let pairs = 0;
  const observed = Matrix.eye(columns);
  for (let i = 0; i < columns; i++)
    for (let j = 0; j < i; j++) {
      const length = (lengths[i] as number) * (lengths[j] as number);
      // A column of one value says nothing of others.
      if (!(length > 0)) continue;
      const correlation = sums.get(i, j) / length;
      // In units of the noise: near-constant columns have more of it.
      signal += (sums.get(i, j) / noise) ** 2;
      pairs += 1;
      observed.set(i, j, correlation);
    }
  const kept = signal > 0 ? Math.max(0, 1 - Math.max(0, pairs - 2) / signal) : 0;
  const coefficients = fine.blocks.map(({ start, cells }) =>
    hermiteCoefficients(shares.subarray(start, start + cells), scores.values.subarray(start, start + cells)),
  );
  const latent = Matrix.eye(columns);
  for (let i = 0; i < columns; i++)
    for (let j = 0; j < i; j++) {
      const covariance =
        kept *
        observed.get(i, j) *
        Math.sqrt((scores.variances[i] as number) * (scores.variances[j] as number));
      if (covariance === 0) continue;
      const rho = latentCorrelation(
        covariance,
        coefficients[i] as Float64Array,
        coefficients[j] as Float64Array,
      );
      latent.set(i, j, rho);
      latent.set(j, i, rho);
    }
  return nearestCorrelation(latent);
}

/**
 * √ of a column's sum of squares: the noisy one, kept within what the one-ways leave possible. Shortening takes off it, at most
 * half by the choice of the norm, and never adds.
 */
function lengthOf(square: number, expected: number): number {
  return Math.sqrt(Math.min(expected, Math.max(expected / 2, square)));
}

/** The vector of products.ts as a matrix, in products. */
function symmetric(columns: number, values: Float64Array, steps: number): Matrix {
  const matrix = Matrix.zeros(columns, columns);
  for (let i = 0, k = 0; i < columns; i++)
    for (let j = i; j < columns; j++, k++) {
      const value = ((values[k] as number) / steps) * (i === j ? Math.SQRT2 : 1);
      matrix.set(i, j, value);
      matrix.set(j, i, value);
    }
  return matrix;
}
