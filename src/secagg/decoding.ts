import { FpInvertBatch } from '@noble/curves/abstract/modular.js';
import { seededRng } from '../crypto/rng.js';
import {
  assertAbscissae,
  evaluate,
  interpolate,
  L,
  nodeDerivatives,
  randomScalar,
  type Share,
  scalarField,
  stepsUnreduced,
} from './shamir.js';

/**
 * Shares of one secret are a word of a generalized Reed–Solomon code over GF(l) (McEliece & Sarwate 1981, "On
 * sharing secrets and Reed–Solomon codes"): m shares of a polynomial of degree < t, of which any
 * ⌊(m − t)/2⌋ may be wrong and still be found (hazard S13).
 */
export interface Decoded {
  /** The polynomial at 0. */
  readonly secret: bigint;
  polynomialAt(x: number): bigint;
  /** Abscissae of the shares off the polynomial, in the order given; at most ⌊(m − t)/2⌋. */
  readonly wrong: readonly number[];
}

/** Coefficients in 0 … l − 1, lowest first, the last one not 0; the zero polynomial is empty. */
type Polynomial = readonly bigint[];

/**
 * Gao (2003), "A new algorithm for decoding Reed–Solomon codes", Algorithm 1: e wrong ones among m shares are
 * corrected where m ≥ t + 2e. Undefined when no polynomial of degree < t agrees with m − ⌊(m − t)/2⌋ shares or
 * more. With m < t + 2 nothing can be corrected, and with m = t every set of shares decodes. O(m²).
 *
 * Throws RangeError for fewer than t shares, a repeated abscissa, a share outside GF(l).
 */
export function decodeShares(shares: readonly Share[], threshold: number): Decoded | undefined {
  const m = shares.length;
  if (!Number.isInteger(threshold) || threshold < 1 || m < threshold)
    throw new RangeError(`Shamir: ${m} shares, threshold ${threshold}; give at least threshold ≥ 1 shares`);
  for (const { x, y } of shares)
    if (!scalarField.isValid(y)) throw new RangeError(`Shamir: the share at ${x} is not a field element`);
  const xs = shares.map(({ x }) => x);
  assertAbscissae(scalarField, xs);

  // Step 1: g0 vanishes at every abscissa, g1 goes through every share.
  let previous = vanishing(xs);
  let current = through(shares, previous);
  // Step 2: Euclid on (g0, g1) until the degree is below (m + t)/2; current = … · g0 + v · g1.
  let previousV: Polynomial = [];
  let v: Polynomial = [1n];
  while (2 * (current.length - 1) >= m + threshold) {
    const { quotient, remainder } = divide(previous, current);
    [previous, current] = [current, remainder];
    [previousV, v] = [v, subtract(previousV, multiply(quotient, v))];
  }
  // Step 3: the polynomial is current / v where that is exact and of degree < t.
  const { quotient: f, remainder } = divide(current, v);
  if (remainder.length > 0 || f.length > threshold) return undefined;

  const polynomialAt = (x: number): bigint => evaluate(scalarField, f, x);
  // y·v = current = f·v at every abscissa, so a share is off f only at a root of v, and v has at most
  // m − (m + t)/2 of them.
  const wrong = shares.filter(({ x, y }) => evaluate(scalarField, v, x) === 0n && polynomialAt(x) !== y);
  return { secret: f[0] ?? 0n, polynomialAt, wrong: wrong.map(({ x }) => x) };
}

/**
 * A random word of the dual code (MacWilliams & Sloane 1977, ch. 10, §8, Theorem 4): wᵢ = r(xᵢ)/Πⱼ≠ᵢ(xᵢ − xⱼ), r
 * uniform of degree < m − t, so that Σ wᵢ·yᵢ = 0 for every polynomial of degree < t. A set of shares off every
 * such polynomial passes for one r in l. One word serves all secrets with shares at `xs`.
 * @param seed 32 bytes; r's coefficients are randomScalar over seededRng(seed), lowest first. The shares must be
 * fixed before anyone who made them can know it, and it serves for nothing else.
 */
