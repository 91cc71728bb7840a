import { isLE } from '@noble/ciphers/utils.js';
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
 * @param into where to write, `packedBytes` long and no part of `elements`; by default a fresh array.
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
  const piece = ringPiece();
  // A piece is a multiple of 8 elements, so it begins at a whole byte whatever the width.
  for (let from = 0; from < elements.length; from += KEYSTREAM_PIECE_WORDS) {
    const part = elements.subarray(from, from + KEYSTREAM_PIECE_WORDS);
    piece.sum.set(part);
    piece.pack(part.length, modulusBits);
    into.set(piece.incoming.subarray(0, packedBytes(part.length, modulusBits)), (from * modulusBits) / 8);
  }
  wipe(piece, Math.min(KEYSTREAM_PIECE_WORDS, elements.length));
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
  // Pieces as in `packBits`.
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
