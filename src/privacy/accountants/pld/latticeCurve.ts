import type { Grid } from './grid.js';
import { logKernelPeak } from './sketch.js';
import { logMomentOf, type TiltedLaw } from './tiltedLaw.js';

/** A double below this isn't what it stands for. */
const SMALLEST_DELTA = 2 ** -1000;

/** δ at the lattice points, as a bound from one side; linear in e^ε between them. */
export interface LatticeCurve {
  readonly end: 'upper' | 'lower';
  readonly width: number;
  readonly size: number;
  /** The first point's loss. */
  readonly start: number;
  /** To be added to ε at the upper end, subtracted at the lower. */
  readonly shift: number;
  /** Mass with an infinite loss: δ is never below it. */
  readonly infinite: number;
  /** log δ at point i, without `infinite`. */
  readonly logAt: (i: number) => number;
  readonly tilt: number;
  /** Chernoff's bound at any ε, also outside of the period: log δ ≤ logPeak − tilt·ε, without `infinite`. */
  readonly logPeak: number;
}

export interface CurveInput {
  readonly grid: Grid;
  readonly laws: readonly TiltedLaw[];
  readonly counts: readonly number[];
  /** Tilted masses of the sum, by lattice index less `origin`, modulo the period. */
  readonly masses: Float64Array;
  readonly origin: number;
  /** Bound on the error of each. */
  readonly noise: number;
  readonly end: 'upper' | 'lower';
}

/**
 * What a step may lose by rounding in tails and in splitting cells: a shift of its loss in units of 1 + its largest loss, and a factor
 * of its mass. P(L > x) and e^x·Q(L > x) are good to e = 2^-45 (normal.ts, lossPair.ts), and the curve at x is their difference. Where the second
 * is at least half of the first, a shift by s changes the curve by ≥ s/2·P(L > x), enough for s = 4e; where not, a factor 1 + 4e does.
 */
const ROUNDING = 2 ** -42;

/**
 * δ(x) = e^(K − λx)·F(x), F(x) = Σ_{x_j > x} w_j e^(−λ(x_j − x))(1 − e^−(x_j − x)), K the log-moment of the sum. With D the same sum without
 * its last factor, from the right: F_k = e^(−(λ+1)h)·F_{k+1} + (e^(−λh) − e^(−(λ+1)h))·D_{k+1}: positive terms only.
 *
 * What is outside the period shows up inside it, and is missed outside: by Chernoff at most `leftTilt`, `rightTilt` tell how
 * much, and any unit of tilted mass is worth at most sup e^(−λx)(1 − e^−x). Wrapped mass does no harm to an upper end.
 */
export function latticeCurve({ grid, laws, counts, masses, origin, noise, end }: CurveInput): LatticeCurve {
  const { width, size, tilt } = grid;
  const sum = (each: (law: TiltedLaw, i: number) => number): number =>
    laws.reduce((total, law, i) => total + (counts[i] as number) * each(law, i), 0);
  const offset = sum((_, i) => (grid.terms[i] as { offset: number }).offset);
  const first = Math.floor((grid.start - offset) / width);
  const start = offset + first * width;
  const stop = offset + (first + size) * width;
  const total = sum(({ moment }) => moment.log);
  const farthest = Math.max(Math.abs(start), Math.abs(stop));
  const logFactor =
    size * 2 ** -49 +
    2 ** -49 * (Math.abs(total) + tilt * farthest) +
    sum(({ moment }) => ROUNDING + 2 * moment.error);

  // log P(sum beyond an end) of the tilted law, by a further tilt.
  const beyond = (further: number, position: number): number => {
    const moments = laws.map((law) => logMomentOf(law, tilt + further));
    const log = sum((law, i) => (moments[i] as { log: number }).log - law.moment.log);
    const error = sum((law, i) => (moments[i] as { error: number }).error + law.moment.error);
    return log - further * position + error + 2 ** -49 * Math.abs(further) * farthest;
  };
  const outside =
    Math.exp(beyond(grid.rightTilt, stop)) + (end === 'lower' ? Math.exp(beyond(-grid.leftTilt, start)) : 0);

  const one = Math.exp(-tilt * width);
  const two = Math.exp(-(tilt + 1) * width);
  const between = -one * Math.expm1(-width);
  // Σ_j e^(−λjh)(1 − e^−jh), over a period at most.
  const spread = Math.min(size, between / (-Math.expm1(-tilt * width) * -Math.expm1(-(tilt + 1) * width)));
  const slack = (noise * spread + outside * Math.exp(logKernelPeak(tilt))) * (1 + 2 ** -20);
  const values = new Float64Array(size);
  let d = 0;
  let f = 0;
  let k = (((first - origin - 1) % size) + size) % size;
  for (let i = size - 1; i >= 0; i--) {
    f = two * f + between * d;
    values[i] = f;
    d = (masses[k] as number) + one * d;
    k = k === 0 ? size - 1 : k - 1;
  }
  const sign = end === 'upper' ? 1 : -1;
  return {
    end,
    width,
    size,
    start,
    shift: sum((law) => ROUNDING * (1 + law.largestLoss)),
    infinite: sum((law) => law.infinite + SMALLEST_DELTA) * (1 + 2 ** -40),
    logAt: (i) => {
      const value = (values[i] as number) + sign * slack;
      if (value > 0) return total + sign * logFactor - tilt * (start + i * width) + Math.log(value);
      // Not a number: nothing is known.
      return end === 'upper' && value !== 0 ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
    },
    tilt,
    logPeak: total + logFactor + logKernelPeak(tilt),
  };
}

