import { PrivacyError } from './errors.js';
import type { Rational } from './events.js';

/** A rational in lowest terms, denominator > 0. */
export interface Fraction {
  readonly n: bigint;
  readonly d: bigint;
}

/** 60 digits hold every variance that fits a 32-bit ring with room to spare, and keep 1/x inside a double's range. */
const MAX_DIGITS = 60;
const INTEGER = /^(0|-?[1-9][0-9]*)$/;

function gcd(a: bigint, b: bigint): bigint {
  while (b !== 0n) [a, b] = [b, a % b];
  return a < 0n ? -a : a;
}

export function fraction(n: bigint, d: bigint): Fraction {
  if (d <= 0n) throw new PrivacyError('argument-invalid', `a denominator must be positive, got ${d}`);
  const common = gcd(n, d);
  return common > 1n ? { n: n / common, d: d / common } : { n, d };
}

export function isRational(value: unknown): value is Rational {
  if (typeof value !== 'object' || value === null) return false;
  const { numerator, denominator, ...rest } = value as Record<string, unknown>;
  const integer = (x: unknown): x is string =>
    typeof x === 'string' && x.length <= MAX_DIGITS && INTEGER.test(x);
  return (
    integer(numerator) && integer(denominator) && BigInt(denominator) > 0n && Object.keys(rest).length === 0
  );
}

/** Throws `argument-invalid` unless both parts are decimal integers of at most 60 digits, denominator positive. */
export function parseRational(value: Rational): Fraction {
  if (!isRational(value)) {
    throw new PrivacyError(
      'argument-invalid',
      'a rational is two decimal integers of at most 60 digits, denominator positive',
    );
  }
  return fraction(BigInt(value.numerator), BigInt(value.denominator));
}

export function toRational(value: Fraction): Rational {
  return { numerator: value.n.toString(), denominator: value.d.toString() };
}

/**
 * The nearest doubles' quotient, within a relative 2^-51: Number(BigInt) rounds to nearest (ECMA-262 §21.2.1), so
 * there are three roundings.
 */
export function toNumber(value: Fraction): number {
  return Number(value.n) / Number(value.d);
}
