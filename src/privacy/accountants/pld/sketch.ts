import { type LossPair, noTails } from './lossPair.js';

/**
 * A coarse law of a privacy loss: hundreds of atoms between quantiles, each at log(P/Q) of its cell, so that even a loss of
 * 10^-7 keeps its mean. It chooses tilt, window and grid; nothing that is proved rests on it.
 */
export interface Sketch {
  readonly losses: Float64Array;
  readonly masses: Float64Array;
  /** P(L ≤ lowest) and P(L > highest) are below the truncation that was asked for. */
  readonly lowest: number;
  readonly highest: number;
}

/** At least so many, and so many for each e-fold of the tails. */
const CELLS = 240;
const CELLS_PER_FOLD = 4;
const BISECTIONS = 60;

/** `truncation`: probability that may be cut off at either end. */
export function sketch(pair: LossPair, truncation: number): Sketch {
  const tails = noTails();
  const above = (x: number): number => {
    pair.tails(x, tails);
    return tails.pAbove;
  };
  const below = (x: number): number => {
    pair.tails(x, tails);
    return tails.pBelow;
  };
  const isHigh = (x: number): boolean => above(x) <= truncation;
  const isLow = (y: number): boolean => below(-y) <= truncation;
  const highest = bisect(isHigh, ...bracket(isHigh, pair.highest));
  const lowest = -bisect(isLow, ...bracket(isLow, -pair.lowest));
  const odds = Math.log(1 / truncation);
  const cells = Math.max(CELLS, Math.ceil(CELLS_PER_FOLD * odds));
  const edges = [lowest, highest];
  for (let i = 1, left = lowest; i < cells; i++) {
    // P(L > x) falls from 1 to 0 as the logit rises.
    const logit = odds * ((2 * i) / cells - 1);
    const isRight =
      logit > 0
        ? (x: number) => above(x) <= 1 / (1 + Math.exp(logit))
        : (x: number) => below(x) >= 1 / (1 + Math.exp(-logit));
    left = bisect(isRight, left, highest);
    edges.push(left);
  }
  for (const atom of pair.atoms) edges.push(atom - 1e-12 * Math.abs(atom), atom + 1e-12 * Math.abs(atom));
  edges.sort((a, b) => a - b);

  const losses: number[] = [];
  const masses: number[] = [];
  const cell = (p: number, q: number, from: number, to: number): void => {
    if (!(p > 0)) return;
    const loss = Math.log(p / q);
    losses.push(loss >= from ? Math.min(loss, to) : from);
    masses.push(p);
  };
  let left = read(pair, edges[0] as number);
  cell(left.pBelow, left.qBelow, Number.NEGATIVE_INFINITY, edges[0] as number);
  for (let i = 1; i < edges.length; i++) {
    const [from, to] = [edges[i - 1] as number, edges[i] as number];
    if (!(to > from)) continue;
    const right = read(pair, to);
    const p = left.pAbove < 0.5 ? left.pAbove - right.pAbove : right.pBelow - left.pBelow;
    const q = from >= 0 ? left.qAbove - right.qAbove : right.qBelow - left.qBelow;
    cell(p, q, from, to);
    left = right;
  }
  return { losses: Float64Array.from(losses), masses: Float64Array.from(masses), lowest, highest };
}

function read(pair: LossPair, x: number) {
  const tails = noTails();
  pair.tails(x, tails);
  return tails;
}

/** An interval in which a monotone predicate becomes true; `end` is where it is true at the latest. */
function bracket(holds: (x: number) => boolean, end: number): [number, number] {
  let reach = 1;
  if (holds(0)) {
    while (holds(-reach) && reach < 1e300) reach *= 4;
    return [-reach, Math.min(0, end)];
  }
  while (!holds(reach) && reach < Math.min(end, 1e300)) reach *= 4;
  return [0, Math.min(reach, end)];
}

/** The right end of a small interval in which a monotone predicate becomes true. */
function bisect(holds: (x: number) => boolean, from: number, to: number): number {
  let low = from;
  let high = to;
  for (let i = 0; i < BISECTIONS && high - low > 1e-3 * (high - from); i++) {
    const middle = (low + high) / 2;
    if (holds(middle)) high = middle;
    else low = middle;
  }
  return high;
}

export interface Counted {
  readonly sketch: Sketch;
  readonly count: number;
}

/** K(λ) = Σ count·log E[e^(λL)]. */
export function logMoment(parts: readonly Counted[], tilt: number): number {
  let total = 0;
  for (const { sketch: law, count } of parts) {
    const { losses, masses } = law;
    let largest = 0;
    for (const loss of losses) largest = Math.max(largest, tilt * loss);
    let sum = 0;
    if (largest < 300) {
      let mass = 0;
      for (let i = 0; i < losses.length; i++) {
        sum += (masses[i] as number) * Math.expm1(tilt * (losses[i] as number));
        mass += masses[i] as number;
      }
      total += count * Math.log1p(Math.max(sum, -mass * (1 - 2 ** -50)));
    } else {
      for (let i = 0; i < losses.length; i++)
        sum += (masses[i] as number) * Math.exp(tilt * (losses[i] as number) - largest);
      total += count * (largest + Math.log(sum));
    }
  }
  return total;
}

/** log sup_x e^(−λx)(1 − e^−x): what a tilt can save at most. */
export function logKernelPeak(tilt: number): number {
  return -tilt * Math.log1p(1 / tilt) - Math.log1p(tilt);
}

/** Where a function of a positive number is smallest: a scan of its logarithm, then golden sections. */
export function argmin(f: (x: number) => number, from: number, to: number): number {
  const STEPS = 30;
  const at = (i: number): number => Math.exp(Math.log(from) + (i / STEPS) * Math.log(to / from));
  let best = 0;
  let value = Number.POSITIVE_INFINITY;
  for (let i = 0; i <= STEPS; i++) {
    const y = f(at(i));
    if (y < value) [best, value] = [i, y];
  }
  let low = Math.log(at(Math.max(0, best - 1)));
  let high = Math.log(at(Math.min(STEPS, best + 1)));
  const GOLDEN = (Math.sqrt(5) - 1) / 2;
  for (let i = 0; i < 12; i++) {
    const a = high - GOLDEN * (high - low);
    const b = low + GOLDEN * (high - low);
    if (f(Math.exp(a)) < f(Math.exp(b))) high = b;
    else low = a;
  }
  return Math.exp((low + high) / 2);
}
