import { CryptoError, type Primitives } from '../crypto/primitives.js';
import type { Rng } from '../crypto/rng.js';
import { joinFields, uint } from './transcript.js';

const NONCE_BYTES = 12;

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

/** nonce ‖ AES-256-GCM(the openings of every slot). */
export function sealOpenings(context: SealingContext, openings: Uint8Array, rng: Rng): Uint8Array {
  // Random, though the key serves once: sealing again from an old state must not repeat a nonce.
  const nonce = rng(NONCE_BYTES);
  const key = sealingKey(context);
  const ciphertext = context.primitives.aes256GcmSeal(key, nonce, openings, new Uint8Array(0));
  const sealed = new Uint8Array(NONCE_BYTES + ciphertext.length);
  sealed.set(nonce);
  sealed.set(ciphertext, NONCE_BYTES);
  return sealed;
}

/** The openings, or undefined when they do not open: such shares count as missing. */
export function openSealed(context: SealingContext, sealed: Uint8Array): Uint8Array | undefined {
  const nonce = sealed.subarray(0, NONCE_BYTES);
  const ciphertext = sealed.subarray(NONCE_BYTES);
  try {
    return context.primitives.aes256GcmOpen(sealingKey(context), nonce, ciphertext, new Uint8Array(0));
  } catch (error) {
    if (error instanceof CryptoError) return undefined;
    throw error;
  }
}