export function dualWord(xs: readonly number[], threshold: number, seed: Uint8Array): bigint[] {
  assertAbscissae(scalarField, xs);
  if (!Number.isInteger(threshold) || threshold < 1 || xs.length <= threshold)
    throw new RangeError(
      `dualWord: ${xs.length} shares, threshold ${threshold}; only more shares than the threshold can disagree`,
    );
  const rng = seededRng(seed);
  const r = Array.from({ length: xs.length - threshold }, () => randomScalar(rng));
  const inverses = FpInvertBatch(scalarField, nodeDerivatives(scalarField, xs), true);
  return inverses.map((inverse, i) => (evaluate(scalarField, r, xs[i]!) * inverse) % L);
}

/** Whether shares lie on one polynomial of degree < t, by a dual word of their abscissae, in the same order. */
export function areConsistent(ys: readonly bigint[], dual: readonly bigint[]): boolean {
  return interpolate(scalarField, dual, ys) === 0n;
}

/** Π(x − xᵢ). */
function vanishing(xs: readonly number[]): Polynomial {
  const steps = stepsUnreduced(BigInt(Math.max(...xs)));
  const product = [1n];
  for (const [i, x] of xs.entries()) {
    const root = BigInt(x);
    product.push(1n);
    for (let k = i; k > 0; k--) product[k] = product[k - 1]! - product[k]! * root;
    product[0]! *= -root;
    if (i % steps === 0) for (let k = 0; k <= i; k++) product[k]! %= L;
  }
  return reduced(product);
}

/**
 * The polynomial of degree < m through all shares: Σ sᵢ·g0/(x − xᵢ), sᵢ = yᵢ/g0′(xᵢ) (Lagrange). Dividing
 * g0(x) − g0(xᵢ) by x − xᵢ term by term gives its coefficient k as Σⱼ>ₖ g0ⱼ·Sⱼ₋₁₋ₖ with the power sums (syndromes)
 * Sₚ = Σ sᵢ·xᵢᵖ: almost all multiplications are by small abscissae.
 */
function through(shares: readonly Share[], g0: Polynomial): Polynomial {
  const xs = shares.map(({ x }) => x);
  const points = xs.map(BigInt);
  const inverses = FpInvertBatch(scalarField, nodeDerivatives(scalarField, xs), true);
  const terms = shares.map(({ y }, i) => (y * inverses[i]!) % L);
  const steps = stepsUnreduced(BigInt(Math.max(...xs)));
  const sums = xs.map((_, p) => {
    let sum = 0n;
    for (const [i, term] of terms.entries()) {
      sum += term;
      terms[i] = p % steps === 0 ? (term * points[i]!) % L : term * points[i]!;
    }
    return sum % L;
  });
  return reduced(
    sums.map((_, k) => {
      let coefficient = 0n;
      for (let j = k + 1; j < g0.length; j++) coefficient += g0[j]! * sums[j - 1 - k]!;
      return coefficient;
    }),
  );
}

function multiply(a: Polynomial, b: Polynomial): Polynomial {
  if (a.length === 0 || b.length === 0) return [];
  const product = new Array<bigint>(a.length + b.length - 1).fill(0n);
  for (const [i, ai] of a.entries()) for (const [j, bj] of b.entries()) product[i + j]! += ai * bj;
  return reduced(product);
}

function subtract(a: Polynomial, b: Polynomial): Polynomial {
  const length = Math.max(a.length, b.length);
  return reduced(Array.from({ length }, (_, k) => (a[k] ?? 0n) - (b[k] ?? 0n)));
}

/** a = quotient·b + remainder, deg remainder < deg b; b is not zero. */
function divide(a: Polynomial, b: Polynomial): { quotient: Polynomial; remainder: Polynomial } {
  const top = b.length - 1;
  const inverse = scalarField.inv(b[top]!);
  const rest = [...a];
  const quotient = new Array<bigint>(Math.max(0, a.length - top)).fill(0n);
  for (let k = quotient.length - 1; k >= 0; k--) {
    const factor = scalarField.create(rest[k + top]! * inverse);
    quotient[k] = factor;
    for (let j = 0; j <= top; j++) rest[k + j]! -= factor * b[j]!;
  }
  return { quotient: reduced(quotient), remainder: reduced(rest.slice(0, top)) };
}

/** Every coefficient modulo l, leading zeros gone. */
function reduced(coefficients: readonly bigint[]): Polynomial {
  const polynomial = coefficients.map((coefficient) => scalarField.create(coefficient));
  while (polynomial.at(-1) === 0n) polynomial.pop();
  return polynomial;
}
