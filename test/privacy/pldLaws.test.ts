import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { composeLosses } from '../../src/privacy/accountants/pld/composition.js';
import { transform, transformError } from '../../src/privacy/accountants/pld/fourier.js';
import type { LossTerm } from '../../src/privacy/accountants/pld/grid.js';
import { deltaAt, epsilonAbove, epsilonBelow } from '../../src/privacy/accountants/pld/latticeCurve.js';
import {
  gaussianPair,
  type LossPair,
  laplacePair,
  noTails,
  randomizedResponsePair,
  sampledAddPair,
  sampledRemovePair,
  sampledReplacePair,
} from '../../src/privacy/accountants/pld/lossPair.js';
import { scaledNormalTail } from '../../src/privacy/accountants/pld/normal.js';
import { deltaOf, deltaOfLaw, discretized, nearestLaw } from './pldLossPairs.js';
import { MILLS } from './vectors.js';

const PAIRS: readonly (readonly [string, LossPair])[] = [
  ['Gaussian, σ = 1', gaussianPair(1)],
  ['Gaussian, σ = 0.2', gaussianPair(0.2)],
  ['Gaussian, σ = 40', gaussianPair(40)],
  ['Laplace, b = 1', laplacePair(1)],
  ['Laplace, b = 20', laplacePair(20)],
  ['randomized response, 2 values', randomizedResponsePair(0.5, 2)],
  ['randomized response, 10 values', randomizedResponsePair(0.8, 10)],
  ['sampled Gaussian, record in', sampledRemovePair(gaussianPair(1), 0.01)],
  ['sampled Gaussian, record out', sampledAddPair(gaussianPair(1), 0.01)],
  ['sampled Gaussian, little noise', sampledRemovePair(gaussianPair(0.3), 1e-4)],
  ['sampled Gaussian, rate near 1, record out', sampledAddPair(gaussianPair(0.3), 1 - 1e-9)],
  ['sampled Gaussian, replace-one', sampledReplacePair(gaussianPair(0.5), 0.1)],
  ['sampled Laplace', sampledRemovePair(laplacePair(0.5), 0.1)],
];

const sum = (masses: Float64Array): number => masses.reduce((a, b) => a + b, 0);

describe('loss pairs', () => {
  test.each(MILLS)('Mills’ ratio at %d', (x, ratio) => {
    expect(scaledNormalTail(x) * Math.sqrt(2 * Math.PI)).toBeCloseTo(ratio, 14);
    expect((scaledNormalTail(x) * Math.sqrt(2 * Math.PI)) / ratio - 1).toBeCloseTo(0, 14);
  });

  test.each(PAIRS)('%s: tails are those of one law, and e^x·Q is what it says', (_, pair) => {
    const tails = noTails();
    let last = { p: 1, q: 1 };
    for (let x = -6; x <= 6; x += 0.01) {
      pair.tails(x, tails);
      expect(tails.pAbove + tails.pBelow).toBeCloseTo(1, 13);
      expect(tails.qAbove + tails.qBelow).toBeCloseTo(1, 13);
      expect(tails.scaledAbove).toBeLessThanOrEqual(tails.pAbove * (1 + 1e-13));
      expect(tails.scaledAbove).toBeCloseTo(Math.exp(x) * tails.qAbove, 11);
      expect(tails.pAbove).toBeLessThanOrEqual(last.p * (1 + 1e-13));
      expect(tails.qAbove).toBeLessThanOrEqual(last.q * (1 + 1e-13));
      last = { p: tails.pAbove, q: tails.qAbove };
    }
  });

  test.each(PAIRS)('%s: dP/dQ = e^loss, cell by cell', (_, pair) => {
    const [left, right] = [noTails(), noTails()];
    for (let x = -3; x <= 3; x += 0.05) {
      pair.tails(x, left);
      pair.tails(x + 0.05, right);
      const p = right.pBelow - left.pBelow;
      const q = right.qBelow - left.qBelow;
      expect(p).toBeGreaterThanOrEqual(Math.exp(x) * q - 1e-14);
      expect(p).toBeLessThanOrEqual(Math.exp(x + 0.05) * q + 1e-14);
    }
  });

  test('a rate within 10^-12 of 1: the largest loss of a record that is out is −log(1 − q), and its neighbourhood is right', () => {
    const rate = 1 - 1e-12;
    const pair = sampledAddPair(gaussianPair(0.1), rate);
    expect(pair.highest).toBeCloseTo(-Math.log(1 - rate), 12);
    const tails = noTails();
    // ℓ ~ N(50, 100) under P; L > x where e^−ℓ < e^−x − (1 − q).
    for (const below of [1e-3, 0.1, 1]) {
      const x = pair.highest - below;
      const threshold = -Math.log((1 - rate) * Math.expm1(below));
      const expected = noTails();
      gaussianPair(0.1).tails(threshold, expected);
      pair.tails(x, tails);
      expect(tails.pAbove / expected.pAbove - 1).toBeCloseTo(0, 9);
    }
  });

  test('Laplace noise on several coordinates costs less than on one that moves as far', () => {
    // The product of two pairs of half the shift, by quadrature over the first's loss.
    const half = laplacePair(2);
    const tails = noTails();
    for (const epsilon of [0, 0.1, 0.4, 0.7, 0.95]) {
      let delta = 0.5 * deltaOf(half, epsilon - 0.5) + 0.5 * Math.exp(-0.5) * deltaOf(half, epsilon + 0.5);
      const cells = 4000;
      for (let i = 0; i < cells; i++) {
        const loss = -0.5 + (i + 0.5) / cells;
        delta += (0.25 * Math.exp((loss - 0.5) / 2) * deltaOf(half, epsilon - loss)) / cells;
      }
      laplacePair(1).tails(epsilon, tails);
      expect(delta).toBeLessThan(tails.pAbove - tails.scaledAbove);
    }
  });
});

