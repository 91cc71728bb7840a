import type { LossPair } from './lossPair.js';

/** The record is in the first data set, or in the second. */
export type Direction = 'remove' | 'add';

export type PairOfPairs = Readonly<Record<Direction, LossPair>>;

/** One mechanism: pairs that dominate it, pairs that it dominates, and how often it ran. */
export interface Component {
  readonly count: number;
  readonly upper: PairOfPairs;
  readonly lower: PairOfPairs | undefined;
  /** η: the laws are within e^±η of laws of these pairs, each time (docs/privacy.md, the bridge). */
  readonly slackUpper: number;
  readonly slackLower: number;
  /** Under replace-one: `upper` also dominates what one record more or less does. */
  readonly coversRemoval: boolean;
  /** Unsampled Gaussian noise: any number of them are one, in the end. */
  readonly gaussian?: GaussianNoise;
}

/** Noise multipliers for the upper and the lower end; Infinity in the second where there is no lower end. */
export interface GaussianNoise {
  readonly upper: number;
  readonly lower: number;
}

export function symmetric(pair: LossPair): PairOfPairs {
  return { remove: pair, add: pair };
}

/** The same at most, and nothing known from below. */
export function withoutLowerEnd(part: Component): Component {
  return part.gaussian
    ? { ...part, lower: undefined, gaussian: { ...part.gaussian, lower: Number.POSITIVE_INFINITY } }
    : { ...part, lower: undefined };
}
