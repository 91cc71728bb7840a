import { Matrix } from 'ml-matrix';
import { z } from 'zod';
import { decodeArtefact, encodeArtefact } from '../artefact.js';
import { MalformedBytes } from '../errors.js';
import { firstAbove } from '../oneWays/shares.js';
import { normals, seededRng, uniforms } from '../randomness.js';
import type { Row, SampleRequest, SynthesisContext } from '../synthesizer.js';
import { fineCells } from '../table/fineCells.js';
import { blocksOf, rowOfCells } from '../table/rowBlocks.js';
import { choleskyFactor } from './nearestCorrelation.js';
import { thresholdsOf } from './scores.js';

const BLOCK_ROWS = 1024;

const MAGIC = 'chorale/copula release';
const headerJson = z.strictObject({ magic: z.literal(MAGIC), version: z.literal(1) });

/** The shares of all fine cells, then the correlations below the diagonal, row by row. */
export function encodeRelease(shares: Float64Array, correlation: Matrix): Uint8Array {
  const below: number[] = [];
  for (let i = 0; i < correlation.rows; i++) for (let j = 0; j < i; j++) below.push(correlation.get(i, j));
  return encodeArtefact({ magic: MAGIC, version: 1 }, [shares, Float64Array.from(below)]);
}

/**
 * Correlated normal variables by the Cholesky factor, each cut into its column's cells by their cumulated shares, and a value within the
 * cell. Row i depends on the release, the seed and i alone.
 * @throws MalformedBytes when the release is not of this schema.
 */
export async function* sampleRelease(
  { schema }: SynthesisContext,
  release: Uint8Array,
  request: SampleRequest,
): AsyncGenerator<Row> {
  const fine = fineCells(schema);
  const columns = fine.blocks.length;
  const artefact = decodeArtefact(release, headerJson, 'a release of copula');
  const shares = artefact.take(fine.width);
  const below = artefact.take((columns * (columns - 1)) / 2);
  artefact.end();
  const factor = choleskyFactor(correlationFrom(columns, below));
  const own = fine.blocks.map(({ start, cells }) => shares.subarray(start, start + cells));
  if (own.some((part) => part.some((share) => share < 0) || !part.some((share) => share > 0)))
    throw new MalformedBytes('the release has a column without shares');
  if (factor === undefined) throw new MalformedBytes('the release’s correlations are those of no table');
  const ends = own.map(thresholdsOf);
  for (const { block, from, to } of blocksOf(request, BLOCK_ROWS)) {
    const rng = (part: string) => seededRng(request.seed, `copula/sample/${block}/${part}`);
    const draws = normals(rng('normals'), BLOCK_ROWS * columns);
    const within = uniforms(rng('values'), BLOCK_ROWS * columns);
    const cells = new Uint16Array(BLOCK_ROWS * columns);
    for (let row = from; row < to; row++) {
      const at = row * columns;
      for (let i = 0; i < columns; i++) {
        let x = 0;
        for (let j = 0; j <= i; j++) x += (factor[i * columns + j] as number) * (draws[at + j] as number);
        cells[at + i] = firstAbove(ends[i] as Float64Array, x);
      }
      yield rowOfCells(fine, cells, within, at);
    }
  }
}

function correlationFrom(columns: number, below: Float64Array): Matrix {
  const matrix = Matrix.eye(columns);
  for (let i = 0, k = 0; i < columns; i++)
    for (let j = 0; j < i; j++, k++) {
      matrix.set(i, j, below[k] as number);
      matrix.set(j, i, below[k] as number);
    }
  return matrix;
}
