import { expNegative } from './exponential.js';
import type { RandomBits } from './randomBits.js';

/**
 * The one-sided law P(k) ∝ exp(−k²·e), k ≥ 0, e = n/d ≥ 1/2048, by inversion: k is the index with c_k ≤ U < c_(k+1), c_k being
 * P(K < k). The table holds enclosures of 2^32·c_k; a word between them decides alone, one on a border is resolved with
 * more bits of U and finer enclosures. Nothing is cut off: the words above the last border are "on" it.
 */
export interface HalfGaussianTable {
  readonly n: bigint;
  readonly d: bigint;
  /** For the top bits of a word, the largest index whose border lies wholly below all such words. */
  readonly starts: Uint16Array;
  readonly startShift: number;
  /** ⌊2^32·c_k⌋ lies in [low[k], high[k]]. The last high is 2^32 − 1. */
  readonly low: Float64Array;
  readonly high: Float64Array;
}

interface Borders {
  /** Enclosures of Σ_{j<k} exp(−j²e)·2^bits, k = 0, 1, …; the last covers all that have a weight to speak of. */
  readonly low: readonly bigint[];
  readonly high: readonly bigint[];
  /** Enclosure of the whole sum, tail included. */
  readonly totalLow: bigint;
  readonly totalHigh: bigint;
}

const START_BITS = 11;

function borders(n: bigint, d: bigint, bits: number): Borders {
  const low = [0n];
  const high = [0n];
  for (let k = 0n; ; k++) {
    const weight = expNegative(k * k * n, d, bits);
    low.push((low.at(-1) as bigint) + weight.low);
    high.push((high.at(-1) as bigint) + weight.high);
    // Beyond k, a weight is at most e^−(2k+1)e ≤ e^−½ of the one before: the tail is below weight/(e^½ − 1) < 2·weight.
    if (weight.high <= 2n && 2n * (2n * k + 1n) * n >= d) {
      return {
        low,
        high,
        totalLow: low.at(-1) as bigint,
        totalHigh: (high.at(-1) as bigint) + 2n * weight.high,
      };
    }
  }
}

export function halfGaussianTable(n: bigint, d: bigint): HalfGaussianTable {
  // 96 bits: an enclosure of a border contains an integer about once in 2^55 tables.
  const exact = borders(n, d, 96);
  const floor = (a: bigint, b: bigint): number => {
    const value = (a << 32n) / b;
    return value >= 1n << 32n ? 2 ** 32 - 1 : Number(value);
  };
  const low = exact.low.map((sum) => floor(sum, exact.totalHigh));
  const high = exact.high.map((sum) => floor(sum, exact.totalLow));
  let last = 1;
  while ((high[last] as number) < 2 ** 32 - 1) last += 1;
  // c_0 = 0 is below every word; it must not look like a border.
  high[0] = -1;
  const starts = new Uint16Array(1 << START_BITS);
  for (let i = 0, k = 0; i < starts.length; i++) {
    while (k + 1 < last && (high[k + 1] as number) < i * 2 ** (32 - START_BITS)) k += 1;
    starts[i] = k;
  }
  return {
    n,
    d,
    starts,
    startShift: 32 - START_BITS,
    low: Float64Array.from(low.slice(0, last + 1)),
    high: Float64Array.from(high.slice(0, last + 1)),
  };
}

/** The index of U, whose first 32 bits are `word`, whatever it takes. */
export function resolveIndex(table: HalfGaussianTable, word: number, bits: RandomBits): number {
  let known = BigInt(word);
  for (let known32s = 1, precision = 96; ; known32s++, precision += 64) {
    known = (known << 32n) | BigInt(bits.word());
    const width = BigInt(32 * (known32s + 1));
    const { low, high, totalLow, totalHigh } = borders(table.n, table.d, precision);
    // U < c_k for certain: (known + 1)/2^width ≤ low_k/total; U ≥ c_k for certain: known/2^width ≥ high_k/total.
    let k = 0;
    while (k + 1 < low.length && known * totalLow >= (high[k + 1] as bigint) << width) k += 1;
    if (k + 1 < low.length && (known + 1n) * totalHigh <= (low[k + 1] as bigint) << width) return k;
  }
}
