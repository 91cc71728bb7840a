import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import type { Rng } from '../../crypto/rng.js';
import { startEngine } from '../engine.js';
import { MalformedBytes } from '../errors.js';
import { type Column, type Columns, columnsBytes, decodeColumns, encodeColumns } from '../oneWays/columns.js';
import { firstAbove } from '../oneWays/shares.js';
import { seededRng, uniforms } from '../randomness.js';
import type { Row, SampleRequest, SynthesisContext } from '../synthesizer.js';
import { blocksOf, rowOfCells } from '../table/rowBlocks.js';
import { drawCells, drawConditions, generate } from './generator.js';
import { parameterCount } from './network.js';
import type { GanOptions } from './options.js';
import { bytesToFloats, floatsToBytes, ganPlan } from './state.js';

/** Rows are drawn in blocks with streams of their own each, so that any page can be had without those before it. */
const BLOCK_ROWS = 256;

/** "CHORGAN2", then the columns, then the generator's parameters, float32 little endian. Its shape is in the options and the schema. */
const MAGIC = Uint8Array.from([0x43, 0x48, 0x4f, 0x52, 0x47, 0x41, 0x4e, 0x32]);

export function encodeRelease(columns: Columns, generator: Float32Array): Uint8Array {
  return Uint8Array.from([...MAGIC, ...encodeColumns(columns), ...floatsToBytes(generator)]);
}

/**
 * Row i depends on the release, the seed and i alone.
 * @throws MalformedBytes when the release is not of these options and this schema.
 */
export async function* sampleRelease(
  context: SynthesisContext,
  options: GanOptions,
  release: Uint8Array,
  request: SampleRequest,
): AsyncGenerator<Row> {
  const parts = [...blocksOf(request, BLOCK_ROWS)];
  const engine = await startEngine();
  const { layout, generatorLayers, generatorWidths } = ganPlan(context, options);
  const start = MAGIC.length + columnsBytes(layout);
  if (
    MAGIC.some((byte, i) => release[i] !== byte) ||
    release.length !== start + 4 * parameterCount(generatorWidths)
  )
    throw new MalformedBytes('the release is not a GAN of these options and this schema');
  const columns = decodeColumns(layout, release.subarray(MAGIC.length, start));
  const parameters = bytesToFloats(release.subarray(start));
  const digest = bytesToHex(sha256(release));
  const width = columns.columns.length;
  for (const { block, from, to } of parts) {
    const rng = (part: string) => seededRng(request.seed, `gan/sample/${digest}/${block}/${part}`);
    const conditions = drawConditions(columns, BLOCK_ROWS, rng('conditions'));
    const fakes = generate(engine, columns, generatorLayers, parameters, conditions, rng('latents'));
    const cells = fineCellsOf(columns, drawCells(columns, fakes, rng('cells')), rng('fine cells'));
    const values = uniforms(rng('values'), BLOCK_ROWS * width);
    for (let row = from; row < to; row++) yield rowOfCells(layout.fine, cells, values, row * width);
  }
}

/** Of each cell one of its fine cells, by their shares of it. */
function fineCellsOf({ columns }: Columns, cells: Uint16Array, rng: Rng): Uint16Array {
  const uniform = uniforms(rng, cells.length);
  return cells.map((cell, i) => {
    const { within } = columns[i % columns.length] as Column;
    const { fine, cumulated } = within[cell] as Column['within'][number];
    return fine[firstAbove(cumulated, uniform[i] as number)] as number;
  });
}
