import { sha256 } from '@noble/hashes/sha2.js';
import { utf8ToBytes } from '@noble/hashes/utils.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRng } from '../../src/crypto/rng.js';
import { areConsistent, decodeShares, dualWord } from '../../src/secagg/decoding.js';
import {
  evaluate,
  L,
  nodeDerivatives,
  randomScalar,
  reconstruct,
  type Share,
  scalarField,
} from '../../src/secagg/shamir.js';

const seedOf = (text: string): Uint8Array => sha256(utf8ToBytes(text));
const seeds = fc.uint8Array({ minLength: 32, maxLength: 32 });

/** A polynomial of degree < t with random coefficients, m shares of it at distinct abscissae in no order. */
function dealt(seed: Uint8Array, t: number, m: number): { coefficients: bigint[]; shares: Share[] } {
  const rng = seededRng(seed);
  const coefficients = Array.from({ length: t }, () => randomScalar(rng));
  const order = Array.from({ length: 2 * m }, (_, i) => i + 1)
    .map((x) => ({ x, rank: randomScalar(rng) }))
    .sort((a, b) => (a.rank < b.rank ? -1 : 1));
  const shares = order.slice(0, m).map(({ x }) => ({ x, y: evaluate(scalarField, coefficients, x) }));
  return { coefficients, shares };
}

/** The first `e` shares with another value; `shares` come in random order. */
function spoiled(shares: readonly Share[], e: number, seed: Uint8Array): Share[] {
  const rng = seededRng(sha256(seed));
  return shares.map(({ x, y }, i) => ({ x, y: i < e ? (y + 1n + (randomScalar(rng) % (L - 1n))) % L : y }));
}

describe('decoding shares', () => {
  it('hazard S13: every number of wrong shares up to ⌊(m − t)/2⌋ is corrected and named exactly', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12 }), fc.nat({ max: 11 }), seeds, (t, extra, seed) => {
        const m = t + extra;
        const { coefficients, shares } = dealt(seed, t, m);
        for (let e = 0; e <= Math.floor((m - t) / 2); e++) {
          const received = spoiled(shares, e, seed);
          const decoded = decodeShares(received, t);
          expect(decoded?.secret).toBe(coefficients[0]);
          expect(decoded!.wrong).toEqual(received.slice(0, e).map(({ x }) => x));
          for (const x of [0, 1, 1000])
            expect(decoded!.polynomialAt(x)).toBe(evaluate(scalarField, coefficients, x));
        }
      }),
    );
  });

  it('positive control: interpolating the first t shares gives a wrong secret where the decoder gives the right one', () => {
    const { coefficients, shares } = dealt(seedOf('control'), 5, 9);
    const received = spoiled(shares, 2, seedOf('control'));
    expect(reconstruct(scalarField, received.slice(0, 5), 5)).not.toBe(coefficients[0]);
    expect(reconstruct(scalarField, received, 5)).not.toBe(coefficients[0]);
    expect(decodeShares(received, 5)!.secret).toBe(coefficients[0]);
  });

  it('with more wrong shares than that, nothing decodes, or a polynomial that so many shares agree with', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 10 }),
        fc.integer({ min: 1, max: 9 }),
        fc.nat({ max: 20 }),
        seeds,
        (t, extra, beyond, seed) => {
          const m = t + extra;
          const bound = Math.floor(extra / 2);
          const e = Math.min(m, bound + 1 + beyond);
          const { shares } = dealt(seed, t, m);
          // Values of no pattern agree with no polynomial of degree < t beyond t places.
          expect(decodeShares(spoiled(shares, e, seed), t)).toBeUndefined();
        },
      ),
    );
  });

  it('liars in league win only when m − ⌊(m − t)/2⌋ shares fit their polynomial: then no decoder could tell', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 8 }), seeds, (t, extra, seed) => {
        const m = t + extra;
        const bound = Math.floor(extra / 2);
        const { coefficients, shares } = dealt(seed, t, m);
        const other = coefficients.map((c, i) => (c + BigInt(i) + 1n) % L);
        for (let e = bound + 1; e <= m; e++) {
          const received = shares.map(({ x, y }, i) => ({
            x,
            y: i < e ? evaluate(scalarField, other, x) : y,
          }));
          const decoded = decodeShares(received, t);
          const off = received.filter(({ x, y }) => evaluate(scalarField, other, x) !== y).map(({ x }) => x);
          if (off.length <= bound) {
            expect(decoded?.secret).toBe(other[0]);
            expect(decoded!.wrong).toEqual(off);
          } else if (decoded !== undefined) {
            // The two polynomials may meet at an abscissa: whatever is given, at most `bound` shares are off it.
            const wrong = received.filter(({ x, y }) => decoded.polynomialAt(x) !== y);
            expect(wrong.length).toBeLessThanOrEqual(bound);
            expect(decoded.wrong).toEqual(wrong.map(({ x }) => x));
          }
        }
      }),
    );
  });

  it('structured secrets and errors: zero and constant polynomials, a wrong share of zero', () => {
    for (const coefficients of [[0n], [7n], [0n, 0n, 0n], [0n, 0n, L - 1n], [5n, 0n, 0n]]) {
      const t = coefficients.length;
      const shares = Array.from({ length: t + 4 }, (_, i) => ({
        x: i + 1,
        y: evaluate(scalarField, coefficients, i + 1),
      }));
      expect(decodeShares(shares, t)).toMatchObject({ secret: coefficients[0], wrong: [] });
      const received = shares.map(({ x, y }) => ({ x, y: x === 2 || x === 4 ? (y === 0n ? 1n : 0n) : y }));
      expect(decodeShares(received, t)).toMatchObject({ secret: coefficients[0], wrong: [2, 4] });
    }
  });

  it('300 shareholders, threshold 243: 28 wrong shares are corrected, 29 are not', () => {
    const { coefficients, shares } = dealt(seedOf('large'), 243, 300);
    const decoded = decodeShares(spoiled(shares, 28, seedOf('large')), 243)!;
    expect(decoded.secret).toBe(coefficients[0]);
    expect(decoded.wrong).toEqual(shares.slice(0, 28).map(({ x }) => x));
    expect(decodeShares(spoiled(shares, 29, seedOf('large')), 243)).toBeUndefined();
  });

  it('refuses too few shares, repeated abscissae, values outside the field', () => {
    const share = (x: number, y = 1n): Share => ({ x, y });
    expect(() => decodeShares([share(1)], 2)).toThrow(RangeError);
    expect(() => decodeShares([], 0)).toThrow(RangeError);
    expect(() => decodeShares([share(1), share(1)], 1)).toThrow(RangeError);
    expect(() => decodeShares([share(0), share(1)], 1)).toThrow(RangeError);
    expect(() => decodeShares([share(1, L), share(2)], 1)).toThrow(RangeError);
  });
});

