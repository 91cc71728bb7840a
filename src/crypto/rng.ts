import { chacha20 } from '@noble/ciphers/chacha.js';

/** A source of random bytes. Randomness is always an argument, so that every run can be replayed. */
export type Rng = (length: number) => Uint8Array;

/** Bytes fetched at a time, the most that getRandomValues gives: a noise sampler asks for millions of small pieces. */
const POOL_BYTES = 64 * 1024;

/**
 * The platform's CSPRNG, pooled: crypto.getRandomValues (W3C Web Cryptography, 10.1.1), which Node and browsers both
 * have, and which is faster than node:crypto's randomBytes. Bytes are handed out once and wiped from the pool, so
 * that a later read of this process's memory finds no randomness that was already used.
 */
export function systemRng(): Rng {
  const pool = new Uint8Array(POOL_BYTES);
  let used = POOL_BYTES;
  return (length) => {
    assertLength(length);
    if (length >= POOL_BYTES) return filled(length);
    if (used + length > POOL_BYTES) {
      globalThis.crypto.getRandomValues(pool);
      used = 0;
    }
    const bytes = pool.slice(used, used + length);
    pool.fill(0, used, used + length);
    used += length;
    return bytes;
  };
}

function filled(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let from = 0; from < length; from += POOL_BYTES)
    globalThis.crypto.getRandomValues(bytes.subarray(from, from + POOL_BYTES));
  return bytes;
}

/** 2^32 blocks of 64 bytes is ChaCha20's own limit (RFC 8439, 2.3); stop well before the counter could wrap. */
const MAX_BLOCKS = 2 ** 32 - 1024;
const REFILL_BLOCKS = 64;

/**
 * A deterministic stream for replays and tests: ChaCha20 (RFC 8439) of zeros under `seed` (32 bytes), zero
 * nonce. The bytes do not depend on how they are asked for: two reads of 16 equal one read of 32.
 */
export function seededRng(seed: Uint8Array): Rng {
  if (seed.length !== 32) throw new RangeError(`seededRng: the seed must have 32 bytes, not ${seed.length}`);
  const key = seed.slice();
  const nonce = new Uint8Array(12);
  let block = 0;
  let buffer = new Uint8Array(0);
  let used = 0;
  return (length) => {
    assertLength(length);
    const out = new Uint8Array(length);
    let filled = 0;
    while (filled < length) {
      if (used === buffer.length) {
        if (block > MAX_BLOCKS) throw new RangeError('seededRng: the stream is exhausted');
        buffer = new Uint8Array(chacha20(key, nonce, new Uint8Array(REFILL_BLOCKS * 64), undefined, block));
        block += REFILL_BLOCKS;
        used = 0;
      }
      const piece = buffer.subarray(used, used + Math.min(length - filled, buffer.length - used));
      out.set(piece, filled);
      filled += piece.length;
      used += piece.length;
    }
    return out;
  };
}

function assertLength(length: number): void {
  if (!Number.isSafeInteger(length) || length < 0) throw new RangeError(`Rng: ${length} is not a length`);
}
