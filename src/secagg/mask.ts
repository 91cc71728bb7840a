import { KEYSTREAM_PIECE_WORDS, type Primitives } from '../crypto/primitives.js';
import { ringMask } from './packing.js';

/** One mask of a vector: the stream under `key` (AES-256, 32 bytes), added or subtracted. */
export interface MaskStream {
  readonly key: Uint8Array;
  readonly sign: 1 | -1;
}

/**
 * target += Σ sign · AES-256-CTR(key), modulo 2^32, in place. A full 32-bit word is spent on each coordinate
 * whatever the ring: its low b bits are uniform, and no word is shared, folded or repeated (S23).
 *
 * Piece by piece with all streams inside, so that the piece stays in the cache while the streams pass over it.
 */
export function addMasks(primitives: Primitives, target: Uint32Array, masks: readonly MaskStream[]): void {
  const streams = masks.map(({ key, sign }) => ({ stream: primitives.keystream(key), sign }));
  for (let from = 0; from < target.length; from += KEYSTREAM_PIECE_WORDS) {
    const words = Math.min(KEYSTREAM_PIECE_WORDS, target.length - from);
    // Signed views: the sum of two int32 stays in integer registers, modulo 2^32 all the same.
    const piece = new Int32Array(target.buffer, target.byteOffset + 4 * from, words);
    for (const { stream, sign } of streams) {
      const next = stream.next(words);
      const mask = new Int32Array(next.buffer, next.byteOffset, words);
      if (sign === 1) for (let i = 0; i < words; i++) piece[i] = (piece[i]! + mask[i]!) | 0;
      else for (let i = 0; i < words; i++) piece[i] = (piece[i]! - mask[i]!) | 0;
    }
  }
}

/** Reduces every element modulo 2^modulusBits, in place. */
export function reduceToRing(target: Uint32Array, modulusBits: number): void {
  if (modulusBits === 32) return;
  const mask = ringMask(modulusBits);
  for (let i = 0; i < target.length; i++) target[i] = target[i]! & mask;
}

/**
 * The vector as fresh ring elements: unsigned below 2^b, or signed in [−2^(b−1), 2^(b−1)) in two's complement.
 * Gives undefined if an element is outside, so that a caller never masks a wrapped number (S15).
 */
export function toRing(vector: Int32Array | Uint32Array, modulusBits: number): Uint32Array | undefined {
  const elements = new Uint32Array(vector);
  if (modulusBits === 32) return elements;
  // The bits that an element in range leaves clear, gathered without a branch per coordinate.
  let outside = 0;
  if (vector instanceof Int32Array) {
    for (let i = 0; i < vector.length; i++) outside |= vector[i]! ^ (vector[i]! >> 31);
    outside >>>= modulusBits - 1;
  } else {
    for (let i = 0; i < vector.length; i++) outside |= vector[i]!;
    outside >>>= modulusBits;
  }
  if (outside !== 0) return undefined;
  reduceToRing(elements, modulusBits);
  return elements;
}