describe('dual words', () => {
  it('accept the shares of every polynomial of degree < t, and no set that lies on none', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 10 }),
        fc.nat({ max: 21 }),
        seeds,
        (t, extra, e, seed) => {
          const { shares } = dealt(seed, t, t + extra);
          const dual = dualWord(
            shares.map(({ x }) => x),
            t,
            sha256(seed),
          );
          const ys = (received: readonly Share[]): bigint[] => received.map(({ y }) => y);
          expect(areConsistent(ys(shares), dual)).toBe(true);
          expect(areConsistent(ys(spoiled(shares, 1 + e, seed)), dual)).toBe(false);
        },
      ),
    );
  });

  it('refuse the shares of a polynomial of one degree more', () => {
    const { shares } = dealt(seedOf('degree'), 6, 9);
    const xs = shares.map(({ x }) => x);
    const ys = shares.map(({ y }) => y);
    expect(areConsistent(ys, dualWord(xs, 5, seedOf('seed')))).toBe(false);
    expect(areConsistent(ys, dualWord(xs, 6, seedOf('seed')))).toBe(true);
  });

  it('positive control: who knows the seed can make two wrong shares cancel; another seed catches them', () => {
    const { shares } = dealt(seedOf('known'), 4, 8);
    const xs = shares.map(({ x }) => x);
    const known = dualWord(xs, 4, seedOf('known seed'));
    const ys = shares.map(({ y }) => y);
    ys[0] = (ys[0]! + known[1]!) % L;
    ys[1] = (ys[1]! + L - known[0]!) % L;
    expect(areConsistent(ys, known)).toBe(true);
    expect(areConsistent(ys, dualWord(xs, 4, seedOf('unknown seed')))).toBe(false);
  });

  it('come from the seed alone: r is randomScalar over seededRng(seed), lowest coefficient first', () => {
    const xs = [3, 1, 4, 15, 9];
    const seed = seedOf('word');
    const rng = seededRng(seed);
    const r = [randomScalar(rng), randomScalar(rng)];
    const derivatives = nodeDerivatives(scalarField, xs);
    const word = dualWord(xs, 3, seed);
    for (const [i, x] of xs.entries())
      expect((word[i]! * derivatives[i]!) % L).toBe(evaluate(scalarField, r, x));
    expect(dualWord(xs, 3, seedOf('another'))).not.toEqual(word);
  });

  it('refuse a threshold at which every set of shares is consistent, repeated abscissae, a short seed', () => {
    expect(() => dualWord([1, 2, 3], 3, seedOf('x'))).toThrow(RangeError);
    expect(() => dualWord([1, 2, 3], 0, seedOf('x'))).toThrow(RangeError);
    expect(() => dualWord([1, 2, 2], 2, seedOf('x'))).toThrow(RangeError);
    expect(() => dualWord([1, 2, 3], 2, new Uint8Array(16))).toThrow(RangeError);
    expect(() => areConsistent([1n], dualWord([1, 2, 3], 2, seedOf('x')))).toThrow(RangeError);
  });
});
