import { type Allowed, holds, type Interval } from '../conditions.js';
import { type Block, decodeCell } from '../table/encoding.js';
import { ordinalOf, type RangeField } from '../table/schema.js';

/** What may be drawn of a fine cell: the values that uniforms in [from, to) decode to, `weight` times as often as in the release. */
export interface Piece {
  readonly fine: number;
  readonly from: number;
  readonly to: number;
  readonly weight: number;
}

/** Of each fine cell of a column; an empty list lets nothing of it through. */
export type Pieces = readonly (readonly Piece[])[];

/** Every value. */
export function wholePieces(block: Block): Pieces {
  return Array.from({ length: block.cells }, (_, fine) => [whole(fine)]);
}

/** Those that are allowed. A cell's values are even in its uniforms, so a piece has its part of the cell's share. */
export function allowedPieces(block: Block, allowed: Allowed): Pieces {
  return Array.from({ length: block.cells }, (_, fine) => {
    if (isMissing(block, fine)) return allowed.missing ? [whole(fine)] : [];
    if (block.edges === undefined) return allowed.categories.has(fine) ? [whole(fine)] : [];
    return allowed.intervals.flatMap((interval) => pieceWithin(block, whole(fine), interval) ?? []);
  });
}

/** What two conditions on a column both let through; the weights are multiplied. */
export function common(a: Pieces, b: Pieces): Pieces {
  return a.map((pieces, fine) =>
    pieces.flatMap((x) =>
      (b[fine] as readonly Piece[]).flatMap((y) => {
        const from = Math.max(x.from, y.from);
        const to = Math.min(x.to, y.to);
        return from < to ? [{ fine, from, to, weight: x.weight * y.weight }] : [];
      }),
    ),
  );
}

/** What `a` lets through and `b` does not; weights are those of `a`. */
export function without(a: Pieces, b: Pieces): Pieces {
  return a.map((pieces, fine) => {
    const holes = [...(b[fine] as readonly Piece[])].sort((x, y) => x.from - y.from);
    return pieces.flatMap((piece) => {
      const left: Piece[] = [];
      let { from } = piece;
      for (const hole of holes) {
        const to = Math.min(piece.to, hole.from);
        if (from < to) left.push({ ...piece, from, to });
        from = Math.max(from, Math.min(piece.to, hole.to));
      }
      if (from < piece.to) left.push({ ...piece, from });
      return left;
    });
  });
}

export function weighted(pieces: Pieces, factor: number): Pieces {
  return pieces.map((own) => own.map((piece) => ({ ...piece, weight: piece.weight * factor })));
}

export function isMissing({ field, cells }: Block, fine: number): boolean {
  return !field.required && fine === cells - 1;
}

/**
 * The part of a range's piece whose values lie in the interval; undefined where none does. A number or date never falls as its
 * uniform grows (encoding.ts, `decodeCell`), so the part is one interval of uniforms, and it is found by asking the
 * decoder itself: what is drawn from it is within the bounds whatever the type and its rounding.
 */
export function pieceWithin(block: Block, piece: Piece, interval: Interval): Piece | undefined {
  const ordinal = (uniform: number): number => ordinalAt(block, piece.fine, uniform);
  const last = Math.min(piece.to, LARGEST_UNIFORM);
  const isLow = (uniform: number): boolean => !holds({ ...interval, high: Infinity }, ordinal(uniform));
  const isHigh = (uniform: number): boolean => !holds({ ...interval, low: -Infinity }, ordinal(uniform));
  if (isLow(last) || isHigh(piece.from)) return undefined;
  const from = isLow(piece.from) ? border(piece.from, last, isLow).above : piece.from;
  if (isHigh(from)) return undefined; // a gap between two values
  const to = isHigh(last)
    ? border(from, last, (uniform) => !isHigh(uniform)).below
    : // A part of a cell is drawn from more closely than the whole, and next to 1 the decoder rounds up and starts again.
      Math.min(piece.to, from === piece.from ? 1 : last);
  return from < to ? { ...piece, from, to } : undefined;
}

/** The ordinal of what a uniform in [0, 1) decodes to in a range's cell. */
export function ordinalAt(block: Block, fine: number, uniform: number): number {
  const { type } = block.field as RangeField;
  return ordinalOf(type, decodeCell(block, fine, uniform) as string | number) as number;
}

/** Below 1, and a little above all uniforms that are drawn (randomness.ts). */
const LARGEST_UNIFORM = 1 - 2 ** -34;
/** The border is known to 2⁻⁴⁰ of a cell, and what lies in between is left out: uniforms are drawn 2⁻³² apart. */
const HALVINGS = 40;

/** Where a condition that holds at `low` and not at `high`, and changes once, does so. */
function border(
  low: number,
  high: number,
  is: (uniform: number) => boolean,
): { below: number; above: number } {
  let [below, above] = [low, high];
  for (let i = 0; i < HALVINGS; i++) {
    const middle = (below + above) / 2;
    if (is(middle)) below = middle;
    else above = middle;
  }
  return { below, above };
}

const whole = (fine: number): Piece => ({ fine, from: 0, to: 1, weight: 1 });
