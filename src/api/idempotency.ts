import { canonicalDigest, type Json } from '../crypto/canonical.js';
import { FederationError } from '../federation/errors.js';
import type { Store } from '../federation/ports.js';

export interface IdempotentRequest {
  readonly actor: string;
  readonly key: string;
  /** The mutation's name: a key is used for one of them. */
  readonly operation: string;
  readonly input: unknown;
}

/** What is remembered of an answer: the id of what was made, from which the answer is read again. Never a secret. */
export interface Reference {
  readonly id: string;
}

const KEY = /^[\x21-\x7e]{8,128}$/;
const inFlight = new WeakMap<Store, Map<string, Promise<unknown>>>();

/**
 * Equal key, equal request: `execute` runs once and the repeat gets the same reference. Another request under the same
 * key is an IdempotencyConflict. A failure changes nothing and is not remembered: the repeat tries again.
 *
 * The rules run in transactions of their own, before the record is written. A coordinator killed between the two
 * executes a repeat again: what has a natural key (approvals, revocations, signatures, enrolment) comes out the same,
 * a second proposal is visible beside the first and can be cancelled.
 */
export async function idempotently(
  store: Store,
  request: IdempotentRequest,
  execute: () => Promise<Reference>,
): Promise<{ readonly reference: Reference; readonly repeated: boolean }> {
  const { actor, key, operation, input } = request;
  if (!KEY.test(key))
    throw new FederationError(
      'InvalidInput',
      'idempotencyKey must have 8 to 128 printable characters without spaces; a UUID is good.',
    );
  const requestDigest = canonicalDigest({ operation, input: plainJson(input) });

  const replay = async (): Promise<Reference | undefined> => {
    const record = await store.transaction((tx) => tx.idempotencyRecord(actor, key));
    if (record === null) return undefined;
    if (record.requestDigest !== requestDigest)
      throw new FederationError(
        'IdempotencyConflict',
        'This idempotencyKey was used for another request: take a new one.',
      );
    return record.response as unknown as Reference;
  };

  // Repeats that overlap wait for the first, so that one of them executes.
  const name = `${actor}\n${key}`;
  const pending = inFlight.get(store) ?? new Map<string, Promise<unknown>>();
  inFlight.set(store, pending);
  while (pending.has(name)) await pending.get(name);
  const work = (async () => {
    const reference = await replay();
    if (reference !== undefined) return { reference, repeated: true };
    const made = await execute();
    await store.transaction((tx) =>
      tx.insertIdempotencyRecord({ actor, key, requestDigest, response: { id: made.id } satisfies Json }),
    );
    return { reference: made, repeated: false };
  })();
  const settled = work.catch(() => undefined);
  pending.set(name, settled);
  try {
    return await work;
  } finally {
    pending.delete(name);
  }
}

/** The input as JSON: bytes and dates by their text, absent fields absent. */
function plainJson(value: unknown): Json {
  return JSON.parse(
    JSON.stringify(value, (_key, item) =>
      item instanceof Uint8Array ? Buffer.from(item).toString('base64') : item,
    ),
  ) as Json;
}
