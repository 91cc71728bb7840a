import type { Rng } from '../crypto/rng.js';
import { uniforms } from '../synthesis/randomness.js';
import type { MeasuringCells } from './measuringCells.js';

/** Cells of a table, by column: rows × columns of small whole numbers, column by column. */
export type CellColumns = readonly Uint8Array[];

export type Tuple = readonly number[];

/** Above so many pairs or triples a random choice of them is compared. */
export const MAX_PAIRS = 2000;
export const MAX_TRIPLES = 300;

/** All tuples of `ways` out of `columns` columns, or `most` different random ones where there are more. */
export function chooseTuples(columns: number, ways: 1 | 2 | 3, most: number, rng: Rng): Tuple[] {
  const binomial = ways === 1 ? columns : ways === 2 ? (columns * (columns - 1)) / 2 : triples(columns);
  if (binomial <= most) return allTuples(columns, ways);
  const chosen = new Map<string, Tuple>();
  while (chosen.size < most) {
    const tuple = [...uniforms(rng, ways)].map((u) => Math.floor(u * columns)).sort((a, b) => a - b);
    if (new Set(tuple).size === ways) chosen.set(tuple.join(), tuple);
  }
  return [...chosen.values()];
}

const triples = (n: number): number => (n * (n - 1) * (n - 2)) / 6;

function allTuples(columns: number, ways: number, first = 0): Tuple[] {
  if (ways === 0) return [[]];
  const found: Tuple[] = [];
  for (let column = first; column < columns; column++)
    for (const rest of allTuples(columns, ways - 1, column + 1)) found.push([column, ...rest]);
  return found;
}

/**
 * Total variation distance of each of `tables` from `reference` on each tuple of columns: ½ Σ |p − q| over the joint cells.
 *
 * @param sizes cells of each column
 * @returns one array a table, one number a tuple; NaN for a table without rows
 */
export function tupleDistances(
  reference: CellColumns,
  tables: readonly CellColumns[],
  sizes: readonly number[],
  tuples: readonly Tuple[],
): Float64Array[] {
  const distances = tables.map(() => new Float64Array(tuples.length));
  for (const [t, tuple] of tuples.entries()) {
    const expected = jointShares(reference, sizes, tuple);
    for (const [i, table] of tables.entries()) {
      const found = jointShares(table, sizes, tuple);
      let sum = 0;
      for (let cell = 0; cell < found.length; cell++) sum += Math.abs(found[cell]! - expected[cell]!);
      distances[i]![t] = sum / 2;
    }
  }
  return distances;
}

/** Shares of the joint cells of up to three columns, the last one running fastest. */
export function jointShares(table: CellColumns, sizes: readonly number[], tuple: Tuple): Float64Array {
  const [a, b, c] = tuple;
  const size = tuple.reduce((product, column) => product * sizes[column]!, 1);
  const shares = new Float64Array(size);
  const first = table[a!]!;
  if (b === undefined) for (const cell of first) shares[cell]!++;
  else {
    const second = table[b]!;
    const width = sizes[b]!;
    if (c === undefined)
      for (let row = 0; row < first.length; row++) shares[first[row]! * width + second[row]!]!++;
    else {
      const third = table[c]!;
      const depth = sizes[c]!;
      for (let row = 0; row < first.length; row++)
        shares[(first[row]! * width + second[row]!) * depth + third[row]!]!++;
    }
  }
  const rows = first.length;
  for (let cell = 0; cell < size; cell++) shares[cell]! /= rows;
  return shares;
}

/** The coarse cells of measuring cells. */
export function coarsen(cells: readonly MeasuringCells[]): {
  readonly sizes: readonly number[];
  readonly of: (table: CellColumns) => CellColumns;
} {
  return {
    sizes: cells.map(({ coarseCells }) => coarseCells),
    of: (table) => table.map((column, i) => column.map((cell) => cells[i]!.coarse[cell]!)),
  };
}

/** The rows at `indices` of a table of cells. */
export function selectCells(table: CellColumns, indices: Uint32Array): Uint8Array[] {
  return table.map((column) => {
    const selected = new Uint8Array(indices.length);
    for (let i = 0; i < indices.length; i++) selected[i] = column[indices[i]!]!;
    return selected;
  });
}

export function mean(values: Float64Array | readonly number[]): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum / values.length;
}
