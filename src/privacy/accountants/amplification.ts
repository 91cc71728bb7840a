import { logBinomials } from './binomials.js';
import { logExpm1, logSumUp, rdpOfLogExcess, roundUp, SMALLEST_RDP, ULP } from './rounding.js';

/**
 * What sampling does to a Rényi curve, at integer orders. `moment(k)` is an upper bound on (k − 1)·D_k of the mechanism
 * that is sampled, k = 2 … α. All sums are of positive terms, kept as logarithms: the binomial weights
 * w_k = C(α,k)(1−q)^(α−k) q^k sum to 1 and w_0, w_1 carry no loss, so A_α − 1 needs terms from k = 2 only, and nothing cancels
 * when the divergence is 10^-13.
 */
type Moment = (k: number) => number;

/** (k − 1)·D_k of the Gaussian mechanism: k(k − 1)/(2σ²). The sums' margin covers its roundings. */
export function gaussianMoment(noiseMultiplier: number, k: number): number {
  return (k * (k - 1)) / 2 / noiseMultiplier / noiseMultiplier;
}

/**
 * Pairs that an involution swaps (any even noise: x → Δ − x): A_α = Σ_k w_k e^((k−1)D_k) exactly, for both directions, by
 * Mironov, Talwar, Zhang 2019, §3.3 and Theorem 5. Short proof of the latter for every α ≥ 1: let r be the likelihood
 * ratio, u = 1 − q + qr, v = 1 − q + q/r. By the involution E[g(r)] = ½E[g(r) + r g(1/r)] over the unsampled law, so it is
 * enough that u^α − u^(1−α) ≥ r(v^(1−α) − v^α) for r ≥ 1, that is √u sinh(a log u) ≥ r√v sinh(a log 1/v), a = α − ½.
 * uv ≥ 1, so sinh(a log u)/sinh(a log 1/v) grows with a; at a = ½ both sides are q(r − 1). □
 */
export function symmetricMixtureRdp(order: number, samplingRate: number, moment: Moment): number {
  return binomialRdp(order, samplingRate, (k) => logExpm1(moment(k)), moment);
}

/** Any mechanism: Zhu, Wang 2019, Theorem 5, the terms from k = 3 with factor 3: both directions. */
export function generalMixtureRdp(order: number, samplingRate: number, moment: Moment): number {
  return binomialRdp(
    order,
    samplingRate,
    (k) => {
      const x = moment(k);
      return k === 2 ? logExpm1(x) : x + Math.log(3) + Math.log1p(-Math.exp(-x) / 3);
    },
    moment,
  );
}

function binomialRdp(order: number, q: number, logLoss: (k: number) => number, moment: Moment): number {
  const logChoose = logBinomials(order);
  const logRate = Math.log(q);
  const logRest = Math.log1p(-q);
  const terms = new Float64Array(order - 1);
  for (let k = 2; k <= order; k++) {
    const exponent = moment(k);
    if (exponent === Number.POSITIVE_INFINITY) return Number.POSITIVE_INFINITY;
    const a = logChoose[k] as number;
    const b = (order - k) * logRest;
    const c = k * logRate;
    const e = logLoss(k);
    if (e === Number.NEGATIVE_INFINITY) {
      terms[k - 2] = e;
      continue;
    }
    // Each summand is a few ulps off; their sum's error is bounded by the sum of magnitudes.
    terms[k - 2] = a + b + c + e + 8 * ULP * (a - b - c + Math.abs(e) + exponent + 1);
  }
  return rdpOfLogExcess(logSumUp(terms), order);
}

/**
 * Both neighbours are mixtures (1−q)·common + q·own, and all three laws are pairwise within the curve: Wang, Balle,
 * Kasiviswanathan 2019, Theorem 9 (there for sampling without replacement under replace-one; the proof uses nothing else).
 * `pure` is D_∞.
 */
export function ternaryMixtureRdp(order: number, samplingRate: number, moment: Moment, pure: number): number {
  const logChoose = logBinomials(order);
  const logRate = Math.log(samplingRate);
  const logPure = pure === Number.POSITIVE_INFINITY ? pure : logExpm1(pure);
  const terms = new Float64Array(order - 1);
  for (let j = 2; j <= order; j++) {
    const exponent = moment(j);
    if (exponent === Number.POSITIVE_INFINITY) return Number.POSITIVE_INFINITY;
    let e = exponent + Math.min(Math.LN2, j * logPure);
    if (j === 2) e = Math.min(e, 2 * Math.LN2 + logExpm1(exponent));
    if (e === Number.NEGATIVE_INFINITY) {
      terms[j - 2] = e;
      continue;
    }
    const a = logChoose[j] as number;
    const c = j * logRate;
    terms[j - 2] = a + c + e + 8 * ULP * (a - c + Math.abs(e) + exponent + 1);
  }
  return rdpOfLogExcess(logSumUp(terms), order);
}

/**
 * At real orders from integer ones: (α − 1)·D_α = log E_Q[(P/Q)^α] is convex in α and 0 at α = 1, for each pair of laws, so a
 * chord between upper bounds is an upper bound. Rounded up.
 */
export function betweenIntegers(order: number, atInteger: (order: number) => number): number {
  if (order <= 2) return atInteger(2);
  const below = Math.floor(order);
  if (below === order) return atInteger(order);
  const low = (below + 1 - order) * (below - 1) * atInteger(below);
  const high = (order - below) * below * atInteger(below + 1);
  return Math.max(roundUp((low + high) / (order - 1)), SMALLEST_RDP);
}
