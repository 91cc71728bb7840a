import { z } from 'zod';
import { decodeArtefact, encodeArtefact } from '../artefact.js';
import { startEngine } from '../engine.js';
import { type Column, type Columns, decodeColumns, encodeColumns } from '../oneWays/columns.js';
import { firstAbove } from '../oneWays/shares.js';
import { normals, seededRng, uniforms } from '../randomness.js';
import type { Row, SampleRequest, SynthesisContext } from '../synthesizer.js';
import { blocksOf, rowOfCells } from '../table/rowBlocks.js';
import { writeSoftmax } from './network.js';
import type { VaeOptions } from './options.js';
import { vaePlan } from './question.js';

const BLOCK_ROWS = 1024;

const MAGIC = 'chorale/vae release';
const headerJson = z.strictObject({ magic: z.literal(MAGIC), version: z.literal(1) });

/** Noisy counts and cells of the columns, then the decoder. */
export function encodeRelease(columns: Columns, decoder: Float32Array): Uint8Array {
  return encodeArtefact({ magic: MAGIC, version: 1 }, [
    columns.counts,
    Float64Array.from(columns.cellOf),
    decoder,
  ]);
}

/**
 * Latents, through the decoder; each column's cell from its softmax, a fine cell within it by the noisy one-ways, and a value within
 * that. Row i depends on the release, the seed and i alone.
 * @throws MalformedBytes when the release is not of these options and this schema.
 */
export async function* sampleRelease(
  context: SynthesisContext,
  options: VaeOptions,
  release: Uint8Array,
  request: SampleRequest,
): AsyncGenerator<Row> {
  const engine = await startEngine();
  const { layout, network } = vaePlan(context, options);
  const artefact = decodeArtefact(release, headerJson, 'a release of vae');
  const counts = artefact.take(layout.fine.width);
  const cellOf = Uint16Array.from(artefact.take(layout.fine.width));
  const weights = artefact.takeFloats(network.decoder.parameters);
  artefact.end();
  // By way of their bytes, which are checked as those that come from a coordinator.
  const { columns } = decodeColumns(layout, encodeColumns({ layout, columns: [], counts, cellOf }));
  const decoder = network.decoder.bind(engine, weights);
  for (const { block, from, to } of blocksOf(request, BLOCK_ROWS)) {
    const rng = (part: string) => seededRng(request.seed, `vae/sample/${block}/${part}`);
    let logits = normals(rng('latents'), BLOCK_ROWS * network.latent);
    for (const layer of decoder) logits = layer(logits, BLOCK_ROWS).output as Float32Array<ArrayBuffer>;
    const draws = (part: string) => uniforms(rng(part), BLOCK_ROWS * columns.length);
    const [ofCells, ofFineCells, within] = [draws('cells'), draws('fine cells'), draws('values')];
    const shares = new Float32Array(layout.width);
    for (let row = from; row < to; row++) {
      const at = row * columns.length;
      const own = logits.subarray(row * layout.width, (row + 1) * layout.width);
      const cells = columns.map((column, c) => {
        writeSoftmax(own, column, shares);
        const cell = cellAt(shares, column, ofCells[at + c] as number);
        const { fine, cumulated } = column.within[cell] as Column['within'][number];
        return fine[firstAbove(cumulated, ofFineCells[at + c] as number)] as number;
      });
      yield rowOfCells(layout.fine, cells, within.subarray(at), 0);
    }
  }
}

function cellAt(shares: Float32Array, { start, cells }: Column, uniform: number): number {
  let below = 0;
  for (let cell = 0; cell < cells - 1; cell++) {
    below += shares[start + cell] as number;
    if (uniform < below) return cell;
  }
  return cells - 1;
}
