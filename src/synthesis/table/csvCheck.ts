import type { Readable } from 'node:stream';
import { type CellFault, codeOfText, nearerBound } from './cellText.js';
import { enforcementFor } from './constraints.js';
import { columnIndices } from './csvColumns.js';
import { eachRecord } from './csvRecords.js';
import { brokenBy } from './enforcement.js';
import type { Field, TableSchema } from './schema.js';

/** How far a file is from a schema. As private as its records: for the holder's own eyes. */
export interface CsvFindings {
  readonly records: number;
  /** Faults by column, in the order of the schema; of columns without a fault nothing. */
  readonly faults: ReadonlyMap<string, ReadonlyMap<CellFault, number>>;
  /** Records that break each constraint, in its order. Values outside count as they would when clamped, others as missing. */
  readonly broken: readonly number[];
  /** Cells that are missing where they may be, by column; of columns without one nothing. */
  readonly missing: ReadonlyMap<string, number>;
}

/**
 * Counts what `readCsv` would refuse, over the whole file, in flat memory.
 * @throws InvalidRecords as `readCsv` does where the file is no CSV or its columns are not the schema's.
 */
export async function checkCsv(input: string | Readable, schema: TableSchema): Promise<CsvFindings> {
  const { fields } = schema;
  const enforcement = enforcementFor(schema);
  const faults = fields.map(() => new Map<CellFault, number>());
  const missing = new Float64Array(fields.length);
  const broken = schema.constraints.map(() => 0);
  const coded = new Float64Array(fields.length);
  let records = 0;
  await eachRecord(input, (header, headerLine) => {
    const columns = columnIndices(header, schema, headerLine);
    return (cells) => {
      records += 1;
      fields.forEach((field, f) => {
        const text = cells[columns[f] as number] as string;
        const code = codeOfText(field, text);
        if (typeof code === 'number') {
          coded[f] = code;
          if (Number.isNaN(code)) missing[f] = (missing[f] as number) + 1;
          return;
        }
        const counts = faults[f] as Map<CellFault, number>;
        counts.set(code, (counts.get(code) ?? 0) + 1);
        coded[f] = standIn(field, code, text);
      });
      for (const index of brokenBy(enforcement, coded)) broken[index] = (broken[index] as number) + 1;
      return undefined;
    };
  });
  const named = <Count>(counts: ArrayLike<Count>, some: (count: Count) => boolean) =>
    new Map(
      fields.flatMap(({ name }, f) =>
        some(counts[f] as Count) ? [[name, counts[f] as Count] as const] : [],
      ),
    );
  return {
    records,
    faults: named(faults, ({ size }) => size > 0),
    broken,
    missing: named(missing, (count) => count > 0),
  };
}

function standIn(field: Field, fault: CellFault, text: string): number {
  return field.domain === 'range' && fault === 'out-of-bounds' ? nearerBound(field, text) : Number.NaN;
}
