import { sha256 } from '@noble/hashes/sha2.js';
import { hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRng } from '../../src/crypto/rng.js';
import {
  abscissa,
  completeGraph,
  dealers,
  graphDescriptor,
  neighbours,
  shareholders,
  shareThreshold,
} from '../../src/secagg/graph.js';
import { scalarBytes, scalarFrom } from '../../src/secagg/keys.js';
import {
  evaluate,
  interpolate,
  L,
  LagrangeCache,
  lagrangeWeights,
  nodeDerivatives,
  primeField,
  randomScalar,
  reconstruct,
  scalarField,
  split,
} from '../../src/secagg/shamir.js';
import { golden } from '../crypto/golden.js';

const seedOf = (text: string): Uint8Array => sha256(utf8ToBytes(text));

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

  it('RFC 9591, Appendix E.1 (Ed25519) and E.3 (ristretto255): both over GF(l), 2 of 3', () => {
    const cases = [
      {
        secret: '7b1c33d3f5291d85de664833beb1ad469f7fb6025a0ec78b3a790c6e13a98304',
        coefficient: '178199860edd8c62f5212ee91eff1295d0d670ab4ed4506866bae57e7030b204',
        shares: [
          '929dcc590407aae7d388761cddb0c0db6f5627aea8e217f4a033f2ec83d93509',
          'a91e66e012e4364ac9aaa405fcafd370402d9859f7b6685c07eed76bf409e80d',
          'd3cb090a075eb154e82fdb4b3cb507f110040905468bb9c46da8bdea643a9a02',
        ],
      },
      {
        secret: '1b25a55e463cfd15cf14a5d3acc3d15053f08da49c8afcf3ab265f2ebc4f970b',
        coefficient: '410f8b744b19325891d73736923525a4f596c805d060dfb9c98009d34e3fec02',
        shares: [
          '5c3430d391552f6e60ecdc093ff9f6f4488756aa6cebdbad75a768010b8f830e',
          'b06fc5eac20b4f6e1b271d9df2343d843e1e1fb03c4cbb673f2872d459ce6f01',
          'f17e505f0e2581c6acfe54d3846a622834b5e7b50cad9a2109a97ba7a80d5c04',
        ],
      },
    ];
    const scalar = (hex: string): bigint => scalarFrom(hexToBytes(hex))!;
    for (const { secret, coefficient, shares } of cases) {
      const ys = shares.map((share, i) => ({ x: i + 1, y: scalar(share) }));
      for (const { x, y } of ys)
        expect(evaluate(scalarField, [scalar(secret), scalar(coefficient)], x)).toBe(y);
      for (const [i, j] of [
        [0, 1],
        [0, 2],
        [2, 1],
      ] as const)
        expect(reconstruct(scalarField, [ys[i]!, ys[j]!], 2)).toBe(scalar(secret));
    }
  });

  it('lazy reduction gives what the field’s own operations give: any field, degree, abscissae, target', () => {
    const fields = [10_007n, 2n ** 61n - 1n, L, 2n ** 255n - 19n].map(primeField);
    fc.assert(
      fc.property(
        fc.constantFrom(...fields),
        fc.uniqueArray(
          fc.oneof(fc.integer({ min: 1, max: 600 }), fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })),
          { minLength: 1, maxLength: 40 },
        ),
        fc.array(fc.bigInt({ min: 0n, max: 2n ** 260n }), { minLength: 1, maxLength: 60 }),
        fc.oneof(fc.constant(0), fc.integer()),
        (field, candidates, large, target) => {
          const residues = candidates.map((x) => BigInt(x) % field.ORDER);
          const xs = candidates.filter((_, i) => residues[i] !== 0n && residues.indexOf(residues[i]!) === i);
          if (xs.length === 0) return;
          const coefficients = large.map((value) => field.create(value));
          const points = xs.map((x) => field.create(BigInt(x)));
          const at = field.create(BigInt(target));
          const ys = points.map((point) =>
            coefficients.reduceRight((value, c) => field.add(field.mul(value, point), c), field.ZERO),
          );
          expect(xs.map((x) => evaluate(field, coefficients, x))).toEqual(ys);
          const derivatives = points.map((xi, i) =>
            points.reduce(
              (product, xj, j) => (i === j ? product : field.mul(product, field.sub(xi, xj))),
              1n,
            ),
          );
          expect(nodeDerivatives(field, xs)).toEqual(derivatives);
          const weights = points.map((_, i) => {
            const numerator = points.reduce(
              (product, xj, j) => (i === j ? product : field.mul(product, field.sub(at, xj))),
              1n,
            );
            return field.div(numerator, derivatives[i]!);
          });
          expect(lagrangeWeights(field, xs, target)).toEqual(weights);
          const value = weights.reduce((sum, w, i) => field.add(sum, field.mul(w, ys[i]!)), field.ZERO);
          expect(interpolate(field, weights, ys)).toBe(value);
          if (coefficients.length <= xs.length) expect(value).toBe(evaluate(field, coefficients, target));
        },
      ),
    );
  });

  it('500 shareholders, threshold 334: any 334 of them have the secret, 333 do not', () => {
    const xs = Array.from({ length: 500 }, (_, i) => i + 1);
    const shares = split(1234n, 334, xs, seededRng(seedOf('many')));
    expect(reconstruct(scalarField, shares.slice(166), 334)).toBe(1234n);
    expect(reconstruct(scalarField, shares, 334)).toBe(1234n);
    // Positive control: one share fewer interpolates to something else.
    const few = shares.slice(0, 333);
    expect(reconstruct(scalarField, few, 333)).not.toBe(1234n);
  });

  it('the cache gives the weights of each sequence of abscissae, computed once', () => {
    const cache = new LagrangeCache();
    const first = cache.weights([1, 12, 3]);
    expect(first).toEqual(lagrangeWeights(scalarField, [1, 12, 3]));
    expect(cache.weights([1, 12, 3])).toBe(first);
    expect(cache.weights([3, 12, 1])).toEqual([...first].reverse());
    expect(cache.weights([1, 1, 23].slice(1))).toEqual(lagrangeWeights(scalarField, [1, 23]));
    expect(cache.weights([11, 23])).not.toEqual(cache.weights([1, 123]));
    expect(() => cache.weights([1, 1])).toThrow(RangeError);
    expect(() => interpolate(scalarField, first, [1n, 2n])).toThrow(RangeError);
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
    expect(neighbours(graph, 2)).toEqual([0, 4]);
    expect(shareholders(graph, 2)).toEqual([0, 2, 4]);
    expect(dealers(graph, 0)).toEqual([0, 2, 4]);
    expect(graph.threshold).toBe(3);
    expect(graphDescriptor(graph)).toBe('complete k=3 t=3');
    expect(abscissa(0)).toBe(1);
  });
});
