import { describeConstraint, violations } from '../synthesis/table/constraints.js';
import type { TableSchema } from '../synthesis/table/schema.js';
import { codeOf } from './codes.js';
import type { Rows } from './jointCounts.js';

/** A table column by column: what every measure here reads. Rows with a value outside the schema are counted and left out. */
export interface CodedTable {
  readonly rows: number;
  /** By column, `rows` codes each: category index or ordinal, NaN for missing (see codes.ts). */
  readonly columns: readonly Float64Array[];
  readonly invalidRows: number;
  /** Values outside the schema, by column. */
  readonly invalidValues: readonly number[];
  /** Rows, valid by their single values, that break one of the schema's constraints; each constraint in words, with its rows. */
  readonly violatingRows: number;
  readonly violations: readonly { readonly constraint: string; readonly rows: number }[];
}

const FIRST_CAPACITY = 4096;

/** One pass; eight bytes a value. */
export async function readCoded(schema: TableSchema, rows: Rows): Promise<CodedTable> {
  const codes = schema.fields.map((field) => codeOf(field));
  const invalidValues = schema.fields.map(() => 0);
  let columns = schema.fields.map(() => new Float64Array(FIRST_CAPACITY));
  let capacity = FIRST_CAPACITY;
  const violated = schema.constraints.map(() => 0);
  let count = 0;
  let invalidRows = 0;
  let violatingRows = 0;
  for await (const row of rows) {
    if (count === capacity) {
      capacity *= 2;
      columns = columns.map((column) => {
        const longer = new Float64Array(capacity);
        longer.set(column);
        return longer;
      });
    }
    let valid = true;
    for (let i = 0; i < codes.length; i++) {
      const code = codes[i]!(row[schema.fields[i]!.name]);
      if (code === undefined) {
        invalidValues[i]!++;
        valid = false;
      } else columns[i]![count] = code;
    }
    if (!valid) {
      invalidRows++;
      continue;
    }
    count++;
    const broken = violations(schema, row);
    if (broken.length > 0) violatingRows++;
    for (const constraint of broken) violated[constraint]!++;
  }
  return {
    rows: count,
    columns: columns.map((column) => column.slice(0, count)),
    invalidRows,
    invalidValues,
    violatingRows,
    violations: schema.constraints.map((constraint, i) => ({
      constraint: describeConstraint(constraint),
      rows: violated[i]!,
    })),
  };
}

/** The rows at `indices`, in that order. */
export function selectRows(table: CodedTable, indices: Uint32Array): CodedTable {
  const columns = table.columns.map((column) => {
    const selected = new Float64Array(indices.length);
    for (let i = 0; i < indices.length; i++) selected[i] = column[indices[i]!]!;
    return selected;
  });
  return { ...table, rows: indices.length, columns };
}

/** The rows of one table and after them those of another. */
export function concatRows(first: CodedTable, second: CodedTable): CodedTable {
  const columns = first.columns.map((column, i) => {
    const both = new Float64Array(first.rows + second.rows);
    both.set(column);
    both.set(second.columns[i]!, first.rows);
    return both;
  });
  return { ...first, rows: first.rows + second.rows, columns };
}

/** A text a row, the same for two rows exactly if they have the same value in every column. */
export function rowKeys(table: CodedTable): string[] {
  const { columns } = table;
  return Array.from({ length: table.rows }, (_, row) => {
    let key = '';
    for (const column of columns) key += `${column[row]!},`;
    return key;
  });
}

/** A byte a code. Typed arrays' own `from` walks an iterator, ten times as slow. */
export function bytesOf(codes: Float64Array, byte: (code: number) => number): Uint8Array {
  const bytes = new Uint8Array(codes.length);
  for (let row = 0; row < codes.length; row++) bytes[row] = byte(codes[row]!);
  return bytes;
}
