import type { Grid, LossTerm } from './grid.js';
import { bulkOf, nodesOf } from './nodes.js';
import { argmin, type Counted, logKernelPeak, logMoment, sketch } from './sketch.js';

/** What a grid is made for. Nothing here is part of a proof: any grid gives true bounds, a good one gives close ones. */
export interface Target {
  /** Where δ(ε) is looked at, and the slope there: −d log δ/dε. */
  readonly epsilon: number;
  readonly logDelta: number;
  readonly tilt: number;
  /** Wanted distance of the two ends, in ε. */
  readonly width: number;
  readonly sketches: readonly Counted[];
}

const SMALLEST_TILT = 1e-4;
const LARGEST_TILT = 1e9;
/** What may come from outside the period, as a part of δ. */
const LOG_OUTSIDE = Math.log(3e-6);
/** Tilts that are tried, as parts of the decisive one. */
const TILTS = [1, 0.75, 0.5, 0.35, 0.2];
const MAX_SIZE = 2 ** 20;
const MIN_SIZE = 2 ** 8;

export function sketches(terms: readonly LossTerm[], logDelta: number): readonly Counted[] {
  const runs = terms.reduce((sum, { count }) => sum + count, 0);
  // Cut-off mass counts in full: a 10^-8th of δ altogether. Doubles end at 10^-308.
  const truncation = Math.max(1e-290, Math.exp(logDelta - Math.log(1e8) - Math.log(runs)));
  return terms.map(({ upper, count }) => ({ sketch: sketch(upper, truncation), count }));
}

/** Losses so large that no lattice has them and no ε is worth a name; and so many runs that rounding is all there is. */
const MAX_LOSS = 1e12;
const MAX_RUNS = 2 ** 44;

export function isWithinReach(parts: readonly Counted[]): boolean {
  return (
    parts.every(({ sketch: { lowest, highest } }) => lowest > -MAX_LOSS && highest < MAX_LOSS) &&
    parts.reduce((sum, { count }) => sum + count, 0) < MAX_RUNS
  );
}

/** The tilt of the best Chernoff bound at δ, and a guess at ε. */
export function tiltAtDelta(parts: readonly Counted[], logDelta: number): { tilt: number; epsilon: number } {
  const chernoff = (tilt: number): number => (logMoment(parts, tilt) + logKernelPeak(tilt) - logDelta) / tilt;
  const tilt = argmin(chernoff, SMALLEST_TILT, LARGEST_TILT);
  // Were the tilted sum normal, of deviation s, its mean at ε: E e^(−λx)(1 − e^−x) over its upper half is 1/(√(2π)·s·λ(λ + 1)).
  const step = 0.05 * tilt;
  const curvature =
    (logMoment(parts, tilt + step) - 2 * logMoment(parts, tilt) + logMoment(parts, tilt - step)) / step ** 2;
  const normal = -Math.log(Math.sqrt(2 * Math.PI * curvature) * tilt * (tilt + 1));
  const kernel = Math.min(logKernelPeak(tilt), Number.isFinite(normal) ? normal : 0);
  return { tilt, epsilon: (logMoment(parts, tilt) + kernel - logDelta) / tilt };
}

/** The tilt of the best Chernoff bound at ε, and its log δ. */
export function tiltAtEpsilon(
  parts: readonly Counted[],
  epsilon: number,
): { tilt: number; logDelta: number } {
  const logDelta = (tilt: number): number => logMoment(parts, tilt) + logKernelPeak(tilt) - tilt * epsilon;
  const tilt = argmin(logDelta, SMALLEST_TILT, LARGEST_TILT);
  return { tilt, logDelta: logDelta(tilt) };
}

/**
 * Splitting the losses in cells of width h costs T·(λ + 1)·h²/12 in ε at the upper end and half of that at the lower (second order:
 * both keep E e^−L), hence h. The period holds the tilted sum but for `LOG_OUTSIDE` on each side (Chernoff).
 */
