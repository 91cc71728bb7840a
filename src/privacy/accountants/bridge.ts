import type { DistributedDiscreteGaussianEvent } from '../events.js';
import { parseRational, toNumber } from '../rational.js';

/**
 * From discrete to continuous noise (docs/privacy.md, "The bridge"). Up to a factor e^±η on every probability, uniform
 * in the integer centre, the sum of m discrete Gaussian shares of variance v ≥ 16 grid steps² in d dimensions is
 * post-processing of continuous Gaussian noise of variance m·v − 4, where
 *
 *   η = d · (4 e^(−2π²·4) + 8 (m − 1) e^(−2π²·8)) · (1 + 2^-20):
 *
 * the first term is the bridge at s² = 4, the others the m − 1 foldings of shares, each with s² ≥ v/2 ≥ 8.
 */
export const BRIDGE_VARIANCE = 4;
export const SHARE_VARIANCE_FLOOR = 16;

const BRIDGE_SLACK = 4 * Math.exp(-8 * Math.PI ** 2) * (1 + 2 ** -20);
const FOLDING_SLACK = 8 * Math.exp(-16 * Math.PI ** 2) * (1 + 2 ** -20);

export interface ContinuousEquivalent {
  /** Effective standard deviation / sensitivity, rounded down. */
  readonly noiseMultiplier: number;
  /** η: log of the factor between the two laws, one round, rounded up. */
  readonly logFactor: number;
}

/** `undefined` where the theorem does not reach: a share below the floor, or no honest share at all. Such an event costs ∞. */
export function continuousEquivalent(
  event: DistributedDiscreteGaussianEvent,
): ContinuousEquivalent | undefined {
  const honest = event.contributors - event.colluders;
  if (honest <= 0) return undefined;
  const { n, d } = parseRational(event.shareVariance);
  if (n < BigInt(SHARE_VARIANCE_FLOOR) * d) return undefined;
  const variance = toNumber({ n: BigInt(honest) * n - BigInt(BRIDGE_VARIANCE) * d, d });
  return {
    noiseMultiplier: (Math.sqrt(variance) / event.sensitivity) * (1 - 2 ** -48),
    logFactor: event.dimension * (BRIDGE_SLACK + (honest - 1) * FOLDING_SLACK) * (1 + 2 ** -48),
  };
}

/**
 * P′ ≤ e^η P and Q′ ≥ e^−η Q give ∫ P′^α Q′^(1−α) ≤ e^((2α−1)η) ∫ P^α Q^(1−α), hence D_α(P′‖Q′) ≤ D_α(P‖Q) + η(2α−1)/(α−1).
 * Sub-sampling mixes laws that all differ by the same factor, so this is added after it, never amplified.
 */
export function rdpSlack(logFactor: number, order: number): number {
  return ((logFactor * (2 * order - 1)) / (order - 1)) * (1 + 2 ** -48);
}
