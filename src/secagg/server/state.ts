import type { BlockKeys } from '../adverts.js';
import type { Graph } from '../graph.js';
import type { AbortReason, RejectReason } from '../refusal.js';
import type { RoundContext } from '../round.js';

/** What became of one message. A rejected one changes nothing; a duplicate is the answer that was given before. */
export type Received<State> =
  | { readonly kind: 'accepted'; readonly state: State; readonly from: string }
  | { readonly kind: 'duplicate'; readonly state: State; readonly from: string }
  | { readonly kind: 'rejected'; readonly state: State; readonly reason: RejectReason };

export interface Aborted {
  readonly kind: 'aborted';
  readonly reason: AbortReason;
  readonly have: number;
  readonly need: number;
  /** The members whose secrets could not be reconstructed (SecretNotReconstructed), else empty. */
  readonly members: readonly string[];
}

/** Messages as received, by roster index; null where there is none (yet). */
export type ByMember = readonly (Uint8Array | null)[];

/** The coordinator's side of a block: plain data, the fold of the messages received, in any order within a phase. */
export type BlockState = AdvertisingBlock | SharingBlock | ReadyBlock;

interface Block extends BlockKeys {
  readonly adverts: ByMember;
}

export interface AdvertisingBlock extends Block {
  readonly kind: 'advertising';
}

interface SetUp extends Block {
  readonly graph: Graph;
  readonly setup: Uint8Array;
  readonly shareKeys: ByMember;
}

export interface SharingBlock extends SetUp {
  readonly kind: 'sharing';
}

export interface ReadyBlock extends SetUp {
  readonly kind: 'ready';
  /** U₁ as roster indices, ascending. */
  readonly members: readonly number[];
  /** The dealt transcript. */
  readonly transcript: Uint8Array;
}

/** The coordinator's side of one attempt of one round. */
export type RoundState = CollectingRound | CheckingRound | UnmaskingRound;

/**
 * The running sum and whose inputs are in it. The one thing that changes in place, both parts together: a stale
 * state can't fold an input twice, and memory stays O(model). Persist both or neither.
 */
export interface RunningSum {
  readonly sum: Uint32Array;
  /** Member id → SHA-256 of its MaskedInput's body, hex: tells a duplicate from a conflict. */
  readonly members: Readonly<Record<string, string>>;
}

interface Round {
  readonly block: ReadyBlock;
  readonly context: RoundContext;
  readonly transcript: Uint8Array;
  /** U₁ʳ as roster indices, ascending. */
  readonly expected: readonly number[];
  /** Answers that open a secret. While `answersHeld` is below it, nothing can have been unmasked. */
  readonly threshold: number;
  readonly answersHeld: number;
  readonly running: RunningSum;
}

export interface CollectingRound extends Round {
  readonly kind: 'collecting';
  readonly answersHeld: 0;
}

interface Closed extends Round {
  /** U₂ as roster indices, ascending. */
  readonly survivors: readonly number[];
  readonly checks: ByMember;
}

export interface CheckingRound extends Closed {
  readonly kind: 'checking';
  readonly answersHeld: 0;
}

export interface UnmaskingRound extends Closed {
  readonly kind: 'unmasking';
  /** Those who have t signatures of their own shareholders to go by, ascending. */
  readonly asked: readonly number[];
  readonly answers: ByMember;
}
