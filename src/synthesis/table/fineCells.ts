import { encodingOf, type TableEncoding } from './encoding.js';
import type { RangeField, TableSchema } from './schema.js';

/** A whole column with no more values than this has a cell for each of them. */
const SINGLE_VALUES = 512;
/** Equal bins of any other range, beside the cells of its special values. */
const BINS = 256;
/** At most so many round values of such a range have a cell of their own. */
const ROUND_VALUES = 100;
/** Limit on the cells of all columns, so that the first sum has a size before a row is read. */
const MAX_CELLS = 65_536;

/**
 * The finest cells, of which the first sum counts every column: categories; the schema's own bins where it names them; single
 * values of a short range; else equal bins, with zero, both bounds and round amounts in cells of their own, since those are the
 * values that many records may share. Which of them do, the first sum shows. All of it public, none of it learnt.
 */
export function fineCells(schema: TableSchema): TableEncoding {
  return encodingOf(schema, fineEdges, MAX_CELLS);
}

function fineEdges(field: RangeField): readonly number[] {
  const { type, minimum, maximum, bins } = field;
  if (typeof bins === 'object') return bins;
  const whole = type !== 'number';
  if (whole && maximum - minimum < SINGLE_VALUES && bins === undefined)
    return Array.from({ length: maximum - minimum + 2 }, (_, k) => Math.min(minimum + k, maximum));
  const edges = new Set<number>();
  const count = bins ?? BINS;
  for (let k = 0; k < count; k++) {
    const edge = minimum + ((maximum - minimum) * k) / count;
    edges.add(whole ? Math.floor(edge) : edge);
  }
  for (const value of [minimum, 0, maximum, ...roundValues(field)])
    if (value >= minimum && value <= maximum) {
      edges.add(value);
      if (value < maximum) edges.add(whole ? value + 1 : nextUp(value));
    }
  const sorted = [...edges].filter((edge) => edge <= maximum).sort((a, b) => a - b);
  // The last bin is closed, and here it is the maximum alone.
  return [...sorted, maximum];
}

/** Multiples of the smallest 1, 2 or 5 times a power of ten that has few enough of them; dates have none. */
function roundValues({ type, minimum, maximum, bins }: RangeField): readonly number[] {
  if (bins !== undefined || (type !== 'integer' && type !== 'number')) return [];
  const least = maximum / ROUND_VALUES - minimum / ROUND_VALUES;
  const power = Math.floor(Math.log10(least));
  const digit = [1, 2, 5].find((candidate) => Number(`${candidate}e${power}`) >= least);
  const text = digit === undefined ? `1e${power + 1}` : `${digit}e${power}`;
  const step = Number(text);
  const first = Math.ceil(minimum / step);
  const last = Math.floor(maximum / step);
  // As they are written: 3 × 0.1 is no round number in binary.
  const [digits, exponent] = text.split('e') as [string, string];
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, k) =>
    Number(`${(first + k) * Number(digits)}e${exponent}`),
  );
}

/** The next larger double (IEEE 754, nextUp); `value` finite. */
export function nextUp(value: number): number {
  if (value === 0) return Number.MIN_VALUE;
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  view.setBigInt64(0, view.getBigInt64(0) + (value > 0 ? 1n : -1n));
  return view.getFloat64(0);
}
