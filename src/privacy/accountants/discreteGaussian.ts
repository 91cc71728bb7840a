import type { DiscreteGaussianEvent } from '../events.js';
import { parseRational, toNumber } from '../rational.js';
import { type ContinuousEquivalent, continuousEquivalent } from './bridge.js';
import { roundUp, SMALLEST_RDP, ULP } from './rounding.js';

/**
 * √(σ²)/sensitivity, rounded down: with it the continuous formula α/(2·multiplier²) bounds the discrete Gaussian in any
 * number of coordinates (they add) and at every order (Canonne, Kamath, Steinke 2020, Proposition 5 and Theorem 14). A
 * theorem about discrete noise itself, with no floor on σ².
 */
export function concentratedMultiplier(event: DiscreteGaussianEvent): number {
  return (Math.sqrt(toNumber(parseRational(event.variance))) / event.sensitivity) * (1 - 2 ** -48);
}

/** The bridge (bridge.ts) for one holder: post-processing of continuous noise, so valid inside everything. */
export function bridged(event: DiscreteGaussianEvent): ContinuousEquivalent | undefined {
  return continuousEquivalent({
    version: 1,
    kind: 'distributed-discrete-gaussian',
    contributors: 1,
    colluders: 0,
    shareVariance: event.variance,
    sensitivity: event.sensitivity,
    dimension: event.dimension,
  });
}

/**
 * Exact divergence between N_Z(0, σ²) and its shift by an integer, in one coordinate. Completing the square,
 *
 *   D_α = α·Δ²/2σ² + log(θ(αΔ)/θ(0))/(α − 1),  θ(c) = Σ_k e^(−(k−c)²/2σ²),
 *
 * which is the concentrated bound at integer αΔ and less between (θ is largest at integers). To about 10^-14 relative, not
 * rounded; for σ² up to 10^6.
 */
export function discreteGaussianRenyi(variance: number, shift: number, order: number): number {
  const centre = order * shift - Math.round(order * shift);
  const bound = (order * shift * shift) / 2 / variance;
  return bound + Math.log(theta(centre, variance) / theta(0, variance)) / (order - 1);
}

function theta(centre: number, variance: number): number {
  const reach = Math.ceil(Math.sqrt(variance) * 9) + 2;
  let sum = 0;
  for (let k = -reach; k <= reach; k++) sum += Math.exp(-((k - centre) ** 2) / 2 / variance);
  return sum;
}

/**
 * The sum of n independent discrete Gaussians of parameter σ² ≥ ¼ in d coordinates, integer shift of norm at most `sensitivity`: Kairouz,
 * Liu, Steinke 2021, Proposition 14, for every order. With τ = 10·Σ_{k<n} e^(−2π²σ²k/(k+1)) and ‖Δ‖₁ ≤ ‖Δ‖·min(√d, ‖Δ‖):
 *
 *   min{ α‖Δ‖²/2nσ² + τd,  (α/2)(‖Δ‖²/nσ² + 2‖Δ‖₁τ/(√n σ) + τ²d),  (α/2)(‖Δ‖/(√n σ) + τ√d)² }.
 *
 * Beside the bridge it needs no floor of 16, but it does not reach into sub-sampling. Rounded up; Infinity where σ² < ¼.
 */
export function sumOfDiscreteGaussians(sum: {
  readonly contributors: number;
  readonly shareVariance: number;
  readonly sensitivity: number;
  readonly dimension: number;
}): { readonly tau: number; readonly rho: number; rdp(order: number): number } {
  const { contributors, shareVariance, sensitivity, dimension } = sum;
  const tau = foldingSlack(contributors, shareVariance);
  const ratio = sensitivity / Math.sqrt(contributors * shareVariance);
  const l1Ratio = ratio * Math.min(Math.sqrt(dimension), sensitivity);
  const additive = tau * dimension;
  // α ≥ 1, so the first bound is at most α times its value at 1.
  const linear = Math.min(
    (ratio * ratio) / 2 + additive,
    (ratio * ratio + 2 * l1Ratio * tau + tau * tau * dimension) / 2,
    (ratio + tau * Math.sqrt(dimension)) ** 2 / 2,
  );
  const valid = contributors >= 1 && shareVariance >= 0.25;
  const divergence = (order: number): number =>
    valid
      ? Math.max(roundUp(Math.min((order * ratio * ratio) / 2 + additive, order * linear)), SMALLEST_RDP)
      : Number.POSITIVE_INFINITY;
  return { tau, rho: valid ? roundUp(linear) : Number.POSITIVE_INFINITY, rdp: divergence };
}

/** τ, rounded up: from k = K on every summand is at most e^(−2π²σ²K/(K+1)). */
function foldingSlack(contributors: number, variance: number): number {
  const summand = (k: number): number => Math.exp((-2 * Math.PI ** 2 * variance * k) / (k + 1));
  const exact = Math.min(contributors - 1, 100_000);
  let sum = 0;
  for (let k = exact; k >= 1; k--) sum += summand(k);
  // The exponent is rounded thrice; the summands fall with k, the rest is at most the last one each.
  const rest = (contributors - 1 - exact) * summand(Math.max(exact, 1));
  return 10 * (sum + rest) * (1 + ULP * (64 + 80 * Math.min(variance, 50)));
}
