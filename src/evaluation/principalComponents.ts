import { normals, seededRng } from '../synthesis/randomness.js';
import { drawIndices } from './draws.js';
import { type CellColumns, jointShares, selectCells } from './tupleDistances.js';

/** Both tables in the plane of the two directions in which the real one spreads most. */
export interface PrincipalPlane {
  /** Share of the real table's variance along each of the two. */
  readonly explained: readonly [number, number];
  readonly real: readonly PlanePoint[];
  readonly synthetic: readonly PlanePoint[];
}

export type PlanePoint = readonly [x: number, y: number];

/** Rows from which the directions are computed, and points that are shown of each table. */
const ROWS = 20_000;
const POINTS = 1_000;
const ITERATIONS = 40;

/**
 * Principal components of the one-hot cells of the real table, centred, by orthogonal iteration on XᵀX (Golub, Van Loan 2013, §8.2.4)
 * without forming it: a picture needs no more digits.
 */
export function principalPlane(
  real: CellColumns,
  synthetic: CellColumns,
  sizes: readonly number[],
  seed: Uint8Array,
): PrincipalPlane {
  const rng = seededRng(seed, 'principal plane');
  const rows = selectCells(real, drawIndices(rng, real[0]!.length, ROWS));
  const offsets = sizes.map((_, i) => sizes.slice(0, i).reduce((sum, size) => sum + size, 0));
  const width = sizes.reduce((sum, size) => sum + size, 0);
  const means = Float64Array.from(sizes.flatMap((_, i) => [...jointShares(rows, sizes, [i])]));
  const project = (table: CellColumns, direction: Float64Array): Float64Array => {
    const centre = dot(means, direction);
    const scores = new Float64Array(table[0]!.length).fill(-centre);
    for (const [i, column] of table.entries())
      for (let row = 0; row < column.length; row++) scores[row]! += direction[offsets[i]! + column[row]!]!;
    return scores;
  };
  /** Covariance times direction. */
  const spread = (direction: Float64Array): Float64Array => {
    const scores = project(rows, direction);
    const out = new Float64Array(width);
    // The scores add up to zero, so the means need not be taken away again.
    for (const [i, column] of rows.entries())
      for (let row = 0; row < column.length; row++)
        out[offsets[i]! + column[row]!]! += scores[row]! / scores.length;
    return out;
  };
  let [first, second] = [unit(normals(rng, width)), unit(normals(rng, width))];
  let variances: [number, number] = [0, 0];
  for (let iteration = 0; iteration < ITERATIONS; iteration++) {
    const [a, b] = [spread(first), spread(second)];
    variances = [Math.sqrt(dot(a, a)), dot(b, second)];
    first = unit(a);
    const along = dot(first, b);
    second = unit(b.map((value, i) => value - along * first[i]!));
  }
  const total = means.reduce((sum, share) => sum + share * (1 - share), 0) || 1;
  const points = (table: CellColumns): PlanePoint[] => {
    const shown = selectCells(table, drawIndices(rng, table[0]!.length, POINTS));
    const [x, y] = [project(shown, first), project(shown, second)];
    return Array.from(x, (value, i) => [Number(value.toFixed(4)), Number(y[i]!.toFixed(4))]);
  };
  return {
    explained: [variances[0] / total, variances[1] / total],
    real: points(real),
    synthetic: points(synthetic),
  };
}

function unit(vector: Float64Array | Float32Array): Float64Array {
  const values = Float64Array.from(vector);
  const length = Math.sqrt(dot(values, values)) || 1;
  return values.map((value) => value / length);
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
