/** e^−x in fixed point, with a proof of its error: what makes a lazily refined comparison exact. */

/** value·2^bits lies in [low, high]. */
export interface Interval {
  readonly low: bigint;
  readonly high: bigint;
}

const GUARD_BITS = 64;

/**
 * Encloses exp(−n/d)·2^bits, n/d ≥ 0, to within two units.
 *
 * With u = 2^-(bits + 64): y = ⌊x/u⌋u and its shift by r each lose less than u; the Taylor terms of e^−y, y ≤ 2^-8, lose less
 * than u each and stop when they are 0, so that N terms err by less than (N + 2)u with truncation; each of the r squarings of a
 * number ≤ 1 doubles the error and adds u (and the next orders, below u). Total: below (N + 4)·2^(r+1)·u.
 */
export function expNegative(n: bigint, d: bigint, bits: number): Interval {
  // e^−x < 2^-bits once x ≥ bits·log 2; log 2 < 0.6932.
  if (n * 10_000n >= BigInt(bits) * 6932n * d) return { low: 0n, high: 1n };
  const precision = BigInt(bits + GUARD_BITS);
  const one = 1n << precision;
  const whole = (n / d).toString(2).length;
  const r = BigInt(whole + 8);
  const y = ((n << precision) / d) >> r;
  let sum = one;
  let term = one;
  let terms = 0n;
  while (term !== 0n) {
    terms += 1n;
    term = ((term * y) >> precision) / terms;
    sum += terms % 2n === 1n ? -term : term;
  }
  for (let i = 0n; i < r; i++) sum = (sum * sum) >> precision;
  const error = (terms + 4n) << (r + 1n);
  const guard = BigInt(GUARD_BITS);
  const low = (sum - error) >> guard;
  return { low: low > 0n ? low : 0n, high: ((sum + error) >> guard) + 1n };
}
