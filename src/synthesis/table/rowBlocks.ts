import { InvalidOptions } from '../errors.js';
import type { Row, SampleRequest } from '../synthesizer.js';
import { enforced } from './constraints.js';
import { type Block, decodeCell, type TableEncoding } from './encoding.js';

/** Rows `from` … `to` − 1 of block number `block`. */
export interface BlockPart {
  readonly block: number;
  readonly from: number;
  readonly to: number;
}

/**
 * The blocks that a page lies in: rows are drawn in blocks with streams of their own, so that any page can be had without those
 * before it, and pages fit together.
 * @throws InvalidOptions unless offset and count are whole numbers from 0.
 */
export function* blocksOf({ offset, count }: SampleRequest, blockRows: number): Generator<BlockPart> {
  if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(count) || offset < 0 || count < 0)
    throw new InvalidOptions('sample', 'offset and count must be whole numbers from 0');
  const end = offset + count;
  for (let block = Math.floor(offset / blockRows); block * blockRows < end; block++) {
    const first = block * blockRows;
    yield { block, from: Math.max(0, offset - first), to: Math.min(blockRows, end - first) };
  }
}

/**
 * A row of the table from its cells, or, where that breaks a constraint of the schema, the one beside it that keeps them all.
 * @param cells one a column, from `at` on.
 * @param within uniforms in [0, 1), likewise: where in its cell a number or a date lies.
 */
export function rowOfCells(
  encoding: TableEncoding,
  cells: ArrayLike<number>,
  within: Float64Array,
  at: number,
): Row {
  const row = Object.fromEntries(
    encoding.blocks.map((block: Block, column) => [
      block.field.name,
      decodeCell(block, cells[at + column] as number, within[at + column] as number),
    ]),
  );
  return enforced(encoding.schema, row);
}
