import type { Readable } from 'node:stream';
import { InvalidRecords } from '../errors.js';
import { type CellFault, codeOfText, nearerBound } from './cellText.js';
import { describeConstraint, enforcementFor } from './constraints.js';
import { columnIndices } from './csvColumns.js';
import { eachRecord } from './csvRecords.js';
import { brokenBy, repair } from './enforcement.js';
import { MISSING_CATEGORY, recordLayout } from './layout.js';
import { type RecordSource, recordSource } from './records.js';
import { createRowStore, MEMORY_LIMIT_BYTES } from './rowStore.js';
import type { Field, TableSchema } from './schema.js';

export interface CsvOptions {
  /**
   * 'clamp' moves values outside the public bounds onto them and records that break a constraint onto the nearest that
   * keeps it, whatever the schema says. Default 'refuse': as the schema's `chorale:outside` says, which refuses by default.
   */
  readonly outOfBounds?: 'refuse' | 'clamp';
  /** Bytes of rows kept in memory before an unlinked spill file is used. Default 64 MiB. */
  readonly memoryLimitBytes?: number;
  /** Where the spill file is opened. Default: the system's temporary folder. */
  readonly spillFolder?: string;
  /** Called once, when the whole file was read. The counts are as private as the records: for the holder's own eyes. */
  readonly counted?: (moved: MovedCounts) => void;
}

/** How much of a file was moved to fit its schema. */
export interface MovedCounts {
  /** Values moved onto a bound, by column; of those columns alone where there were any. */
  readonly clamped: ReadonlyMap<string, number>;
  /** Records changed to keep a constraint, by its index; one that broke two counts for both. */
  readonly repaired: ReadonlyMap<number, number>;
}

/**
 * Reads CSV (see csvRecords.ts), checking every value and constraint against the schema. Columns are found by name, in any
 * order. Clamping and repair look at one record alone, so a record more or less changes no other's row.
 * @throws InvalidRecords at the first record that does not fit, naming line and column and never the value.
 */
export async function readCsv(
  input: string | Readable,
  schema: TableSchema,
  options: CsvOptions = {},
): Promise<RecordSource> {
  const { fields } = schema;
  const layout = recordLayout(schema);
  const store = createRowStore(
    layout.bytes,
    options.memoryLimitBytes ?? MEMORY_LIMIT_BYTES,
    options.spillFolder,
  );
  const row = new Uint8Array(layout.bytes);
  const view = new DataView(row.buffer);
  const coded = new Float64Array(fields.length);
  const enforcement = enforcementFor(schema);
  const clampAll = options.outOfBounds === 'clamp';
  const clamped = new Map<string, number>();
  const repaired = new Map<number, number>();

  const codeCell = (field: Field, text: string, line: number): number => {
    const code = codeOfText(field, text);
    if (typeof code === 'number') return code;
    if (code !== 'out-of-bounds' || field.domain === 'categories' || !(clampAll || field.outside === 'clamp'))
      throw invalidCell(field, code, line);
    increment(clamped, field.name);
    return nearerBound(field, text);
  };
  const keepConstraints = (line: number): void => {
    const broken = brokenBy(enforcement, coded);
    if (broken.length === 0) return;
    if (!clampAll && schema.outside === 'refuse') throw brokenConstraint(schema, broken[0] as number, line);
    for (const index of broken) increment(repaired, index);
    repair(enforcement, coded);
  };

  try {
    await eachRecord(input, (header, headerLine) => {
      const columns = columnIndices(header, schema, headerLine);
      return (cells, line) => {
        for (let f = 0; f < fields.length; f++)
          coded[f] = codeCell(fields[f] as Field, cells[columns[f] as number] as string, line);
        keepConstraints(line);
        for (let f = 0; f < fields.length; f++) {
          const code = coded[f] as number;
          const offset = layout.offsets[f] as number;
          if ((fields[f] as Field).domain === 'range') view.setFloat64(offset, code, true);
          else view.setUint16(offset, Number.isNaN(code) ? MISSING_CATEGORY : code, true);
        }
        return store.append(row) ?? undefined;
      };
    });
    await store.seal();
    options.counted?.({ clamped, repaired });
    return recordSource(schema, layout, store);
  } catch (error) {
    await store.close();
    throw error;
  }
}

function increment<Key>(counts: Map<Key, number>, key: Key): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function invalidCell(field: Field, fault: CellFault, line: number): InvalidRecords {
  const zone =
    field.type !== 'datetime' || field.domain === 'categories'
      ? ''
      : ` (${field.utc ? 'UTC, ending in Z' : 'local time, without a zone'}, as its bounds are)`;
  const messages: Record<CellFault, string> = {
    'missing-value': 'the value is missing and the schema requires one; complete the record or leave it out',
    'unknown-category':
      'the value is none of the schema’s categories; correct it, or agree on a new charter that lists it',
    'not-of-type': `the value is not of type ${field.type}${zone}; see the Table Schema for how it is written`,
    'out-of-bounds':
      'the value is outside the schema’s minimum and maximum; correct it, or move such values onto the bounds with --clamp',
  };
  return new InvalidRecords(fault, line, field.name, messages[fault]);
}

function brokenConstraint(schema: TableSchema, index: number, line: number): InvalidRecords {
  const constraint = schema.constraints[index];
  const words = constraint === undefined ? '' : `: ${describeConstraint(constraint)}`;
  const message = `the record breaks constraint #${index + 1} of the schema${words}; correct it, or move such records onto the nearest that keeps it with --clamp`;
  return new InvalidRecords('broken-constraint', line, undefined, message);
}
