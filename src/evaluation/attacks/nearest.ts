import type { TableSchema } from '../../synthesis/table/schema.js';
import type { CodedTable } from '../codedTable.js';

/** A difference in one column counts at most that much: a category that differs, or a number that is missing on one side. */
const WHOLE = 65_535;
/** Where a missing number lies: so far from all others that the difference is whole. */
const MISSING = 200_000;

/** Rows as whole numbers, row by row, on which the distance is a sum over columns. */
export interface GowerRows {
  readonly rows: number;
  readonly width: number;
  readonly values: Int32Array;
}

/**
 * Gower 1971: the mean over columns of [categories differ] or, of numbers, the difference of their ranks among the training rows
 * (mid-ranks, as shares), so that a heavy tail does not swallow the scale.
 */
export interface GowerSpace {
  readonly encode: (table: CodedTable) => GowerRows;
}

/** @param without columns that do not count */
export function gowerSpace(
  schema: TableSchema,
  train: CodedTable,
  without: readonly number[] = [],
): GowerSpace {
  const columns = schema.fields
    .flatMap((field, i) => {
      if (without.includes(i)) return [];
      const codes = train.columns[i]!;
      if (field.domain === 'categories') {
        const counts = new Float64Array(field.categories.length + 1);
        const of = (code: number): number => (Number.isNaN(code) ? field.categories.length : code);
        for (const code of codes) counts[of(code)]!++;
        const equal = counts.reduce((sum, count) => sum + (count / codes.length) ** 2, 0);
        return [{ i, expected: 1 - equal, of: (code: number) => WHOLE * of(code) }];
      }
      // Two ranks drawn at random differ by a third.
      return [{ i, expected: 1 / 3, of: rankOf(codes) }];
    })
    // What tells most rows apart comes first: the sum is given up as soon as it is too large.
    .sort((a, b) => b.expected - a.expected);
  return {
    encode: (table) => {
      const width = columns.length;
      const values = new Int32Array(table.rows * width);
      for (const [c, { i, of }] of columns.entries()) {
        const codes = table.columns[i]!;
        for (let row = 0; row < table.rows; row++) values[row * width + c] = of(codes[row]!);
      }
      return { rows: table.rows, width, values };
    },
  };
}

function rankOf(codes: Float64Array): (code: number) => number {
  const sorted = codes.filter((code) => !Number.isNaN(code)).sort();
  const position = (code: number, equal: boolean): number => {
    let [low, high] = [0, sorted.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (sorted[middle]! < code || (equal && sorted[middle] === code)) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  const known = new Map<number, number>();
  return (code) => {
    if (Number.isNaN(code)) return MISSING;
    let rank = known.get(code);
    if (rank === undefined) {
      const middle = (position(code, false) + position(code, true)) / 2;
      rank = Math.round((WHOLE * middle) / (sorted.length || 1));
      known.set(code, rank);
    }
    return rank;
  };
}

export interface Nearest {
  /** Mean over the columns, 0 to 1. */
  readonly distances: Float64Array;
  /** The first of the nearest rows. */
  readonly indices: Uint32Array;
}

/** Groups that a query is held against before their rows are. */
const MAX_GROUPS = 2048;

/**
 * The nearest of `others` for each of `rows`. All of them are searched (hazard D8), but rows that agree in the first columns are
 * skipped together where these columns alone are further away than the best so far.
 */
export function nearest(rows: GowerRows, others: GowerRows): Nearest {
  const grouped = groupRows(others);
  const bounds = new Float64Array(grouped.starts.length - 1);
  const distances = new Float64Array(rows.rows);
  const indices = new Uint32Array(rows.rows);
  for (let row = 0; row < rows.rows; row++) {
    const at = row * rows.width;
    const found = nearestTo(rows.values.subarray(at, at + rows.width), grouped, bounds);
    indices[row] = found;
    distances[row] = distanceTo(rows.values, at, others.values, found * others.width, rows.width);
  }
  return { distances, indices };
}

/** Rows put together by their values in the first `leading` columns. */
interface GroupedRows extends GowerRows {
  readonly leading: number;
  /** Where each group begins; one more entry for the end. */
  readonly starts: Uint32Array;
  /** The row that each one was. */
  readonly original: Uint32Array;
}

function groupRows({ rows, width, values }: GowerRows): GroupedRows {
  let leading = 0;
  for (let groups = 1; leading < width; leading++) {
    const distinct = new Set<number>();
    for (let row = 0; row < rows && distinct.size <= MAX_GROUPS; row++)
      distinct.add(values[row * width + leading]!);
    groups *= distinct.size;
    if (groups > MAX_GROUPS) break;
  }
  const keys = new Map<string, number[]>();
  for (let row = 0; row < rows; row++) {
    const key = values.subarray(row * width, row * width + leading).join();
    const group = keys.get(key);
    if (group === undefined) keys.set(key, [row]);
    else group.push(row);
  }
  const original = Uint32Array.from([...keys.values()].flat());
  const starts = new Uint32Array(keys.size + 1);
  let group = 0;
  for (const list of keys.values()) starts[group + 1] = starts[group++]! + list.length;
  const moved = new Int32Array(values.length);
  for (const [to, from] of original.entries())
    moved.set(values.subarray(from * width, (from + 1) * width), to * width);
  return { rows, width, values: moved, leading, starts, original };
}

/** `bounds` is room for a number a group. */
function nearestTo(row: Int32Array, others: GroupedRows, bounds: Float64Array): number {
  const { values, width, leading, starts, original } = others;
  const groups = starts.length - 1;
  let first = 0;
  for (let group = 0; group < groups; group++) {
    bounds[group] = partialSum(row, values, starts[group]! * width, 0, leading);
    if (bounds[group]! < bounds[first]!) first = group;
  }
  let best = Number.POSITIVE_INFINITY;
  let index = 0;
  // The most promising group first: it makes the rest short.
  for (let k = -1; k < groups && best > 0; k++) {
    const group = k < 0 ? first : k;
    if (bounds[group]! >= best || (k >= 0 && k === first)) continue;
    for (let other = starts[group]!; other < starts[group + 1]!; other++) {
      const at = other * width;
      let sum = bounds[group]!;
      for (let c = leading; c < width && sum < best; c++) {
        const difference = Math.abs(row[c]! - values[at + c]!);
        sum += difference > WHOLE ? WHOLE : difference;
      }
      if (sum < best) {
        best = sum;
        index = other;
      }
    }
  }
  return original[index]!;
}

function partialSum(row: Int32Array, values: Int32Array, at: number, from: number, to: number): number {
  let sum = 0;
  for (let c = from; c < to; c++) sum += Math.min(WHOLE, Math.abs(row[c]! - values[at + c]!));
  return sum;
}

function distanceTo(a: Int32Array, atA: number, b: Int32Array, atB: number, width: number): number {
  let sum = 0;
  for (let c = 0; c < width; c++) sum += Math.min(WHOLE, Math.abs(a[atA + c]! - b[atB + c]!));
  return sum / (WHOLE * width);
}
