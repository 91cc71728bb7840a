import type { Matrix } from '../engine.js';
import type { Layout, Place } from '../oneWays/columns.js';

/**
 * The critic's view of a row: a feature for each two columns and their two cells. A score that is linear in them is the logarithm of a
 * density ratio with all two-way interactions, which is what dependence of columns mostly is, and is multilinear in the
 * columns, so that a generator whose columns are independent given its latents has an expected score in closed form.
 *
 * Where there are more such features than coordinates to spend noise on, they share them at random and with random signs, so
 * that what collides cancels on average (feature hashing: Weinberger et al. 2009).
 */
export interface PairFeatures {
  readonly layout: Layout;
  /** Features of a row: pairs of columns. */
  readonly perRow: number;
  /** Coordinates that they take. */
  readonly dimension: number;
  readonly hashed: boolean;
  /** First feature of each pair of columns a < b, before hashing; then + cell of a · room of b + cell of b. */
  readonly starts: readonly number[];
}

export function pairFeatures(layout: Layout, mostFeatures: number): PairFeatures {
  const starts: number[] = [];
  let next = 0;
  for (let b = 1; b < layout.places.length; b++)
    for (let a = 0; a < b; a++) {
      starts.push(next);
      next += (layout.places[a] as Place).room * (layout.places[b] as Place).room;
    }
  return {
    layout,
    perRow: starts.length,
    dimension: Math.min(next, mostFeatures),
    hashed: next > mostFeatures,
    starts,
  };
}

/** A feature's coordinate and sign in one number: 2 · coordinate, plus 1 where the sign is −. */
function placed(feature: number, { hashed, dimension }: PairFeatures): number {
  if (!hashed) return 2 * feature;
  const hash = scrambled(feature);
  return 2 * ((hash >>> 1) % dimension) + (hash & 1);
}

/** MurmurHash3's finalizer: a bijection of 32-bit numbers in which every bit depends on every other. Public, no secret in it. */
function scrambled(value: number): number {
  let hash = value | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** The features of each row of cells, as `placed` has them: rows × perRow. */
export function featuresOf(pairs: PairFeatures, cells: Uint16Array): Uint32Array {
  const { places } = pairs.layout;
  const columns = places.length;
  const rows = cells.length / columns;
  const out = new Uint32Array(rows * pairs.perRow);
  for (let row = 0, i = 0; row < rows; row++)
    for (let b = 1, pair = 0, first = row * columns; b < columns; b++) {
      const { room } = places[b] as Place;
      const cell = cells[first + b] as number;
      for (let a = 0; a < b; a++)
        out[i++] = placed(
          (pairs.starts[pair++] as number) + (cells[first + a] as number) * room + cell,
          pairs,
        );
    }
  return out;
}

/** The score of each row: the sum of its features' weights. */
export function pairScores(pairs: PairFeatures, weights: Float32Array, features: Uint32Array): Float64Array {
  const scores = new Float64Array(features.length / Math.max(1, pairs.perRow));
  for (let row = 0, i = 0; row < scores.length; row++) {
    let score = 0;
    for (let pair = 0; pair < pairs.perRow; pair++, i++) {
      const feature = features[i] as number;
      const weight = weights[feature >>> 1] as number;
      score += (feature & 1) === 0 ? weight : -weight;
    }
    scores[row] = score;
  }
  return scores;
}

/** The symmetric matrix M with a row's score = ½ xᵀMx, x its one-hot vector: width × width, 0 within a column. */
export function scoreMatrix(pairs: PairFeatures, weights: Float32Array): Matrix {
  const { places, width } = pairs.layout;
  const data = new Float32Array(width * width);
  for (let b = 1, pair = 0; b < places.length; b++)
    for (let a = 0; a < b; a++) {
      const [left, right] = [places[a] as Place, places[b] as Place];
      let feature = pairs.starts[pair++] as number;
      for (let i = left.start; i < left.start + left.room; i++)
        for (let j = right.start; j < right.start + right.room; j++) {
          const at = placed(feature++, pairs);
          const weight = weights[at >>> 1] as number;
          data[i * width + j] = data[j * width + i] = (at & 1) === 0 ? weight : -weight;
        }
    }
  return { rows: width, columns: width, data };
}