/** The smallest ε that is proved at δ, not below 0. */
export function epsilonAbove(curve: LatticeCurve, delta: number): number {
  const rest = (delta - curve.infinite) * (1 - 2 ** -50);
  if (!(rest > 0)) return Number.POSITIVE_INFINITY;
  const logDelta = Math.log(rest);
  const { start, width, size, logPeak, tilt } = curve;
  const chernoff = (logPeak - logDelta + 2 ** -49 * (Math.abs(logPeak) + Math.abs(logDelta))) / tilt;
  let low = Math.min(size, Math.max(0, Math.floor(-start / width)));
  let high = size;
  // A node that holds; the bound falls with ε, and if rounding says otherwise what is found still holds.
  while (low < high) {
    const middle = (low + high) >> 1;
    if (curve.logAt(middle) <= logDelta) high = middle;
    else low = middle + 1;
  }
  let epsilon = Number.POSITIVE_INFINITY;
  if (low < size && curve.logAt(low) <= logDelta) {
    epsilon = start + low * width;
    if (low > 0) epsilon = Math.min(epsilon, crossing(curve, low - 1, logDelta));
  }
  const best = Math.min(epsilon, chernoff) + curve.shift;
  return Number.isNaN(best) ? Number.POSITIVE_INFINITY : Math.max(0, best * (1 + 2 ** -48));
}

/** An ε at which more than δ is proved to be needed, 0 where none is. */
export function epsilonBelow(curve: LatticeCurve, delta: number): number {
  const logDelta = Math.log(delta) + 2 ** -48;
  const { start, width, size } = curve;
  let low = -1;
  let high = size - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (curve.logAt(middle) > logDelta) low = middle;
    else high = middle - 1;
  }
  if (low < 0) return 0;
  const epsilon = low + 1 < size ? crossing(curve, low, logDelta) : start + low * width;
  const best = (epsilon - curve.shift) * (1 - 2 ** -48);
  return best > 0 ? best : 0;
}

/** Where the chord in e^ε between points i and i + 1 reaches δ. */
function crossing(curve: LatticeCurve, i: number, logDelta: number): number {
  const x = curve.start + i * curve.width;
  const a = Math.exp(curve.logAt(i) - logDelta);
  const b = Math.exp(curve.logAt(i + 1) - logDelta);
  if (!Number.isFinite(a)) return curve.end === 'upper' ? x + curve.width : x;
  const t = a > b ? Math.min(1, Math.max(0, (a - 1) / (a - b))) : 1;
  return x + Math.log1p(t * Math.expm1(curve.width));
}

/** δ at ε, from the curve's side. */
export function deltaAt(curve: LatticeCurve, epsilon: number): number {
  const upper = curve.end === 'upper';
  const x = upper ? epsilon - curve.shift : epsilon + curve.shift;
  const position = (x - curve.start) / curve.width;
  const i = Math.floor(position);
  let chord = upper ? Number.POSITIVE_INFINITY : 0;
  if (i >= 0 && i + 1 < curve.size) {
    const t = Math.expm1(x - curve.start - i * curve.width) / Math.expm1(curve.width);
    const a = Math.exp(curve.logAt(i));
    const b = Math.exp(curve.logAt(i + 1));
    chord = a + Math.min(1, Math.max(0, t)) * (b - a);
  }
  if (!upper) return chord > SMALLEST_DELTA ? chord * (1 - 2 ** -40) : 0;
  const exponent = curve.logPeak - curve.tilt * x;
  const chernoff = Math.exp(exponent + 2 ** -49 * (Math.abs(curve.logPeak) + curve.tilt * Math.abs(x)));
  const least = Math.min(chernoff, Number.isNaN(chord) ? Number.POSITIVE_INFINITY : chord);
  return least <= 1 ? Math.min(1, curve.infinite + least * (1 + 2 ** -40)) : 1;
}
