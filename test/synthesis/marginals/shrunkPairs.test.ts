import { describe, expect, it } from 'vitest';
import { type Shrunk, shrunk, standingOut, withRoom } from '../../../src/synthesis/marginals/shrunkPairs.js';
import { rngOf } from '../fixtures.js';
import { drawsOf } from './modelByBruteForce.js';

const CELLS = 64;
const SIGMA = 5;
const draws = drawsOf(rngOf(1, 'shrunk'));
const expected = Float64Array.from({ length: CELLS }, (_, i) => 3 * i);

/** Counts whose truth is `deviation` a cell away from what is expected. */
function counted(deviation: number): { truth: Float64Array; counts: Float64Array } {
  const truth = expected.map((e, i) => e + (i % 2 === 0 ? deviation : -deviation));
  const noise = draws.normal(CELLS);
  return { truth, counts: truth.map((t, i) => t + SIGMA * (noise[i] as number)) };
}

describe('coarse counts drawn toward what was expected of them (James and Stein 1961)', () => {
  const SEEDS = 2000;
  const distance = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
    Array.from(a).reduce((sum, x, i) => sum + (x - (b[i] as number)) ** 2, 0);

  /** Mean squared errors over noise. */
  function risks(deviation: number) {
    let [drawn, raw, expectation] = [0, 0, 0];
    for (let seed = 0; seed < SEEDS; seed++) {
      const { truth, counts } = counted(deviation);
      const answer = shrunk(counts, expected, SIGMA ** 2);
      drawn += distance(answer?.counts ?? expected, truth) / SEEDS;
      raw += distance(counts, truth) / SEEDS;
      expectation = distance(expected, truth);
    }
    return { drawn, raw, expectation };
  }

  it('come closer to the truth than the counts and than what was expected', () => {
    // Half of the noise a cell: the risks are 0.2 and 0.25 of the counts', and a mean of 2000 is within 2 % of its own.
    const { drawn, raw, expectation } = risks(SIGMA / 2);
    expect(drawn).toBeLessThan(0.97 * expectation);
    expect(drawn).toBeLessThan(0.35 * raw);
  });

  it('are the counts where these show far more than noise, and hardly anything of noise alone', () => {
    const far = risks(10 * SIGMA);
    expect(Math.abs(far.drawn / far.raw - 1)).toBeLessThan(0.02);
    const none = risks(0);
    expect(none.drawn).toBeLessThan(0.1 * none.raw);
  });

  it('keep less of the noise than there was, and say what they gain', () => {
    const counts = expected.map((e, i) => e + (i % 2 === 0 ? 2 : -2) * SIGMA);
    const { variance, gain, counts: drawn } = shrunk(counts, expected, SIGMA ** 2) as Shrunk;
    const weight = 1 - (CELLS - 2) / (4 * CELLS);
    expect(variance).toBeCloseTo(weight * SIGMA ** 2, 12);
    expect(drawn[0]).toBeCloseTo(weight * 2 * SIGMA, 12);
    // √(‖y − e‖² − kσ²) = σ√(3k) was left, √(1 − w) of it still is; L1 norms are ∝ √k of it.
    expect(gain).toBeCloseTo(CELLS * SIGMA * Math.sqrt(3) * (1 - Math.sqrt(1 - weight)), 9);
    expect(shrunk(expected, expected, SIGMA ** 2)).toBeUndefined();
    expect(shrunk([9, -9], [0, 0], 1)).toBeUndefined();
  });

  it.each([
    // Upper quantiles of χ² at 0.05, 0.01 and 0.001 (Abramowitz and Stegun 1964, table 26.8).
    [4, [9.48773, 13.2767, 18.4668]],
    [10, [18.307, 23.2093, 29.5883]],
    [60, [79.0819, 88.3794, 99.6072]],
  ])('have the p-value of χ² with %i degrees, to an eighth', (cells, quantiles) => {
    quantiles.forEach((quantile, i) => {
      const p = [0.05, 0.01, 0.001][i] as number;
      const deviating = new Float64Array(cells).fill(Math.sqrt(quantile / cells));
      const { pValue } = shrunk(deviating, new Float64Array(cells), 1) as Shrunk;
      expect(Math.abs(pValue / p - 1)).toBeLessThan(0.125);
    });
  });
});

describe('the pairs that are used', () => {
  const PAIRS = 60;
  const drawn = (deviation: number) => {
    const answer = shrunk(counted(deviation).counts, expected, SIGMA ** 2);
    return answer === undefined ? [] : [{ ...answer, isNoise: deviation === 0 }];
  };

  it('are none of a table whose columns know nothing of each other, four times of five', () => {
    const TABLES = 400;
    let some = 0;
    let uncorrected = 0;
    for (let table = 0; table < TABLES; table++) {
      const pairs = Array.from({ length: PAIRS }, () => drawn(0)).flat();
      some += standingOut(pairs, PAIRS).length > 0 ? 1 / TABLES : 0;
      uncorrected += pairs.some(({ pValue }) => pValue <= 0.2) ? 1 / TABLES : 0;
    }
    // 0.2 by theory, and five standard errors of 400 tables.
    expect(some).toBeLessThan(0.2 + 5 * Math.sqrt(0.16 / TABLES));
    // A positive control: each pair judged by itself.
    expect(uncorrected).toBeGreaterThan(0.99);
  });

  it('are mostly true ones where a quarter is', () => {
    const TABLES = 200;
    let [share, found] = [0, 0];
    for (let table = 0; table < TABLES; table++) {
      const pairs = Array.from({ length: PAIRS }, (_, i) => drawn(i % 4 === 0 ? 0.8 * SIGMA : 0)).flat();
      const used = standingOut(pairs, PAIRS);
      share += used.filter(({ isNoise }) => isNoise).length / Math.max(1, used.length) / TABLES;
      found += used.filter(({ isNoise }) => !isNoise).length / (PAIRS / 4) / TABLES;
    }
    // 0.2 · ¾ by theory; a table's share deviates by less than 0.2, so five standard errors are 0.071.
    expect(share).toBeLessThan(0.15 + 0.071);
    expect(found).toBeGreaterThan(0.8);
  });

  it('are looked for until sixteen found no room, whatever the number of columns', () => {
    let asked = 0;
    const taken = withRoom(
      Array.from({ length: 2000 }, (_, i) => i),
      (pairs) => {
        asked++;
        return pairs.length <= 5;
      },
    );
    expect(taken).toEqual([0, 1, 2, 3, 4]);
    expect(asked).toBe(21);
  });
});
