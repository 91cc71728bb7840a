import { seededRng, uniforms } from '../randomness.js';
import { stratified } from '../stratified.js';
import type { Row, SampleRequest } from '../synthesizer.js';
import type { TableEncoding } from '../table/encoding.js';
import { blocksOf, rowOfCells } from '../table/rowBlocks.js';
import { cumulated, firstAbove } from './shares.js';

/** Rows whose draws are stratified together: as many of each cell as its share says, in random order. */
const BLOCK_ROWS = 16_384;

/**
 * Rows whose columns are drawn each by itself. One that breaks a constraint of the schema is moved to one that keeps it (`rowOfCells`).
 * @param shares of all columns' cells one after the other, length `encoding.width`; of each column none negative, 1 in all.
 * @param kind whose streams of the seed they are drawn by: row i depends on (kind, seed, i) alone.
 */
export function* independentRows(
  encoding: TableEncoding,
  shares: Float64Array,
  request: SampleRequest,
  kind: string,
): Generator<Row> {
  const below = encoding.blocks.map(({ start, cells }) => cumulated(shares.subarray(start, start + cells)));
  for (const { block, from, to } of blocksOf(request, BLOCK_ROWS)) {
    const rng = (part: string) => seededRng(request.seed, `${kind}/sample/${block}/${part}`);
    const draws = below.map((_, column) => stratified(new Int32Array(BLOCK_ROWS), rng(`column ${column}`)));
    const within = uniforms(rng('values'), BLOCK_ROWS * below.length);
    const cells = new Uint16Array(below.length);
    for (let row = from; row < to; row++) {
      for (const [column, own] of draws.entries())
        cells[column] = firstAbove(below[column] as Float64Array, own[row] as number);
      yield rowOfCells(encoding, cells, within.subarray(row * below.length, (row + 1) * below.length), 0);
    }
  }
}
