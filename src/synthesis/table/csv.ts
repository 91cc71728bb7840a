import { createReadStream } from 'node:fs';
import { pipeline, type Readable } from 'node:stream';
import { CsvError, parse } from 'csv-parse';
import { InvalidRecords } from '../errors.js';
import { parseCalendar } from './calendar.js';
import { MISSING_CATEGORY, recordLayout } from './layout.js';
import { type RecordSource, recordSource } from './records.js';
import { createRowStore, MEMORY_LIMIT_BYTES } from './rowStore.js';
import type { Field, RangeField, TableSchema } from './schema.js';

export interface CsvOptions {
  /** What to do with a number or date outside the public bounds. Default 'refuse'. */
  readonly outOfBounds?: 'refuse' | 'clamp';
  /** Bytes of rows kept in memory before an unlinked spill file is used. Default 64 MiB. */
  readonly memoryLimitBytes?: number;
  /** Where the spill file is opened. Default: the system's temporary folder. */
  readonly spillFolder?: string;
}

/**
 * Reads CSV (RFC 4180; UTF-8, with or without a byte order mark; LF or CRLF) in one pass with flat memory, checking
 * every value against the schema. Columns are found by name, in any order.
 * @throws InvalidRecords at the first record that does not fit, naming line and column and never the value.
 */
export async function readCsv(
  input: string | Readable,
  schema: TableSchema,
  options: CsvOptions = {},
): Promise<RecordSource> {
  const layout = recordLayout(schema);
  const store = createRowStore(
    layout.bytes,
    options.memoryLimitBytes ?? MEMORY_LIMIT_BYTES,
    options.spillFolder,
  );
  const source = typeof input === 'string' ? createReadStream(input) : input;
  // relax_column_count: the count is checked below, where the message can leave the cells out. The parser's own line
  // counter runs ahead of the records it has handed over, so lines are counted here.
  const parser = parse({
    bom: true,
    relax_column_count: true,
    max_record_size: 1024 * 1024,
  });
  pipeline(source, parser, () => {}); // an error of the file destroys the parser with it, and the loop below throws it
  const row = new Uint8Array(layout.bytes);
  const view = new DataView(row.buffer);
  const clamp = options.outOfBounds === 'clamp';
  let columns: readonly number[] | undefined;
  let width = 0;
  let nextLine = 1;
  try {
    for await (const cells of parser as AsyncIterable<string[]>) {
      const line = nextLine;
      nextLine += 1 + lineBreaks(cells);
      if (columns === undefined) {
        columns = columnIndices(cells, schema, line);
        width = cells.length;
        continue;
      }
      if (cells.length !== width) {
        if (cells.length === 1 && cells[0] === '') continue; // an empty line
        const message = `the record has ${cells.length} cells and the header ${width}; quote cells that contain a comma`;
        throw new InvalidRecords('cell-count', line, undefined, message);
      }
      for (let f = 0; f < schema.fields.length; f++) {
        const field = schema.fields[f] as Field;
        const value = parseCell(field, cells[columns[f] as number] as string, clamp);
        if (typeof value === 'string') throw invalidCell(field, value, line);
        const offset = layout.offsets[f] as number;
        if (field.domain === 'categories') view.setUint16(offset, value, true);
        else view.setFloat64(offset, value, true);
      }
      const full = store.append(row);
      if (full !== undefined) await full;
    }
    if (columns === undefined) throw new InvalidRecords('empty-file', undefined, undefined, EMPTY);
    if (store.count === 0) throw new InvalidRecords('empty-file', undefined, undefined, ONLY_HEADER);
    await store.seal();
    return recordSource(schema, layout, store);
  } catch (error) {
    source.destroy();
    await store.close();
    if (error instanceof CsvError) throw malformed(error);
    throw error;
  }
}

const EMPTY = 'the file is empty; its first line must name the columns';
const ONLY_HEADER = 'the file has a header and no record; was the right file given?';

type CellFault = 'missing-value' | 'unknown-category' | 'not-of-type' | 'out-of-bounds';

/** What the layout holds for a cell (a category's index, or a number), or what is wrong with it. */
function parseCell(field: Field, text: string, clamp: boolean): number | CellFault {
  if (field.missingValues.has(text)) {
    if (field.required) return 'missing-value';
    return field.domain === 'categories' ? MISSING_CATEGORY : Number.NaN;
  }
  if (field.domain === 'categories') {
    const numeric = field.type === 'integer' || field.type === 'number';
    return field.indexOf.get(numeric ? String(parseNumber(text)) : text) ?? 'unknown-category';
  }
  const value = parseRangeValue(field, text);
  if (value === undefined) return 'not-of-type';
  if (value >= field.minimum && value <= field.maximum) return value;
  if (!clamp) return 'out-of-bounds';
  return value < field.minimum ? field.minimum : field.maximum;
}

function parseRangeValue(field: RangeField, text: string): number | undefined {
  if (field.type !== 'integer' && field.type !== 'number') return parseCalendar(field.type, text);
  const value = parseNumber(text);
  return field.type === 'integer' && !Number.isSafeInteger(value) ? undefined : value;
}

/** XML Schema decimal with an optional exponent; "12.0" is an integer's value too. Not what `Number` also takes: "", "0x1f". */
function parseNumber(text: string): number | undefined {
  if (!/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text)) return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}

function columnIndices(header: readonly string[], schema: TableSchema, line: number): readonly number[] {
  const names = new Set(schema.fields.map((field) => field.name));
  const extra = header.findIndex((name) => !names.has(name));
  if (schema.onlyTheseColumns && extra >= 0) {
    const message = `column ${extra + 1} is not in the schema, whose fieldsMatch allows no others; remove it from the file`;
    throw new InvalidRecords('extra-column', line, undefined, message);
  }
  return schema.fields.map(({ name }) => {
    const index = header.indexOf(name);
    if (index < 0)
      throw new InvalidRecords(
        'missing-column',
        line,
        name,
        'the header does not name it; add or rename the column',
      );
    if (header.indexOf(name, index + 1) >= 0)
      throw new InvalidRecords('duplicate-column', line, name, 'the header names it twice; keep one');
    return index;
  });
}

function invalidCell(field: Field, fault: CellFault, line: number): InvalidRecords {
  const messages: Record<CellFault, string> = {
    'missing-value': 'the value is missing and the schema requires one; complete the record or leave it out',
    'unknown-category':
      'the value is none of the schema’s categories; correct it, or agree on a new charter that lists it',
    'not-of-type': `the value is not of type ${field.type}; see the Table Schema for how it is written`,
    'out-of-bounds':
      'the value is outside the schema’s minimum and maximum; correct it, or move such values onto the bounds with --clamp',
  };
  return new InvalidRecords(fault, line, field.name, messages[fault]);
}

/** csv-parse's own message quotes the file, so only its code and line go on. */
function malformed(error: CsvError): InvalidRecords {
  const line = typeof error.lines === 'number' ? error.lines : undefined;
  const message = `not well-formed CSV (${error.code}); check the quotes around cells`;
  return new InvalidRecords('malformed-csv', line, undefined, message);
}

function lineBreaks(cells: readonly string[]): number {
  let breaks = 0;
  for (const cell of cells)
    for (let at = cell.indexOf('\n'); at >= 0; at = cell.indexOf('\n', at + 1)) breaks += 1;
  return breaks;
}
