import { KEYSTREAM_PIECE_WORDS, type Primitives } from './primitives.js';
import { ringPiece, wipe } from './ringPiece.js';

/** One mask of a vector: the stream under `key` (AES-256, 32 bytes), added or subtracted. */
export interface MaskStream {
  readonly key: Uint8Array;
  readonly sign: 1 | -1;
}

/** What two members' mask key is made of. An array that repeats is parsed once: keys are known by identity. */
export interface Agreement {
  /** X25519, 32 bytes. */
  readonly privateKey: Uint8Array;
  /** X25519, 32 bytes. */
  readonly publicKey: Uint8Array;
  readonly salt: Uint8Array;
  readonly info: Uint8Array;
}

/** The two parts of a round that cost time, behind one interface so that they can leave the calling thread. */
export interface MaskWork {
  /**
   * HKDF-SHA-256(X25519(privateKey, publicKey), salt, info, 32) of every job, in order. Rejects with CryptoError
   * InvalidKey or LowOrderPoint if one of them has no key.
   */
  agree(jobs: readonly Agreement[]): Promise<Uint8Array[]>;
  /**
   * target += Σ sign · AES-256-CTR(key) of zeros, modulo 2^32, in place. `target` must not be touched before it
   * resolves, and is of no use after a rejection. Rejects with CryptoError InvalidKey.
   */
  addMasks(target: Uint32Array, masks: readonly MaskStream[]): Promise<void>;
  /** A vector of zeros that addMasks works on where it lies; any other may be copied there and back. */
  vector(words: number): Uint32Array;
  /** Wipes a vector that is not needed any more, and may hand it out again: fresh memory costs as much as a mask. */
  release(vector: Uint32Array): void;
}

/** On the calling thread, which it occupies until all is done; portable. */
export function inlineMaskWork(primitives: Primitives): MaskWork {
  return {
    async agree(jobs) {
      return jobs.map((job) => agreedKey(primitives, job));
    },
    async addMasks(target, masks) {
      addMasks(primitives, target, masks);
    },
    vector: (words) => new Uint32Array(words),
    release: (vector) => void vector.fill(0),
  };
}

/** The key of one agreement, 32 bytes. Throws CryptoError InvalidKey or LowOrderPoint. */
export function agreedKey(
  primitives: Primitives,
  { privateKey, publicKey, salt, info }: Agreement,
): Uint8Array {
  const secret = primitives.x25519SharedSecret(privateKey, publicKey);
  const key = primitives.hkdfSha256(secret, salt, info, 32);
  secret.fill(0);
  return key;
}

/** Streams open at once: bounds their memory (about 1 KiB each); reading the vector again once for so many is free. */
const STREAMS_AT_ONCE = 256;

/**
 * target += Σ sign · AES-256-CTR(key) from word `firstWord` (a multiple of 4), modulo 2^32, in place. A full 32-bit
 * word is spent on each coordinate whatever the ring: its low b bits are uniform, and no word is shared, folded or
 * repeated (S23).
 *
 * Piece by piece with all streams inside, so that the piece stays in the cache while the streams pass over it.
 */
export function addMasks(
  primitives: Primitives,
  target: Uint32Array,
  masks: readonly MaskStream[],
  firstWord = 0,
): void {
  if (!Number.isSafeInteger(firstWord) || firstWord < 0 || firstWord % 4 !== 0)
    throw new RangeError(`addMasks: a stream can be entered at a multiple of 4 words, not at ${firstWord}`);
  for (let first = 0; first < masks.length; first += STREAMS_AT_ONCE) {
    const streams = masks
      .slice(first, first + STREAMS_AT_ONCE)
      .map(({ key, sign }) => ({ stream: primitives.keystream(key, firstWord / 4), sign }));
    const piece = ringPiece();
    for (let from = 0; from < target.length; from += KEYSTREAM_PIECE_WORDS) {
      const words = Math.min(KEYSTREAM_PIECE_WORDS, target.length - from);
      const part = target.subarray(from, from + words);
      const incoming = piece.incoming.subarray(0, 4 * words);
      piece.sum.set(part);
      for (const { stream, sign } of streams) {
        stream.fill(incoming);
        if (sign === 1) piece.add(words);
        else piece.subtract(words);
      }
      part.set(piece.sum.subarray(0, words));
    }
    wipe(piece, Math.min(KEYSTREAM_PIECE_WORDS, target.length));
  }
}
