import type { PrivacyEvent } from '../../events.js';
import { type Neighbouring, sensitivityFactor } from '../../relation.js';
import {
  type Composition,
  EXPOSED,
  either,
  NOTHING,
  product,
  repeated,
  UNKNOWN,
  withoutLower,
} from './alternatives.js';
import { symmetric } from './component.js';
import { gaussianComposition, mergeGaussians } from './gaussianNoise.js';
import { type LossPair, laplacePair, randomizedResponsePair } from './lossPair.js';
import { fixedSizeSample, poissonSample, type Rate } from './sampledComponents.js';

/**
 * An event as compositions of mechanisms of which dominating pairs are known; of the alternatives (a record is in one of several
 * disjoint sets) the worst counts. Never less than the event costs: what is not known is `infinite`.
 */
export function compositionsOf(event: PrivacyEvent, relation: Neighbouring): readonly Composition[] {
  return expand(event, relation).map(mergeGaussians);
}

function expand(event: PrivacyEvent, relation: Neighbouring): readonly Composition[] {
  switch (event.kind) {
    case 'composed':
      return event.events.reduce<readonly Composition[]>(
        (sum, part) => product(sum, expand(part, relation)),
        [NOTHING],
      );
    case 'self-composed':
      return repeated(expand(event.event, relation), event.count);
    case 'gaussian':
    case 'distributed-discrete-gaussian':
    case 'discrete-gaussian':
      return [gaussianComposition(event, relation)];
    case 'laplace':
      return [laplace(event.noiseMultiplier / sensitivityFactor(relation))];
    case 'randomized-response':
      // A local mechanism: who answers is public, what is not; without a record there is no answer to compare with.
      return relation === 'replace-one'
        ? [randomizedResponse(event.noiseParameter, event.buckets)]
        : [UNKNOWN];
    case 'poisson-sampled': {
      const rate = { upper: event.samplingRate, lower: event.samplingRate };
      return poissonSampled(rate, event.event, relation);
    }
    case 'local-dp-sgd': {
      const rate = { upper: event.samplingRate, lower: event.samplingRate };
      const step: PrivacyEvent = { version: 1, kind: 'gaussian', noiseMultiplier: event.noiseMultiplier };
      return repeated(poissonSampled(rate, step, relation), event.steps);
    }
    case 'sampled-without-replacement':
      return sampledWithoutReplacement(event, relation);
    case 'random-allocation': {
      // Given where the record is, it takes part in `selections` steps; not knowing where is a mixture (joint convexity).
      const known = repeated(expand(event.event, relation), event.selections);
      return event.selections === event.steps ? known : known.map(withoutLower);
    }
    case 'parallel-composed': {
      const parts = event.events.map((part) => expand(part, relation));
      if (parts.length <= 1) return parts[0] ?? [NOTHING];
      if (relation !== 'replace-one') return either(parts);
      // A record that is replaced may leave one set and enter another: both are charged.
      return parts.reduce((sum, part) => product(sum, part)).map(leavingAndEntering);
    }
    case 'non-private':
      return [EXPOSED];
  }
}

/** An answer that a record gives for itself comes or goes with it, which no replace-one pair covers. */
function leavingAndEntering(composition: Composition): Composition {
  return composition.components.every((part) => part.coversRemoval) ? withoutLower(composition) : UNKNOWN;
}

function exactly(pair: LossPair, coversRemoval: boolean): Composition {
  const pairs = symmetric(pair);
  return {
    components: [{ count: 1, upper: pairs, lower: pairs, slackUpper: 0, slackLower: 0, coversRemoval }],
  };
}

/** Scales outside of this are beyond doubles' means. */
const SMALLEST_SCALE = 1e-100;
const LARGEST_SCALE = 1e100;

function laplace(scale: number): Composition {
  if (!(scale > 0)) return EXPOSED;
  if (scale === Number.POSITIVE_INFINITY) return NOTHING;
  if (scale < SMALLEST_SCALE) return UNKNOWN;
  return scale > LARGEST_SCALE
    ? withoutLower(exactly(laplacePair(LARGEST_SCALE), true))
    : exactly(laplacePair(scale), true);
}

function randomizedResponse(noiseParameter: number, buckets: number): Composition {
  if (!(noiseParameter > 0)) return EXPOSED;
  if (noiseParameter === 1) return NOTHING;
  // Below this a probability has lost its digits.
  if (noiseParameter / buckets < 1e-300) return UNKNOWN;
  return exactly(randomizedResponsePair(noiseParameter, buckets), false);
}

function poissonSampled(rate: Rate, event: PrivacyEvent, relation: Neighbouring): readonly Composition[] {
  if (event.kind === 'poisson-sampled') {
    // A sample of a sample.
    const upper = Math.min(1, rate.upper * event.samplingRate * (1 + 2 ** -52));
    return poissonSampled(
      { upper, lower: rate.lower * event.samplingRate * (1 - 2 ** -52) },
      event.event,
      relation,
    );
  }
  const inside = expand(event, relation);
  if (rate.lower === 1) return inside;
  return inside.map((composition) => poissonSample(composition, rate, relation));
}

/**
 * Add/remove: one record more or less in the population; the samples in which it is not are the same, the others differ in one
 * record from these: replace-one of what is sampled, without any amplification. What is not defined for the relation (answers that
 * records give for themselves) is not for samples either.
 */
function sampledWithoutReplacement(
  { sampleSize, populationSize, event }: Extract<PrivacyEvent, { kind: 'sampled-without-replacement' }>,
  relation: Neighbouring,
): readonly Composition[] {
  const asked = expand(event, relation);
  if (asked.some(({ infinite }) => infinite === 'unknown')) return [UNKNOWN];
  if (sampleSize === populationSize && relation !== 'add-remove') return asked;
  const replaced = expand(event, 'replace-one');
  if (relation === 'add-remove') return replaced.map((one) => (one.infinite ? UNKNOWN : withoutLower(one)));
  const rate = Math.min(1, (sampleSize / populationSize) * (1 + 2 ** -52));
  return replaced.map((composition) => fixedSizeSample(composition, rate));
}
