import { PrivacyError } from '../../errors.js';
import { type PrivacyEvent, parseEvent } from '../../events.js';
import type { Neighbouring } from '../../relation.js';
import { checkDelta } from '../conversion.js';
import { type Composition, UNKNOWN } from './alternatives.js';
import type { Direction } from './component.js';
import { compositionsOf } from './components.js';
import { composeLosses } from './composition.js';
import { knownFromBelow, type LossTerm, largestSum, withoutLowers } from './grid.js';
import type { PrivacyInterval } from './interval.js';
import { epsilonAbove, epsilonBelow } from './latticeCurve.js';
import { gridFor, isWithinReach, sketches, tiltAtDelta } from './plan.js';
import { epsilonOfPair } from './singlePair.js';
import { slackOf } from './slack.js';

export interface EpsilonOptions {
  readonly delta: number;
  readonly relation?: Neighbouring;
  /** Wanted distance of the two ends. The default keeps 10^-3, relative where ε is above 10, and 2 % of a small ε. */
  readonly width?: number;
  /** `upper` alone is quicker; `lower` is then 0. */
  readonly ends?: 'both' | 'upper';
}

const RETRIES = 3;

/**
 * [lower, upper] around the smallest ε ≥ 0 with which the event is (ε, δ)-differentially private, whichever of two neighbours comes first:
 * no ε below `lower` holds for the worst mechanism that the event describes, `upper` holds for each. By privacy loss distributions
 * (Sommer, Meiser, Mohammadi 2019) of dominating pairs (Zhu, Dong, Wang 2022).
 *
 * For a plan whose events did not depend on the answers. It is not a filter: with costs chosen as one goes, neither this ε nor a sum
 * of such is an upper bound on what a rule "stop when the ε of what was done exceeds the limit" spends (hazard P24; filter.ts can).
 *
 * An event without a dominating pair has upper = Infinity and lower = 0; one without any noise, Infinity twice. Throws
 * `argument-invalid` for δ outside (0, 1).
 */
export function epsilonInterval(event: PrivacyEvent, options: EpsilonOptions): PrivacyInterval {
  checkDelta(options.delta);
  const compositions = readCompositions(event, options.relation ?? 'add-remove');
  let whole: PrivacyInterval = { lower: 0, upper: 0 };
  for (const composition of compositions) {
    const { lower, upper } = ofComposition(composition, options);
    whole = { lower: Math.max(whole.lower, lower), upper: Math.max(whole.upper, upper) };
  }
  return whole;
}

/** About ε, quickly: where a search may start. No bound. */
export function epsilonGuess(event: PrivacyEvent, delta: number, relation: Neighbouring): number {
  let worst = 0;
  for (const composition of readCompositions(event, relation)) {
    if (composition.infinite) return Number.POSITIVE_INFINITY;
    const terms = termsOf(composition, 'remove');
    const [only] = terms;
    if (only === undefined) continue;
    const guess =
      terms.length === 1 && only.count === 1
        ? epsilonOfPair(only.upper, delta, 'upper')
        : tiltAtDelta(sketches(terms, Math.log(delta)), Math.log(delta)).epsilon;
    worst = Math.max(worst, guess);
  }
  return worst;
}

/** A malformed event costs ∞ (hazard P25). */
export function readCompositions(event: PrivacyEvent, relation: Neighbouring): readonly Composition[] {
  try {
    return compositionsOf(parseEvent(event), relation);
  } catch (error) {
    if (error instanceof PrivacyError) return [UNKNOWN];
    throw error;
  }
}

function ofComposition(composition: Composition, options: EpsilonOptions): PrivacyInterval {
  if (composition.infinite === 'exposed')
    return { lower: Number.POSITIVE_INFINITY, upper: Number.POSITIVE_INFINITY };
  if (composition.infinite === 'unknown') return { lower: 0, upper: Number.POSITIVE_INFINITY };
  if (composition.components.length === 0) return { lower: 0, upper: 0 };
  const first = ofDirection(composition, 'remove', options);
  if (isSymmetric(composition)) return first;
  // The other direction matters only if it is the worse one: a coarse upper bound mostly tells.
  const coarse = ofDirection(composition, 'add', {
    ...options,
    ends: 'upper',
    width: 8 * wantedWidth(options, first.upper),
  });
  if (coarse.upper <= first.upper) return first;
  const second = ofDirection(composition, 'add', options);
  return { lower: Math.max(first.lower, second.lower), upper: Math.max(first.upper, second.upper) };
}

