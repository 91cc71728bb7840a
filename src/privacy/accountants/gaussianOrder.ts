import { PrivacyError } from '../errors.js';
import { type PrivacyEvent, parseEvent } from '../events.js';
import { gaussianDelta, gaussianEpsilon } from './analyticGaussian.js';
import { type ContinuousEquivalent, continuousEquivalent } from './bridge.js';
import { checkDelta } from './conversion.js';
import { bridged } from './discreteGaussian.js';
import { roundUp, ULP } from './rounding.js';
import { gaussianRdp } from './sampledGaussian.js';

/**
 * Gaussian differential privacy for the filter. A sum with Gaussian noise of µ = sensitivity/σ costs µ²/2, its divergence of
 * order 1. Chosen one after the other in sight of the answers, sums of Σ µ²/2 ≤ r in every case are √(2r)-GDP together (Smith, Thakurta
 * 2022; short proof: docs/privacy.md, "The Gaussian order"), so that a filter on the sum is as tight as the one Gaussian.
 *
 * Discrete noise is within e^±η of post-processed continuous noise, given any past (bridge.ts), hence a whole transcript within e^±H,
 * H = Σ η. A sum is charged at least 2^40·η, so H ≤ 2^-40·r whatever is chosen, and what holds of r includes it.
 */
const SLACK_SHARE = 2 ** -40;

/** Covers a few roundings. */
const DOWN = 1 - 2 ** -50;

/**
 * µ²/2 of an event under add/remove, in nats, rounded up. Infinity for what is not Gaussian noise on a sum of all records: a Poisson
 * sample (but at rate 1), Laplace noise, local training, what is malformed. For those no µ is both proved and near the truth:
 * central limits are approximations from below (tradeoff.ts).
 */
export function gaussianCost(event: PrivacyEvent): number {
  try {
    return costOf(parseEvent(event));
  } catch (error) {
    // Unknown or malformed: hazard P25.
    if (error instanceof PrivacyError) return Number.POSITIVE_INFINITY;
    throw error;
  }
}

function costOf(event: PrivacyEvent): number {
  switch (event.kind) {
    case 'gaussian':
      return gaussianRdp(event.noiseMultiplier, 1);
    case 'discrete-gaussian':
      return bridgedCost(bridged(event));
    case 'distributed-discrete-gaussian':
      return bridgedCost(continuousEquivalent(event));
    case 'poisson-sampled':
      return event.samplingRate === 1 ? costOf(event.event) : Number.POSITIVE_INFINITY;
    case 'self-composed':
      return event.count === 0 ? 0 : roundUp(costOf(event.event) * event.count);
    case 'composed':
      return event.events.reduce((total, part) => roundUp(total + costOf(part)), 0);
    case 'parallel-composed':
      // One record more or less is in one of the sets: the other parts have the same law on both sides.
      return event.events.reduce((dearest, part) => Math.max(dearest, costOf(part)), 0);
    case 'laplace':
    case 'randomized-response':
    case 'local-dp-sgd':
    case 'sampled-without-replacement':
    case 'random-allocation':
    case 'non-private':
      return Number.POSITIVE_INFINITY;
  }
}

function bridgedCost(noise: ContinuousEquivalent | undefined): number {
  if (noise === undefined) return Number.POSITIVE_INFINITY;
  return Math.max(gaussianRdp(noise.noiseMultiplier, 1), noise.logFactor / SLACK_SHARE);
}

/** 1/µ of the one Gaussian that a total of µ²/2 is, rounded down. */
function multiplierOf(total: number): number {
  return (1 / Math.sqrt(2 * total)) * DOWN;
}

/**
 * ε at δ of a total of µ²/2 (nats), rounded up: the Gaussian's exact curve (analyticGaussian.ts). If the continuous transcript is
 * (ε₀, δ₀), the real one is (ε₀ + 2H, e^H δ₀). 0 where nothing was spent. Throws `argument-invalid` for δ outside (0, 1).
 */
export function gaussianCostToEpsilon(total: number, delta: number): number {
  checkDelta(delta);
  if (total === 0) return 0;
  const slack = total * SLACK_SHARE;
  const continuousDelta = delta * Math.exp(-slack) * DOWN;
  if (!(total < Number.POSITIVE_INFINITY && continuousDelta > 0)) return Number.POSITIVE_INFINITY;
  const epsilon = gaussianEpsilon({ noiseMultiplier: multiplierOf(total), delta: continuousDelta });
  return (epsilon + 2 * slack) * (1 + 4 * ULP);
}

/**
 * The largest total of µ²/2 (nats) whose ε at δ is at most `epsilon`, to 2^-44, rounded down: `gaussianCostToEpsilon` of it, and of
 * whatever is less, is at most that. 0 where there is none that a double holds.
 */
export function largestGaussianCost(epsilon: number, delta: number): number {
  checkDelta(delta);
  // Two bounds meet here, δ(ε) and ε(δ), which are rounded each by itself.
  const aim = epsilon * (1 - 2 ** -44);
  const holds = (total: number): boolean => {
    const slack = total * SLACK_SHARE;
    const rest = (aim - 2 * slack) * DOWN;
    if (!(rest >= 0)) return false;
    return (
      gaussianDelta({ noiseMultiplier: multiplierOf(total), epsilon: rest }) <=
      delta * Math.exp(-slack) * DOWN
    );
  };
  let low = 1;
  while (!holds(low)) {
    low /= 2;
    if (low < 2 ** -1000) return 0;
  }
  let high = 2 * low;
  while (holds(high)) high *= 2;
  while (high - low > low * 2 ** -46) {
    const middle = (low + high) / 2;
    if (holds(middle)) low = middle;
    else high = middle;
  }
  // Nearly always so at once; where ε is so small that both are coarse, in steps that double.
  for (let step = 2 ** -44; gaussianCostToEpsilon(low, delta) > epsilon * (1 - 2 ** -46); step *= 2)
    low *= 1 - Math.min(step, 0.5);
  return low;
}
