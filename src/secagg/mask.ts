import { ringMask } from './packing.js';

export { addMasks, type MaskStream } from '../crypto/maskWork.js';

/** Reduces every element modulo 2^modulusBits, in place. */
export function reduceToRing(target: Uint32Array, modulusBits: number): void {
  if (modulusBits === 32) return;
  const mask = ringMask(modulusBits);
  for (let i = 0; i < target.length; i++) target[i] = target[i]! & mask;
}

/**
 * Writes the vector into `elements` (of the same length, all zeros) as ring elements: unsigned below 2^b, or signed in [−2^(b−1), 2^(b−1)) in two's complement.
 * Gives false, and has written nothing, if an element is outside, so that a caller never masks a wrapped number (S15).
 */
export function toRing(
  vector: Int32Array | Uint32Array,
  modulusBits: number,
  elements: Uint32Array,
): boolean {
  if (modulusBits === 32) {
    elements.set(vector);
    return true;
  }
  // The bits that an element in range leaves clear, gathered without a branch per coordinate.
  let outside = 0;
  if (vector instanceof Int32Array) {
    for (let i = 0; i < vector.length; i++) outside |= vector[i]! ^ (vector[i]! >> 31);
    outside >>>= modulusBits - 1;
  } else {
    for (let i = 0; i < vector.length; i++) outside |= vector[i]!;
    outside >>>= modulusBits;
  }
  if (outside !== 0) return false;
  elements.set(vector);
  reduceToRing(elements, modulusBits);
  return true;
}
