import { createCipheriv } from 'node:crypto';
import { hkdf } from '@noble/hashes/hkdf.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { utf8ToBytes } from '@noble/hashes/utils.js';
import type { Rng } from '../crypto/rng.js';

/**
 * A reproducible stream of random bytes: AES-256-CTR of zeros under HKDF-SHA-256(seed, info = label). Different labels
 * give independent streams, so what one part of a computation draws never shifts another's.
 */
export function seededRng(seed: Uint8Array, label: string): Rng {
  const key = hkdf(sha256, seed, undefined, utf8ToBytes(`chorale/synthesis/${label}`), 48);
  const cipher = createCipheriv('aes-256-ctr', key.subarray(0, 32), key.subarray(32));
  return (length) => cipher.update(new Uint8Array(length));
}

/** Numbers in the open interval (0, 1): (k + ½)·2⁻³² of uniform 32-bit k. */
export function uniforms(rng: Rng, count: number): Float64Array {
  const words = new Uint32Array(rng(count * 4).slice().buffer); // a copy: the stream's own may not be aligned
  const out = new Float64Array(count);
  for (let i = 0; i < count; i++) out[i] = ((words[i] as number) + 0.5) * 2 ** -32;
  return out;
}

/** Standard normal draws by Box and Muller (1958), for a model's latents and initial weights: never for DP noise. */
export function normals(rng: Rng, count: number): Float32Array {
  const pairs = Math.ceil(count / 2);
  const uniform = uniforms(rng, pairs * 2);
  const out = new Float32Array(pairs * 2);
  for (let i = 0; i < pairs; i++) {
    const radius = Math.sqrt(-2 * Math.log(uniform[2 * i] as number));
    const angle = 2 * Math.PI * (uniform[2 * i + 1] as number);
    out[2 * i] = radius * Math.cos(angle);
    out[2 * i + 1] = radius * Math.sin(angle);
  }
  return out.subarray(0, count);
}
