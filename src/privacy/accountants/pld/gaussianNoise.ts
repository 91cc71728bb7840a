import type { DistributedDiscreteGaussianEvent, PrivacyEvent } from '../../events.js';
import { parseRational, toNumber } from '../../rational.js';
import { type Neighbouring, sensitivityFactor } from '../../relation.js';
import { continuousEquivalent } from '../bridge.js';
import { type Composition, EXPOSED, NOTHING, UNKNOWN } from './alternatives.js';
import { type Component, type GaussianNoise, symmetric } from './component.js';
import { gaussianPair } from './lossPair.js';

interface ContinuousNoise {
  readonly noise: GaussianNoise;
  readonly slackUpper: number;
  readonly slackLower: number;
}

export type GaussianNoiseEvent = Extract<
  PrivacyEvent,
  { kind: 'gaussian' | 'distributed-discrete-gaussian' | 'discrete-gaussian' }
>;

/** Noise multipliers outside of this are beyond doubles' means: more noise is charged as the largest. */
const SMALLEST_NOISE = 1e-100;
const LARGEST_NOISE = 1e100;

export function gaussianComposition(event: GaussianNoiseEvent, relation: Neighbouring): Composition {
  const continuous = continuousNoise(event, relation);
  if (continuous === undefined) return UNKNOWN;
  const { upper } = continuous.noise;
  if (!(upper > 0)) return EXPOSED;
  if (upper === Number.POSITIVE_INFINITY) return NOTHING;
  return upper < SMALLEST_NOISE ? UNKNOWN : { components: [component(continuous)] };
}

function component({ noise, slackUpper, slackLower }: ContinuousNoise): Component {
  const upper = Math.min(noise.upper, LARGEST_NOISE);
  const lower = noise.lower <= LARGEST_NOISE ? noise.lower : Number.POSITIVE_INFINITY;
  return {
    count: 1,
    upper: symmetric(gaussianPair(upper)),
    lower: lower < Number.POSITIVE_INFINITY ? symmetric(gaussianPair(lower)) : undefined,
    slackUpper,
    slackLower,
    coversRemoval: true,
    gaussian: { upper, lower },
  };
}

/** Covers a few roundings of a noise multiplier. */
const DOWN = 1 - 2 ** -48;
const UP = 1 + 2 ** -48;

/**
 * Continuous noise at both ends. Discrete noise of variance V is post-processing of continuous noise of variance V − 4 up to
 * e^±η: the bridge (docs/privacy.md). Upside down, adding N(0, 4) to it gives continuous noise of variance V + 4 up to a factor that
 * the same normaliser bounds, with τ² = 4V/(V + 4) ≥ 3.2 for V ≥ 16; and one coordinate that moves by ⌊sensitivity⌋ is a case of the event.
 */
function continuousNoise(event: GaussianNoiseEvent, relation: Neighbouring): ContinuousNoise | undefined {
  const factor = sensitivityFactor(relation);
  if (event.kind === 'gaussian') {
    const noise = event.noiseMultiplier / factor;
    return { noise: { upper: noise, lower: noise }, slackUpper: 0, slackLower: 0 };
  }
  const shares = event.kind === 'discrete-gaussian' ? asOneShare(event) : event;
  const upper = continuousEquivalent(shares);
  if (upper === undefined) return undefined;
  const honest = shares.contributors - shares.colluders;
  const { n, d } = parseRational(shares.shareVariance);
  const variance = toNumber({ n: BigInt(honest) * n + 4n * d, d });
  const reach = Math.floor(shares.sensitivity) * factor;
  return {
    noise: {
      upper: (upper.noiseMultiplier / factor) * DOWN,
      lower: (Math.sqrt(variance) / reach) * UP,
    },
    slackUpper: upper.logFactor,
    slackLower:
      (4 * Math.exp(-6.4 * Math.PI ** 2) + 8 * (honest - 1) * Math.exp(-16 * Math.PI ** 2)) * (1 + 2 ** -20),
  };
}

function asOneShare(
  event: Extract<PrivacyEvent, { kind: 'discrete-gaussian' }>,
): DistributedDiscreteGaussianEvent {
  const { variance, sensitivity, dimension } = event;
  return {
    version: 1,
    kind: 'distributed-discrete-gaussian',
    contributors: 1,
    colluders: 0,
    shareVariance: variance,
    sensitivity,
    dimension,
  };
}

/** Answers with Gaussian noise are one answer with noise 1/√Σσ^−2, exactly (Dong, Roth, Su 2022, Cor. 3.3). */
export function mergeGaussians(composition: Composition): Composition {
  let gaussians = 0;
  let runs = 0;
  let inverseUpper = 0;
  let inverseLower = 0;
  let slackUpper = 0;
  let slackLower = 0;
  for (const { gaussian, count, ...part } of composition.components) {
    if (gaussian === undefined) continue;
    gaussians += 1;
    runs += count;
    inverseUpper += count / gaussian.upper / gaussian.upper;
    inverseLower += count / gaussian.lower / gaussian.lower;
    slackUpper += count * part.slackUpper;
    if (part.lower) slackLower += count * part.slackLower;
  }
  if (runs <= 1) return composition;
  const margin = gaussians * 2 ** -50;
  const upper = (1 / Math.sqrt(inverseUpper)) * (1 - margin);
  const lower = (1 / Math.sqrt(inverseLower)) * (1 + margin);
  // So little noise that its inverse is beyond doubles.
  if (!(upper >= SMALLEST_NOISE)) return { components: [], infinite: composition.infinite ?? 'unknown' };
  const merged = component({ noise: { upper, lower }, slackUpper, slackLower });
  const others = composition.components.filter(({ gaussian }) => gaussian === undefined);
  return { ...composition, components: [merged, ...others] };
}
