import { Field, FpInvertBatch, type IField } from '@noble/curves/abstract/modular.js';
import { bytesToNumberLE } from '@noble/curves/utils.js';
import type { Rng } from '../crypto/rng.js';

/** A prime field with little-endian encodings. */
export type PrimeField = IField<bigint>;

export function primeField(prime: bigint): PrimeField {
  return Field(prime, { isLE: true });
}

/** l = 2^252 + 27742317777372353535851937790883648493, the order of the Ed25519 base point (RFC 8032, 5.1). */
export const L = 2n ** 252n + 27742317777372353535851937790883648493n;

/** GF(l): 32-byte canonical little-endian elements, the field of every share in this protocol. */
export const scalarField: PrimeField = primeField(L);
export const SCALAR_BYTES = 32;

/**
 * A uniform element of GF(l): 512 bits reduced modulo l, a bias below 2^-259 (RFC 9591, 6.1's wide reduction).
 * Big integers take time that depends on values; shares are computed on the member's own machine only.
 */
export function randomScalar(rng: Rng): bigint {
  return bytesToNumberLE(rng(64)) % L;
}

export interface Share {
  /** The shareholder's abscissa, ≥ 1. */
  readonly x: number;
  readonly y: bigint;
}

/**
 * Shamir (1979), written as RFC 9591, Appendix C.1: share(x) = polynomial(x), secret = polynomial(0), Horner's rule.
 * @param coefficients lowest first; the first is the secret, their number is the threshold.
 */
export function evaluate(field: PrimeField, coefficients: readonly bigint[], x: number): bigint {
  const at = field.create(BigInt(x));
  let value = field.ZERO;
  for (let i = coefficients.length - 1; i >= 0; i--)
    value = field.add(field.mul(value, at), coefficients[i]!);
  return value;
}

/** Splits `secret` so that any `threshold` of the shares at `xs` give it back and fewer tell nothing. */
export function split(secret: bigint, threshold: number, xs: readonly number[], rng: Rng): Share[] {
  assertAbscissae(scalarField, xs);
  if (!Number.isInteger(threshold) || threshold < 1 || threshold > xs.length)
    throw new RangeError(`Shamir: threshold ${threshold} of ${xs.length} shares`);
  if (!scalarField.isValid(secret)) throw new RangeError('Shamir: the secret is not a field element');
  const coefficients = [secret];
  while (coefficients.length < threshold) coefficients.push(randomScalar(rng));
  return xs.map((x) => ({ x, y: evaluate(scalarField, coefficients, x) }));
}

/**
 * The Lagrange weights for the value at `target`: Σ weightᵢ · polynomial(xᵢ) (RFC 9591, 4.2 for target 0). They
 * depend on the set of shareholders alone, so one inversion serves every secret of a round.
 */
export function lagrangeWeights(field: PrimeField, xs: readonly number[], target = 0): bigint[] {
  assertAbscissae(field, xs);
  const points = xs.map((x) => field.create(BigInt(x)));
  const at = field.create(BigInt(target));
  const numerators: bigint[] = [];
  const denominators: bigint[] = [];
  for (const [i, xi] of points.entries()) {
    let numerator = field.ONE;
    let denominator = field.ONE;
    for (const [j, xj] of points.entries()) {
      if (i === j) continue;
      numerator = field.mul(numerator, field.sub(at, xj));
      denominator = field.mul(denominator, field.sub(xi, xj));
    }
    numerators.push(numerator);
    denominators.push(denominator);
  }
  const inverses = FpInvertBatch(field, denominators, true);
  return numerators.map((numerator, i) => field.mul(numerator, inverses[i]!));
}

/** Σ weightᵢ · shareᵢ. */
export function interpolate(
  field: PrimeField,
  weights: readonly bigint[],
  shares: readonly bigint[],
): bigint {
  let value = field.ZERO;
  for (const [i, weight] of weights.entries()) value = field.add(value, field.mul(weight, shares[i]!));
  return value;
}

/** The secret from all of the shares given: `threshold` or more of them, at distinct abscissae ≥ 1. */
export function reconstruct(field: PrimeField, shares: readonly Share[], threshold: number): bigint {
  if (shares.length < threshold)
    throw new RangeError(`Shamir: ${shares.length} shares, ${threshold} are needed`);
  for (const { y } of shares)
    if (!field.isValid(y)) throw new RangeError('Shamir: a share is not a field element');
  const weights = lagrangeWeights(
    field,
    shares.map(({ x }) => x),
  );
  return interpolate(
    field,
    weights,
    shares.map(({ y }) => y),
  );
}

function assertAbscissae(field: PrimeField, xs: readonly number[]): void {
  if (xs.length === 0) throw new RangeError('Shamir: no shares');
  const seen = new Set<bigint>();
  for (const x of xs) {
    if (!Number.isSafeInteger(x) || x < 1) throw new RangeError(`Shamir: ${x} is not an abscissa (≥ 1)`);
    const point = BigInt(x) % field.ORDER;
    if (point === 0n || seen.has(point))
      throw new RangeError(`Shamir: abscissa ${x} repeats or is 0 modulo p`);
    seen.add(point);
  }
}
