import { isLE } from '@noble/ciphers/utils.js';
import { littleEndianBytes } from '../crypto/littleEndian.js';
import { KEYSTREAM_PIECE_WORDS } from '../crypto/primitives.js';
import { ringPiece, wipe } from '../crypto/ringPiece.js';
import { MalformedMessage } from './wire.js';

/** Bytes of `dimension` ring elements of `modulusBits` bits each. */
export function packedBytes(dimension: number, modulusBits: number): number {
  return Math.ceil((dimension * modulusBits) / 8);
}

/** 2^bits − 1 as a signed 32-bit mask. */
export function ringMask(modulusBits: number): number {
  return modulusBits === 32 ? -1 : (1 << modulusBits) - 1;
}

/**
 * Element i occupies bits [i·b, (i+1)·b) of the little-endian bit string; the last byte is padded with zeros.
 * Only the low b bits of an element are taken.
 * @param into where to write, `packedBytes` long; by default a fresh array.
 */
export function packBits(
  elements: Uint32Array,
  modulusBits: number,
  into: Uint8Array = new Uint8Array(packedBytes(elements.length, modulusBits)),
): Uint8Array {
  if (modulusBits === 32 && isLE) {
    into.set(new Uint8Array(elements.buffer, elements.byteOffset, elements.byteLength));
    return into;
  }
  const mask = ringMask(modulusBits);
  const words = new Uint32Array(Math.ceil((elements.length * modulusBits) / 32));
  let pending = 0;
  let filled = 0;
  let at = 0;
  for (let i = 0; i < elements.length; i++) {
    const element = elements[i]! & mask;
    pending |= element << filled;
    filled += modulusBits;
    if (filled >= 32) {
      words[at++] = pending;
      filled -= 32;
      // A shift by 32 would be a shift by 0: nothing of the element is left over when the word was just full.
      pending = filled === 0 ? 0 : element >>> (modulusBits - filled);
    }
  }
  if (filled > 0) words[at] = pending;
  into.set(littleEndianBytes(words).subarray(0, into.length));
  return into;
}

/** The inverse of `packBits`. Throws MalformedMessage on a wrong length or a set padding bit. */
export function unpackBits(packed: Uint8Array, dimension: number, modulusBits: number): Uint32Array {
  const elements = new Uint32Array(dimension);
  addPacked(elements, packed, modulusBits);
  return elements;
}

/** sum += the packed elements, modulo 2^32 (of which 2^b is a divisor). Keeps nothing of the elements. */
export function addPacked(sum: Uint32Array, packed: Uint8Array, modulusBits: number): void {
  const dimension = sum.length;
  if (packed.length !== packedBytes(dimension, modulusBits))
    throw new MalformedMessage(
      `${packed.length} packed bytes for ${dimension} elements of ${modulusBits} bits`,
    );
  const used = (dimension * modulusBits) % 8;
  if (used !== 0 && packed[packed.length - 1]! >>> used !== 0)
    throw new MalformedMessage('padding bits are set');

  const piece = ringPiece();
  // A piece is a multiple of 8 elements, so it begins at a whole byte whatever the width.
  for (let from = 0; from < dimension; from += KEYSTREAM_PIECE_WORDS) {
    const part = sum.subarray(from, from + KEYSTREAM_PIECE_WORDS);
    const begin = (from * modulusBits) / 8;
    piece.incoming.set(packed.subarray(begin, begin + packedBytes(part.length, modulusBits)));
    piece.sum.set(part);
    if (modulusBits === 32) piece.add(part.length);
    else piece.addPacked(part.length, modulusBits);
    part.set(piece.sum.subarray(0, part.length));
  }
  // The server folds and forgets (S27).
  wipe(piece, Math.min(KEYSTREAM_PIECE_WORDS, dimension));
}
