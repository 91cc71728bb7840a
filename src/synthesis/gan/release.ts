import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { startEngine } from '../engine.js';
import { InvalidOptions, MalformedBytes } from '../errors.js';
import { seededRng, uniforms } from '../randomness.js';
import type { Row, SampleRequest, SynthesisContext } from '../synthesizer.js';
import { type Block, decodeCell, tableEncoding } from '../table/encoding.js';
import { generate } from './generator.js';
import { layersOf, parameterCount, type Widths } from './network.js';
import type { GanOptions } from './options.js';
import { bytesToFloats, floatsToBytes, generatorWidthsOf } from './state.js';

/** Rows are drawn in blocks with a stream of their own each, so that any page can be had without those before it. */
const BLOCK_ROWS = 256;

/** "CHORGAN1", then the generator's parameters, float32 little endian. Its shape is in the options and the schema. */
const MAGIC = Uint8Array.from([0x43, 0x48, 0x4f, 0x52, 0x47, 0x41, 0x4e, 0x31]);

export function encodeRelease(widths: Widths, generator: Float32Array): Uint8Array {
  const bytes = new Uint8Array(MAGIC.length + 4 * parameterCount(widths));
  bytes.set(MAGIC);
  bytes.set(floatsToBytes(generator), MAGIC.length);
  return bytes;
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
  const { seed, offset, count } = request;
  if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(count) || offset < 0 || count < 0)
    throw new InvalidOptions('sample', 'offset and count must be whole numbers from 0');
  const engine = await startEngine();
  const encoding = tableEncoding(context.schema);
  const widths = generatorWidthsOf(encoding, options);
  if (
    MAGIC.some((byte, i) => release[i] !== byte) ||
    release.length !== MAGIC.length + 4 * parameterCount(widths)
  )
    throw new MalformedBytes('the release is not a GAN of these options and this schema');
  const parameters = bytesToFloats(release.subarray(MAGIC.length));
  const layers = layersOf(widths);
  const digest = bytesToHex(sha256(release));
  const columns = encoding.blocks.length;
  const end = offset + count;
  for (let block = Math.floor(offset / BLOCK_ROWS); block * BLOCK_ROWS < end; block++) {
    const rng = (part: string) => seededRng(seed, `gan/sample/${digest}/${block}/${part}`);
    const rngs = { latents: rng('latents'), gumbels: rng('gumbels') };
    const { cells } = generate(engine, encoding, layers, parameters, BLOCK_ROWS, rngs);
    const within = uniforms(rng('values'), BLOCK_ROWS * columns);
    const first = block * BLOCK_ROWS;
    for (let row = Math.max(offset, first); row < Math.min(end, first + BLOCK_ROWS); row++) {
      const at = (row - first) * columns;
      yield Object.fromEntries(
        encoding.blocks.map((item: Block, column) => [
          item.field.name,
          decodeCell(item, cells[at + column] as number, within[at + column] as number),
        ]),
      );
    }
  }
}
