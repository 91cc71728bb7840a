/**
 * Dates as whole numbers in the proleptic Gregorian calendar, so that a date column is a range like any other:
 * 'date' counts days from 1970-01-01, 'yearmonth' months from 0000-01, 'year' years. No time zone is involved.
 */
export type CalendarType = 'date' | 'year' | 'yearmonth';

const MS_PER_DAY = 86_400_000;

/** The ordinal of a lexical value (XML Schema date, gYearMonth, gYear, four-digit years), or undefined if it is none. */
export function parseCalendar(type: CalendarType, text: string): number | undefined {
  const parts = /^(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?$/.exec(text);
  if (parts === null) return undefined;
  const year = Number(parts[1]);
  if (type === 'year') return parts[2] === undefined ? year : undefined;
  const month = Number(parts[2]);
  if (!(month >= 1 && month <= 12)) return undefined;
  if (type === 'yearmonth') return parts[3] === undefined ? year * 12 + month - 1 : undefined;
  const day = Number(parts[3]);
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  // Date rolls 31 February over into March; a value that does not come back unchanged is no date.
  if (date.getUTCFullYear() !== year || date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day)
    return undefined;
  return date.getTime() / MS_PER_DAY;
}

/** The inverse of `parseCalendar`; a year is a number, as Table Schema has it. */
export function formatCalendar(type: CalendarType, ordinal: number): string | number {
  if (type === 'year') return ordinal;
  if (type === 'date') return new Date(ordinal * MS_PER_DAY).toISOString().slice(0, 10);
  const year = Math.floor(ordinal / 12);
  return `${String(year).padStart(4, '0')}-${String(ordinal - year * 12 + 1).padStart(2, '0')}`;
}
