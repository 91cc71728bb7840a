import type { Block } from '../table/encoding.js';
import { nextUp } from '../table/fineCells.js';
import type { RangeField } from '../table/schema.js';
import { isMissing, ordinalAt, type Piece, type Pieces, pieceWithin } from './pieces.js';
import { massOf } from './units.js';

/**
 * The line of ordinals cut at every border of any column of an order: of two values in different intervals it is known which is the
 * larger, and only within one the inequality has to be looked at value by value. Interval k is [cuts[k], cuts[k + 1]).
 */
export type Cuts = Float64Array;

/** A piece of a column that lies in one interval. */
export interface Placed {
  readonly piece: Piece;
  /** The interval; −1 for missing. */
  readonly place: number;
  /** Its share of its cell of the model. */
  readonly mass: number;
  /** Of a given value, the value itself. */
  readonly value: number | undefined;
}

/** @param parts of each block's column, pieces of it that are to be kept apart: those of conditions. */
export function cutsOf(blocks: readonly Block[], parts: readonly (readonly Pieces[])[]): Cuts {
  const cuts = new Set<number>();
  blocks.forEach((block, i) => {
    const edges = block.edges as readonly number[];
    for (const edge of edges) cuts.add(edge);
    cuts.add(after(block, edges.at(-1) as number));
    for (const { fine, from, to } of (parts[i] ?? []).flat(2))
      if (!isMissing(block, fine) && (from > 0 || to < 1)) {
        cuts.add(ordinalAt(block, fine, from));
        cuts.add(after(block, highestIn(block, fine, to)));
      }
  });
  return Float64Array.from(cuts).sort();
}

/** The pieces cut at the borders; each in the list of its model cell, ascending, missing on its own. */
export function placedPieces(
  block: Block,
  pieces: Pieces,
  cellOf: readonly number[],
  shares: Float64Array,
  cuts: Cuts,
): readonly (readonly Placed[])[] {
  const out: Placed[][] = Array.from({ length: Math.max(...cellOf) + 1 }, () => []);
  for (const piece of pieces.flat()) {
    const group = out[cellOf[piece.fine] as number] as Placed[];
    for (const { part, place } of cut(block, piece, cuts)) {
      const mass = massOf(part, shares);
      if (mass > 0) group.push({ piece: part, place, mass, value: undefined });
    }
  }
  for (const group of out) group.sort((a, b) => a.place - b.place || a.piece.from - b.piece.from);
  return out;
}

function cut(block: Block, piece: Piece, cuts: Cuts): readonly { part: Piece; place: number }[] {
  if (isMissing(block, piece.fine)) return [{ part: piece, place: -1 }];
  const first = placeOf(cuts, ordinalAt(block, piece.fine, piece.from));
  const last = placeOf(cuts, highestIn(block, piece.fine, piece.to));
  if (first === last) return [{ part: piece, place: first }];
  return Array.from({ length: last - first + 1 }, (_, k) => first + k).flatMap((place) => {
    const interval = {
      ...{ low: cuts[place] as number, high: cuts[place + 1] as number },
      ...{ above: false, below: true },
    };
    const part = pieceWithin(block, piece, interval);
    return part === undefined ? [] : [{ part, place }];
  });
}

/** The interval that an ordinal lies in. */
export function placeOf(cuts: Cuts, ordinal: number): number {
  let low = 0;
  let high = cuts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if ((cuts[middle] as number) <= ordinal) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** The least and the largest value of a column in an interval; of whole types there may be none, and `low` is then above `high`. */
export function valuesIn({ field }: Block, cuts: Cuts, place: number): { low: number; high: number } {
  const { minimum, maximum } = field as RangeField;
  const from = cuts[place] as number;
  const to = cuts[place + 1] ?? Infinity;
  return {
    low: Math.max(minimum, isWhole(field) ? Math.ceil(from) : from),
    high: Math.min(maximum, isWhole(field) ? Math.ceil(to) - 1 : below(to)),
  };
}

export function isWhole({ type }: Block['field']): boolean {
  return type !== 'number';
}

/** The next value of the column's type. */
export function after({ field }: Block, ordinal: number): number {
  return isWhole(field) ? Math.floor(ordinal) + 1 : nextUp(ordinal);
}

/** The value before, of the column's type. */
export function before({ field }: Block, ordinal: number): number {
  return isWhole(field) ? Math.ceil(ordinal) - 1 : below(ordinal);
}

const below = (ordinal: number): number => -nextUp(-ordinal);

function highestIn(block: Block, fine: number, to: number): number {
  return ordinalAt(block, fine, to === 1 ? 1 - 2 ** -34 : to);
}
