import { parseRational, toNumber } from './rational.js';
import type { SumEncoding } from './sumQuery.js';

export const MIN_MODULUS_BITS = 8;
export const MAX_MODULUS_BITS = 32;
/** Probability that any coordinate of one round wraps: at most 2^-40. */
const WRAP_PROBABILITY_LOG2 = -40;

/** Relative error of a handful of double operations, with room; always taken to the safe side. */
export const UP = 1 + 2 ** -48;

/**
 * How far the noise of `members` shares may reach, ring steps: P(any of d coordinates beyond) ≤ 2^-40. With
 * θ(z) = Σ_j e^(−(j−z)²/2v), largest at z = 0, a discrete Gaussian Y has E e^(tY) = e^(t²v/2)·θ(tv)/θ(0) ≤ e^(t²v/2):
 * sub-Gaussian (Canonne, Kamath, Steinke 2020, §3), so a sum of n of them leaves ± x with probability at most
 * 2e^(−x²/2nv).
 */
export function noiseReach(
  shareVariance: SumEncoding['shareVariance'],
  members: number,
  dimension: number,
): number {
  const variance = toNumber(parseRational(shareVariance));
  const logTail = Math.log(2 * dimension) - WRAP_PROBABILITY_LOG2 * Math.LN2;
  return Math.ceil(Math.sqrt(2 * members * variance * logTail) * UP);
}

/**
 * The fewest bits whose centred range, −2^(b−1) … 2^(b−1) − 1, holds every clamped sum and its noise, but for a
 * probability of 2^-40 a round (hazards S21, P12). Infinity where nothing would.
 */
export function modulusBitsNeeded(
  encoding: Pick<SumEncoding, 'maxCoordinate' | 'shareVariance'>,
  members: number,
  dimension: number,
): number {
  const reach = members * encoding.maxCoordinate + noiseReach(encoding.shareVariance, members, dimension);
  // Integers below 2^53 are exact here; beyond them any answer is far over the 32 bits that there are.
  for (let bits = MIN_MODULUS_BITS; bits <= 64; bits++) if (reach <= 2 ** (bits - 1) - 1) return bits;
  return Number.POSITIVE_INFINITY;
}
