import { bytesToNumberLE } from '@noble/curves/utils.js';
import type { Primitives } from '../crypto/primitives.js';
import type { Rng } from '../crypto/rng.js';
import type { MaskStream } from './mask.js';
import type { AdvertisedSlot } from './messages.js';
import { randomScalar, SCALAR_BYTES, scalarField } from './shamir.js';
import { hashFields, joinFields, uint } from './transcript.js';

/** One slot's two root secrets, both uniform in GF(l) so that both can be shared, and what follows from them. */
export interface SlotSecrets {
  readonly maskRoot: bigint;
  readonly seedRoot: bigint;
  /** X25519, derived from maskRoot. */
  readonly maskPrivateKey: Uint8Array;
}

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
  maskRoot: bigint,
): Uint8Array {
  const info = joinFields('mask private key', [uint(member), uint(slot)]);
  return primitives.hkdfSha256(scalarBytes(maskRoot), block, info, 32);
}

/**
 * Binds a member to its self-mask seed. The seed has 252 bits of entropy, so the hash hides it without a salt.
 */
export function seedCommitment(
  primitives: Primitives,
  block: Uint8Array,
  member: number,
  slot: number,
  seedRoot: bigint,
): Uint8Array {
  return hashFields(primitives, 'seed commitment', [block, uint(member), uint(slot), scalarBytes(seedRoot)]);
}

export function createSlotSecrets(
  primitives: Primitives,
  block: Uint8Array,
  member: number,
  slot: number,
  rng: Rng,
): SlotSecrets {
  const maskRoot = randomScalar(rng);
  const seedRoot = randomScalar(rng);
  return { maskRoot, seedRoot, maskPrivateKey: maskPrivateKey(primitives, block, member, slot, maskRoot) };
}

export function advertisedSlot(
  primitives: Primitives,
  block: Uint8Array,
  member: number,
  slot: number,
  secrets: SlotSecrets,
): AdvertisedSlot {
  return {
    maskKey: primitives.x25519PublicKey(secrets.maskPrivateKey),
    seedCommitment: seedCommitment(primitives, block, member, slot, secrets.seedRoot),
  };
}

/** The mask that covers a member's input even if all of its pairwise masks were opened (S10). */
export function selfMask(
  primitives: Primitives,
  transcript: Uint8Array,
  member: number,
  seedRoot: bigint,
): MaskStream {
  const info = joinFields('self mask', [uint(member)]);
  return { key: primitives.hkdfSha256(scalarBytes(seedRoot), transcript, info, 32), sign: 1 };
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
  const [low, high] = member < other ? [member, other] : [other, member];
  const info = joinFields('pair mask', [uint(low), uint(high)]);
  return {
    key: primitives.hkdfSha256(secret, transcript, info, 32),
    sign: member === low ? 1 : -1,
  };
}
