import type { Neighbouring } from '../../relation.js';
import { type Composition, NOTHING, UNKNOWN, withoutLower } from './alternatives.js';
import { type Component, type PairOfPairs, symmetric } from './component.js';
import { mergeGaussians } from './gaussianNoise.js';
import { type LossPair, sampledAddPair, sampledRemovePair, sampledReplacePair } from './lossPair.js';

/** A sampling rate, rounded up for the upper end and down for the lower. */
export interface Rate {
  readonly upper: number;
  readonly lower: number;
}

/** Divergences rise with the rate, so a smaller one is charged as this; nothing is known of it from below. */
const SMALLEST_RATE = 2 ** -100;

/** The one mechanism on each sample, or what is to be said where there is not just one. */
function onlyOne(composition: Composition): Component | Composition {
  const { components, infinite } = mergeGaussians(composition);
  // A sample without noise: δ is the rate. The pairs here have no loss that is infinite.
  if (infinite) return UNKNOWN;
  const [only, ...more] = components;
  if (only === undefined) return NOTHING;
  // Several answers on one sample are not several samples. By joint convexity sampling never costs more than asking all. So it is with
  // answers that each record gives for itself: who answers is public, and with it the sample.
  return more.length > 0 ||
    only.count !== 1 ||
    only.upper.remove !== only.upper.add ||
    only.upper.remove.discrete
    ? withoutLower(composition)
    : only;
}

/**
 * Poisson sampling (Zhu, Dong, Wang 2022, Thm. 11); under replace-one by `sampledReplacePair`, where a record that is not drawn is no
 * further from one that is than that one from another. It then covers one record more or less as well, by advanced joint convexity.
 */
export function poissonSample(composition: Composition, rate: Rate, relation: Neighbouring): Composition {
  const one = onlyOne(composition);
  if ('components' in one) return one;
  const upperRate = Math.max(rate.upper, SMALLEST_RATE);
  if (relation === 'replace-one') {
    if (!one.coversRemoval) return withoutLower(composition);
    return sampled(one, symmetric(sampledReplacePair(one.upper.remove, upperRate)));
  }
  const pairs = (pair: LossPair, q: number): PairOfPairs => ({
    remove: sampledRemovePair(pair, q),
    add: sampledAddPair(pair, q),
  });
  return sampled(
    one,
    pairs(one.upper.remove, upperRate),
    rate.lower >= SMALLEST_RATE && one.lower ? pairs(one.lower.remove, rate.lower) : undefined,
  );
}

/**
 * A sample of fixed size of a population of fixed size, `replaced` being the mechanism on the sample under replace-one. One record
 * more or less in the population is not covered.
 */
export function fixedSizeSample(replaced: Composition, rate: number): Composition {
  const one = onlyOne(replaced);
  if ('components' in one) return one;
  const upper = symmetric(sampledReplacePair(one.upper.remove, Math.max(rate, SMALLEST_RATE)));
  return sampled({ ...one, coversRemoval: false }, upper);
}

/** Without the mark of an unsampled Gaussian. */
function sampled({ gaussian, ...part }: Component, upper: PairOfPairs, lower?: PairOfPairs): Composition {
  return { components: [{ ...part, upper, lower }] };
}
