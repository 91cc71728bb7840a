import { InvalidTableSchema } from '../errors.js';
import { categoryOf, rangeValue } from './codedRow.js';
import { type RecordLayout, recordLayout } from './layout.js';
import type { RecordBatch } from './records.js';
import type { Field, RangeField, TableSchema } from './schema.js';

/** Bins of a range field that says nothing itself: fine enough for a shape, coarse enough to rise above the noise. */
export const DEFAULT_BINS = 16;
/** Limit on the width of a row's vector; a wider schema is refused before any memory is taken. */
export const MAX_WIDTH = 8192;

/** One field's cells within the vector of a row: categories or bins, then one for "missing" unless required. */
export interface Block {
  readonly field: Field;
  /** Index of its first coordinate. */
  readonly start: number;
  readonly cells: number;
  /** For a range: `bins + 1` increasing edges; bin k is [edge k, edge k+1), the last one closed. */
  readonly edges: readonly number[] | undefined;
}

/**
 * Rows as vectors of cells: a categorical value is its category, a number or date the public bin it lies in, so every
 * column is a one-hot block. Under DP noise a generator learns a softmax over some bins far better than a real number,
 * and a value decoded from a cell is always valid. Nothing here is learnt from records.
 */
export interface TableEncoding {
  readonly schema: TableSchema;
  readonly layout: RecordLayout;
  readonly blocks: readonly Block[];
  /** Coordinates of a row's vector: the cells of all blocks. */
  readonly width: number;
}

export function tableEncoding(schema: TableSchema): TableEncoding {
  return encodingOf(schema, binEdges, MAX_WIDTH);
}

/**
 * The same on other bins: `edgesOf` gives those of a range field. A bin may be a single value: of a whole type [v, v + 1),
 * at the upper end [maximum, maximum].
 * @throws InvalidTableSchema where the cells are more than `maxWidth`.
 */
export function encodingOf(
  schema: TableSchema,
  edgesOf: (field: RangeField) => readonly number[],
  maxWidth: number,
): TableEncoding {
  let width = 0;
  const blocks = schema.fields.map((field): Block => {
    const edges = field.domain === 'range' ? edgesOf(field) : undefined;
    const values =
      field.domain === 'range' ? (edges as readonly number[]).length - 1 : field.categories.length;
    const cells = values + (field.required ? 0 : 1);
    const start = width;
    width += cells;
    return { field, start, cells, edges };
  });
  if (width > maxWidth)
    throw new InvalidTableSchema(
      undefined,
      `${width} cells in all, at most ${maxWidth} are supported; group categories`,
    );
  return { schema, layout: recordLayout(schema), blocks, width };
}

function binEdges({ type, minimum, maximum, bins }: RangeField): readonly number[] {
  if (typeof bins === 'object') return bins;
  const count = bins ?? DEFAULT_BINS;
  if (type === 'number')
    return Array.from({ length: count + 1 }, (_, k) =>
      k === count ? maximum : minimum + part(maximum - minimum, k, count),
    );
  // Whole values: as equal as whole edges allow, and never more bins than values. The last bin is closed.
  const values = maximum - minimum + 1;
  const whole = Math.min(count, values);
  const edges = Array.from({ length: whole }, (_, k) => minimum + Math.floor((values * k) / whole));
  return [...edges, maximum];
}

/** range·k/count, also where the product is beyond the doubles. */
function part(range: number, k: number, count: number): number {
  const product = range * k;
  return Number.isFinite(product) ? product / count : range * (k / count);
}

/** The cell of each field of each record: `count × fields` indices, relative to their blocks. */
export function cellsOf(encoding: TableEncoding, batch: RecordBatch): Uint16Array {
  const { blocks, layout } = encoding;
  const view = new DataView(batch.rows.buffer, batch.rows.byteOffset, batch.rows.byteLength);
  const cells = new Uint16Array(batch.count * blocks.length);
  for (let record = 0, out = 0; record < batch.count; record++) {
    const row = record * layout.bytes;
    for (let f = 0; f < blocks.length; f++) {
      const block = blocks[f] as Block;
      const offset = row + (layout.offsets[f] as number);
      cells[out++] =
        block.edges === undefined
          ? cellOfCategory(block, view.getUint16(offset, true))
          : cellOfNumber(block, block.edges, view.getFloat64(offset, true));
    }
  }
  return cells;
}

/** Never beyond the block, whatever a source of records holds: the next cell belongs to another field or record. */
function cellOfCategory(block: Block, category: number): number {
  return Math.min(category, block.cells - 1);
}

/** `value` NaN is missing. */
export function cellOfNumber(block: Block, edges: readonly number[], value: number): number {
  if (Number.isNaN(value)) return block.cells - 1;
  let low = 0;
  let high = edges.length - 2;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if ((edges[middle] as number) <= value) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** A table value of the cell, drawn evenly within a bin by `uniform` in [0, 1): within bounds and of the field's type. */
export function decodeCell(block: Block, cell: number, uniform: number): string | number | boolean | null {
  const { field, edges } = block;
  if (!field.required && cell === block.cells - 1) return null;
  if (field.domain === 'categories') return categoryOf(field, cell);
  const bins = edges as readonly number[];
  const low = bins[cell] as number;
  const high = bins[cell + 1] as number;
  if (field.type === 'number') return withinBin(low + (high - low) * uniform, low, high);
  const values = high - low + (cell === bins.length - 2 ? 1 : 0);
  return rangeValue(field, low + Math.floor(values * uniform));
}

/** Three digits finer than the bin and no more: a generated 37.281934 would claim a precision that the model has not. */
function withinBin(value: number, low: number, high: number): number {
  const scale = 10 ** Math.ceil(3 - Math.log10(high - low));
  const rounded = scale >= 1 && scale <= 1e15 ? Math.floor(value * scale) / scale : value;
  // Rounding down can leave the bin below; a uniform next to 1 can reach its upper edge, which is the next bin's.
  return rounded >= low && rounded < high ? rounded : low;
}
