import type { Block } from '../table/encoding.js';
import type { RangeField } from '../table/schema.js';
import { type Cuts, isWhole, type Placed, valuesIn } from './atoms.js';
import type { Order } from './ordering.js';

/** An inequality of the tree, seen from the column that is drawn first; columns by their place in the order. */
export interface Link {
  readonly parent: number;
  readonly child: number;
  readonly strict: boolean;
  readonly childIsHigh: boolean;
}

/** P(pieces of all columns) ∝ Π masses, where every inequality can hold: a Markov law on the tree. */
export interface OrderedLaw {
  /** Parents first; the root is column 0. */
  readonly links: readonly Link[];
  /** Whether two pieces leave values that keep the link's inequality. */
  fits(link: Link, parent: Placed, child: Placed): boolean;
}

/** @param blocks those of the order's columns. */
export function orderedLaw(blocks: readonly Block[], { columns, edges }: Order, cuts: Cuts): OrderedLaw {
  const links: Link[] = [];
  const reached = [0];
  for (const parent of reached)
    for (const { low, high, strict } of edges) {
      const [from, to] = [columns.indexOf(low), columns.indexOf(high)];
      const child = from === parent ? to : to === parent ? from : parent;
      if (reached.includes(child)) continue;
      reached.push(child);
      links.push({ parent, child, strict, childIsHigh: child === to });
    }
  const above = columns.map((column) => longest(column, edges, true));
  const below = columns.map((column) => longest(column, edges, false));
  /** By interval: whether it has a value for each of the columns, one above the other. */
  const wide = new Map<number, boolean>();
  const isWide = (place: number): boolean => {
    const known = wide.get(place);
    if (known !== undefined) return known;
    const is = blocks.every((block) => {
      const { low, high } = valuesIn(block, cuts, place);
      return low > high || hasRoom(block, high - low, columns.length - 1, true);
    });
    wide.set(place, is);
    return is;
  };
  return {
    links,
    fits({ parent, child, strict, childIsHigh }, own, other) {
      if (own.place < 0 || other.place < 0) return true;
      if (own.place !== other.place) return own.place < other.place === childIsHigh;
      const [low, high] = childIsHigh ? [own, other] : [other, own];
      const [lowColumn, highColumn] = childIsHigh ? [parent, child] : [child, parent];
      if (low.value !== undefined && high.value !== undefined)
        return strict ? low.value < high.value : low.value <= high.value;
      const valuesOf = (column: number) => valuesIn(blocks[column] as Block, cuts, own.place);
      if (low.value !== undefined) {
        const room = valuesOf(highColumn).high - belowIn(blocks[highColumn] as Block, low.value, strict);
        return hasRoom(blocks[highColumn] as Block, room, above[lowColumn] as number, strict);
      }
      if (high.value !== undefined) {
        const room = -belowIn(blocks[lowColumn] as Block, -high.value, strict) - valuesOf(lowColumn).low;
        return hasRoom(blocks[lowColumn] as Block, room, below[highColumn] as number, strict);
      }
      return !strict || isWide(own.place);
    },
  };
}

/** Of a whole column the whole value that a strict inequality starts from. */
function belowIn({ field }: Block, value: number, strict: boolean): number {
  return strict && isWhole(field) ? Math.floor(value) : value;
}

/** Room within a distance for `steps` values above the first; numbers have it wherever the distance is no rounding. */
function hasRoom({ field }: Block, distance: number, steps: number, strict: boolean): boolean {
  if (!strict) return distance >= 0;
  if (isWhole(field)) return distance >= steps;
  const { minimum, maximum } = field as RangeField;
  return distance > 1e-9 * Math.max(1, Math.abs(minimum), Math.abs(maximum));
}

