import { PrivacyError } from '../../errors.js';
import type { PrivacyEvent } from '../../events.js';
import type { Neighbouring } from '../../relation.js';
import { type Composition, withoutLower } from './alternatives.js';
import { directionBounds, type Focus } from './directionBounds.js';
import { isSymmetric, readCompositions } from './epsilonInterval.js';
import { largestSum } from './grid.js';
import type { PrivacyInterval } from './interval.js';
import { sketches, tiltAtDelta, tiltAtEpsilon } from './plan.js';

export interface DeltaOptions {
  readonly epsilon: number;
  readonly relation?: Neighbouring;
}

const NONE: PrivacyInterval = { lower: 0, upper: 0 };

/**
 * [lower, upper] around the smallest δ with which the event is (ε, δ)-differentially private: `epsilonInterval` asked the other way
 * round, with what is said there. An event without a dominating pair has [0, 1], one without any noise [1, 1]. The width is below a
 * hundredth of δ, where δ is above 10^-280. Throws `argument-invalid` for an ε that is negative or not a number.
 */
export function deltaInterval(event: PrivacyEvent, { epsilon, relation }: DeltaOptions): PrivacyInterval {
  if (!(epsilon >= 0)) throw new PrivacyError('argument-invalid', `ε must be at least 0, got ${epsilon}`);
  return readCompositions(event, relation ?? 'add-remove')
    .map((composition) => ofComposition(composition, epsilon))
    .reduce(larger, NONE);
}

function larger(a: PrivacyInterval, b: PrivacyInterval): PrivacyInterval {
  return { lower: Math.max(a.lower, b.lower), upper: Math.max(a.upper, b.upper) };
}

function ofComposition(composition: Composition, epsilon: number): PrivacyInterval {
  if (composition.infinite === 'exposed') return { lower: 1, upper: 1 };
  if (composition.infinite === 'unknown') return { lower: 0, upper: 1 };
  if (composition.components.length === 0 || epsilon === Number.POSITIVE_INFINITY) return NONE;
  const first = directionBounds(composition, 'remove', near(epsilon))(epsilon);
  if (isSymmetric(composition)) return first;
  // The other direction matters only if it is the worse one: a coarse upper bound mostly tells.
  const coarse = directionBounds(withoutLower(composition), 'add', near(epsilon, 8 * WIDTH))(epsilon);
  if (coarse.upper <= first.upper) return first;
  return larger(first, directionBounds(composition, 'add', near(epsilon))(epsilon));
}

/** Wanted distance of the two ends, as a part of δ. */
const WIDTH = 2e-3;

/** Logarithms of δ: where the guess begins, and where it ends. */
const FIRST_GUESS = Math.log(1e-8);
const LAST_GUESS = Math.log(1e-270);

/** How deep the tails must be known depends on δ, which is guessed from tails that are known so deep. */
function near(epsilon: number, wanted = WIDTH): Focus {
  return (terms) => {
    if (epsilon >= largestSum(terms)) return [];
    let logDelta = FIRST_GUESS;
    for (let round = 0; round < 8; round++) {
      const { logDelta: guess } = tiltAtEpsilon(sketches(terms, logDelta), epsilon);
      const next = Math.min(0, Math.max(guess, LAST_GUESS));
      if (Math.abs(next - logDelta) < 2) break;
      logDelta = next;
    }
    const parts = sketches(terms, logDelta);
    // Where even less is left than can be named, what is true at a smaller ε will do.
    const at =
      logDelta > LAST_GUESS
        ? epsilon
        : Math.max(0, Math.min(epsilon, tiltAtDelta(parts, LAST_GUESS).epsilon));
    const { tilt } = tiltAtEpsilon(parts, at);
    return [{ epsilon: at, tilt, logDelta, width: Math.min(wanted / (tilt + 0.1), 1e-3 * Math.max(1, at)) }];
  };
}
