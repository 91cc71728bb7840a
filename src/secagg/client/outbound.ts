/**
 * What a caller must have done with the state that came with a message before the message may leave:
 * - `state-durable`: it is on disk, in place of the older one. The member may go on from it after a restart.
 * - `restart-abandons`: it is nowhere, and after a restart the member has lost the block and answers nothing of it.
 *
 * There is no third way: a member that restarts from a state older than a message it has sent would use a mask twice,
 * sign a second set of survivors, or answer twice (S5, S19).
 */
export type Durability = 'state-durable' | 'restart-abandons';

/** A message that is ready, and may leave only under one of the two promises above. */
export class Outbound {
  readonly #message: Uint8Array;
  constructor(message: Uint8Array) {
    this.#message = message;
  }

  release(_promise: Durability): Uint8Array {
    return this.#message;
  }
}

/** The next state, and the message that may leave once that state is kept or given up for good. */
export interface Transition<State> {
  readonly state: State;
  readonly outbound: Outbound;
}
