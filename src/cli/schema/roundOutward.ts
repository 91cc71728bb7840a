import { type CalendarType, formatCalendar } from '../../synthesis/table/calendar.js';
import type { Extent } from './columnProfile.js';

const DAYS = 86_400;
const SHORT_DAYS = 62;

/**
 * The nearest bounds around the extent that are multiples of a round step: 1, 2 or 5 times a power of ten, at least a tenth
 * of the extent. 17 … 90 becomes 10 … 90, 0.23 … 1.71 becomes 0.2 … 1.8. Not private: only less plainly somebody's value.
 */
export function roundNumbers({ minimum, maximum }: Extent): Extent {
  const tenth = (maximum - minimum) / 10;
  const exponent = Math.floor(Math.log10(tenth));
  const digit = [1, 2, 5, 10].find((candidate) => candidate >= tenth / 10 ** exponent) ?? 10;
  const low = multiple(minimum, digit, exponent, Math.floor);
  const high = multiple(maximum, digit, exponent, Math.ceil);
  // Near the ends of the doubles, or with more digits than they have, a multiple can miss the value.
  return { minimum: low <= minimum ? low : minimum, maximum: high >= maximum ? high : maximum };
}

function multiple(value: number, digit: number, exponent: number, round: (value: number) => number): number {
  // A power with a positive exponent is exact (up to 10^22), its inverse is not.
  const power = 10 ** Math.abs(exponent);
  const rounded =
    exponent < 0
      ? (round((value * power) / digit) * digit) / power
      : round(value / power / digit) * digit * power;
  return Number.isFinite(rounded) ? rounded + 0 : value;
}

/** Bounds as a schema writes them. */
export interface CalendarBounds {
  readonly minimum: string | number;
  readonly maximum: string | number;
}

/** Years become decades; anything else whole years, of two months or less whole months, of datetimes within two days whole days. */
export function roundCalendar(type: CalendarType, { minimum, maximum }: Extent): CalendarBounds {
  if (type === 'year')
    return lexical(type, { minimum: decade(minimum), maximum: Math.min(9999, decade(maximum) + 10) });
  if (type === 'yearmonth') {
    const [first, last] = [Math.floor(minimum / 12), Math.floor(maximum / 12)];
    return lexical(type, { minimum: 12 * first, maximum: 12 * last + 11 });
  }
  if (type === 'date') return lexical(type, roundDays({ minimum, maximum }));
  const days = { minimum: Math.floor(minimum / DAYS), maximum: Math.floor(maximum / DAYS) };
  const whole = days.maximum - days.minimum < 2 ? days : roundDays(days);
  return lexical(type, { minimum: DAYS * whole.minimum, maximum: DAYS * (whole.maximum + 1) - 1 });
}

function roundDays({ minimum, maximum }: Extent): Extent {
  const from = new Date(minimum * DAYS * 1000);
  const to = new Date(maximum * DAYS * 1000);
  const months = maximum - minimum <= SHORT_DAYS;
  from.setUTCMonth(months ? from.getUTCMonth() : 0, 1);
  // Day 0 of the next month is the last of this one.
  to.setUTCMonth(months ? to.getUTCMonth() + 1 : 12, 0);
  return { minimum: from.getTime() / 1000 / DAYS, maximum: to.getTime() / 1000 / DAYS };
}

function decade(year: number): number {
  return 10 * Math.floor(year / 10);
}

function lexical(type: CalendarType, { minimum, maximum }: Extent): CalendarBounds {
  return { minimum: formatCalendar(type, minimum), maximum: formatCalendar(type, maximum) };
}
