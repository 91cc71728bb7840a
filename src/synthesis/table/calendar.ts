/**
 * Dates as whole numbers in the proleptic Gregorian calendar, so that a date column is a range like any other: 'date'
 * counts days from 1970-01-01, 'datetime' seconds from 1970-01-01T00:00:00, 'yearmonth' months from 0000-01, 'year'
 * years. No time zone is involved: a datetime is UTC throughout a column (it ends in Z) or local throughout.
 */
export type CalendarType = 'date' | 'datetime' | 'year' | 'yearmonth';

const MS_PER_DAY = 86_400_000;
const SECONDS_PER_DAY = 86_400;

/**
 * The ordinal of a lexical value (XML Schema date, dateTime, gYearMonth, gYear; four-digit years), or undefined if it is
 * none. Of a datetime, fractions of a second are cut off; an offset such as +02:00 and a 60th second are not read.
 */
export function parseCalendar(type: CalendarType, text: string): number | undefined {
  if (type === 'datetime') return parseDatetime(text);
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

function parseDatetime(text: string): number | undefined {
  const parts = /^(\d{4}-\d{2}-\d{2})T([01]\d|2[0-3]):([0-5]\d):([0-5]\d)(?:\.\d+)?Z?$/.exec(text);
  if (parts === null) return undefined;
  const day = parseCalendar('date', parts[1] as string);
  if (day === undefined) return undefined;
  return day * SECONDS_PER_DAY + Number(parts[2]) * 3600 + Number(parts[3]) * 60 + Number(parts[4]);
}

/** Whether a datetime's text says that it is UTC. */
export function isUtc(text: string): boolean {
  return text.endsWith('Z');
}

/**
 * The inverse of `parseCalendar`. A year is a number, as Table Schema has it, but one below 1000 is text: gYear has at
 * least four digits, and a number has no leading zeros. A datetime comes without Z, which its field knows.
 */
export function formatCalendar(type: CalendarType, ordinal: number): string | number {
  if (type === 'year') return ordinal < 1000 ? fourDigits(ordinal) : ordinal;
  if (type === 'date') return new Date(ordinal * MS_PER_DAY).toISOString().slice(0, 10);
  if (type === 'datetime') return new Date(ordinal * 1000).toISOString().slice(0, 19);
  const year = Math.floor(ordinal / 12);
  return `${fourDigits(year)}-${String(ordinal - year * 12 + 1).padStart(2, '0')}`;
}

export function fourDigits(year: number): string {
  return String(year).padStart(4, '0');
}
