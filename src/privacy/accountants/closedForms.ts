import { roundUp, SMALLEST_RDP, ULP } from './rounding.js';

/** Several roundings of well-conditioned sums; the closed forms below lose less than 40 ulp. */
const SLACK = 1 + 2 ** -46;

/**
 * Laplace noise of scale `noiseMultiplier` × L1 sensitivity (Mironov 2017, Prop. 6), t = 1/scale:
 *
 *   D_α = log( α/(2α−1)·e^((α−1)t) + (α−1)/(2α−1)·e^(−αt) ) / (α − 1), both directions, any number of coordinates:
 *
 * as a function of one coordinate's shift the logarithm is convex and 0 at 0, so the whole shift in one coordinate is worst.
 * A_α − 1 = (α(e^((α−1)t) − 1) + (α−1)(e^(−αt) − 1))/(2α−1), by its power series where that would cancel.
 */
export function laplaceRdp(noiseMultiplier: number, order: number): number {
  if (!(noiseMultiplier > 0)) return Number.POSITIVE_INFINITY;
  const t = 1 / noiseMultiplier;
  const s = order - 1;
  const c = 2 * order - 1;
  const pure = laplacePure(noiseMultiplier);
  if (s * t > 600) {
    // The second exponential is below e^−1200 of the first.
    return Math.min(pure, roundUp(t + (Math.log(order / c) + 8 * ULP * (s * t + 1)) / s));
  }
  let excess: number;
  if (order * t < 0.25) {
    // Σ_j≥2 α s (s^(j−1) + (−1)^j α^(j−1)) t^j / j!: the ratio of neighbours is below αt/3, so half the first stays.
    let sPower = s;
    let aPower = -order;
    let factor = t * t * 0.5;
    excess = 0;
    for (let j = 2; j <= 24; j++) {
      excess += (sPower - aPower) * factor;
      sPower *= s;
      aPower *= -order;
      factor *= t / (j + 1);
    }
    excess *= (order * s) / c;
  } else {
    excess = (order * Math.expm1(s * t) + s * Math.expm1(-order * t)) / c;
  }
  return Math.min(pure, Math.max(roundUp((Math.log1p(excess * SLACK) / s) * SLACK), SMALLEST_RDP));
}

/** D_∞ of the Laplace mechanism: 1/scale. */
export function laplacePure(noiseMultiplier: number): number {
  return noiseMultiplier > 0
    ? Math.max(roundUp(1 / noiseMultiplier), SMALLEST_RDP)
    : Number.POSITIVE_INFINITY;
}

/**
 * Randomized response under replace-one: truth with p = 1 − λ + λ/b, each other value with r = λ/b, x = log(p/r).
 * A_α = p^α r^(1−α) + r^α p^(1−α) + (b − 2)r, and as p + r + (b − 2)r = 1, A_α − 1 = p(e^((α−1)x) − 1)(1 − e^(−αx)): nothing cancels.
 * Symmetric in the two values, so one direction is both.
 */
export function randomizedResponseRdp(noiseParameter: number, buckets: number, order: number): number {
  const x = randomizedResponsePure(noiseParameter, buckets);
  if (x === Number.POSITIVE_INFINITY || x === 0) return x;
  const p = 1 - noiseParameter + noiseParameter / buckets;
  const s = order - 1;
  const log = Math.log(p) + Math.log(-Math.expm1(-order * x));
  const logMoment =
    s * x > 30
      ? s * x + log + Math.log1p(Math.exp(-s * x - log))
      : Math.log1p(p * Math.expm1(s * x) * -Math.expm1(-order * x));
  return Math.min(x, Math.max(roundUp((logMoment / s) * SLACK + 8 * ULP * x), SMALLEST_RDP));
}

/** D_∞ = log(1 + b(1 − λ)/λ). Always the truth: Infinity; never: exactly 0. */
export function randomizedResponsePure(noiseParameter: number, buckets: number): number {
  if (noiseParameter === 1) return 0;
  return roundUp(Math.log1p((buckets * (1 - noiseParameter)) / noiseParameter) * SLACK);
}
