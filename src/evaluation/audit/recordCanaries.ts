import type { Rng } from '../../crypto/rng.js';
import type { AnySynthesizer } from '../../synthesis/index.js';
import type { Step } from '../../synthesis/synthesizer.js';
import { recordLayout } from '../../synthesis/table/layout.js';
import type { RecordSource } from '../../synthesis/table/records.js';
import { type CanaryGame, tossCoins } from './game.js';
import { drawRecords, withRecords } from './inventedRecords.js';
import { CanarySignal } from './signal.js';

/** A record's vector may depend on its holder's coins (the GAN pairs it with a fake): the mean of so many draws stands for it. */
const DRAWS = 4;

/**
 * Canaries that are records: they go the whole way, encoding and clipping included, and their signal is the inner product of
 * their clipped vectors with the sums. How well they can be told apart depends on the schema: a table of few cells has
 * gradients that are all alike, and then this audit is blind where `vectorCanaries` is not.
 */
export async function recordCanaries(
  synthesizer: AnySynthesizer,
  own: RecordSource,
  count: number,
  rng: Rng,
): Promise<CanaryGame> {
  const rows = drawRecords(own.schema, count, rng);
  const included = tossCoins(count, rng);
  const holder = await withRecords(
    own,
    rows.filter((_, i) => included[i]),
  );
  const copies = rows.map((row) => copiesOf(own, row));
  const signal = new CanarySignal(count);
  return {
    included,
    contribute: ({ query, models }, coins) => synthesizer.contribute(query, models, holder, coins),
    async observe(step, sum) {
      const vectors: Float64Array[] = [];
      for (const source of copies) vectors.push(await meanVector(synthesizer, step, source, rng));
      signal.observe(vectors, sum);
    },
    scores: () => signal.scores(),
  };
}

/** What one record adds to a sum that it is sampled for: the synthesizer's own `contribute`, with coins of the auditor's. */
async function meanVector(
  synthesizer: AnySynthesizer,
  { query, models }: Step,
  copies: RecordSource,
  rng: Rng,
): Promise<Float64Array> {
  const sum = await synthesizer.contribute({ ...query, samplingRate: 1 }, models, copies, rng);
  return Float64Array.from(sum, (value) => value / DRAWS);
}

function copiesOf({ schema }: RecordSource, row: Uint8Array): RecordSource {
  const rows = new Uint8Array(DRAWS * row.length);
  for (let i = 0; i < DRAWS; i++) rows.set(row, i * row.length);
  return {
    schema,
    layout: recordLayout(schema),
    async *sample() {
      yield { count: DRAWS, rows };
    },
    close: async () => undefined,
  };
}
