import type { MaskWork } from '../../crypto/maskWork.js';
import type { Primitives } from '../../crypto/primitives.js';
import type { BlockKeys } from '../adverts.js';
import type { Graph } from '../graph.js';
import type { SlotSecrets } from '../keys.js';

/**
 * A member's side of one block. States are plain data, so they can be written down at every step (stateCodec.ts); a
 * transition gives a new one and leaves the old alone. They hold secrets. After a restart a member goes on from the
 * last state that it wrote, or abandons the block; it never goes on from an older one (see Outbound).
 */
export type MemberState = AdvertisedMember | SharedMember | ReadyMember;

export interface MemberIdentity {
  readonly id: string;
  /** Ed25519 seed, 32 bytes. */
  readonly seed: Uint8Array;
}

/** Who acts and with which implementations; everything that a transition needs and that is not state. */
export interface Party {
  readonly identity: MemberIdentity;
  readonly primitives: Primitives;
  readonly masks: MaskWork;
}

interface Member extends BlockKeys {
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

/** After ShareKeys. */
export interface SharedMember extends Member {
  readonly kind: 'shared';
  /** As received, by roster index; null for members that did not advertise. */
  readonly adverts: readonly (Uint8Array | null)[];
  readonly graph: Graph;
  readonly setup: Uint8Array;
  readonly encryptionPrivateKey: Uint8Array;
  readonly secrets: readonly SlotSecrets[];
  /** For an equal request, and to know one's own commitments again. */
  readonly shareKeys: Uint8Array;
}

/** After the shares arrived: rounds may be opened. */
export interface ReadyMember extends Member {
  readonly kind: 'ready';
  readonly graph: Graph;
  /** U₁, ascending. */
  readonly members: readonly number[];
  /** The dealt transcript, which every round transcript begins with. */
  readonly transcript: Uint8Array;
  readonly bundleDigest: Uint8Array;
  readonly slots: readonly SlotState[];
}

/** A slot only ever moves down this list. */
export type SlotState = FreshSlot | MaskedSlot | SignedSlot | AnsweredSlot | BurntSlot;

interface SlotKeys {
  readonly seedRoot: Uint8Array;
  /** X25519 with each neighbour's mask key; computed at set-up, since a round must not wait for it. */
  readonly pairSecrets: readonly { readonly member: number; readonly secret: Uint8Array }[];
  /** Of the dealers' two secrets; those that did not open are absent. */
  readonly openings: readonly { readonly dealer: number; readonly bytes: Uint8Array }[];
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
  /** That it had served, if any: no other slot may serve it again. */
  readonly attempt: string | null;
}
