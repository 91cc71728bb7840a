import type { Rng } from '../../crypto/rng.js';
import { PrivacyError } from '../errors.js';
import type { Rational } from '../events.js';
import { type Fraction, parseRational, toNumber } from '../rational.js';
import { expNegative } from './exponential.js';
import { type HalfGaussianTable, halfGaussianTable, resolveIndex } from './halfGaussian.js';
import { RandomBits } from './randomBits.js';

/**
 * Theorem. The integers drawn here are independent and each is y with probability exp(−y²/2σ²) / Σ_j exp(−j²/2σ²): exactly
 * the law of Canonne, Kamath, Steinke 2020, with no float deciding anything. Draw
 *
 *   k ≥ 0 with probability ∝ exp(−k²m²/2σ²)        (a table: σ/m is at most 32)
 *   u uniform on 0 … m − 1, m a power of two         (bits)
 *   accept x = k·m + u with probability exp(−(u² + 2kmu)/2σ²)
 *
 * so x ≥ 0 has weight exp(−k²m²/2σ²)·exp(−(u² + 2kmu)/2σ²) = exp(−x²/2σ²), and each x has one (k, u): the decomposition of
 * Ducas, Durmus, Lepoint, Lyubashevsky 2013 (BLISS), §6. A fair sign, with −0 drawn again, makes it two-sided.
 *
 * Exactness. "U < p" for a uniform real U and a real p is decided from the first 32 bits W of U whenever W and W + 1 fall on one
 * side of every value that 2^32·p can have; else from more bits of the same U and a finer proven enclosure of p until they
 * separate, which happens with probability 1. A float is only ever used with a margin 2^14 times its proven error, and
 * where it doesn't decide (about once in 2^32 to 2^38 draws) `expNegative` does. The table works alike (halfGaussian.ts); its
 * tail is unbounded.
 *
 * Not constant time: rejection depends on random bits only, and noise is drawn before data are touched (hazard P11).
 */

/**
 * No ring of 32 bits holds more. |y| ≥ 2^31 then has probability below 2e^−64; it throws, since wrapping would be another law.
 */
const MAX_VARIANCE = 1n << 55n;
const MAX_INT32 = 2 ** 31 - 1;
/** 2^-38 of the unit interval: the float's error is below 2^-51. */
const MARGIN = 2 ** -6;
const TWO_32 = 2 ** 32;

export class DiscreteGaussian {
  readonly #variance: Fraction;
  readonly #stepBits: number;
  readonly #table: HalfGaussianTable;
  readonly #halfPrecision: number;

  /** Throws `variance-invalid` unless 0 < σ² ≤ 2^55. Builds a table: a few milliseconds. */
  constructor(variance: Rational) {
    const { n, d } = parseRational(variance);
    if (n <= 0n || n > MAX_VARIANCE * d) {
      throw new PrivacyError(
        'variance-invalid',
        'discrete Gaussian noise needs a variance above 0 and at most 2^55',
      );
    }
    this.#variance = { n, d };
    let stepBits = 0;
    while (n >= (1024n * d) << BigInt(2 * stepBits)) stepBits += 1;
    this.#stepBits = stepBits;
    this.#table = halfGaussianTable(d << BigInt(2 * stepBits), 2n * n);
    this.#halfPrecision = 1 / (2 * toNumber(this.#variance));
  }

  /** Fills `out`, and returns it. */
  fill(out: Int32Array, rng: Rng): Int32Array {
    const { starts, startShift, low, high } = this.#table;
    const stepBits = this.#stepBits;
    const step = 2 ** stepBits;
    const stepMask = step - 1;
    const halfPrecision = this.#halfPrecision;
    const bits = new RandomBits(rng, 3.2 * out.length);
    let filled = 0;
    while (filled < out.length) {
      const indexWord = bits.word();
      let k = starts[indexWord >>> startShift] as number;
      while (indexWord > (high[k + 1] as number)) k += 1;
      if (indexWord >= (low[k + 1] as number)) k = resolveIndex(this.#table, indexWord, bits);
      const offsetWord = bits.word();
      const u = offsetWord & stepMask;
      if (u !== 0) {
        const acceptWord = bits.word();
        const x = u * (u + 2 * k * step) * halfPrecision;
        // e^−x > 1 − x, so most draws are accepted without an exponential.
        if (acceptWord + 1 + MARGIN > (1 - x) * TWO_32) {
          const scaled = Math.exp(-x) * TWO_32;
          if (acceptWord >= scaled + MARGIN) continue;
          if (acceptWord + 1 + MARGIN > scaled && !this.#accepts(k, u, acceptWord, bits)) continue;
        }
      }
      const magnitude = k * step + u;
      const negative = offsetWord >>> 31 === 1;
      if (negative && magnitude === 0) continue;
      if (magnitude > MAX_INT32) throw new PrivacyError('variance-invalid', 'a sample left the 32-bit range');
      out[filled++] = negative ? -magnitude : magnitude;
    }
    return out;
  }

  /** Is U < exp(−(u² + 2kmu)/2σ²), where the first 32 bits of U are `word`? */
  #accepts(k: number, u: number, word: number, bits: RandomBits): boolean {
    const { n, d } = this.#variance;
    const numerator = BigInt(u) * (BigInt(u) + ((2n * BigInt(k)) << BigInt(this.#stepBits))) * d;
    let known = BigInt(word);
    for (let precision = 32; ; precision += 32) {
      const { low, high } = expNegative(numerator, 2n * n, precision);
      if (known + 1n <= low) return true;
      if (known >= high) return false;
      known = (known << 32n) | BigInt(bits.word());
    }
  }
}

const CACHED_SAMPLERS = 16;
const samplers = new Map<string, DiscreteGaussian>();

/** The sampler of a variance; tables of the last few variances are kept. */
export function discreteGaussian(variance: Rational): DiscreteGaussian {
  const key = `${variance.numerator}/${variance.denominator}`;
  const cached = samplers.get(key);
  if (cached) return cached;
  const sampler = new DiscreteGaussian(variance);
  if (samplers.size >= CACHED_SAMPLERS) samplers.delete(samplers.keys().next().value as string);
  samplers.set(key, sampler);
  return sampler;
}

/** `count` independent exact samples of N_Z(0, `variance`), grid steps. Randomness is drawn from `rng` in bulk. */
export function sampleDiscreteGaussian(variance: Rational, count: number, rng: Rng): Int32Array {
  return discreteGaussian(variance).fill(new Int32Array(count), rng);
}
