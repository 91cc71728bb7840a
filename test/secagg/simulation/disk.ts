import {
  type BlockState,
  decodeState,
  encodeState,
  type MemberState,
  type RoundState,
} from '../../../src/secagg/index.js';
import { primitives } from './cohorts.js';
import type { Dice } from './dice.js';

type State = MemberState | BlockState | RoundState;

/** A set-up's states are where most schedules begin, and never change: encoded once. */
const encodings = new WeakMap<State, Uint8Array>();

function encoded(state: State): Uint8Array {
  let bytes = encodings.get(state);
  if (bytes === undefined) encodings.set(state, (bytes = encodeState(primitives, state)));
  return bytes;
}

/**
 * One durable state, the newer in place of the older. What is read is always what encodeState wrote and decodeState
 * read back. An eager disk encodes as it writes; the other one when it is read, which is the same for states that
 * never change, and large blocks are written a hundred times for each time that they are read.
 */
export class Disk<S extends State> {
  #kept: S | Uint8Array | undefined;

  constructor(
    private readonly kinds: readonly S['kind'][],
    private readonly eager: boolean,
  ) {}

  get empty(): boolean {
    return this.#kept === undefined;
  }

  write(state: S): void {
    const kept = frozen(state);
    this.#kept = this.eager ? encoded(kept) : kept;
  }

  clear(): void {
    this.#kept = undefined;
  }

  /** The power fails in the middle of a write. */
  tear(state: S, dice: Dice): void {
    const whole = encoded(frozen(state));
    this.#kept = dice.chance(0.5)
      ? whole.slice(0, dice.below(whole.length))
      : whole.map((byte, at) => (at > whole.length / 2 ? 0 : byte));
  }

  /** Throws UnreadableState. */
  read(): S | undefined {
    if (this.#kept === undefined) return undefined;
    const bytes = this.#kept instanceof Uint8Array ? this.#kept : encoded(this.#kept);
    return decodeState<S>(primitives, bytes, this.kinds);
  }
}

/** The running sum is the one thing in any state that changes in place. */
function frozen<S extends State>(state: S): S {
  if (!('running' in state)) return state;
  const { sum, members } = state.running;
  return { ...state, running: { sum: sum.slice(), members: { ...members } } };
}
