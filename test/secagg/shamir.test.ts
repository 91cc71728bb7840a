import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRng } from '../../src/crypto/rng.js';
import { abscissa, completeGraph, shareThreshold } from '../../src/secagg/graph.js';
import { scalarBytes, scalarFrom } from '../../src/secagg/keys.js';
import {
  evaluate,
  interpolate,
  L,
  lagrangeWeights,
  primeField,
  randomScalar,
  reconstruct,
  scalarField,
  split,
} from '../../src/secagg/shamir.js';
import { golden } from '../crypto/golden.js';
import { seedOf } from './choir.js';

interface GoldenCase {
  readonly id: string;
  readonly prime: string;
  readonly threshold: number;
  readonly shares: readonly { x: string; y: string }[];
  readonly expected?: 'reject';
  readonly coefficients?: readonly string[];
  readonly subset?: readonly string[];
  readonly secret?: string;
  readonly interpolationOfTooFew?: string | null;
}
const vectors = golden<{ cases: readonly GoldenCase[] }>('shamir.json');

describe('Shamir over a prime field', () => {
  it.skipIf(vectors === undefined)('published vectors: shares, reconstruction, too few, malformed', () => {
    for (const test of vectors!.cases) {
      const field = primeField(BigInt(test.prime));
      const shares = test.shares.map(({ x, y }) => ({ x: Number(x), y: BigInt(y) }));
      if (test.expected === 'reject') {
        expect(() => reconstruct(field, shares, test.threshold), test.id).toThrow(RangeError);
        continue;
      }
      const coefficients = test.coefficients!.map(BigInt);
      for (const { x, y } of shares) expect(evaluate(field, coefficients, x), test.id).toBe(y);
      const subset = test.subset!.map((x) => shares.find((share) => share.x === Number(x))!);
      expect(reconstruct(field, subset, test.threshold), test.id).toBe(BigInt(test.secret!));
      if (test.interpolationOfTooFew != null) {
        const few = shares.slice(0, test.threshold - 1);
        expect(reconstruct(field, few, few.length), test.id).toBe(BigInt(test.interpolationOfTooFew));
        expect(() => reconstruct(field, few, test.threshold), test.id).toThrow(RangeError);
      }
    }
    expect(vectors!.cases.length).toBeGreaterThan(30);
  });

  it('any t of n shares give the secret, in any order', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 0n, max: L - 1n }),
        fc.integer({ min: 1, max: 8 }),
        fc.integer({ min: 0, max: 4 }),
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        (secret, threshold, extra, seed) => {
          const xs = Array.from({ length: threshold + extra }, (_, i) => 3 * i + 1);
          const shares = split(secret, threshold, xs, seededRng(seed));
          const chosen = [...shares].reverse().slice(0, threshold);
          expect(reconstruct(scalarField, chosen, threshold)).toBe(secret);
          expect(reconstruct(scalarField, shares, threshold)).toBe(secret);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('t − 1 shares fit every secret: the missing one can make it anything', () => {
    const shares = split(42n, 3, [1, 2, 3], seededRng(seedOf('split')));
    for (const claimed of [0n, 1n, L - 1n]) {
      // The polynomial through (0, claimed) and two shares always exists: interpolate it at 3 and go back.
      const weights = lagrangeWeights(scalarField, [1, 2, 4], 0);
      const partial = interpolate(scalarField, weights.slice(0, 2), [shares[0]!.y, shares[1]!.y]);
      const y = scalarField.div(scalarField.sub(claimed, partial), weights[2]!);
      const forged = [shares[0]!, shares[1]!, { x: 4, y }];
      expect(reconstruct(scalarField, forged, 3)).toBe(claimed);
    }
  });

  it('weights at a share’s own place give that share', () => {
    const shares = split(7n, 4, [1, 2, 5, 9], seededRng(seedOf('split')));
    const weights = lagrangeWeights(scalarField, [1, 2, 5, 9], 5);
    expect(
      interpolate(
        scalarField,
        weights,
        shares.map(({ y }) => y),
      ),
    ).toBe(shares[2]!.y);
  });

  it('refuses a threshold above the number of shares, below one, a secret outside the field', () => {
    const rng = seededRng(seedOf('x'));
    expect(() => split(1n, 3, [1, 2], rng)).toThrow(RangeError);
    expect(() => split(1n, 0, [1, 2], rng)).toThrow(RangeError);
    expect(() => split(L, 2, [1, 2], rng)).toThrow(RangeError);
    expect(() => split(1n, 2, [0, 2], rng)).toThrow(RangeError);
    expect(() => split(1n, 2, [2, 2], rng)).toThrow(RangeError);
    expect(() => reconstruct(scalarField, [], 0)).toThrow(RangeError);
  });

  it('scalars are 32 canonical little-endian bytes', () => {
    expect(scalarFrom(scalarBytes(L - 1n))).toBe(L - 1n);
    expect([...scalarBytes(258n)].slice(0, 3)).toEqual([2, 1, 0]);
    const order = scalarBytes(L - 1n).slice();
    order[0]! += 1; // L itself: its low byte does not carry
    expect(scalarFrom(order)).toBeUndefined();
    expect(scalarFrom(new Uint8Array(32).fill(255))).toBeUndefined();
    expect(scalarFrom(new Uint8Array(31))).toBeUndefined();
  });

  it('hazard S23: random roots use the whole field (252 bits), not a short seed', () => {
    const rng = seededRng(seedOf('roots'));
    const roots = Array.from({ length: 400 }, () => randomScalar(rng));
    expect(new Set(roots).size).toBe(400);
    for (let bit = 0n; bit < 252n; bit++) {
      const ones = roots.filter((root) => (root >> bit) & 1n).length;
      // Binomial(400, 1/2): 7 standard deviations, false alarm below 1e-9 over all bits.
      expect(Math.abs(ones - 200), `bit ${bit}`).toBeLessThan(70);
    }
  });
});

describe('threshold and graph', () => {
  it('is ⌈2k/3⌉, or more where colluders ask for it: 3 tolerate none, 4 one, 6 two', () => {
    expect([3, 4, 5, 6, 8, 10, 12].map((k) => shareThreshold(k, 1))).toEqual([3, 3, 4, 4, 6, 7, 8]);
    expect(shareThreshold(8, 5)).toBe(7);
  });

  it('hazard S3: 2t > k + colluders for every k and every number of colluders', () => {
    for (let k = 3; k <= 64; k++)
      for (let colluders = 1; colluders <= k - 2; colluders++) {
        const t = shareThreshold(k, colluders);
        expect(2 * t).toBeGreaterThan(k + colluders);
        expect(t).toBeLessThanOrEqual(k);
      }
  });

  it('the complete graph: all are neighbours, everyone its own shareholder, places from 1', () => {
    const graph = completeGraph([4, 0, 2], 1);
    expect(graph.neighbours(2)).toEqual([0, 4]);
    expect(graph.shareholders(2)).toEqual([0, 2, 4]);
    expect(graph.dealers(0)).toEqual([0, 2, 4]);
    expect(graph.threshold).toBe(3);
    expect(graph.descriptor).toBe('complete k=3 t=3');
    expect(abscissa(0)).toBe(1);
  });
});
