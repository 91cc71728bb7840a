import { InvalidOptions } from '../errors.js';
import { seededRng, uniforms } from '../randomness.js';
import type { Row, SampleRequest } from '../synthesizer.js';
import { recordRows } from '../table/recordRows.js';
import type { RecordSource } from '../table/records.js';
import { blocksOf } from '../table/rowBlocks.js';

export const BOOTSTRAP = 'bootstrap';

/** Why no federation can run it: asked for by name, it is refused with this. */
export const NEVER_FEDERATED =
  'bootstrap draws again from one’s own records, each row a real one: it is a local yardstick, and no noise makes it a federation’s synthesizer; take marginals';

const BLOCK_ROWS = 4096;

/**
 * Rows drawn from the records themselves, evenly and with replacement (Efron 1979): what a model of one’s own records that is perfect
 * and keeps nothing private would give, the upper yardstick beside `independent`. For the holder of the records alone: every
 * row is somebody. Row i depends on (records, seed, i) alone.
 * @throws InvalidOptions where there are no records.
 */
export async function* bootstrapRows(records: RecordSource, request: SampleRequest): AsyncGenerator<Row> {
  const own: Row[] = [];
  for await (const row of recordRows(records, (length) => new Uint8Array(length))) own.push(row);
  if (own.length === 0) throw new InvalidOptions('records', 'are none; bootstrap has nothing to draw from');
  for (const { block, from, to } of blocksOf(request, BLOCK_ROWS)) {
    const draws = uniforms(seededRng(request.seed, `bootstrap/${block}`), BLOCK_ROWS);
    for (let row = from; row < to; row++) yield own[Math.floor(own.length * (draws[row] as number))] as Row;
  }
}
