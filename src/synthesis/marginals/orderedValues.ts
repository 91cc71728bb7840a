import type { Block } from '../table/encoding.js';
import { after, before, type Cuts, isWhole, type Placed, valuesIn } from './atoms.js';
import type { Order } from './ordering.js';

/**
 * Values for the columns of an order whose pieces lie in one interval with another's: the smaller first, each even between the values
 * below it and what leaves room for those above.
 * @param columns places of the order's columns in `drawn`, topological (ordering.ts).
 * @param uniforms one a column, in (0, 1).
 * @returns ordinals; NaN where a column has its interval for itself, and its piece says the value. Undefined where there is no room.
 */
export function orderedValues(
  blocks: readonly Block[],
  { columns, edges }: Order,
  cuts: Cuts,
  drawn: readonly Placed[],
  uniforms: readonly number[],
): Float64Array | undefined {
  const out = new Float64Array(columns.length).fill(Number.NaN);
  const near = edges
    .map(({ low, high, strict }) => ({ low: columns.indexOf(low), high: columns.indexOf(high), strict }))
    .filter(({ low, high }) => placeIn(drawn, low) >= 0 && placeIn(drawn, low) === placeIn(drawn, high));
  if (near.length === 0) return out;
  const highest = new Map<number, number>();
  for (let column = columns.length - 1; column >= 0; column--) {
    if (!near.some(({ low, high }) => low === column || high === column)) continue;
    const { place, value } = drawn[column] as Placed;
    const block = blocks[column] as Block;
    let most = value ?? valuesIn(block, cuts, place).high;
    for (const { low, high, strict } of near)
      if (low === column) most = Math.min(most, atMost(block, highest.get(high) as number, strict));
    highest.set(column, most);
  }
  for (let column = 0; column < columns.length; column++) {
    const most = highest.get(column);
    if (most === undefined) continue;
    const { place, value } = drawn[column] as Placed;
    const block = blocks[column] as Block;
    let least = value ?? valuesIn(block, cuts, place).low;
    for (const { low, high, strict } of near)
      if (high === column) least = Math.max(least, atLeast(block, out[low] as number, strict));
    if (!(least <= most)) return undefined;
    out[column] = value ?? between(block, least, most, uniforms[column] as number);
  }
  return out;
}

function placeIn(drawn: readonly Placed[], column: number): number {
  return (drawn[column] as Placed).place;
}

function atMost(block: Block, bound: number, strict: boolean): number {
  if (strict) return before(block, bound);
  return isWhole(block.field) ? Math.floor(bound) : bound;
}

function atLeast(block: Block, bound: number, strict: boolean): number {
  if (strict) return after(block, bound);
  return isWhole(block.field) ? Math.ceil(bound) : bound;
}

/** Three digits finer than the range and no more, as encoding.ts rounds. */
function between({ field }: Block, low: number, high: number, uniform: number): number {
  if (isWhole(field)) return Math.min(high, low + Math.floor((high - low + 1) * uniform));
  const value = low + (high - low) * uniform;
  const scale = 10 ** Math.ceil(3 - Math.log10(high - low));
  const rounded = scale >= 1 && scale <= 1e15 ? Math.floor(value * scale) / scale : value;
  return rounded >= low && rounded <= high ? rounded : Math.min(high, Math.max(low, value));
}
