/**
 * Rounding upwards. Float error model: + − × ÷ √ are correctly rounded (unit 2^-53); exp, log, log1p, expm1 are V8's
 * fdlibm port, off by less than 1 ulp.
 */
export const ULP = 2 ** -52;

/** Covers eight operations with room. */
const UP = 1 + 2 ** -48;

/**
 * Below this a divergence is rounded up to it. Every intermediate that may underflow to 0 stands for less than 2^-936,
 * so that an underflow can't make a spend vanish (hazard P15).
 */
export const SMALLEST_RDP = 2 ** -900;

export function roundUp(value: number): number {
  return value === 0 ? 0 : value * UP;
}

/** log(e^x − 1) for x ≥ 0 without overflow. */
export function logExpm1(x: number): number {
  return x > 1 ? x + Math.log1p(-Math.exp(-x)) : Math.log(Math.expm1(x));
}

/** Upper bound on log Σ e^term; the terms already contain their own errors. −Infinity for none. */
export function logSumUp(terms: Float64Array): number {
  let largest = Number.NEGATIVE_INFINITY;
  for (const term of terms) if (term > largest) largest = term;
  if (!Number.isFinite(largest)) return largest;
  let sum = 0;
  for (const term of terms) sum += Math.exp(term - largest);
  // One addition of positive numbers and one exp each: relative error below (n + 8) ulp.
  return largest + Math.log(sum * (1 + (terms.length + 8) * ULP)) + ULP * Math.abs(largest);
}

/** D_α from log(A_α − 1), where D_α = log A_α / (α − 1); rounded up. */
export function rdpOfLogExcess(logExcess: number, order: number): number {
  if (logExcess === Number.NEGATIVE_INFINITY) return SMALLEST_RDP;
  const logMoment =
    logExcess > 40
      ? logExcess + Math.exp(-logExcess)
      : Math.log1p(Math.exp(logExcess + 4 * ULP * Math.abs(logExcess)));
  return Math.max(roundUp(logMoment / (order - 1)), SMALLEST_RDP);
}
