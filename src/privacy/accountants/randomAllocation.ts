import { roundUp, SMALLEST_RDP, ULP } from './rounding.js';
import { logArithmetic, type SeriesArithmetic, scaledArithmetic, squaredPower } from './seriesPower.js';

/**
 * Random allocation: each record takes part in one of t steps, uniformly (Feldman, Shenfeld 2025). Let L_i be step i's likelihood
 * ratio given the past, under the law Q without the record. With it the run has ratio W = (L_1 + … + L_t)/t.
 *
 * `selections` k > 1: a uniform k-subset is one uniform pick from each block of a uniformly random split of the steps into k blocks of
 * at least ⌊t/k⌋ (joint convexity over the splits; unequal blocks only split finer). The moments below factorise over the blocks, taken
 * conditionally on the past from the last step backwards, so the blocks' logarithms add however they interleave.
 */

/**
 * Direction "record in": log E_Q[W^n], n = 0 … `most`, upper bounds. Multinomial: t^−n n! [z^n](Σ_ℓ m_ℓ z^ℓ/ℓ!)^t, where
 * m_ℓ = e^((ℓ−1)D_ℓ) ≥ E[L_i^ℓ | past] may be applied step by step from the last one, for adaptive steps too. For the
 * Gaussian this is exact. All summands are positive; in logarithms.
 *
 * The power of the series: by J. C. P. Miller's recurrence n·b_n = Σ_k (k(t + 1) − n) a_k b_(n−k) (Knuth, TAOCP 2, §4.7) while all factors are
 * positive (n ≤ t + 1), else by repeated squaring. In doubles scaled by e^(cn), c = log(n/t) − 0.9, where t^n/n!, which every coefficient is
 * at least, stays between 1 and e^(0.41n); where the moments are too large for that, to a lower degree, and to 256 in logarithms (beyond: Infinity).
 */
export function allocationMoments(
  steps: number,
  most: number,
  moment: (order: number) => number,
): Float64Array {
  let reached: Float64Array | undefined;
  for (
    let degree = most;
    degree > 256 && reached === undefined;
    degree = Math.max(256, Math.floor(degree / 2))
  ) {
    reached = powerOfMoments(steps, degree, moment, scaledArithmetic);
  }
  reached ??= powerOfMoments(steps, Math.min(most, 256), moment, logArithmetic) as Float64Array;
  return Float64Array.from({ length: most + 1 }, (_, n) => reached[n] ?? Number.POSITIVE_INFINITY);
}

function powerOfMoments(
  steps: number,
  most: number,
  moment: (order: number) => number,
  arithmetic: SeriesArithmetic,
): Float64Array | undefined {
  const logFactorial = new Float64Array(most + 1);
  for (let n = 2; n <= most; n++) logFactorial[n] = (logFactorial[n - 1] as number) + Math.log(n);
  const base = logFactorial.map((value, l) => (l < 2 ? 0 : moment(l)) - value);
  const recurrence = most <= steps + 1;
  const power = recurrence ? arithmetic.miller(base, steps) : squaredPower(base, steps, arithmetic);
  if (power === undefined) return undefined;
  let magnitude = 1;
  return power.map((value, n) => {
    magnitude = Math.max(magnitude, Math.abs(base[n] as number), logFactorial[n] as number, Math.abs(value));
    // Each step errs by a logarithm's size and n additions in ulps. The recurrence is n deep; squaring doubles what was, t times in all.
    const depth = 64 + (recurrence ? n : 2 * steps);
    const error = ULP * depth * (8 * magnitude + n + 8);
    return n < 2 ? 0 : Math.max(0, value + (logFactorial[n] as number) - n * Math.log(steps) + error);
  });
}

/**
 * Direction "record out" for Gaussian steps: D_(s+1) = log E_Q[W^−s]/s, s = 1, 2, …, an upper bound, exact to rounding (the argument is ours).
 * As W^−s = ∫ u^(s−1) e^(−uW) du / Γ(s) and the L_i are log-normal,
 *
 *   E_Q[W^−s] = (1/Γ(s)) ∫ e^(sy) φ(e^y/t)^t dy,  φ(v) = E[exp(−v·e^(Z/σ − 1/2σ²))],
 *
 * and for adaptive steps, or sensitivities below the declared one, ≤: such an L_i is a conditional expectation of the log-normal one (post-processing),
 * e^(−vL) is convex, and the steps are taken from the last one backwards. Trapezoids: for |Im y| ≤ b < π/2 the integrand's modulus is that at
 * e^y·cos b, so the relative error is at most 2cos(b)^−s/(e^(2πb/h) − 1) (Trefethen, Weideman 2014, Thm. 5.1). It is log-concave in y (the marginal
 * of a log-concave function: Prékopa), so both tails are below geometric series. Infinity where the numbers do not carry that far; the caller has
 * `D_(1+s/t)` of one step as well.
 */
