import { z } from 'zod';
import { canonicalJson } from '../../crypto/canonical.js';
import { MalformedBytes } from '../errors.js';
import type { Block, TableEncoding } from '../table/encoding.js';
import { fineCells } from '../table/fineCells.js';
import type { TableSchema } from '../table/schema.js';
import { settledCounts } from '../table/settledCounts.js';
import type { Base } from './fitting.js';
import { domainOf } from './model/domain.js';
import { InvalidModelInput, ModelTooLarge } from './model/errors.js';
import { type Factor, type Model, modelOf } from './model/model.js';
import type { MarginalsOptions } from './options.js';
import { bytesOf, doublesOf } from './state.js';
import { structureOf } from './structure.js';
import type { ColumnCells, Unit } from './units.js';

const MAGIC = 'chorale/marginals release';
const VERSION = 1;

const index = z.number().int().min(0);
const headerJson = z.strictObject({
  magic: z.literal(MAGIC),
  version: z.literal(VERSION),
  total: z.number(),
  /** Of each column: the model's cell of each fine cell, 0, 1, … */
  columns: z.array(z.array(index.max(65_535))),
  factors: z.array(z.strictObject({ attributes: z.array(index), cells: index })),
});

/**
 * A line of JSON, then the log-potentials of its factors, then for each column the noisy counts of its fine cells, none below zero
 * (float64, little endian). All of it is made of opened sums.
 */
export function encodeRelease(
  { factors, total }: Model,
  { ones, grids }: Base,
  { blocks }: TableEncoding,
): Uint8Array {
  const counts = ones.map((one, column) => settledCounts(blocks[column] as Block, one));
  const header = canonicalJson({
    magic: MAGIC,
    version: VERSION,
    total,
    columns: grids.map(({ full }) => [...full]),
    factors: factors.map(({ attributes, logPotentials }) => ({
      attributes: [...attributes],
      cells: logPotentials.length,
    })),
  });
  const parts = [
    ...factors.map(({ logPotentials }) => bytesOf(logPotentials)),
    ...counts.map((own) => bytesOf(own.map((count) => Math.max(0, count)))),
  ];
  const text = new TextEncoder().encode(`${header}\n`);
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, text.length));
  bytes.set(text);
  let offset = text.length;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}

/** What rows are drawn from: a model of cells, and how values are drawn within them. */
export interface Generator {
  readonly fine: TableEncoding;
  readonly model: Model;
  readonly columns: readonly ColumnCells[];
  /** Each column is in one. */
  readonly units: readonly Unit[];
}

/** @throws MalformedBytes when the release is not of this schema and these options. */
export function decodeRelease(
  schema: TableSchema,
  { modelCells }: MarginalsOptions,
  bytes: Uint8Array,
): Generator {
  const fine = fineCells(schema);
  const end = bytes.indexOf(0x0a);
  const header = headerOf(bytes.subarray(0, Math.max(0, end)));
  const fits =
    header?.columns.length === fine.blocks.length &&
    header.columns.every(
      (cells, column) =>
        cells.length === fine.blocks[column]?.cells && new Set(cells).size === Math.max(...cells) + 1,
    );
  if (header === undefined || !fits) throw new MalformedBytes('the release is no marginals of this schema');
  let offset = end + 1;
  const doubles = (count: number): Float64Array => {
    const part = bytes.subarray(offset, offset + 8 * count);
    if (part.length !== 8 * count) throw new MalformedBytes('the release is cut short');
    offset += 8 * count;
    return doublesOf(part);
  };
  const factors: Factor[] = header.factors.map(({ attributes, cells }) => ({
    attributes,
    logPotentials: doubles(cells),
  }));
  const columns = header.columns.map((cells) => {
    const counts = doubles(cells.length);
    if (!counts.every((count) => count >= 0 && Number.isFinite(count)))
      throw new MalformedBytes('the release has counts that are none');
    return columnCells(cells, counts);
  });
  if (offset !== bytes.length) throw new MalformedBytes('the release is too long');
  try {
    const domain = domainOf(columns.map(({ cells }) => cells));
    const { units, structuralZeros } = structureOf(fine, columns);
    const limits = { total: header.total, structuralZeros, cellLimit: modelCells };
    return { fine, model: modelOf(domain, factors, limits), columns, units };
  } catch (cause) {
    if (!(cause instanceof InvalidModelInput || cause instanceof ModelTooLarge)) throw cause;
    throw new MalformedBytes('the release has no model of this schema and these options', { cause });
  }
}

function headerOf(bytes: Uint8Array): z.infer<typeof headerJson> | undefined {
  try {
    return headerJson.parse(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)));
  } catch {
    return undefined;
  }
}

/** Where no count is left of a cell, its fine cells share alike. */
function columnCells(cellOf: readonly number[], counts: Float64Array): ColumnCells {
  const cells = Math.max(...cellOf) + 1;
  const totals = new Float64Array(cells);
  const sizes = new Float64Array(cells);
  cellOf.forEach((cell, k) => {
    totals[cell] = (totals[cell] as number) + (counts[k] as number);
    sizes[cell] = (sizes[cell] as number) + 1;
  });
  const shares = Float64Array.from(cellOf, (cell, k) =>
    (totals[cell] as number) > 0
      ? (counts[k] as number) / (totals[cell] as number)
      : 1 / (sizes[cell] as number),
  );
  return { cellOf, cells, shares };
}
