import { bytesToNumberLE } from '@noble/curves/utils.js';
import type { Primitives } from '../crypto/primitives.js';
import type { Rng } from '../crypto/rng.js';
import type { MaskStream } from './mask.js';
import type { AdvertisedSlot } from './messages.js';
import { randomScalar, SCALAR_BYTES, scalarField } from './shamir.js';
import { hashFields, joinFields, uint } from './transcript.js';

/** One slot's two root secrets, canonical 32-byte scalars: uniform in GF(l), so that both can be shared. */
export interface SlotSecrets {
  readonly maskRoot: Uint8Array;
  readonly seedRoot: Uint8Array;
}

/** Which of a slot's two secrets a share is of. */
export type SecretKind = 'mask' | 'seed';

export function scalarBytes(scalar: bigint): Uint8Array {
  return scalarField.toBytes(scalar);
}

/** A canonical share: 32 bytes little-endian below l, else undefined. */
export function scalarFrom(bytes: Uint8Array): bigint | undefined {
  if (bytes.length !== SCALAR_BYTES) return undefined;
  const scalar = bytesToNumberLE(bytes);
  return scalar < scalarField.ORDER ? scalar : undefined;
}

/** The X25519 private key of a slot: what survivors reconstruct for a member that dropped out. */
export function maskPrivateKey(
  primitives: Primitives,
  block: Uint8Array,
  member: number,
  slot: number,
  maskRoot: Uint8Array,
): Uint8Array {
  const info = joinFields('mask private key', [uint(member), uint(slot)]);
  return primitives.hkdfSha256(maskRoot, block, info, 32);
}

/**
 * Binds a member to its self-mask seed. The seed has 252 bits of entropy, so the hash hides it without a salt.
 */
export function seedCommitment(
  primitives: Primitives,
  block: Uint8Array,
  member: number,
  slot: number,
  seedRoot: Uint8Array,
): Uint8Array {
  return hashFields(primitives, 'seed commitment', [block, uint(member), uint(slot), seedRoot]);
}

/**
 * What a dealer signs of each share: a salted hash, so that it hides the share until it is opened and binds the
 * dealer to it (DESIGN §4, blame). An AEAD ciphertext would not: it is not key-committing.
 * @param opening the share (32 bytes) and its salt (16).
 */
export function shareCommitment(
  primitives: Primitives,
  setup: Uint8Array,
  dealer: number,
  holder: number,
  slot: number,
  kind: SecretKind,
  opening: Uint8Array,
): Uint8Array {
  const of = Uint8Array.of(kind === 'mask' ? 0 : 1);
  return hashFields(primitives, 'share commitment', [
    setup,
    uint(dealer),
    uint(holder),
    uint(slot),
    of,
    opening,
  ]);
}

export function createSlotSecrets(rng: Rng): SlotSecrets {
  const maskRoot = scalarBytes(randomScalar(rng));
  return { maskRoot, seedRoot: scalarBytes(randomScalar(rng)) };
}

export function advertisedSlot(
  primitives: Primitives,
  block: Uint8Array,
  member: number,
  slot: number,
  secrets: SlotSecrets,
): AdvertisedSlot {
  return {
    maskKey: primitives.x25519PublicKey(maskPrivateKey(primitives, block, member, slot, secrets.maskRoot)),
    seedCommitment: seedCommitment(primitives, block, member, slot, secrets.seedRoot),
  };
}

/** The mask that covers a member's input even if all of its pairwise masks were opened (S10). */
export function selfMask(
  primitives: Primitives,
  transcript: Uint8Array,
  member: number,
  seedRoot: Uint8Array,
): MaskStream {
  const info = joinFields('self mask', [uint(member)]);
  return { key: primitives.hkdfSha256(seedRoot, transcript, info, 32), sign: 1 };
}

/**
 * The mask between `member` and `other`, from `member`'s side: the lower index adds it, the higher subtracts it
 * (Bonawitz et al. 2017, 4.1). Salted with the round transcript, so that it cancels only between members that saw
 * the same round (S2, S8, S9), and never repeats in another (S23).
 * @param secret X25519 of the two members' mask keys of the slot.
 */
export function pairMask(
  primitives: Primitives,
  transcript: Uint8Array,
  member: number,
  other: number,
  secret: Uint8Array,
): MaskStream {
  return {
    key: primitives.hkdfSha256(secret, transcript, pairMaskInfo(member, other), 32),
    sign: pairSign(member, other),
  };
}

/** Both sides of a pair derive one key. */
export function pairMaskInfo(member: number, other: number): Uint8Array {
  return joinFields('pair mask', [uint(Math.min(member, other)), uint(Math.max(member, other))]);
}

export function pairSign(member: number, other: number): 1 | -1 {
  return member < other ? 1 : -1;
}
