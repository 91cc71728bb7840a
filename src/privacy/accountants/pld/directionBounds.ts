import type { Composition } from './alternatives.js';
import type { Direction } from './component.js';
import { type ComposedLoss, composeLosses } from './composition.js';
import { termsOf } from './epsilonInterval.js';
import { knownFromBelow, type LossTerm, largestSum, withoutLowers } from './grid.js';
import type { PrivacyInterval } from './interval.js';
import { deltaAt } from './latticeCurve.js';
import { gridFor, isWithinReach, sketches, type Target } from './plan.js';
import { deltaOfPair } from './singlePair.js';
import { slackened, slackOf } from './slack.js';

/** δ over ε of one direction of a composition, from both sides. */
export type DirectionBounds = (epsilon: number) => PrivacyInterval;

/** Where δ shall be known well, from the terms that are asked about. */
export type Focus = (terms: readonly LossTerm[]) => readonly Omit<Target, 'sketches'>[];

/** Bounds that are true everywhere, and tight where `focus` says. */
export function directionBounds(
  composition: Composition,
  direction: Direction,
  focus: Focus,
): DirectionBounds {
  const slack = slackOf(composition);
  const terms = termsOf(composition, direction);
  const bounds = ofOnePair(terms) ?? ofAll(terms, focus);
  return (epsilon) => slackened(slack, epsilon, bounds);
}

interface Bounds {
  readonly upper: (epsilon: number) => number;
  readonly lower: (epsilon: number) => number;
}

function ofOnePair(terms: readonly LossTerm[]): Bounds | undefined {
  const [only] = terms;
  if (only === undefined || terms.length > 1 || only.count !== 1) return undefined;
  const { upper, lower } = only;
  return {
    upper: (epsilon) => deltaOfPair(upper, epsilon, 'upper'),
    lower: (epsilon) => (lower ? deltaOfPair(lower, epsilon, 'lower') : 0),
  };
}

function ofAll(terms: readonly LossTerm[], focus: Focus): Bounds {
  const known = knownFromBelow(terms);
  const both = known.length === terms.length;
  const curves = composed(both ? terms : withoutLowers(terms), focus);
  const below = both || known.length === 0 ? curves : composed(known, focus);
  const largest = largestSum(terms);
  return {
    upper: (epsilon) =>
      epsilon >= largest ? 0 : Math.min(1, ...curves.map(({ upper }) => deltaAt(upper, epsilon))),
    lower: (epsilon) => Math.max(0, ...below.map(({ lower }) => (lower ? deltaAt(lower, epsilon) : 0))),
  };
}

function composed(terms: readonly LossTerm[], focus: Focus): readonly ComposedLoss[] {
  return focus(terms).flatMap((target) => {
    const parts = sketches(terms, target.logDelta);
    return isWithinReach(parts) ? composeLosses(terms, gridFor(terms, { ...target, sketches: parts })) : [];
  });
}
