import { type CalendarType, isUtc, parseCalendar } from '../../synthesis/table/calendar.js';
import { parseNumber } from '../../synthesis/table/cellText.js';

/** Texts that stand for "missing" in files that others made; only those that a file has are drafted. */
export const MISSING_TEXTS: ReadonlySet<string> = new Set([
  '',
  'NA',
  'N/A',
  'n/a',
  '#N/A',
  'NaN',
  'nan',
  'NULL',
  'null',
  '?',
]);

/** Beyond this many values a column without two equal ones is taken for an identifier. */
const MAX_COMPARED = 200_000;

const CALENDARS: readonly CalendarType[] = ['date', 'datetime', 'yearmonth', 'year'];

export interface Extent {
  minimum: number;
  maximum: number;
}

/** What one pass over a column's cells finds out, in memory that does not grow with the file but for `MAX_COMPARED` texts. */
export interface ColumnProfile {
  readonly name: string;
  /** Cells that are not missing. */
  readonly present: number;
  /** Texts of `MISSING_TEXTS` that the column has. */
  readonly missing: ReadonlySet<string>;
  /** No two present cells are equal. */
  readonly unique: boolean;
  /** The different texts, or undefined where they are more than was asked to keep. */
  readonly texts: ReadonlySet<string> | undefined;
  /** Where all present cells are numbers, but for those of one single other text. */
  readonly numbers:
    | (Extent & { readonly whole: boolean; readonly exception: string | undefined })
    | undefined;
  /** Where all present cells are of one calendar type. */
  readonly calendar: (Extent & { readonly type: CalendarType; readonly utc: boolean }) | undefined;
}

export interface Profiler {
  take(text: string): void;
  profile(): ColumnProfile;
}

/** @param maxTexts how many different texts to keep. */
export function columnProfiler(name: string, maxTexts: number): Profiler {
  let present = 0;
  let unique = true;
  let utc: boolean | undefined;
  let whole = true;
  let texts: Set<string> | undefined = new Set();
  const compared = new Set<string>();
  const missing = new Set<string>();
  const exceptions = new Set<string>();
  const numbers: Extent = { minimum: Number.POSITIVE_INFINITY, maximum: Number.NEGATIVE_INFINITY };
  const calendars = new Map<CalendarType, Extent>(
    CALENDARS.map((type) => [type, { minimum: Number.POSITIVE_INFINITY, maximum: Number.NEGATIVE_INFINITY }]),
  );

  const compare = (text: string): void => {
    if (!unique || compared.size === MAX_COMPARED) return;
    if (compared.has(text)) {
      unique = false;
      compared.clear();
    } else compared.add(text);
  };
  const takeNumber = (text: string): void => {
    if (exceptions.size > 1) return;
    // 00501 is a code, not 501.
    const value = /^[+-]?0\d/.test(text) ? undefined : parseNumber(text);
    if (value === undefined) exceptions.add(text);
    else {
      widen(numbers, value);
      whole &&= Number.isSafeInteger(value);
    }
  };
  const takeCalendars = (text: string): void => {
    for (const [type, extent] of calendars) {
      const ordinal = parseCalendar(type, text);
      if (ordinal === undefined || (type === 'datetime' && utc !== undefined && utc !== isUtc(text)))
        calendars.delete(type);
      else widen(extent, ordinal);
      if (type === 'datetime') utc ??= isUtc(text);
    }
  };

  return {
    take(text) {
      if (MISSING_TEXTS.has(text)) {
        missing.add(text);
        return;
      }
      present += 1;
      compare(text);
      texts?.add(text);
      if (texts !== undefined && texts.size > maxTexts) texts = undefined;
      takeNumber(text);
      takeCalendars(text);
    },
    profile() {
      const [exception] = exceptions;
      const [dated] = calendars;
      const numeric = exceptions.size <= 1 && numbers.minimum <= numbers.maximum;
      return {
        name,
        present,
        missing,
        unique,
        texts,
        numbers: numeric ? { ...numbers, whole, exception } : undefined,
        calendar:
          dated === undefined || present === 0
            ? undefined
            : { type: dated[0], ...dated[1], utc: dated[0] === 'datetime' && utc === true },
      };
    },
  };
}

function widen(extent: Extent, value: number): void {
  extent.minimum = Math.min(extent.minimum, value);
  extent.maximum = Math.max(extent.maximum, value);
}
