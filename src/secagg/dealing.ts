import { equalBytes } from '@noble/ciphers/utils.js';
import type { Primitives } from '../crypto/primitives.js';
import type { Rng } from '../crypto/rng.js';
import { abscissa } from './graph.js';
import { type SecretKind, type SlotSecrets, scalarBytes, scalarFrom, shareCommitment } from './keys.js';
import {
  COMMITMENT_BYTES,
  type DealtPart,
  decodeDealtPart,
  encodeDealtPart,
  OPENING_BYTES,
  SALT_BYTES,
} from './messages.js';
import { openSealed, type SealingContext, sealOpenings } from './sealing.js';
import { SCALAR_BYTES, split } from './shamir.js';

/** A slot's openings at one shareholder: share and salt of the mask root, then of the seed root. */
const SLOT_OPENINGS_BYTES = 2 * OPENING_BYTES;
const KINDS: readonly SecretKind[] = ['mask', 'seed'];

export interface Dealer {
  readonly primitives: Primitives;
  readonly setup: Uint8Array;
  readonly dealer: number;
  readonly encryptionPrivateKey: Uint8Array;
  /** The shareholders' share-encryption keys. */
  readonly encryptionKey: (holder: number) => Uint8Array;
}

/**
 * Shares of both roots of every slot, committed to and sealed, a part for each shareholder, oneself included where
 * one is among them. Randomness in this order: slot by slot the polynomial of the mask root and of the seed root
 * (t − 1 scalars of 64 bytes each) and the salts (by holder: mask, seed); then a nonce a holder.
 */
export function deal(
  { primitives, setup, dealer, encryptionPrivateKey, encryptionKey }: Dealer,
  secrets: readonly SlotSecrets[],
  threshold: number,
  holders: readonly number[],
  rng: Rng,
): DealtPart[] {
  const xs = holders.map(abscissa);
  const openings = holders.map(() => new Uint8Array(secrets.length * SLOT_OPENINGS_BYTES));
  const commitments = holders.map(() => new Uint8Array(secrets.length * COMMITMENT_BYTES));
  for (const [slot, { maskRoot, seedRoot }] of secrets.entries()) {
    const shares = [maskRoot, seedRoot].map((root) => split(scalarFrom(root)!, threshold, xs, rng));
    for (const [i, holder] of holders.entries())
      for (const [which, kind] of KINDS.entries()) {
        const opening = openingAt(openings[i]!, slot, kind);
        opening.set(scalarBytes(shares[which]![i]!.y));
        opening.set(rng(SALT_BYTES), SCALAR_BYTES);
        const commitment = shareCommitment(primitives, setup, dealer, holder, slot, kind, opening);
        commitmentAt(commitments[i]!, slot, kind).set(commitment);
      }
  }
  return holders.map((holder, i) => {
    const context: SealingContext = {
      primitives,
      setup,
      from: dealer,
      to: holder,
      privateKey: encryptionPrivateKey,
      publicKey: encryptionKey(holder),
    };
    const sealed = sealOpenings(context, openings[i]!, rng);
    return { recipient: holder, bytes: encodeDealtPart(holder, commitments[i]!, sealed) };
  });
}

/**
 * The openings of all slots, or undefined if the part does not open, or a share is not canonical or not what its
 * dealer committed to. It then counts as missing and blames nobody: who spoilt it cannot be told (DESIGN §4).
 */
export function openPart(context: SealingContext, part: Uint8Array, slots: number): Uint8Array | undefined {
  const { primitives, setup, from, to } = context;
  const { recipient, commitments, sealed } = decodeDealtPart(part, slots);
  if (recipient !== to) return undefined;
  const openings = openSealed(context, sealed);
  if (openings?.length !== slots * SLOT_OPENINGS_BYTES) return undefined;
  for (let slot = 0; slot < slots; slot++)
    for (const kind of KINDS) {
      const opening = openingAt(openings, slot, kind);
      if (shareOf(opening) === undefined) return undefined;
      const commitment = shareCommitment(primitives, setup, from, to, slot, kind, opening);
      if (!equalBytes(commitment, commitmentAt(commitments, slot, kind))) return undefined;
    }
  return openings;
}

/** A view of one slot's opening of one kind: share ‖ salt. */
export function openingAt(openings: Uint8Array, slot: number, kind: SecretKind): Uint8Array {
  const at = slot * SLOT_OPENINGS_BYTES + KINDS.indexOf(kind) * OPENING_BYTES;
  return openings.subarray(at, at + OPENING_BYTES);
}

/** A view of one slot's two openings. */
export function slotOpenings(openings: Uint8Array, slot: number): Uint8Array {
  return openings.subarray(slot * SLOT_OPENINGS_BYTES, (slot + 1) * SLOT_OPENINGS_BYTES);
}

/** A view of the commitment to one slot's share of one kind. */
export function commitmentAt(commitments: Uint8Array, slot: number, kind: SecretKind): Uint8Array {
  const size = COMMITMENT_BYTES / KINDS.length;
  const at = slot * COMMITMENT_BYTES + KINDS.indexOf(kind) * size;
  return commitments.subarray(at, at + size);
}

/** The share in an opening, or undefined if it is not canonical. */
export function shareOf(opening: Uint8Array): bigint | undefined {
  return scalarFrom(opening.subarray(0, SCALAR_BYTES));
}
