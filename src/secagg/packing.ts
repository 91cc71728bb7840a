import { littleEndianBytes, littleEndianWords } from '../crypto/littleEndian.js';
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
 */
export function packBits(elements: Uint32Array, modulusBits: number): Uint8Array {
  if (modulusBits === 32) return littleEndianBytes(elements.slice());
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
  return littleEndianBytes(words).subarray(0, packedBytes(elements.length, modulusBits));
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

  const words = littleEndianWords(packed.length % 4 === 0 ? packed : zeroPadded(packed));
  const target = new Int32Array(sum.buffer, sum.byteOffset, dimension);
  if (modulusBits === 32) {
    for (let i = 0; i < dimension; i++) target[i] = (target[i]! + words[i]!) | 0;
    return;
  }
  const mask = ringMask(modulusBits);
  let at = 0;
  let shift = 0;
  for (let i = 0; i < dimension; i++) {
    let element = words[at]! >>> shift;
    const taken = 32 - shift;
    if (taken < modulusBits) element |= words[at + 1]! << taken;
    shift += modulusBits;
    if (shift >= 32) {
      shift -= 32;
      at++;
    }
    target[i] = (target[i]! + (element & mask)) | 0;
  }
}

function zeroPadded(packed: Uint8Array): Uint8Array {
  const padded = new Uint8Array(Math.ceil(packed.length / 4) * 4);
  padded.set(packed);
  return padded;
}