describe('laws on a lattice', () => {
  const grid = fc.record({
    width: fc.double({ min: -6, max: -0.5, noNaN: true }).map((log) => 2 ** log),
    offset: fc.double({ min: 0, max: 1, noNaN: true }),
    gaps: fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 2, maxLength: 60 }),
    first: fc.integer({ min: -60, max: 20 }),
  });

  test.each(PAIRS)('%s: on any grid one law dominates the pair, and the pair the other', (_, pair) => {
    fc.assert(
      fc.property(grid, ({ width, offset, gaps, first }) => {
        const nodes = [first];
        for (const gap of gaps) nodes.push((nodes.at(-1) as number) + gap);
        const { lattice, dominating, dominated } = discretized(
          pair,
          { width, offset: offset * width },
          nodes,
        );
        expect(Math.min(...dominating.masses, ...dominated.masses)).toBeGreaterThanOrEqual(0);
        expect(sum(dominating.masses) + dominating.infinite).toBeCloseTo(1, 12);
        expect(sum(dominated.masses)).toBeLessThanOrEqual(1 + 1e-12);
        for (let k = first - 2; k < (nodes.at(-1) as number) + 2; k += 0.37) {
          const epsilon = lattice.offset + k * width;
          const exact = deltaOf(pair, epsilon);
          expect(deltaOfLaw(dominating, lattice, epsilon)).toBeGreaterThanOrEqual(exact - 1e-14);
          expect(deltaOfLaw(dominated, lattice, epsilon)).toBeLessThanOrEqual(exact + 1e-14);
        }
      }),
      { numRuns: 60, seed: 5 },
    );
  });

  test('both close in on the pair as the square of the width', () => {
    const pair = sampledRemovePair(gaussianPair(1), 0.05);
    const gap = (width: number): number => {
      const nodes = Array.from({ length: Math.round(8 / width) }, (_, i) => i - Math.round(1 / width));
      const { lattice, dominating, dominated } = discretized(pair, { width, offset: 0 }, nodes);
      return deltaOfLaw(dominating, lattice, 0.513) - deltaOfLaw(dominated, lattice, 0.513);
    };
    expect(gap(0.01)).toBeLessThan(gap(0.04) / 10);
    expect(gap(0.01)).toBeGreaterThan(0);
  });

  test.each(PAIRS.filter(([, { atoms }]) => atoms.length > 0))(
    '%s: positive control, losses at the nearest point are caught below the pair',
    (_, pair) => {
      // The largest loss, 2.44 cells, is put at 2.
      const lattice = { width: 0.41 * pair.highest, offset: 0 };
      const nodes = Array.from({ length: 21 }, (_, i) => i - 10);
      const law = nearestLaw(pair, lattice, nodes);
      const worst = nodes.map((k) => {
        const epsilon = (k + 0.3) * lattice.width;
        return deltaOfLaw(law, lattice, epsilon) - deltaOf(pair, epsilon);
      });
      expect(Math.min(...worst)).toBeLessThan(-1e-4);
    },
  );
});

