import type { Received } from '../secagg/server/state.js';
import { FederationError } from './errors.js';
import type { MessageRecord, Store } from './ports.js';
import { PHASES, type Phase } from './service.js';

export interface Receiver<State> {
  readonly state: State;
  /** Folds a message. Throws MessageRejected; a repeat of the same bytes is fine. */
  readonly receive: (participantId: string, body: Uint8Array) => Promise<void>;
  /** Folds a message that is durable already; gives its sender. */
  readonly fold: (body: Uint8Array) => string;
}

/**
 * What a restart cannot do without: the keys of a block, and the answers that unmask. The others are asked for again, and
 * members answer a repeated task with the bytes that they sent before.
 */
const DURABLE: readonly Phase[] = ['advertise-keys', 'share-keys', 'unmasking'];

/**
 * Folds the messages of one phase as they come. A message is folded before it is durable, since folding is what checks
 * it; it is acknowledged only afterwards. A crash in between forgets both, and the participant sends the same bytes again.
 */
export function receiver<State>(
  { store }: { readonly store: Store },
  address: { readonly blockId: string; readonly slot: number; readonly phase: Phase },
  initial: State,
  // The folds of src/secagg take every later state too; within one phase the kind stays what it is.
  step: (state: State, body: Uint8Array) => Received<unknown>,
): Receiver<State> {
  let state = initial;

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
      if (!DURABLE.includes(address.phase)) return;
      const { blockId, slot } = address;
      const phase = PHASES.indexOf(address.phase);
      const outcome = await store.appendMessage({ blockId, slot, phase, participantId, body });
      if (outcome === 'different')
        throw new FederationError('MessageRejected', 'Another message was taken from you in this phase.');
    },
  };
}

/** Folds what the store holds of a phase; gives the senders. */
export function replay<State>(
  fold: Receiver<State>,
  messages: readonly MessageRecord[],
): ReadonlySet<string> {
  return new Set(messages.map(({ body }) => fold.fold(body)));
}
