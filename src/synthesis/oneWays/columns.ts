import { InvalidTableSchema, MalformedBytes } from '../errors.js';
import { type Block, cellsOf, type TableEncoding } from '../table/encoding.js';
import { gridsOf } from '../table/grids.js';
import type { RecordBatch } from '../table/records.js';
import { settledCounts } from '../table/settledCounts.js';
import { byColumn, type OneWays } from './oneWays.js';
import { nearestCounts } from './shares.js';

/** Width of a row's vector at most: what is learnt of all pairs of its cells is a square of it. */
const MAX_WIDTH = 2048;

/** A column's place in a row's vector: fixed by the plan, however many of its cells the first sum leaves in use. */
export interface Place {
  readonly start: number;
  readonly room: number;
}

export interface Layout {
  readonly fine: TableEncoding;
  readonly places: readonly Place[];
  readonly width: number;
  /** Columns of which one is a conditional generator's condition. */
  readonly conditions: readonly number[];
}

/** @throws InvalidTableSchema where there is one column, or a row's vector would be too wide. */
export function layoutOf(fine: TableEncoding, mostCells: number): Layout {
  if (fine.blocks.length < 2)
    throw new InvalidTableSchema(
      undefined,
      'has one column: this synthesizer learns how columns depend on each other; take "independent" for it',
    );
  let width = 0;
  const places = fine.blocks.map(({ cells }): Place => {
    const place = { start: width, room: Math.min(cells, mostCells) };
    width += place.room;
    return place;
  });
  if (width > MAX_WIDTH)
    throw new InvalidTableSchema(
      undefined,
      `${width} cells in all, at most ${MAX_WIDTH} are supported by this synthesizer; lower its option "cells", or leave columns out`,
    );
  return { fine, places, width, conditions: conditionsOf(fine) };
}

/** The label; without one any categorical column in turn (CTGAN: Xu et al. 2019, section 4.3); without those any column. */
function conditionsOf({ blocks }: TableEncoding): readonly number[] {
  const where = (chosen: (block: Block) => boolean) =>
    blocks.flatMap((block, column) => (chosen(block) ? [column] : []));
  const label = where(({ field }) => field.label);
  if (label.length > 0) return label;
  const categorical = where(({ field }) => field.domain === 'categories');
  return categorical.length > 0 ? categorical : blocks.map((_, column) => column);
}

/** One column on the cells that the first sum gave it. */
export interface Column extends Place {
  readonly block: Block;
  /** Cells in use, at most the room. */
  readonly cells: number;
  /** The cell of each fine cell. */
  readonly cellOf: Uint16Array;
  /** The noisy one-way: the share of each cell, all above 0. */
  readonly shares: Float64Array;
  /** Of each cell its fine cells, and their cumulated shares of it, the last one 1. */
  readonly within: readonly { readonly fine: readonly number[]; readonly cumulated: Float64Array }[];
}

/**
 * What the first sum says of the columns: cells by mass and by noise (table/grids.ts). They are what the modes of mode-specific
 * normalisation are to CTGAN (Xu et al. 2019, section 4.2), from noisy counts. Public: post-processing.
 */
export interface Columns {
  readonly layout: Layout;
  readonly columns: readonly Column[];
  /** Noisy counts of all fine cells, none below 0, and the cell of each. */
  readonly counts: Float64Array;
  readonly cellOf: Uint16Array;
}

/** @param mostCells as in `layoutOf`. */
export function columnsOf(layout: Layout, oneWays: OneWays, mostCells: number): Columns {
  const ones = byColumn(layout.fine, oneWays);
  const grids = gridsOf(layout.fine, ones, mostCells, mostCells);
  const counts = ones.flatMap((one, column) => [
    ...nonNegative(settledCounts(layout.fine.blocks[column] as Block, one)),
  ]);
  const cellOf = grids.flatMap(({ coarse }) => [...coarse]);
  return withCells(layout, Float64Array.from(counts), Uint16Array.from(cellOf));
}

