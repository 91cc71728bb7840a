import { createHmac } from 'node:crypto';
import { InvalidOptions } from '../errors.js';
import { seededRng } from '../randomness.js';
import { MOST_HELD_OUT } from './holdOutShare.js';
import { type RecordSource, recordSource } from './records.js';
import { createRowStore } from './rowStore.js';

/** What a participant trains on, and beside it the records that only evaluation may see: each record is in exactly one. */
export interface PartitionedRecords extends RecordSource {
  readonly holdOut: RecordSource;
}

/**
 * Divides a participant's records once, when they are read: a record is held out where its own coin is below `share`. The coin is a
 * pseudo-random function, under the participant's secret key, of what the record says and of how many equal ones came before it. So the
 * same key and records give the same parts after every restart, in whatever order the file has them; a larger share holds out the
 * same records and more; nobody without the key can tell who is where. Closes `source`: the parts own the rows.
 *
 * Neighbouring: a record more, wherever it stands, changes the part of no other; of equal ones it counts as the last. Coins by the place
 * in the file would move all that come after it.
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
  const coinOf = coins(seededRng(key, 'hold-out')(32));
  // Rate 1 takes every record; it draws nothing.
  for await (const { count, rows } of source.sample(1, seededRng(key, 'hold-out/sampling')))
    for (let i = 0; i < count; i++) {
      const row = rows.subarray(i * layout.bytes, (i + 1) * layout.bytes);
      await (coinOf(row) < share ? heldOut : training).append(row);
    }
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

/** A map holds 2²⁴ keys at most. */
const MAPS = 256;

/** Of each row a number in [0, 1), uniform and independent over different rows and over equal ones. */
function coins(key: Uint8Array): (row: Uint8Array) => number {
  // Rows by 48 bits of their tags: under a secret key, two different ones meet by chance alone.
  const before = Array.from({ length: MAPS }, () => new Map<number, number>());
  return (row) => {
    const tag = createHmac('sha256', key).update(row).digest();
    const seen = before[tag[6] as number] as Map<number, number>;
    const name = tag.readUIntLE(0, 6);
    const copies = seen.get(name) ?? 0;
    seen.set(name, copies + 1);
    const coin = copies === 0 ? tag : createHmac('sha256', key).update(tag).update(`/${copies}`).digest();
    return coin.readUIntLE(8, 6) * 2 ** -48;
  };
}

/** @throws InvalidOptions where the records were not divided. */
export function holdOutOf(records: RecordSource): RecordSource {
  if ('holdOut' in records) return (records as PartitionedRecords).holdOut;
  throw new InvalidOptions(
    'holdOut',
    'these records have no hold-out: the charter must name a share, and the participant divide them by it',
  );
}
