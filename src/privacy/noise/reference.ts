import type { Rng } from '../../crypto/rng.js';
import { PrivacyError } from '../errors.js';
import type { Rational } from '../events.js';
import { parseRational } from '../rational.js';
import { RandomBits } from './randomBits.js';

/**
 * The exact discrete Gaussian of Canonne, Kamath, Steinke 2020, Algorithms 1 to 3, word for word, in integers. Slow: the
 * yardstick that the production sampler is tested against.
 */

/** True with probability n/d, 0 ≤ n ≤ d. */
function bernoulli(bits: RandomBits, n: bigint, d: bigint): boolean {
  return bits.below(d) < n;
}

/** Algorithm 1: true with probability exp(−n/d), n/d ≥ 0. */
export function bernoulliExp(bits: RandomBits, n: bigint, d: bigint): boolean {
  let rest = n;
  while (rest > d) {
    if (!bernoulliExp(bits, 1n, 1n)) return false;
    rest -= d;
  }
  let k = 1n;
  while (bernoulli(bits, rest, d * k)) k += 1n;
  return k % 2n === 1n;
}

/** Algorithm 2 with s = 1: an integer with probability proportional to exp(−|y|/t). */
export function discreteLaplace(bits: RandomBits, t: bigint): bigint {
  for (;;) {
    const u = bits.below(t);
    if (!bernoulliExp(bits, u, t)) continue;
    let v = 0n;
    while (bernoulliExp(bits, 1n, 1n)) v += 1n;
    const magnitude = u + t * v;
    const negative = bits.bit();
    if (negative && magnitude === 0n) continue;
    return negative ? -magnitude : magnitude;
  }
}

function floorSqrt(value: bigint): bigint {
  if (value < 2n) return value;
  let x = 1n << BigInt(Math.ceil(value.toString(2).length / 2));
  for (;;) {
    const next = (x + value / x) >> 1n;
    if (next >= x) return x;
    x = next;
  }
}

/** Algorithm 3: `count` integers, each y with probability proportional to exp(−y²/2σ²), σ² = `variance` > 0. */
export function referenceDiscreteGaussian(variance: Rational, count: number, rng: Rng): bigint[] {
  const { n, d } = parseRational(variance);
  if (n <= 0n)
    throw new PrivacyError('variance-invalid', 'the variance of discrete Gaussian noise is positive');
  const bits = new RandomBits(rng, 64 * count);
  // ⌊√(n/d)⌋ = ⌊√⌊n/d⌋⌋.
  const t = floorSqrt(n / d) + 1n;
  return Array.from({ length: count }, () => {
    for (;;) {
      const y = discreteLaplace(bits, t);
      // γ = (|y| − σ²/t)² / 2σ², over a common denominator: (|y|·t·d − n)² / (2·n·d·t²).
      const distance = (y < 0n ? -y : y) * t * d - n;
      if (bernoulliExp(bits, distance * distance, 2n * n * d * t * t)) return y;
    }
  });
}
