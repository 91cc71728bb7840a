import { cumulated } from '../oneWays/shares.js';
import type { TableEncoding } from '../table/encoding.js';
import { normalDensity, normalQuantile } from './normal.js';

/**
 * Columns as standard normal variables cut into cells at Φ⁻¹ of their cumulated shares: categories in the order of the schema, then
 * "missing". The score of a cell is Φ⁻¹ of the middle of its share (van der Waerden's), less the column's mean.
 */
export interface Scores {
  /** Of each fine cell of all columns, finite, no further out than half a record of the table would be. */
  readonly values: Float64Array;
  /** By column, of the score of a record: Σ share · score². */
  readonly variances: Float64Array;
}

/** @param total records, noisy. */
export function scoresOf(fine: TableEncoding, shares: Float64Array, total: number): Scores {
  const values = new Float64Array(fine.width);
  const least = 0.5 / Math.max(1, total);
  const variances = fine.blocks.map(({ start, cells }) => {
    let below = 0;
    let mean = 0;
    for (let k = start; k < start + cells; k++) {
      const share = shares[k] as number;
      const middle = Math.min(1 - least, Math.max(least, below + share / 2));
      values[k] = normalQuantile(middle);
      below += share;
      mean += share * (values[k] as number);
    }
    let variance = 0;
    for (let k = start; k < start + cells; k++) {
      values[k]! -= mean;
      variance += (shares[k] as number) * (values[k] as number) ** 2;
    }
    return variance;
  });
  return { values, variances: Float64Array.from(variances) };
}

/** Where a column's normal variable is cut: upper ends of its cells, the last one ∞; a cell of no share is never met. */
export function thresholdsOf(shares: Float64Array): Float64Array {
  return cumulated(shares).map(normalQuantile);
}

/** Terms of the expansion below. */
const TERMS = 64;

/**
 * Coefficients of a column's score as a function of its normal variable, in normalised Hermite polynomials h_k = He_k/√k!, k = 1 … TERMS:
 *
 *   a_k = Σ_cells score · (h_{k−1}(t)φ(t) at the lower end − at the upper end)/√k,
 *
 * as He_k φ = −(He_{k−1} φ)′. For variables of correlation ρ the scores' covariance is Σ a_k b_k ρᵏ (Mehler; Cario, Nelson 1997,
 * "Modeling and generating random vectors with arbitrary marginal distributions").
 */
export function hermiteCoefficients(shares: Float64Array, scores: Float64Array): Float64Array {
  const coefficients = new Float64Array(TERMS);
  const ends = thresholdsOf(shares);
  for (let k = 0; k < scores.length - 1; k++) {
    const t = ends[k] as number;
    const density = normalDensity(t);
    if (!(density > 0)) continue;
    // Summed by the ends: each is the upper one of its cell and the lower one of the next.
    const jump = (scores[k + 1] as number) - (scores[k] as number);
    let before = 0;
    let h = 1;
    for (let order = 1; order <= TERMS; order++) {
      coefficients[order - 1]! += (jump * h * density) / Math.sqrt(order);
      const next = (t * h - Math.sqrt(order - 1) * before) / Math.sqrt(order);
      before = h;
      h = next;
    }
  }
  return coefficients;
}

/** So close to ± 1 a correlation may come: a Cholesky factor is still one, and cells are as good as tied. */
const LARGEST = 0.999;

/**
 * The correlation of the normal variables at which the scores' covariance is `covariance`; it grows with ρ (Slepian 1962), so bisection
 * finds it, or the end that is nearest.
 */
export function latentCorrelation(covariance: number, a: Float64Array, b: Float64Array): number {
  const at = (rho: number): number => {
    let sum = 0;
    for (let k = TERMS - 1; k >= 0; k--) sum = rho * (sum + (a[k] as number) * (b[k] as number));
    return sum;
  };
  let low = -LARGEST;
  let high = LARGEST;
  while (high - low > 1e-9) {
    const middle = (low + high) / 2;
    if (at(middle) < covariance) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
