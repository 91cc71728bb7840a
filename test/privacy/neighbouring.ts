import { integerSensitivity } from '../../src/privacy/quantization.js';
import type { SumQuery } from '../../src/privacy/sumQuery.js';

/** Σ of the squared centred differences of two ring vectors, ring steps²; exact. */
export function squaredDistance({ encoding }: SumQuery, a: Uint32Array, b: Uint32Array): bigint {
  const modulus = 2 ** encoding.modulusBits;
  let total = 0n;
  for (let i = 0; i < a.length; i++) {
    const residue = (((b[i]! - a[i]!) % modulus) + modulus) % modulus;
    const centred = BigInt(residue >= modulus / 2 ? residue - modulus : residue);
    total += centred * centred;
  }
  return total;
}

/** Whether two neighbours' vectors are as close as the query declares: both sides integers. */
export function withinSensitivity(query: SumQuery, a: Uint32Array, b: Uint32Array): boolean {
  return squaredDistance(query, a, b) <= BigInt(Math.floor(integerSensitivity(query) ** 2));
}

/** The distance as a share of the declared sensitivity. */
export function distance(query: SumQuery, a: Uint32Array, b: Uint32Array): number {
  return Math.sqrt(Number(squaredDistance(query, a, b))) / integerSensitivity(query);
}
