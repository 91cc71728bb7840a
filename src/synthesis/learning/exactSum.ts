/**
 * A sum of vectors without rounding that depends on the others: each is rounded to whole multiples of u = 2⁻³² C by itself, and
 * those add up exactly in float64, whatever their order, while every sum stays below 2⁵² u = 2²⁰ C. (Pre-rounding: Demmel and
 * Nguyen, "Parallel reproducible summation", 2015.)
 */
export const UNITS_PER_CLIP = 2 ** 32;
/** More would not be summed exactly. */
export const MAX_RECORDS = 2 ** 20;

export class ExactSum {
  readonly #sum: Float64Array;
  /**
   * x + 1.5·2⁵² u lies where float64's step is u, so that adding and taking it off again rounds x to a multiple of u (half to
   * even), by x alone, for |x| < 2⁵¹ u.
   */
  readonly #rounder: number;

  /** @param clipNorm C, a power of two, so that u is one. */
  constructor(dimension: number, clipNorm: number) {
    this.#sum = new Float64Array(dimension);
    this.#rounder = (1.5 * 2 ** 52 * clipNorm) / UNITS_PER_CLIP;
  }

  /** Adds factor · values[from … from + count) at `offset`. */
  add(offset: number, values: Float32Array | Float64Array, from: number, count: number, factor = 1): void {
    const sum = this.#sum;
    const rounder = this.#rounder;
    for (let i = 0; i < count; i++)
      sum[offset + i]! += factor * (values[from + i] as number) + rounder - rounder;
  }

  /** Adds four vectors of one length at `offset`: as four calls would, at the price of one and a half. */
  addFour(
    offset: number,
    [a, b, c, d]: readonly [Float32Array, Float32Array, Float32Array, Float32Array],
  ): void {
    const sum = this.#sum;
    const r = this.#rounder;
    for (let i = 0; i < a.length; i++)
      sum[offset + i]! +=
        (a[i] as number) +
        r -
        r +
        ((b[i] as number) + r - r) +
        ((c[i] as number) + r - r + ((d[i] as number) + r - r));
  }

  /** Real units, multiples of 2⁻³² C. */
  values(): Float64Array {
    return this.#sum;
  }
}
