import { PrivacyError } from '../../errors.js';
import type { PrivacyEvent } from '../../events.js';
import type { Neighbouring } from '../../relation.js';
import type { Composition } from './alternatives.js';
import type { Direction } from './component.js';
import { type DirectionBounds, directionBounds, type Focus } from './directionBounds.js';
import { epsilonInterval, isSymmetric, readCompositions } from './epsilonInterval.js';
import type { LossTerm } from './grid.js';
import { sketches, tiltAtDelta } from './plan.js';

export interface CurveOptions {
  /** How many values of ε, from 0 to where δ is 10^-10; 50 by default. */
  readonly points?: number;
  readonly relation?: Neighbouring;
}

export interface PrivacyPoint {
  readonly epsilon: number;
  readonly deltaLower: number;
  readonly deltaUpper: number;
}

/** The curve ends where δ reaches this. */
const LAST_DELTA = 1e-10;

/** δ for which grids are made; between them the bounds are true, and a little wider. */
const ANCHORS = [0.1, 1e-3, 1e-5, 1e-7, 1e-9] as const;

/**
 * δ(ε) from both sides at equally spaced ε, by rising ε. Both are worst over the direction and over what a record may be in; see
 * `epsilonInterval`. Empty where no finite ε is proved at the last δ.
 */
export function privacyCurve(
  event: PrivacyEvent,
  { points = 50, relation = 'add-remove' }: CurveOptions = {},
): readonly PrivacyPoint[] {
  if (!Number.isSafeInteger(points) || points < 2)
    throw new PrivacyError('argument-invalid', `a curve has at least 2 points, got ${points}`);
  const end = epsilonInterval(event, { delta: LAST_DELTA, relation, ends: 'upper' }).upper;
  if (end === Number.POSITIVE_INFINITY) return [];
  const bounds = readCompositions(event, relation).flatMap((composition) => boundsOf(composition));
  return Array.from({ length: end === 0 ? 1 : points }, (_, i) => {
    const epsilon = end === 0 ? 0 : (end * i) / (points - 1);
    let deltaLower = 0;
    let deltaUpper = 0;
    for (const bound of bounds) {
      const { lower, upper } = bound(epsilon);
      deltaLower = Math.max(deltaLower, lower);
      deltaUpper = Math.max(deltaUpper, upper);
    }
    return { epsilon, deltaLower, deltaUpper };
  });
}

function boundsOf(composition: Composition): DirectionBounds[] {
  if (composition.components.length === 0) return [];
  const directions: Direction[] = isSymmetric(composition) ? ['remove'] : ['remove', 'add'];
  return directions.map((direction) => directionBounds(composition, direction, atAnchors));
}

/** The cut is the last δ's: every curve is asked everywhere. */
function atAnchors(terms: readonly LossTerm[]): ReturnType<Focus> {
  const parts = sketches(terms, Math.log(LAST_DELTA));
  return ANCHORS.map((delta) => {
    const { tilt, epsilon } = tiltAtDelta(parts, Math.log(delta));
    return { tilt, epsilon, logDelta: Math.log(LAST_DELTA), width: 2e-3 * Math.max(0.1, epsilon) };
  });
}
