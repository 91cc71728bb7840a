import { isLE, swap32IfBE } from '@noble/ciphers/utils.js';

/** Bytes as little-endian 32-bit words, without a copy where the alignment allows it. */
export function littleEndianWords(bytes: Uint8Array): Uint32Array {
  // swap32IfBE works in place, and the bytes belong to the caller.
  const aligned = isLE && bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes);
  return swap32IfBE(new Uint32Array(aligned.buffer, aligned.byteOffset, bytes.length >>> 2));
}

/** The little-endian bytes of words; the words must not be used afterwards (on a big-endian host they are swapped). */
export function littleEndianBytes(words: Uint32Array): Uint8Array {
  const swapped = swap32IfBE(words);
  return new Uint8Array(swapped.buffer, swapped.byteOffset, swapped.byteLength);
}
