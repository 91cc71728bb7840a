import type { Row } from '../../src/synthesis/synthesizer.js';
import { parseCalendar } from '../../src/synthesis/table/calendar.js';
import type { TableSchema } from '../../src/synthesis/table/schema.js';

/** Whether a row breaks a constraint as the schema writes it, read off the definition and apart from the code under test. */
export function breaks(constraint: object, row: Row): boolean {
  const said = constraint as {
    readonly type: string;
    readonly low: string;
    readonly high: string;
    readonly strict?: boolean;
    readonly columns: readonly string[];
    readonly combinations: readonly (readonly unknown[])[];
    readonly column: string;
    readonly when: { readonly column: string; readonly values: readonly unknown[] };
    readonly otherwiseRequired?: boolean;
  };
  if (said.type === 'inequality') {
    const low = row[said.low] ?? null;
    const high = row[said.high] ?? null;
    if (low === null || high === null) return false;
    // Dates and times of one form are in order as text, too.
    return said.strict === true ? !(low < high) : !(low <= high);
  }
  if (said.type === 'fixedCombinations')
    return !said.combinations.some((combination) =>
      said.columns.every((column, i) => (row[column] ?? null) === combination[i]),
    );
  const isMissing = (row[said.column] ?? null) === null;
  if (said.when.values.includes(row[said.when.column] ?? null)) return !isMissing;
  return said.otherwiseRequired === true && isMissing;
}

/** Whether every value is one that the schema allows. */
export function isValidRow(schema: TableSchema, row: Row): boolean {
  return schema.fields.every((field) => {
    const value = row[field.name];
    if (value === undefined) return false;
    if (value === null) return !field.required;
    if (field.domain === 'categories')
      return field.categories.includes(field.type === 'year' ? Number(value) : value);
    if (field.type === 'integer' && !Number.isInteger(value)) return false;
    if (field.type === 'datetime' && String(value).endsWith('Z') !== field.utc) return false;
    const ordinal =
      typeof value === 'number' && field.type !== 'year'
        ? value
        : parseCalendar(
            field.type as 'date',
            field.type === 'year' ? String(value).padStart(4, '0') : String(value),
          );
    return ordinal !== undefined && ordinal >= field.minimum && ordinal <= field.maximum;
  });
}