export function allocationOutRdp(noiseMultiplier: number, steps: number, s: number): number {
  if (noiseMultiplier < 0.05) return Number.POSITIVE_INFINITY;
  const logPhi = logLaplaceTransform(noiseMultiplier);
  const b = Math.min(1.2, 3 / Math.sqrt(s));
  const growth = -s * Math.log(Math.cos(b));
  const h = 2 ** Math.floor(Math.log2((2 * Math.PI * b) / (40 + growth)));
  const relative = (2 * Math.exp(growth)) / Math.expm1((2 * Math.PI * b) / h);
  let error = 0;
  const logF = (y: number): number => {
    const part = steps * logPhi(Math.exp(y) / steps);
    error = Math.max(error, 8 * ULP * (Math.abs(part) + s * Math.abs(y) + 1));
    return s * y + part;
  };
  // φ is rounded up by 2^-40 of 1 − φ at most; relative to φ that matters in the tail, for the ratio of two terms only.
  const tailSlip = (y: number): number => 2 ** -40 * steps * Math.expm1(-logPhi(Math.exp(y) / steps));
  // Below e^−14 φ has lost too many bits of its own.
  const lost = (j: number): boolean => logPhi(Math.exp(j * h) / steps) < -14;
  // Climb to the peak from its place when W = 1, then sum outwards until both ends fall fast and far.
  let top = Math.round(Math.log(s) / h);
  let best = logF(top * h);
  for (const direction of [1, -1]) {
    for (let next = logF((top + direction) * h); next > best; next = logF((top + direction) * h)) {
      top += direction;
      best = next;
      if (lost(top)) return Number.POSITIVE_INFINITY;
    }
  }
  error = 0;
  let sum = 1;
  for (const direction of [1, -1]) {
    let previous = best;
    for (let j = 1; ; j++) {
      if (j > 20_000) return Number.POSITIVE_INFINITY;
      const y = (top + direction * j) * h;
      if (direction === 1 && lost(top + j)) return Number.POSITIVE_INFINITY;
      const value = logF(y);
      const term = Math.exp(value - best);
      sum += term;
      const ratio = Math.exp(value - previous + error + tailSlip(y));
      if (ratio < 1 && (term * ratio) / (1 - ratio) < 1e-17) {
        sum += (term * ratio) / (1 - ratio);
        break;
      }
      previous = value;
    }
  }
  let logGamma = 0;
  for (let i = 2; i < s; i++) logGamma += Math.log(i);
  const slack = error + ULP * (s + 64) * (logGamma + 1) + ULP * 20_000;
  const logMoment = best + Math.log(sum * h) - Math.log1p(-relative) - logGamma + slack;
  return Math.max(roundUp(Math.max(0, logMoment) / s), SMALLEST_RDP);
}

const transforms = new Map<number, (v: number) => number>();

/**
 * log φ(v), rounded up. 1 − φ = E[1 − e^(−vL)] by trapezoids: in the strip b ≤ πσ/2, Re(vL) ≥ 0 and |1 − e^−w| ≤ min(|w|, 2) ≤ 3.17(1 − e^−|w|), so the
 * relative error is at most 6.34·e^(b²/2)/(e^(2πb/h) − 1). Nodes that are left out only raise φ.
 */
function logLaplaceTransform(noiseMultiplier: number): (v: number) => number {
  const known = transforms.get(noiseMultiplier);
  if (known) return known;
  const b = Math.min((Math.PI / 2) * noiseMultiplier, 9);
  const h = (2 * Math.PI * b) / (38 + Math.log(6.34) + (b * b) / 2);
  const relative = (6.34 * Math.exp((b * b) / 2)) / Math.expm1((2 * Math.PI * b) / h);
  const count = Math.ceil((18 + 1 / noiseMultiplier) / h);
  const ratios = new Float64Array(count);
  const weights = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const z = -9 + i * h;
    ratios[i] = Math.exp(z / noiseMultiplier - 0.5 / noiseMultiplier / noiseMultiplier);
    weights[i] = (h / Math.sqrt(2 * Math.PI)) * Math.exp((-z * z) / 2);
  }
  const memo = new Map<number, number>();
  // An exponent of z/σ is off by |z/σ| ulp, and so is its e-power. (No test sees this margin alone: the caller's own slack is larger.)
  const margin = 1 - relative - ULP * (count + 64 + 24 / noiseMultiplier + 1 / noiseMultiplier ** 2);
  const transform = (v: number): number => {
    const cached = memo.get(v);
    if (cached !== undefined) return cached;
    let sum = 0;
    for (let i = 0; i < count; i++) sum -= (weights[i] as number) * Math.expm1(-v * (ratios[i] as number));
    const value = Math.log1p(-Math.min(sum * margin, 1 - ULP));
    if (memo.size > 20_000) memo.clear();
    memo.set(v, value);
    return value;
  };
  if (transforms.size > 16) transforms.clear();
  transforms.set(noiseMultiplier, transform);
  return transform;
}
