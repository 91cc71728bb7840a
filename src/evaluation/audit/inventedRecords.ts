import type { Rng } from '../../crypto/rng.js';
import { type Block, tableEncoding } from '../../synthesis/table/encoding.js';
import { MISSING_CATEGORY } from '../../synthesis/table/layout.js';
import { type RecordBatch, type RecordSource, recordSource } from '../../synthesis/table/records.js';
import { createRowStore } from '../../synthesis/table/rowStore.js';
import type { TableSchema } from '../../synthesis/table/schema.js';
import { EvaluationError } from '../errors.js';

/**
 * `count` different invented records as rows of the layout, uniform over the cells of the public schema: far apart, so that each
 * has a gradient of its own, and like nobody. Throws AuditTooSmall where the schema has fewer than twice as many.
 */
export function drawRecords(schema: TableSchema, count: number, rng: Rng): readonly Uint8Array[] {
  const { blocks, layout } = tableEncoding(schema);
  const different = blocks.reduce((product, block) => product * block.cells, 1);
  if (different < 2 * count)
    throw new EvaluationError(
      'AuditTooSmall',
      `the schema has only ${different} different records, too few for ${count} canaries: ask for fewer`,
    );
  const seen = new Set<string>();
  const rows: Uint8Array[] = [];
  while (rows.length < count) {
    const cells = blocks.map((block) => below(block.cells, rng));
    const key = cells.join();
    if (seen.has(key)) continue;
    seen.add(key);
    const row = new Uint8Array(layout.bytes);
    const view = new DataView(row.buffer);
    blocks.forEach((block, f) => {
      writeCell(view, layout.offsets[f]!, block, cells[f]!);
    });
    rows.push(row);
  }
  return rows;
}

/**
 * A participant's own records, and after them those rows of `more`, which from there on are records like any other. It is the
 * participant that wraps its source before it gives it to its session.
 */
export async function withRecords(own: RecordSource, more: readonly Uint8Array[]): Promise<RecordSource> {
  const extra = await sourceOf(own.schema, more);
  async function* sample(rate: number, rng: Rng): AsyncGenerator<RecordBatch> {
    yield* own.sample(rate, rng);
    yield* extra.sample(rate, rng);
  }
  return {
    schema: own.schema,
    layout: own.layout,
    sample,
    async close() {
      await extra.close();
      await own.close();
    },
  };
}

/** A source of exactly these rows; none of them is an empty table. */
export async function sourceOf(schema: TableSchema, rows: readonly Uint8Array[]): Promise<RecordSource> {
  const { layout } = tableEncoding(schema);
  const store = createRowStore(layout.bytes);
  for (const row of rows) await store.append(row);
  await store.seal();
  return recordSource(schema, layout, store);
}

function writeCell(view: DataView, offset: number, { field, cells, edges }: Block, cell: number): void {
  const missing = !field.required && cell === cells - 1;
  if (edges === undefined) view.setUint16(offset, missing ? MISSING_CATEGORY : cell, true);
  else view.setFloat64(offset, missing ? Number.NaN : edges[cell]!, true);
}

/** Uniform on 0 … bound − 1; the bias of 2⁻³² matters to nobody here, since privacy does not rest on it. */
function below(bound: number, rng: Rng): number {
  const bytes = rng(4);
  return Math.floor((new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true) * bound) / 2 ** 32);
}
