import type { LossPair } from './lossPair.js';

/** One pair, composed `count` times with itself. */
export interface LossTerm {
  readonly upper: LossPair;
  /** Absent: nothing is known from below. */
  readonly lower: LossPair | undefined;
  readonly count: number;
}

/** Where the laws of a composition are put. */
export interface Grid {
  /** Lattice width, and the number of its points in a period: a power of two. */
  readonly width: number;
  readonly size: number;
  /** λ: laws are multiplied by e^(λx) before they are transformed. */
  readonly tilt: number;
  /** Left end of the period in which the sum is looked at. */
  readonly start: number;
  /** Further tilts at which the mass outside the period is bounded, to the left and to the right. */
  readonly leftTilt: number;
  readonly rightTilt: number;
  /** For each term: where its lattice lies, and at which points its loss is put. */
  readonly terms: readonly { readonly offset: number; readonly nodes: Float64Array }[];
}

/** A loss that is not exceeded, Infinity where there is none: ε holds at δ = 0 from there. */
export function largestSum(terms: readonly LossTerm[]): number {
  return terms.reduce((sum, { upper, count }) => sum + count * upper.highest, 0) * (1 + 2 ** -40);
}

/** What is known from below: leaving a mechanism out never costs more. */
export function knownFromBelow(terms: readonly LossTerm[]): readonly LossTerm[] {
  return terms.filter(({ lower }) => lower !== undefined);
}

export function withoutLowers(terms: readonly LossTerm[]): readonly LossTerm[] {
  return terms.map(({ upper, count }) => ({ upper, count, lower: undefined }));
}
