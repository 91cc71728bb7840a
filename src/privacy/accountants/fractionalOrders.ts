import { betweenIntegers, gaussianMoment, symmetricMixtureRdp } from './amplification.js';
import { roundUp, SMALLEST_RDP, ULP } from './rounding.js';

/**
 * Rényi divergence of the Poisson-subsampled Gaussian at fractional orders: Mironov, Talwar, Zhang 2019, §3.3, there as a
 * binomial series in erfc whose terms alternate in sign from k > α on (dropping the signs is the known trap; keeping
 * them cancels all digits of a divergence of 10^-13). Here as the integral itself, with what cancels taken out first:
 *
 *   A_α − 1 = ∫ φ(z) g(w(z)) dz,  w = q(e^u − 1),  u = z/σ − 1/(2σ²),  g(w) = (1 + w)^α − 1 − αw ≥ 0,
 *
 * as ∫ φ w = 0. The integrand is positive and analytic, so trapezoids converge geometrically: if |Im z| ≤ b is in its
 * domain and M bounds ∫|f(x + ib′)|dx there, the error is at most 2M/(e^(2πb/h) − 1) (Trefethen, Weideman 2014, Thm. 5.1).
 *
 * The bound M ≤ e^(b²/2)·(12 + 6b²)·(A_α − 1) for b ≤ ¾πσ, every α > 1 and q. Write g(w) = w²G(w), G(w) = α(α−1)∫_0^1 (1−τ)(1+τw)^(α−2)dτ
 * and θ = Im u = b/σ ≤ ¾π. As |A + Be^iθ| is at most A + B and at least (A + B)cos(θ/2), |G| ≤ c·G(real part), with c = 1 for
 * α ≥ 2 and c = 1/cos(⅜π) < 2.62 else; |w|² = w_r² + 2q²e^u(1 − cos θ); |φ| gains e^(b²/2). So M is at most
 * c·e^(b²/2)(1 + 2(1−cos θ)R)(A_α − 1), R = ∫φe^uG / ∫φ(e^u−1)²G. With e^uφ(z) = φ(z − 1/σ) and (e^u−1)²e^−u ≥ u²:
 * - α ≥ 2: G grows with u, which under the shifted weight is N(1/2σ², 1/σ²), above 0 with probability ≥ ½. On u > 0 both G and u² grow
 *   (Chebyshev's association), so R ≤ 2/E[u²|u>0] ≤ 2σ².
 * - α < 2: under e^(u/2)φ ∝ N(0, 1/σ²) the weight K = e^(u/2)G has |K′/K| ≤ ½, hence S(u) = K(u) + K(−u) times e^(u/2) grows on u > 0,
 *   and R ≤ 1/E[u² | u > 0] for u ~ N(−1/2σ², 1/σ²): at most 2.11σ² for σ ≥ ½ and 0.53 below (there the law grows as σ falls).
 * Since 2(1 − cos θ) ≤ θ² ≤ 5.56, in both cases M's factor is at most 2.62·(1 + 2.2b² + 3) < 12 + 6b². □
 */
const LOG_TARGET = 50 * Math.LN2;
const REACH = 9.5;
const MOST_NODES = 20_000;
const SERIES_TERMS = 30;

/** Step h with 2M/(e^(2πb/h) − 1) below 2^-50 (A − 1), few bits, so that every node k·h is exact. */
function stepFor(noiseMultiplier: number): number {
  const b = Math.min(0.75 * Math.PI * noiseMultiplier, 9);
  const h = (2 * Math.PI * b) / (LOG_TARGET + Math.log(2 * (12 + 6 * b * b)) + (b * b) / 2 + 1);
  const unit = 2 ** (Math.floor(Math.log2(h)) - 8);
  return Math.floor(h / unit) * unit;
}

/** Upper bounds, one an order (each > 1, not an integer). σ > 0, 0 < q < 1. */
export function fractionalSampledGaussianRdp(
  noiseMultiplier: number,
  samplingRate: number,
  orders: readonly number[],
): Float64Array {
  const result = new Float64Array(orders.length);
  if (orders.length === 0) return result;
  const h = stepFor(noiseMultiplier);
  const nodesOf = (order: number): number =>
    Math.ceil((2 * REACH + Math.max(order, 2) / noiseMultiplier) / h) + 2;
  const most = Math.max(...orders.map(nodesOf).filter((count) => count <= MOST_NODES), 0);
  const nodes = most === 0 ? undefined : makeNodes(noiseMultiplier, samplingRate, h, most);
  orders.forEach((order, i) => {
    const count = nodesOf(order);
    const chord = (): number =>
      betweenIntegers(order, (n) =>
        symmetricMixtureRdp(n, samplingRate, (k) => gaussianMoment(noiseMultiplier, k)),
      );
    // Little noise needs many nodes: the chord between the neighbouring integer orders is sound there, not tight.
    const value =
      nodes === undefined || count > MOST_NODES
        ? chord()
        : integrate(nodes, noiseMultiplier, samplingRate, order, count);
    result[i] = Number.isNaN(value) ? chord() : value;
  });
  return result;
}

interface Nodes {
  readonly h: number;
  /** −z²/2, w, log(1 + w), log w (where u > 30, else unused), and how far a rounding of u moves w and log(1 + w). */
  readonly weight: Float64Array;
  readonly w: Float64Array;
  readonly log1pw: Float64Array;
  readonly logw: Float64Array;
  readonly u: Float64Array;
  readonly slip: Float64Array;
}