export function gridFor(
  terms: readonly LossTerm[],
  { tilt: best, epsilon, logDelta, width, sketches: parts }: Target,
): Grid {
  const runs = terms.reduce((sum, { count }) => sum + count, 0);
  const most = Math.min(best, 1 / width);
  const fine = Math.sqrt((8 * width) / (runs * (most + 1)));
  // Atoms that are closer to each other than that are as good as none.
  const atoms = spacingOf(terms);
  const spacing = atoms !== undefined && atoms > fine ? atoms : undefined;
  const rough =
    spacing === undefined
      ? runs
      : terms.reduce((sum, { upper, count }) => sum + (upper.discrete ? 0 : count), 0);
  // Where δ hangs on the largest loss alone the best tilt is far larger than the width needs.
  const decisive = Math.min(most, rough === 0 && spacing !== undefined ? 5 / spacing : Infinity);
  const { rightTilt, leftTilt, leftEnd, reach, tilt } = shortestPeriod(parts, decisive, epsilon, logDelta);

  let h = 0.5 / (decisive + 1);
  if (rough > 0) h = Math.min(h, Math.sqrt((8 * width) / (rough * (decisive + 1))));
  if (spacing !== undefined) h = rough === 0 ? spacing : spacing / Math.ceil(spacing / h);
  // A little room: for a law that is narrower than a few points, and for nodes beside the last of the sketch.
  const period = Math.max(reach + 8 * h * terms.length, MIN_SIZE * h);
  let size = MIN_SIZE;
  while (size * h < period && size < MAX_SIZE) size *= 2;
  // Whatever of the period's power of two is left makes the lattice finer, or coarser where that is the limit.
  if (spacing === undefined) h = period / size;
  else if (rough > 0) h = spacing / Math.max(1, Math.floor((spacing * size) / period));
  const start = leftEnd - (size * h - reach) / 2;

  return {
    width: h,
    size,
    tilt,
    start,
    leftTilt,
    rightTilt,
    terms: terms.map(({ upper }, i) => {
      const atom = spacing === undefined ? undefined : upper.atoms.at(-1);
      const anchor = atom ?? bulkOf(upper, parts[i] as Counted, h);
      const offset = anchor - Math.floor(anchor / h + 1e-9) * h;
      return { offset, nodes: nodesOf(upper, parts[i] as Counted, { h, offset, tilt: decisive, rough }) };
    }),
  };
}

interface Period {
  readonly tilt: number;
  readonly leftTilt: number;
  readonly rightTilt: number;
  readonly leftEnd: number;
  readonly reach: number;
}

/**
 * The decisive tilt makes rounding smallest, but rounding is far below what is wanted; a smaller tilt may need a much
 * shorter period where single losses are large. Chernoff's bound says how much lies outside.
 */
function shortestPeriod(
  parts: readonly Counted[],
  decisive: number,
  epsilon: number,
  logDelta: number,
): Period {
  let best: Period | undefined;
  for (const share of TILTS) {
    const tilt = decisive * share;
    const centre = logMoment(parts, tilt);
    const allowed = Math.min(
      LOG_OUTSIDE,
      LOG_OUTSIDE + logDelta + tilt * epsilon - centre - logKernelPeak(tilt),
    );
    if (best !== undefined && allowed < LOG_OUTSIDE - 8) break;
    const right = (s: number): number => (logMoment(parts, tilt + s) - centre - allowed) / s;
    const left = (s: number): number => (logMoment(parts, tilt - s) - centre - allowed) / s;
    const rightTilt = argmin(right, SMALLEST_TILT, 50 * (tilt + 1));
    const leftTilt = argmin(left, SMALLEST_TILT, 50 * (tilt + 1));
    const leftEnd = -left(leftTilt);
    const reach = right(rightTilt) - leftEnd;
    if (best === undefined || reach < best.reach) best = { tilt, leftTilt, rightTilt, leftEnd, reach };
  }
  return best as Period;
}

/** Distance of the atoms of the most frequent mechanism that has any. */
function spacingOf(terms: readonly LossTerm[]): number | undefined {
  let best: { spacing: number; count: number } | undefined;
  for (const { upper, count } of terms) {
    const [a, b] = upper.atoms;
    if (a === undefined || b === undefined || !(b > a)) continue;
    if (best === undefined || count > best.count) best = { spacing: b - a, count };
  }
  return best?.spacing;
}
