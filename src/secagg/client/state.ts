import type { Primitives } from '../../crypto/primitives.js';
import type { Rng } from '../../crypto/rng.js';
import type { Advert, BlockKeys } from '../adverts.js';
import type { Graph } from '../graph.js';
import type { SlotSecrets } from '../keys.js';
import type { SlotShares } from '../sealing.js';

/**
 * A member's side of one block. States are plain values: a transition gives a new one and leaves the old alone.
 * They hold secrets, live in memory only, and are never serialised: a member that restarts abandons its block.
 */
export type MemberState = AdvertisedMember | SharedMember | ReadyMember;

export interface MemberIdentity {
  readonly id: string;
  /** Ed25519 seed, 32 bytes. */
  readonly seed: Uint8Array;
}

interface Member extends BlockKeys {
  readonly primitives: Primitives;
  readonly rng: Rng;
  readonly identity: MemberIdentity;
  /** Roster index. */
  readonly self: number;
}

/** After AdvertiseKeys. */
export interface AdvertisedMember extends Member {
  readonly kind: 'advertised';
  readonly advert: Uint8Array;
  readonly encryptionPrivateKey: Uint8Array;
  /** By slot. */
  readonly secrets: readonly SlotSecrets[];
}

interface Setup extends Member {
  readonly adverts: ReadonlyMap<number, Advert>;
  readonly graph: Graph;
  readonly setup: Uint8Array;
  /** ShareKeys, for an equal request. */
  readonly shareKeys: Uint8Array;
}

/** After ShareKeys. */
export interface SharedMember extends Setup {
  readonly kind: 'shared';
  readonly encryptionPrivateKey: Uint8Array;
  readonly secrets: readonly SlotSecrets[];
  /** Its shares of its own secrets, by slot: a member is its own shareholder on the complete graph. */
  readonly ownShares: readonly SlotShares[];
}

/** After the shares arrived: rounds may be opened. */
export interface ReadyMember extends Setup {
  readonly kind: 'ready';
  /** U₁, ascending. */
  readonly members: readonly number[];
  readonly sharesDigest: Uint8Array;
  readonly slots: readonly SlotState[];
}

/** A slot only ever moves down this list. */
export type SlotState = FreshSlot | MaskedSlot | SignedSlot | AnsweredSlot | BurntSlot;

interface SlotKeys {
  readonly seedRoot: bigint;
  /** X25519 with each neighbour's mask key; computed at set-up, since a round must not wait for it. */
  readonly pairSecrets: ReadonlyMap<number, Uint8Array>;
  /** Shares of the dealers' secrets; those that did not open are absent. */
  readonly shares: ReadonlyMap<number, SlotShares>;
}

export interface FreshSlot extends SlotKeys {
  readonly kind: 'fresh';
}

interface Opened {
  readonly transcript: Uint8Array;
  /** Round id and attempt, which no other slot of the block may serve again. */
  readonly attempt: string;
  /** U₁ʳ, ascending. */
  readonly expected: readonly number[];
}

/** The masked input is out; its digest tells an equal request from another. */
export interface MaskedSlot extends SlotKeys, Opened {
  readonly kind: 'masked';
  readonly inputDigest: Uint8Array;
}

interface Signed extends Opened {
  /** U₂, ascending. */
  readonly survivors: readonly number[];
  readonly check: Uint8Array;
}

/** A set of survivors is signed: the only one, for ever. */
export interface SignedSlot extends SlotKeys, Signed {
  readonly kind: 'signed';
  readonly inputDigest: Uint8Array;
}

/** The one unmask answer is given; the slot's secrets are gone. */
export interface AnsweredSlot extends Signed {
  readonly kind: 'answered';
  readonly answer: Uint8Array;
}

/** Given up: it will never answer. */
export interface BurntSlot {
  readonly kind: 'burnt';
}
