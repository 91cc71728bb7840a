import { CryptoError, type Primitives } from '../crypto/primitives.js';
import type { Rng } from '../crypto/rng.js';
import { scalarBytes, scalarFrom } from './keys.js';
import { SCALAR_BYTES } from './shamir.js';
import { joinFields, uint } from './transcript.js';

const NONCE_BYTES = 12;

/** One holder's shares of one dealer's slot. */
export interface SlotShares {
  readonly mask: bigint;
  readonly seed: bigint;
}

/** One dealer's sealed shares, as the coordinator relays them. */
export interface SealedShares {
  readonly from: string;
  readonly sealed: Uint8Array;
}

export interface SealingContext {
  readonly primitives: Primitives;
  readonly setup: Uint8Array;
  readonly from: number;
  readonly to: number;
  readonly privateKey: Uint8Array;
  readonly publicKey: Uint8Array;
}

/**
 * Static Diffie-Hellman between the two block keys, both advertised under identity signatures: the ciphertext
 * authenticates its sender to its recipient without another signature. Direction and setup transcript are in
 * the key, so a share moved to another recipient, sender or block does not open (S14).
 */
function sealingKey({ primitives, setup, from, to, privateKey, publicKey }: SealingContext): Uint8Array {
  const secret = primitives.x25519SharedSecret(privateKey, publicKey);
  return primitives.hkdfSha256(secret, setup, joinFields('share sealing', [uint(from), uint(to)]), 32);
}

/** nonce ‖ AES-256-GCM(the two shares of every slot, 32 bytes little-endian each). */
export function sealShares(context: SealingContext, shares: readonly SlotShares[], rng: Rng): Uint8Array {
  const plaintext = new Uint8Array(shares.length * 2 * SCALAR_BYTES);
  for (const [slot, { mask, seed }] of shares.entries()) {
    plaintext.set(scalarBytes(mask), 2 * SCALAR_BYTES * slot);
    plaintext.set(scalarBytes(seed), 2 * SCALAR_BYTES * slot + SCALAR_BYTES);
  }
  // Random, though the key serves once: sealing again from an old state must not repeat a nonce.
  const nonce = rng(NONCE_BYTES);
  const ciphertext = context.primitives.aes256GcmSeal(
    sealingKey(context),
    nonce,
    plaintext,
    new Uint8Array(0),
  );
  const sealed = new Uint8Array(NONCE_BYTES + ciphertext.length);
  sealed.set(nonce);
  sealed.set(ciphertext, NONCE_BYTES);
  return sealed;
}

/** The shares, or undefined when they do not open or are not canonical: such shares count as missing. */
export function openShares(
  context: SealingContext,
  sealed: Uint8Array,
  slots: number,
): SlotShares[] | undefined {
  let plaintext: Uint8Array;
  try {
    const key = sealingKey(context);
    plaintext = context.primitives.aes256GcmOpen(
      key,
      sealed.subarray(0, NONCE_BYTES),
      sealed.subarray(NONCE_BYTES),
      new Uint8Array(0),
    );
  } catch (error) {
    if (error instanceof CryptoError) return undefined;
    throw error;
  }
  if (plaintext.length !== slots * 2 * SCALAR_BYTES) return undefined;
  const shares: SlotShares[] = [];
  for (let slot = 0; slot < slots; slot++) {
    const at = 2 * SCALAR_BYTES * slot;
    const mask = scalarFrom(plaintext.subarray(at, at + SCALAR_BYTES));
    const seed = scalarFrom(plaintext.subarray(at + SCALAR_BYTES, at + 2 * SCALAR_BYTES));
    if (mask === undefined || seed === undefined) return undefined;
    shares.push({ mask, seed });
  }
  return shares;
}