describe('the transform', () => {
  test.each([1, 2, 4, 8, 16, 32, 64, 256])(
    'of length %d is the defining sum, within its bound, and back',
    (n) => {
      const re = Float64Array.from({ length: n }, (_, i) => Math.sin(i * i + 1));
      const im = Float64Array.from({ length: n }, (_, i) => Math.cos(3 * i) - 0.2);
      const size = re.reduce((total, x, i) => total + Math.hypot(x, im[i] as number), 0);
      const [a, b] = [re.slice(), im.slice()];
      transform(a, b, -1);
      for (let k = 0; k < n; k++) {
        let [x, y] = [0, 0];
        for (let j = 0; j < n; j++) {
          const angle = (-2 * Math.PI * ((j * k) % n)) / n;
          x += (re[j] as number) * Math.cos(angle) - (im[j] as number) * Math.sin(angle);
          y += (re[j] as number) * Math.sin(angle) + (im[j] as number) * Math.cos(angle);
        }
        // The direct sum is not exact either.
        expect(Math.hypot(x - (a[k] as number), y - (b[k] as number))).toBeLessThan(
          size * (transformError(n) + n * 2e-16),
        );
      }
      transform(a, b, 1);
      for (let k = 0; k < n; k++) expect((a[k] as number) / n).toBeCloseTo(re[k] as number, 13);
    },
  );

  test('a long one: the error stays within the bound where the transform is known', () => {
    const n = 2 ** 17;
    const re = new Float64Array(n);
    const im = new Float64Array(n);
    const at = [3, 70_001, 131_000];
    for (const k of at) re[k] = 1 / 3;
    transform(re, im, -1);
    let worst = 0;
    for (let j = 0; j < n; j += 37) {
      const x = at.reduce((total, k) => total + Math.cos((2 * Math.PI * ((j * k) % n)) / n) / 3, 0);
      worst = Math.max(worst, Math.abs(x - (re[j] as number)));
    }
    expect(worst).toBeLessThan(transformError(n));
  });
});

describe('composition on any grid', () => {
  /** Every sum of losses, by plain enumeration of a discrete pair's atoms. */
  const exactly = (noiseParameter: number, count: number, epsilon: number): number => {
    const keep = 1 - noiseParameter / 2;
    const top = Math.log(keep / (1 - keep));
    let delta = 0;
    let binomial = 1;
    for (let j = 0; j <= count; j++) {
      const loss = (2 * j - count) * top;
      if (loss > epsilon)
        delta -= binomial * keep ** j * (1 - keep) ** (count - j) * Math.expm1(epsilon - loss);
      binomial *= (count - j) / (j + 1);
    }
    return delta;
  };
  const terms: readonly LossTerm[] = [
    { upper: randomizedResponsePair(0.5, 2), lower: randomizedResponsePair(0.5, 2), count: 12 },
  ];

  test('bounds hold however bad the grid: too short a period, any tilt, any offset', () => {
    fc.assert(
      fc.property(
        fc.record({
          width: fc.double({ min: 0.02, max: 0.7, noNaN: true }),
          logSize: fc.integer({ min: 4, max: 9 }),
          tilt: fc.double({ min: 0.01, max: 4, noNaN: true }),
          start: fc.double({ min: -15, max: 10, noNaN: true }),
          further: fc.double({ min: 0.05, max: 4, noNaN: true }),
          offset: fc.double({ min: 0, max: 1, noNaN: true }),
          epsilon: fc.double({ min: 0, max: 13.5, noNaN: true }),
        }),
        ({ width, logSize, tilt, start, further, offset, epsilon }) => {
          const reach = Math.ceil(1.2 / width) + 1;
          const nodes = Float64Array.from({ length: 2 * reach + 1 }, (_, i) => i - reach);
          const { upper, lower } = composeLosses(terms, {
            width,
            size: 2 ** logSize,
            tilt,
            start,
            leftTilt: further,
            rightTilt: further,
            terms: [{ offset: offset * width, nodes }],
          });
          const exact = exactly(0.5, 12, epsilon);
          expect(deltaAt(upper, epsilon)).toBeGreaterThanOrEqual(exact * (1 - 1e-12) - 1e-300);
          expect(deltaAt(lower as NonNullable<typeof lower>, epsilon)).toBeLessThanOrEqual(
            exact * (1 + 1e-12),
          );
          if (exact > 1e-12) {
            expect(epsilonAbove(upper, exact)).toBeGreaterThanOrEqual(epsilon * (1 - 1e-12));
            expect(epsilonBelow(lower as NonNullable<typeof lower>, exact)).toBeLessThanOrEqual(
              epsilon * (1 + 1e-9) + 1e-9,
            );
          }
        },
      ),
      { numRuns: 400, seed: 11 },
    );
  });

  test('what is no number proves nothing', () => {
    const nodes = Float64Array.of(-2, -1, 0, 1, 2);
    const grid = { width: 0.6, size: 16, tilt: Number.NaN, start: -1, leftTilt: 1, rightTilt: 1 };
    const { upper, lower } = composeLosses(terms, { ...grid, terms: [{ offset: 0, nodes }] });
    expect(deltaAt(upper, 1)).toBe(1);
    expect(epsilonAbove(upper, 1e-5)).toBe(Number.POSITIVE_INFINITY);
    expect(lower && epsilonBelow(lower, 1e-5)).toBe(0);
    expect(lower && deltaAt(lower, 1)).toBe(0);
  });
});
