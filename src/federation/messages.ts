import type { Received } from '../secagg/server/state.js';
import type { DriverPorts } from './driver.js';
import { FederationError } from './errors.js';
import type { MessageRecord } from './ports.js';
import { PHASES, type Phase } from './service.js';

type MessagePorts = Pick<DriverPorts, 'store' | 'blobs'>;

export interface Receiver<State> {
  readonly state: State;
  /** Folds a message and makes it durable. Throws MessageRejected; a repeat of the same bytes is fine. */
  readonly receive: (participantId: string, body: Uint8Array) => Promise<void>;
  /** Folds a message that is durable already; gives its sender. */
  readonly fold: (body: Uint8Array) => string;
}

/**
 * Folds the messages of one phase as they come. A message is folded before it is durable, since folding is what checks
 * it; it is acknowledged only afterwards. A crash in between forgets both, and the participant sends the same bytes again.
 */
export function receiver<State>(
  { store, blobs }: MessagePorts,
  address: { readonly blockId: string; readonly slot: number; readonly phase: Phase },
  initial: State,
  // The folds of src/secagg take every later state too; within one phase the kind stays what it is.
  step: (state: State, body: Uint8Array) => Received<unknown>,
): Receiver<State> {
  let state = initial;
  const vectors = address.phase === 'masked-input';

  function fold(body: Uint8Array, expectedSender?: string): string {
    // A plain view: of a Buffer, as requests and drivers give it, slice() would not copy.
    const received = step(state, new Uint8Array(body.buffer, body.byteOffset, body.byteLength));
    if (received.kind === 'rejected')
      throw new FederationError(
        'MessageRejected',
        `The ${address.phase} message was refused: ${received.reason}.`,
        { reason: received.reason },
      );
    if (expectedSender !== undefined && received.from !== expectedSender)
      throw new FederationError(
        'MessageRejected',
        'The message is signed by another member than the one who sent it.',
      );
    state = received.state as State;
    return received.from;
  }

  return {
    get state() {
      return state;
    },
    fold,
    async receive(participantId, body) {
      fold(body, participantId);
      const outcome = await store.appendMessage({
        blockId: address.blockId,
        slot: address.slot,
        phase: PHASES.indexOf(address.phase),
        participantId,
        body: vectors ? null : body,
        blobDigest: vectors ? await blobs.put(body) : null,
      });
      if (outcome === 'different')
        throw new FederationError('MessageRejected', 'Another message was taken from you in this phase.');
    },
  };
}

/** Folds what the store holds of a phase; a vector whose blob was lost with the power is asked for again. Gives the senders. */
export async function replay<State>(
  { blobs }: MessagePorts,
  fold: Receiver<State>,
  messages: readonly MessageRecord[],
): Promise<ReadonlySet<string>> {
  const senders = new Set<string>();
  for (const { body, blobDigest } of messages) {
    // Vectors are not synced to disk: after a power loss one may be missing or torn, and is asked for again.
    const bytes =
      body ?? (blobDigest === null ? undefined : await blobs.get(blobDigest).catch(() => undefined));
    if (bytes !== undefined) senders.add(fold.fold(bytes));
  }
  return senders;
}
