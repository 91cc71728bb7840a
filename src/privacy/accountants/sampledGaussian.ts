/**
 * Rényi divergence of the Gaussian and of the Poisson-subsampled Gaussian mechanism at integer orders, add/remove of
 * one record, L2 sensitivity 1. All results are upper bounds: the float error is bounded and added.
 *
 * Float error model: + − × ÷ are correctly rounded (unit 2^-53); log, log1p, exp, expm1 are V8's fdlibm port, off by
 * less than 1 ulp. `UP` covers eight such operations with room.
 */
const ULP = 2 ** -52;
const UP = 1 + 2 ** -48;

/**
 * Below this a divergence is rounded up to it. Every intermediate that may underflow to 0 stands for less than 2^-936,
 * so that an underflow can't make a spend vanish (hazard P15).
 */
export const SMALLEST_RDP = 2 ** -900;

export function roundUp(value: number): number {
  return value === 0 ? 0 : value * UP;
}

/** Rényi divergence of order α between N(1, σ²) and N(0, σ²): α/(2σ²) (Mironov 2017, Cor. 3). */
export function gaussianRdp(noiseMultiplier: number, order: number): number {
  if (!(noiseMultiplier > 0)) return Number.POSITIVE_INFINITY;
  return Math.max(roundUp(order / 2 / noiseMultiplier / noiseMultiplier), SMALLEST_RDP);
}

/**
 * Mironov, Talwar, Zhang 2019, §3.3: for integer α and sampling rate q,
 *
 *   D_α = log A_α / (α − 1),   A_α = Σ_k C(α,k) (1−q)^(α−k) q^k e^((k²−k)/2σ²),
 *
 * which bounds both directions (their §3.1; tested by quadrature). As the binomial weights sum to 1, A_α − 1 = Σ_{k≥2} of the same with
 * e^x replaced by e^x − 1: positive terms only, so that nothing cancels when the divergence is 10^-13. Terms are kept as
 * logarithms: no overflow at large orders or little noise.
 */
export function sampledGaussianRdp(noiseMultiplier: number, samplingRate: number, order: number): number {
  if (samplingRate === 1) return gaussianRdp(noiseMultiplier, order);
  if (!(noiseMultiplier > 0)) return Number.POSITIVE_INFINITY;
  const logChoose = logBinomials(order);
  const logRate = Math.log(samplingRate);
  const logRest = Math.log1p(-samplingRate);
  const terms = new Float64Array(order - 1);
  let largest = Number.NEGATIVE_INFINITY;
  for (let k = 2; k <= order; k++) {
    const exponent = (k * (k - 1)) / 2 / noiseMultiplier / noiseMultiplier;
    if (exponent === Number.POSITIVE_INFINITY) return Number.POSITIVE_INFINITY;
    const a = logChoose[k] as number;
    const b = (order - k) * logRest;
    const c = k * logRate;
    const e = logExpm1(exponent);
    // Each summand is a few ulps off; their sum's error is bounded by the sum of magnitudes.
    const error = 8 * ULP * (a - b - c + Math.abs(e) + exponent + 1);
    const term = a + b + c + e + error;
    terms[k - 2] = term;
    if (term > largest) largest = term;
  }
  if (largest === Number.NEGATIVE_INFINITY) return SMALLEST_RDP;
  let sum = 0;
  for (const term of terms) sum += Math.exp(term - largest);
  // order − 1 additions of positive numbers, an exp each: relative error below (order + 4) ulp.
  const logSum = largest + Math.log(sum * (1 + (order + 8) * ULP));
  const logMoment =
    logSum > 40 ? logSum + Math.exp(-logSum) : Math.log1p(Math.exp(logSum + 4 * ULP * Math.abs(logSum)));
  return Math.max(roundUp(logMoment / (order - 1)), SMALLEST_RDP);
}

/** log(e^x − 1) for x ≥ 0 without overflow. */
function logExpm1(x: number): number {
  return x > 1 ? x + Math.log1p(-Math.exp(-x)) : Math.log(Math.expm1(x));
}

const binomialCache = new Map<number, Float64Array>();

/** log C(n, k), k = 0 … n, each from the exact integer: summing logarithms would lose ten bits at n = 1024. */
function logBinomials(n: number): Float64Array {
  const cached = binomialCache.get(n);
  if (cached) return cached;
  const row = new Float64Array(n + 1);
  let choose = 1n;
  for (let k = 0; k <= n; k++) {
    row[k] = logBigint(choose);
    choose = (choose * BigInt(n - k)) / BigInt(k + 1);
  }
  binomialCache.set(n, row);
  return row;
}

function logBigint(value: bigint): number {
  const bits = value.toString(2).length;
  if (bits <= 1000) return Math.log(Number(value));
  const shift = bits - 1000;
  return Math.log(Number(value >> BigInt(shift))) + shift * Math.LN2;
}
