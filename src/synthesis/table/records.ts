import type { Rng } from '../../crypto/rng.js';
import type { RecordLayout } from './layout.js';
import { poissonIndices } from './poisson.js';
import type { RowStore } from './rowStore.js';
import type { TableSchema } from './schema.js';

/** At most this many records are handed over at once, so that a synthesizer's memory does not grow with the table. */
export const MAX_BATCH_RECORDS = 512;

/** Sampled records, in the order of the source. */
export interface RecordBatch {
  readonly count: number;
  /** `count` rows of `layout.bytes` bytes each; only valid until the next batch is asked for. */
  readonly rows: Uint8Array;
}

/**
 * A participant's own records, as `contribute` may see them. How many there are is private: it is not part of this
 * interface, and no rate or divisor can be computed from it (hazards P1, P2).
 */
export interface RecordSource {
  readonly schema: TableSchema;
  readonly layout: RecordLayout;
  /**
   * Poisson sampling: each record is in the sample with probability `rate`, independently (rate 1: all of them). Draws
   * are made in the order of the records, so a record appended at the end changes nothing for those before it.
   */
  sample(rate: number, rng: Rng): AsyncIterable<RecordBatch>;
  /** Frees the memory or the spill file. */
  close(): Promise<void>;
}

/** Records per window of the scan: the most that is read from the spill file at once. */
const WINDOW = 65_536;

/** The records of a sealed store. */
export function recordSource(schema: TableSchema, layout: RecordLayout, store: RowStore): RecordSource {
  async function* sample(rate: number, rng: Rng): AsyncGenerator<RecordBatch> {
    const included = poissonIndices(rate, rng);
    const batch = new Uint8Array(MAX_BATCH_RECORDS * layout.bytes);
    let filled = 0;
    for (let start = 0; start < store.count; start += WINDOW) {
      const size = Math.min(WINDOW, store.count - start);
      const indices = included(size);
      if (indices.length === 0) continue;
      const window = await store.read(start, size);
      for (const index of indices) {
        const row = window.subarray(index * layout.bytes, (index + 1) * layout.bytes);
        batch.set(row, filled++ * layout.bytes);
        if (filled === MAX_BATCH_RECORDS) {
          yield { count: filled, rows: batch };
          filled = 0;
        }
      }
    }
    if (filled > 0) yield { count: filled, rows: batch.subarray(0, filled * layout.bytes) };
  }
  return { schema, layout, sample, close: () => store.close() };
}
