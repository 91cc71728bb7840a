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

/** Bits by which an unreduced value may outgrow p: dividing is dear, multiplying by a small abscissa is not. */
const SLACK_BITS = 256;

/** How often a value may be multiplied by `factor` before it is reduced: 28 times for an abscissa of 9 bits. */
export function stepsUnreduced(factor: bigint): number {
  return Math.max(1, Math.floor(SLACK_BITS / factor.toString(2).length));
}

/**
 * Shamir (1979), written as RFC 9591, Appendix C.1: share(x) = polynomial(x), secret = polynomial(0), Horner's
 * rule, reduced once in stepsUnreduced(x).
 * @param coefficients lowest first; the first is the secret, their number is the threshold.
 */
export function evaluate(field: PrimeField, coefficients: readonly bigint[], x: number): bigint {
  const p = field.ORDER;
  const at = field.create(BigInt(x));
  const steps = stepsUnreduced(at);
  let value = 0n;
  let left = steps;
  for (let i = coefficients.length - 1; i >= 0; i--) {
    value = value * at + coefficients[i]!;
    if (--left === 0) {
      value %= p;
      left = steps;
    }
  }
  return value % p;
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
 *
 * Berrut & Trefethen (2004), "Barycentric Lagrange interpolation", (3.1) to (3.3):
 * weightᵢ = Πⱼ(target − xⱼ) / ((target − xᵢ) · Πⱼ≠ᵢ(xᵢ − xⱼ)).
 */
export function lagrangeWeights(field: PrimeField, xs: readonly number[], target = 0): bigint[] {
  assertAbscissae(field, xs);
  const p = field.ORDER;
  const distances = xs.map((x) => field.create(BigInt(target) - BigInt(x)));
  // At a shareholder's own place the formula is 0/0; the value there is that share.
  const own = distances.indexOf(0n);
  if (own >= 0) return xs.map((_, i) => (i === own ? 1n : 0n));
  const numerator = distances.reduce((product, distance) => (product * distance) % p, 1n);
  const denominators = nodeDerivatives(field, xs).map((d, i) => (d * distances[i]!) % p);
  return FpInvertBatch(field, denominators, true).map((inverse) => (numerator * inverse) % p);
}

/**
 * Πⱼ≠ᵢ(xᵢ − xⱼ) for every i: the derivative of Π(x − xⱼ) at xᵢ, in 0 … p − 1. The differences are small integers:
 * as many as 53 bits hold are multiplied as numbers, and the product of all is reduced once.
 */
export function nodeDerivatives(field: PrimeField, xs: readonly number[]): bigint[] {
  return xs.map((xi, i) => {
    let product = 1n;
    let small = 1;
    for (let j = 0; j < xs.length; j++) {
      if (j === i) continue;
      const difference = xi - xs[j]!;
      const next = small * difference;
      if (Number.isSafeInteger(next)) small = next;
      else {
        product *= BigInt(small);
        small = difference;
      }
    }
    return field.create(product * BigInt(small));
  });
}

/** Σ weightᵢ · shareᵢ, reduced once. */
export function interpolate(
  field: PrimeField,
  weights: readonly bigint[],
  shares: readonly bigint[],
): bigint {
  if (weights.length !== shares.length)
    throw new RangeError(`Shamir: ${weights.length} weights for ${shares.length} shares; give one a share`);
  let value = 0n;
  for (let i = 0; i < weights.length; i++) value += weights[i]! * shares[i]!;
  return field.create(value);
}

/**
 * The weights for the secret (target 0), computed once for every sequence of abscissae: all secrets of a round
 * that the same members answered for need one computation. It grows with the number of different sequences, so
 * it is made for one round and dropped with it.
 */
export class LagrangeCache {
  readonly #weights = new Map<string, readonly bigint[]>();

  constructor(readonly field: PrimeField = scalarField) {}

  /** lagrangeWeights(field, xs), in the order of `xs`. */
  weights(xs: readonly number[]): readonly bigint[] {
    const key = xs.join();
    let weights = this.#weights.get(key);
    if (weights === undefined) this.#weights.set(key, (weights = lagrangeWeights(this.field, xs)));
    return weights;
  }
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

/** Throws RangeError unless `xs` are integers ≥ 1, distinct and not 0 modulo p. */
export function assertAbscissae(field: PrimeField, xs: readonly number[]): void {
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