function makeNodes(sigma: number, q: number, h: number, count: number): Nodes {
  const first = Math.floor(-REACH / h);
  const field = (): Float64Array => new Float64Array(count);
  const nodes = {
    h,
    weight: field(),
    w: field(),
    log1pw: field(),
    logw: field(),
    u: field(),
    slip: field(),
  };
  const half = 0.5 / sigma / sigma;
  for (let i = 0; i < count; i++) {
    const z = (first + i) * h;
    const u = z / sigma - half;
    nodes.u[i] = u;
    nodes.weight[i] = (-z * z) / 2;
    nodes.slip[i] = 2 * ULP * (Math.abs(z) / sigma + half);
    if (u > 30) {
      const logw = Math.log(q) + u + Math.log1p(-Math.exp(-u));
      nodes.w[i] = Number.POSITIVE_INFINITY;
      nodes.logw[i] = logw;
      nodes.log1pw[i] = logw > 40 ? logw + Math.exp(-logw) : Math.log1p(Math.exp(logw));
    } else {
      const w = q * Math.expm1(u);
      nodes.w[i] = w;
      nodes.log1pw[i] = Math.log1p(w);
    }
  }
  return nodes;
}

/**
 * Sum of the trapezoids, both tails and all errors; NaN where numbers ran out of range. The tails are below 10⁻¹⁹ of the sum at this REACH,
 * so no test in doubles misses them; at a REACH of 6.5 they are 10⁻¹¹, and the bound holds with them.
 */
function integrate(nodes: Nodes, sigma: number, q: number, order: number, count: number): number {
  const { h, weight, w, log1pw, logw, slip, u } = nodes;
  const coefficients = seriesOf(order);
  const small = 0.25 / (order + 1);
  let peak = 0;
  for (let i = 0; i < count; i++) {
    const exponent = order * (log1pw[i] as number) + (weight[i] as number);
    if (exponent > peak) peak = exponent;
  }
  const shift = peak > 500 ? peak : 0;

  let sum = 0;
  let error = 0;
  let value = 0;
  let firstValue = 0;
  for (let i = 0; i < count; i++) {
    const p = (weight[i] as number) - shift;
    const at = w[i] as number;
    const log = order * (log1pw[i] as number);
    if (Math.abs(at) <= small) {
      const phi = Math.exp(p);
      let series = coefficients[SERIES_TERMS] as number;
      for (let j = SERIES_TERMS - 1; j >= 2; j--) series = (coefficients[j] as number) + series * at;
      value = phi * at * at * series;
      const rise = order * (order - 1) * Math.abs(at) * (q + Math.max(at, 0)) * 2;
      error += 16 * ULP * (1 - p) * value + phi * rise * (slip[i] as number);
    } else {
      const spread = 1 + Math.abs(p) + Math.abs(log);
      if (at < Number.POSITIVE_INFINITY && shift === 0 && log < 300) {
        const phi = Math.exp(p);
        const power = Math.expm1(log);
        value = Math.max(0, phi * (power - order * at));
        const size = Math.abs(power) + order * Math.abs(at);
        error += phi * (8 * ULP * spread * size + order * (power + 1 + q) * (slip[i] as number));
      } else {
        const power = Math.exp(log + p);
        const linear =
          at < Number.POSITIVE_INFINITY
            ? order * at * Math.exp(p)
            : order * Math.exp((logw[i] as number) + p);
        value = Math.max(0, power - linear - Math.exp(p));
        error += (power + Math.abs(linear)) * (8 * ULP * spread + 2 * order * (slip[i] as number));
      }
    }
    if (i === 0) firstValue = value;
    sum += value;
  }
  const tails = firstValue * leftTail(h, sigma) + value * rightTail(h, sigma, order, u[count - 1] as number);
  const total =
    ((sum * (1 + (count + 16) * ULP) + error * 2 + tails) * h * (1 + 2 ** -49)) / Math.sqrt(2 * Math.PI);
  if (!(total < Number.POSITIVE_INFINITY)) return Number.NaN;
  const logMoment =
    shift === 0
      ? Math.log1p(total)
      : // A = 1 + e^shift·total, and log(1 + e^x) ≤ x + e^−x.
        shift * (1 + ULP) + Math.log(total) + Math.exp(-shift - Math.log(total));
  return Math.max(roundUp(logMoment / (order - 1)), SMALLEST_RDP);
}

/**
 * What is left of the first node, in units of its value: a geometric series. Going left by h, φ falls by e^(−Zh) at least, |e^u − 1| grows by at
 * most 1 + h/Z (it is concave in −u there), and G by at most e^(h/σ) (e^u·G grows with u for every α > 1).
 */
function leftTail(h: number, sigma: number): number {
  const ratio = Math.exp(-(REACH - 1 / sigma) * h) * (1 + h / REACH) ** 2;
  return ratio < 1 ? ratio / (1 - ratio) : Number.POSITIVE_INFINITY;
}

/** Right of the last node, z ≥ Z + max(α,2)/σ: φ against (e^u − 1)² and G, whose logarithm grows by max(α − 2, 0)·h/σ at most. */
function rightTail(h: number, sigma: number, order: number, u: number): number {
  const delta = h / sigma;
  const beyond = REACH + Math.max(order, 2) / sigma;
  const ratio = Math.exp(-beyond * h + Math.max(order, 2) * delta) * (1 + delta / u) ** 2;
  return ratio < 1 ? ratio / (1 - ratio) : Number.POSITIVE_INFINITY;
}

/** C(α, j), j = 0 … 30. */
function seriesOf(order: number): Float64Array {
  const coefficients = new Float64Array(SERIES_TERMS + 1);
  coefficients[0] = 1;
  for (let j = 0; j < SERIES_TERMS; j++) {
    coefficients[j + 1] = ((coefficients[j] as number) * (order - j)) / (j + 1);
  }
  return coefficients;
}
