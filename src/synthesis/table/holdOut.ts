import type { Rng } from '../../crypto/rng.js';
import { InvalidOptions } from '../errors.js';
import { seededRng, uniforms } from '../randomness.js';
import { MOST_HELD_OUT } from './holdOutShare.js';
import { type RecordBatch, type RecordSource, recordSource } from './records.js';
import { createRowStore, type RowStore } from './rowStore.js';

/** What a participant trains on, and beside it the records that only evaluation may see: each record is in exactly one. */
export interface PartitionedRecords extends RecordSource {
  readonly holdOut: RecordSource;
}

/**
 * Divides a participant's records once, when they are read: record i is held out where the i-th draw of a stream under the
 * participant's own secret key is below `share`. The same key and file give the same parts after every restart; a larger share
 * holds out the same records and more; nobody without the key can tell who is where. Closes `source`: the parts own the rows.
 *
 * Neighbouring: the draws are independent coins, one a record, so that a record more changes the part of no other.
 * @param key 32 secret bytes.
 */
export async function splitRecords(
  source: RecordSource,
  share: number,
  key: Uint8Array,
): Promise<PartitionedRecords> {
  if (!(share > 0 && share <= MOST_HELD_OUT))
    throw new InvalidOptions('holdOut', `must be above 0 and at most ${MOST_HELD_OUT}`);
  const { schema, layout } = source;
  const training = createRowStore(layout.bytes);
  const heldOut = createRowStore(layout.bytes);
  const coins = seededRng(key, 'hold-out');
  // Rate 1 takes every record; it draws nothing.
  for await (const batch of source.sample(1, coins))
    await divide(batch, layout.bytes, coins, share, { training, heldOut });
  await training.seal();
  await heldOut.seal();
  await source.close();
  const rest = recordSource(schema, layout, training);
  const holdOut = recordSource(schema, layout, heldOut);
  return {
    ...rest,
    holdOut,
    async close() {
      await rest.close();
      await holdOut.close();
    },
  };
}

async function divide(
  { count, rows }: RecordBatch,
  bytes: number,
  coins: Rng,
  share: number,
  { training, heldOut }: { readonly training: RowStore; readonly heldOut: RowStore },
): Promise<void> {
  const draws = uniforms(coins, count);
  for (let i = 0; i < count; i++) {
    const part = (draws[i] as number) < share ? heldOut : training;
    await part.append(rows.subarray(i * bytes, (i + 1) * bytes));
  }
}

/** @throws InvalidOptions where the records were not divided. */
export function holdOutOf(records: RecordSource): RecordSource {
  if ('holdOut' in records) return (records as PartitionedRecords).holdOut;
  throw new InvalidOptions(
    'holdOut',
    'these records have no hold-out: the charter must name a share, and the participant divide them by it',
  );
}
