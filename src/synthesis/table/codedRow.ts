import type { Row } from '../synthesizer.js';
import { formatCalendar } from './calendar.js';
import { type CategoricalField, type Field, ordinalOf, type RangeField } from './field.js';

/**
 * A row as numbers in the order of the fields: a category's index, or a range's ordinal; NaN is missing, or a value that
 * is not of the field.
 */
export type CodedRow = Float64Array;

/** Only the fields at `columns` are looked at; the others stay NaN. */
export function codedRow(fields: readonly Field[], row: Row, columns: readonly number[]): CodedRow {
  const coded = new Float64Array(fields.length).fill(Number.NaN);
  for (const column of columns) {
    const field = fields[column] as Field;
    coded[column] = codeOf(field, row[field.name] ?? null);
  }
  return coded;
}

export function codeOf(field: Field, value: string | number | boolean | null): number {
  if (value === null) return Number.NaN;
  if (field.domain === 'categories') {
    const index = field.categories.indexOf(field.type === 'year' ? Number(value) : value);
    return index < 0 ? Number.NaN : index;
  }
  return typeof value === 'boolean' ? Number.NaN : (ordinalOf(field.type, value) ?? Number.NaN);
}

/** The value of a code, as the Table Schema writes it. */
export function valueOfCode(field: Field, code: number): string | number | boolean | null {
  if (Number.isNaN(code)) return null;
  return field.domain === 'categories' ? categoryOf(field, code) : rangeValue(field, code);
}

export function categoryOf({ type, categories }: CategoricalField, index: number): string | number | boolean {
  const category = categories[index] as string | number | boolean;
  return type === 'year' ? formatCalendar(type, category as number) : category;
}

export function rangeValue({ type, utc }: RangeField, ordinal: number): string | number {
  if (type === 'number' || type === 'integer') return ordinal;
  const text = formatCalendar(type, ordinal);
  return utc ? `${text}Z` : text;
}
