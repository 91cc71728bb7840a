import { encodingOf, type TableEncoding } from '../table/encoding.js';
import type { RangeField, TableSchema } from '../table/schema.js';

/** A whole column with no more values than this has a cell for each of them. */
const SINGLE_VALUES = 512;
/** Equal bins of any other range, beside the cells of its special values. */
const BINS = 256;
/** Limit on the cells of all columns, so that the first sum has a size before a row is read. */
const MAX_CELLS = 65_536;

/**
 * The finest cells, of which the first sum counts every column: categories; the schema's own bins where it names them; single
 * values of a short range; else equal bins, with zero and both bounds in cells of their own, since those are the values
 * that many records share (an amount of nothing, a cap). All of it public, none of it learnt.
 */
export function fineCells(schema: TableSchema): TableEncoding {
  return encodingOf(schema, fineEdges, MAX_CELLS);
}

function fineEdges({ type, minimum, maximum, bins }: RangeField): readonly number[] {
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
  for (const value of [minimum, 0, maximum])
    if (value >= minimum && value <= maximum) {
      edges.add(value);
      if (value < maximum) edges.add(whole ? value + 1 : nextUp(value));
    }
  const sorted = [...edges].filter((edge) => edge <= maximum).sort((a, b) => a - b);
  // The last bin is closed, and here it is the maximum alone.
  return [...sorted, maximum];
}

/** The next larger double (IEEE 754, nextUp); `value` finite. */
function nextUp(value: number): number {
  if (value === 0) return Number.MIN_VALUE;
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  view.setBigInt64(0, view.getBigInt64(0) + (value > 0 ? 1n : -1n));
  return view.getFloat64(0);
}
