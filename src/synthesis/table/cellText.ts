import { isUtc, parseCalendar } from './calendar.js';
import type { Field, RangeField } from './field.js';

export type CellFault = 'missing-value' | 'unknown-category' | 'not-of-type' | 'out-of-bounds';

/**
 * The code of a cell's text (a category's index, a range's ordinal within its bounds, NaN where it is missing), or what is
 * wrong with it.
 */
export function codeOfText(field: Field, text: string): number | CellFault {
  if (field.missingValues.has(text)) return field.required ? 'missing-value' : Number.NaN;
  if (field.domain === 'categories') {
    const numeric = field.type === 'integer' || field.type === 'number';
    return field.indexOf.get(numeric ? String(parseNumber(text)) : text) ?? 'unknown-category';
  }
  const ordinal = ordinalOfText(field, text);
  if (ordinal === undefined) return 'not-of-type';
  return ordinal >= field.minimum && ordinal <= field.maximum ? ordinal : 'out-of-bounds';
}

/** The code that stands for a text out of bounds: that of the nearer bound. */
export function nearerBound(field: RangeField, text: string): number {
  return (ordinalOfText(field, text) as number) < field.minimum ? field.minimum : field.maximum;
}

function ordinalOfText({ type, utc }: RangeField, text: string): number | undefined {
  if (type === 'integer' || type === 'number') {
    const value = parseNumber(text);
    return type === 'integer' && !Number.isSafeInteger(value) ? undefined : value;
  }
  // A local time read as UTC, or the other way round, would be another moment, hours away.
  if (type === 'datetime' && isUtc(text) !== utc) return undefined;
  return parseCalendar(type, text);
}

/** XML Schema decimal with an optional exponent; "12.0" is an integer's value too. Not what `Number` also takes: "", "0x1f". */
export function parseNumber(text: string): number | undefined {
  if (!/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text)) return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}