/** Inequalities in a row above a column, or below it. */
function longest(column: number, edges: Order['edges'], up: boolean): number {
  return edges.reduce((most, { low, high }) => {
    const [here, next] = up ? [low, high] : [high, low];
    return here === column ? Math.max(most, 1 + longest(next, edges, up)) : most;
  }, 0);
}

/**
 * The masses of each column's pieces times what the columns below it in the tree leave: the upward pass.
 * @param own each column's pieces in its cell of the model, ascending by place.
 */
export function weighed(law: OrderedLaw, own: readonly (readonly Placed[])[]): readonly Float64Array[] {
  const weights = own.map((pieces) => Float64Array.from(pieces, ({ mass }) => mass));
  for (const link of law.links.toReversed()) {
    const parents = own[link.parent] as readonly Placed[];
    const children = own[link.child] as readonly Placed[];
    const into = weights[link.parent] as Float64Array;
    const from = weights[link.child] as Float64Array;
    const sums = runningSums(children, from, link.childIsHigh);
    let first = 0;
    let end = 0;
    for (let p = 0; p < parents.length; p++) {
      const parent = parents[p] as Placed;
      while (first < children.length && (children[first] as Placed).place < parent.place) first++;
      end = Math.max(end, first);
      while (end < children.length && (children[end] as Placed).place <= parent.place) end++;
      let message = parent.place < 0 ? sums.all : sums.missing;
      if (parent.place >= 0) {
        message += sums.beyond[link.childIsHigh ? end : first] as number;
        for (let c = first; c < end; c++)
          if (law.fits(link, parent, children[c] as Placed)) message += from[c] as number;
      }
      into[p] = (into[p] as number) * message;
    }
  }
  return weights;
}

/** Of present pieces: at k the sum from k on, or of those before k. Sums of what is added alone: a small one is not lost in a large. */
function runningSums(
  pieces: readonly Placed[],
  weights: Float64Array,
  fromAbove: boolean,
): { readonly beyond: Float64Array; readonly missing: number; readonly all: number } {
  const beyond = new Float64Array(pieces.length + 1);
  const at = (k: number): number => ((pieces[k] as Placed).place < 0 ? 0 : (weights[k] as number));
  if (fromAbove) for (let k = pieces.length - 1; k >= 0; k--) beyond[k] = (beyond[k + 1] as number) + at(k);
  else for (let k = 0; k < pieces.length; k++) beyond[k + 1] = (beyond[k] as number) + at(k);
  const all = weights.reduce((sum, weight) => sum + weight, 0);
  let missing = 0;
  for (let k = 0; k < pieces.length && (pieces[k] as Placed).place < 0; k++) missing += weights[k] as number;
  return { beyond, missing, all };
}

/**
 * One piece a column, exactly by the law: the downward pass.
 * @param uniforms one a column.
 * @returns the index of each column's piece; undefined where no pieces fit together.
 */
export function drawPieces(
  { links, fits }: OrderedLaw,
  own: readonly (readonly Placed[])[],
  weights: readonly Float64Array[],
  uniforms: readonly number[],
): readonly Placed[] | undefined {
  const drawn: Placed[] = [];
  const choose = (column: number, may: (piece: Placed) => boolean): boolean => {
    const pieces = own[column] as readonly Placed[];
    const all = weights[column] as Float64Array;
    const open = pieces.map((piece, k) => (may(piece) ? (all[k] as number) : 0));
    const target = (uniforms[column] as number) * open.reduce((sum, weight) => sum + weight, 0);
    let below = 0;
    let last: Placed | undefined;
    for (let k = 0; k < pieces.length; k++) {
      if (open[k] === 0) continue;
      last = pieces[k];
      below += open[k] as number;
      if (target < below) break;
    }
    if (last !== undefined) drawn[column] = last;
    return last !== undefined;
  };
  if (!choose(0, () => true)) return undefined;
  for (const link of links)
    if (!choose(link.child, (piece) => fits(link, drawn[link.parent] as Placed, piece))) return undefined;
  return drawn;
}
