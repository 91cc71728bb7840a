import type { Rng } from '../crypto/rng.js';
import { uniforms } from '../synthesis/randomness.js';

/** `count` different indices below `length` in random order (Durstenfeld 1964, Algorithm 235); all of them by default. */
export function drawIndices(rng: Rng, length: number, count = length): Uint32Array {
  const wanted = Math.min(count, length);
  const indices = Uint32Array.from({ length }, (_, i) => i);
  const draws = uniforms(rng, wanted);
  for (let i = 0; i < wanted; i++) {
    const other = i + Math.floor(draws[i]! * (length - i));
    const kept = indices[i]!;
    indices[i] = indices[other]!;
    indices[other] = kept;
  }
  return indices.subarray(0, wanted);
}
