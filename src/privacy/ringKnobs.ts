import { SHARE_VARIANCE_FLOOR } from './accountants/bridge.js';
import type { EncodingRequest } from './encoding.js';
import { MAX_MODULUS_BITS } from './ring.js';

/** The furthest that each knob may stand, turned alone, for the ring to fit; absent where it does not help alone. */
export interface RingKnobs {
  /** Real units, at the same grid. */
  readonly maxCoordinate?: number;
  readonly members?: number;
  /** At the same grid; three digits, rounded down. */
  readonly noiseMultiplier?: number;
  /** Coordinates of a vector: fewer of them allow a coarser grid too, unless the caller named one. */
  readonly dimension?: number;
  /** The finest that fits, of those that keep the inflation and the floor of the shares. */
  readonly grid?: number;
}

/**
 * Which knobs would make a request fit that needs too large a ring at `grid`, and how far each must be turned.
 * @param fits whether a request has an encoding; true for all smaller values of a knob once it is for one.
 */
export function knobsThatFit(
  request: EncodingRequest,
  grid: number,
  coarsest: number,
  fits: (request: EncodingRequest) => boolean,
): RingKnobs {
  const at = { ...request, grid };
  const steps = largestInteger(1, 2 ** (MAX_MODULUS_BITS - 1), (n) =>
    fits({ ...at, maxCoordinate: n * grid }),
  );
  const members = largestInteger(request.cohort.minSurvivors, request.members, (n) =>
    fits({ ...at, members: n }),
  );
  const dimension = largestInteger(1, request.dimension, (n) => fits({ ...request, dimension: n }));
  const noiseMultiplier = largestNoise(request, grid, (noise) => fits({ ...at, noiseMultiplier: noise }));
  let coarser = 2 * grid;
  while (coarser <= coarsest && !fits({ ...request, grid: coarser })) coarser *= 2;
  return {
    ...(steps !== undefined && { maxCoordinate: steps * grid }),
    ...(members !== undefined && { members }),
    ...(noiseMultiplier !== undefined && { noiseMultiplier }),
    ...(dimension !== undefined && { dimension }),
    ...(coarser <= coarsest && { grid: coarser }),
  };
}

/** The knobs in words, for whoever has to turn one. */
export function knobsInWords(knobs: RingKnobs): string {
  const words = [
    knobs.maxCoordinate !== undefined && `maxCoordinate to ${knobs.maxCoordinate} (clip or average more)`,
    knobs.grid !== undefined && `the grid to ${knobs.grid} (coarser)`,
    knobs.members !== undefined && `the members of a sum to ${knobs.members}`,
    knobs.noiseMultiplier !== undefined && `the noise multiplier to ${knobs.noiseMultiplier}`,
    knobs.dimension !== undefined && `the dimension to ${knobs.dimension}`,
  ].filter((word) => word !== false);
  return words.length === 0
    ? 'no knob fits it alone: lower maxCoordinate, the noise multiplier and the dimension together'
    : `set ${words.join(', or ')}`;
}

/** By bisection; undefined where not even `low` does. */
function largestInteger(low: number, high: number, holds: (n: number) => boolean): number | undefined {
  if (!holds(low)) return undefined;
  let good = low;
  let bad = high + 1;
  while (bad - good > 1) {
    const middle = Math.floor((good + bad) / 2);
    if (holds(middle)) good = middle;
    else bad = middle;
  }
  return good;
}

/** Between the noise at which a share falls to its floor, (σΔ)² = 16 h at sensitivity Δ steps, and the noise asked for. */
function largestNoise(
  { l2Sensitivity, noiseMultiplier, cohort }: EncodingRequest,
  grid: number,
  holds: (noise: number) => boolean,
): number | undefined {
  const honest = cohort.minSurvivors - cohort.maxColluders;
  const least = Math.sqrt(SHARE_VARIANCE_FLOOR * honest) / (l2Sensitivity / grid);
  if (!(least < noiseMultiplier) || !holds(least)) return undefined;
  let good = least;
  let bad = noiseMultiplier;
  for (let i = 0; i < 60; i++) {
    // Geometric: the two may be many orders of magnitude apart.
    const middle = Math.sqrt(good) * Math.sqrt(bad);
    if (middle <= good || middle >= bad) break;
    if (holds(middle)) good = middle;
    else bad = middle;
  }
  const [digits, exponent] = good.toExponential(15).split('e') as [string, string];
  const rounded = Number(`${Math.floor(Number(digits) * 100) / 100}e${exponent}`);
  return rounded >= least ? rounded : good;
}