/** Both directions are one. */
export function isSymmetric({ components }: Composition): boolean {
  return components.every(
    ({ upper, lower }) => upper.remove === upper.add && (!lower || lower.remove === lower.add),
  );
}

/** The promise is 10^-3, relative above 10, and 2 % of a small ε; aimed at is a bit less. */
export function wantedWidth({ width }: { readonly width?: number }, epsilon: number): number {
  return width ?? Math.max(7e-4 * Math.max(Math.min(1, epsilon / 0.06), epsilon / 10), 1e-7);
}

/** The promise itself: wider than this is tried again. */
function toleratedWidth({ width }: { readonly width?: number }, epsilon: number): number {
  if (width !== undefined) return 2 * width;
  return 9e-4 * (epsilon > 10 ? epsilon : Math.max(Math.min(1, epsilon / 0.05), 1e-7));
}

export function termsOf(composition: Composition, direction: Direction): readonly LossTerm[] {
  return composition.components.map(({ count, upper, lower }) => ({
    count,
    upper: upper[direction],
    lower: lower?.[direction],
  }));
}

/** δ(ε) of laws within e^±η of others is at most e^η·δ′(ε − 2η) (slack.ts), so ε at δ at most ε′ at δ·e^−η, and 2η. */
function ofDirection(
  composition: Composition,
  direction: Direction,
  options: EpsilonOptions,
): PrivacyInterval {
  const slack = slackOf(composition);
  const terms = termsOf(composition, direction);
  const deltas = {
    upper: options.delta * Math.exp(-slack.upper),
    lower: Math.min(1, options.delta * Math.exp(slack.lower)),
  };
  const found = bracketed(terms, deltas, options);
  return {
    lower: Math.max(0, found.lower - 2 * slack.lower),
    upper: found.upper + 2 * slack.upper,
  };
}

function bracketed(
  terms: readonly LossTerm[],
  deltas: PrivacyInterval,
  options: EpsilonOptions,
): PrivacyInterval {
  const [only] = terms;
  if (terms.length === 1 && only?.count === 1) {
    return {
      upper: epsilonOfPair(only.upper, deltas.upper, 'upper'),
      lower: options.ends !== 'upper' && only.lower ? epsilonOfPair(only.lower, deltas.lower, 'lower') : 0,
    };
  }
  if (options.ends === 'upper') return composed(withoutLowers(terms), deltas, options);
  const known = knownFromBelow(terms);
  if (known.length === terms.length) return composed(terms, deltas, options);
  return {
    upper: composed(withoutLowers(terms), deltas, options).upper,
    lower: known.length > 0 ? bracketed(known, deltas, options).lower : 0,
  };
}

function composed(
  terms: readonly LossTerm[],
  deltas: PrivacyInterval,
  options: EpsilonOptions,
): PrivacyInterval {
  const logDelta = Math.log(deltas.upper);
  const parts = sketches(terms, logDelta);
  let best: PrivacyInterval = { lower: 0, upper: largestSum(terms) };
  if (!isWithinReach(parts)) return best;
  const { tilt, epsilon } = tiltAtDelta(parts, logDelta);
  let width = wantedWidth(options, epsilon);
  let gap = Number.POSITIVE_INFINITY;
  for (let i = 0; i < RETRIES; i++) {
    const grid = gridFor(terms, { tilt, epsilon, logDelta, width, sketches: parts });
    const { upper, lower } = composeLosses(terms, grid);
    best = {
      upper: Math.min(best.upper, epsilonAbove(upper, deltas.upper)),
      lower: lower ? Math.max(best.lower, epsilonBelow(lower, deltas.lower)) : 0,
    };
    const before = gap;
    gap = best.upper - best.lower;
    if (!lower || gap <= toleratedWidth(options, best.upper)) break;
    // What a finer grid does not narrow is not the grid's.
    if (gap > 0.7 * before) break;
    width /= 8;
  }
  return best;
}