/** Only to cut the negative ones off would add, to every cell that nobody is in, what noise alone is above 0. */
function nonNegative(counts: Float64Array): Float64Array {
  return nearestCounts(
    counts,
    Math.max(
      1,
      counts.reduce((sum, count) => sum + count, 0),
    ),
  );
}

function withCells(layout: Layout, counts: Float64Array, cellOf: Uint16Array): Columns {
  const columns = layout.fine.blocks.map((block, c): Column => {
    const place = layout.places[c] as Place;
    const own = counts.subarray(block.start, block.start + block.cells);
    const map = cellOf.subarray(block.start, block.start + block.cells);
    const groups: number[][] = [];
    map.forEach((cell, k) => {
      (groups[cell] ??= []).push(k);
    });
    const masses = groups.map((fine) => fine.reduce((sum, k) => sum + (own[k] as number), 0));
    const total = masses.reduce((sum, mass) => sum + mass, 0);
    // Half a record each, so that no cell is impossible, and a table of nothing has even shares.
    const shares = Float64Array.from(masses, (mass) => (mass + 0.5) / (total + 0.5 * groups.length));
    const within = groups.map((fine) => ({ fine, cumulated: cumulatedShares(fine, own) }));
    return { ...place, block, cells: groups.length, cellOf: map, shares, within };
  });
  return { layout, columns, counts, cellOf };
}

/** Where no count is left of a cell, its fine cells share alike. */
function cumulatedShares(fine: readonly number[], counts: Float64Array): Float64Array {
  const total = fine.reduce((sum, k) => sum + (counts[k] as number), 0);
  let below = 0;
  return Float64Array.from(fine, (k, i) => {
    below += total > 0 ? (counts[k] as number) / total : 1 / fine.length;
    return i === fine.length - 1 ? 1 : below;
  });
}

/** All counts (float64), then all cells (uint16); little endian, a length that the plan fixes. */
export function encodeColumns({ layout, counts, cellOf }: Columns): Uint8Array {
  const bytes = new Uint8Array(columnsBytes(layout));
  const view = new DataView(bytes.buffer);
  counts.forEach((count, k) => {
    view.setFloat64(8 * k, count, true);
  });
  cellOf.forEach((cell, k) => {
    view.setUint16(8 * counts.length + 2 * k, cell, true);
  });
  return bytes;
}

export function columnsBytes({ fine }: Layout): number {
  return 10 * fine.width;
}

/**
 * Reads what came from the coordinator, who may lie: whatever it says, every record has a cell within its column's room.
 * @throws MalformedBytes
 */
export function decodeColumns(layout: Layout, bytes: Uint8Array): Columns {
  if (bytes.length !== columnsBytes(layout))
    throw new MalformedBytes('the columns are not of this schema: their bytes are too many or too few');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { width, blocks } = layout.fine;
  const counts = Float64Array.from({ length: width }, (_, k) => view.getFloat64(8 * k, true));
  const cellOf = Uint16Array.from({ length: width }, (_, k) => view.getUint16(8 * width + 2 * k, true));
  if (!counts.every((count) => count >= 0 && count <= Number.MAX_SAFE_INTEGER))
    throw new MalformedBytes('the columns hold a count that is none');
  blocks.forEach(({ start, cells }, c) => {
    const used = new Set(cellOf.subarray(start, start + cells));
    // 0, 1, … without a gap, and not more than there is room for.
    if (used.size > (layout.places[c] as Place).room || Math.max(...used) !== used.size - 1)
      throw new MalformedBytes('the columns hold more cells than the plan has room for, or skip one');
  });
  return withCells(layout, counts, cellOf);
}

/** The cell of each column of each record: `count × columns` indices, relative to their columns. */
export function recordCells({ layout, columns }: Columns, batch: RecordBatch): Uint16Array {
  const cells = cellsOf(layout.fine, batch);
  const width = columns.length;
  for (let i = 0; i < cells.length; i++)
    cells[i] = (columns[i % width] as Column).cellOf[cells[i] as number] as number;
  return cells;
}
