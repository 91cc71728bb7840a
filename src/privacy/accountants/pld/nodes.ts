import { type LossPair, noTails } from './lossPair.js';
import type { Counted } from './sketch.js';

export interface Placement {
  /** Lattice width and offset. */
  readonly h: number;
  readonly offset: number;
  readonly tilt: number;
  /** How many runs have losses that are spread. */
  readonly rough: number;
}

/** Bounds the work on a law that reaches far beyond the period. */
const MAX_NODES = 2 ** 17;

/** The lattice points at which a loss is put: as few as will do. */
export function nodesOf(pair: LossPair, counted: Counted, placement: Placement): Float64Array {
  const { h, offset } = placement;
  const around = pair.atoms.flatMap((atom) => {
    const k = (atom - offset) / h;
    return [Math.floor(k) - 1, Math.floor(k), Math.ceil(k), Math.ceil(k) + 1];
  });
  if (pair.discrete) return ascending(around);
  const { lowest, highest } = counted.sketch;
  const first = Math.floor((lowest - offset) / h) - 1;
  const last = Math.ceil((highest - offset) / h) + 1;
  const stride = around.length > 0 ? () => 1 : strideOf(counted, placement);
  for (let least = 1; ; least *= 2) {
    const nodes: number[] = [];
    for (let k = first; k < last && nodes.length <= MAX_NODES; k += Math.max(least, stride(k))) nodes.push(k);
    if (nodes.length <= MAX_NODES) return ascending([...around, ...nodes, last]);
  }
}

function ascending(nodes: readonly number[]): Float64Array {
  return Float64Array.from(new Set(nodes)).sort();
}

/**
 * Loss of what lies within a lattice width of the median, where that is most: a law that is all but one point (small rate,
 * little noise) has its node there, for the lower end has nothing to balance it with.
 */
export function bulkOf(pair: LossPair, { sketch: law }: Counted, h: number): number {
  let below = 0;
  const median = law.losses.find((_, i) => (below += law.masses[i] as number) >= 0.5) ?? 0;
  const left = noTails();
  const right = noTails();
  pair.tails(median - h / 2, left);
  pair.tails(median + h / 2, right);
  const p = right.pBelow - left.pBelow;
  const q = right.qBelow - left.qBelow;
  return p > 0.5 && q > 0 ? Math.log(p / q) : 0;
}

/**
 * A cell may be wider where few of the tilted losses are. With widths (share/tail mass)^0.4 the sum of mass·width² over a tail is
 * 5·share^0.8: a twentieth of the error of the rest.
 */
const TAIL_SHARE = 0.003;

/** How far from point k the next may be. */
function strideOf(
  { sketch: law, count }: Counted,
  { h, offset, tilt, rough }: Placement,
): (k: number) => number {
  const { losses, masses } = law;
  const reference = losses.reduce((max, loss) => Math.max(max, tilt * loss), Number.NEGATIVE_INFINITY);
  const weights = masses.map((mass, i) => mass * Math.exp(tilt * (losses[i] as number) - reference));
  const norm = weights.reduce((sum, weight) => sum + weight, 0);
  // Stride at each atom of the sketch, from the tilted mass on its thinner side, and nowhere steeper than 1/2.
  const strides = new Float64Array(losses.length);
  let below = 0;
  for (let i = 0; i < losses.length; i++) {
    const own = weights[i] as number;
    const side = Math.min(below + own, norm - below) / norm;
    strides[i] = ((TAIL_SHARE * rough) / (count * Math.max(side, 1e-15))) ** 0.4;
    below += own;
  }
  const slope = (i: number): number => Math.abs((losses[i] as number) - (losses[i - 1] as number)) / (2 * h);
  for (let i = 1; i < strides.length; i++)
    strides[i] = Math.min(strides[i] as number, (strides[i - 1] as number) + slope(i));
  for (let i = strides.length - 1; i > 0; i--)
    strides[i - 1] = Math.min(strides[i - 1] as number, (strides[i] as number) + slope(i));
  const limit = 0.3 / ((tilt + 1) * h);
  return (k) => {
    const x = offset + k * h;
    const i = countUpTo(losses, x);
    const left = Math.max(0, i - 1);
    const right = Math.min(i, losses.length - 1);
    const before = (strides[left] as number) + Math.abs(x - (losses[left] as number)) / (2 * h);
    const after = (strides[right] as number) + Math.abs((losses[right] as number) - x) / (2 * h);
    const most = Math.max(strides[left] as number, strides[right] as number);
    return Math.floor(Math.min(before, after, most, limit));
  };
}

/** How many of the ascending losses are at most x. */
function countUpTo(losses: Float64Array, x: number): number {
  let low = 0;
  let high = losses.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((losses[middle] as number) <= x) low = middle + 1;
    else high = middle;
  }
  return low;
}
