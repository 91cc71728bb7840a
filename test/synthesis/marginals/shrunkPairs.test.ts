import { describe, expect, it } from 'vitest';
import { shrunk } from '../../../src/synthesis/marginals/shrunkPairs.js';
import { rngOf } from '../fixtures.js';
import { drawsOf } from './modelByBruteForce.js';

describe('coarse counts drawn toward what was expected of them (James and Stein 1961)', () => {
  const CELLS = 64;
  const SIGMA = 5;
  const SEEDS = 2000;
  const draws = drawsOf(rngOf(1, 'shrunk'));
  const expected = Float64Array.from({ length: CELLS }, (_, i) => 3 * i);
  const distance = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
    Array.from(a).reduce((sum, x, i) => sum + (x - (b[i] as number)) ** 2, 0);

  /** Mean squared errors over noise, where the truth is `deviation` a cell away from what is expected. */
  function risks(deviation: number) {
    const truth = expected.map((e, i) => e + (i % 2 === 0 ? deviation : -deviation));
    let [drawn, raw, taken] = [0, 0, 0];
    for (let seed = 0; seed < SEEDS; seed++) {
      const noise = draws.normal(CELLS);
      const counts = truth.map((t, i) => t + SIGMA * (noise[i] as number));
      const answer = shrunk(counts, expected, SIGMA ** 2);
      taken += answer === undefined ? 0 : 1 / SEEDS;
      drawn += distance(answer?.counts ?? expected, truth) / SEEDS;
      raw += distance(counts, truth) / SEEDS;
    }
    return { drawn, raw, expectation: distance(expected, truth), taken };
  }

  it('come closer to the truth than the counts and than what was expected', () => {
    // Half of the noise a cell: the risks are 0.2 and 0.25 of the counts', and a mean of 2000 is within 2 % of its own.
    const { drawn, raw, expectation } = risks(SIGMA / 2);
    expect(drawn).toBeLessThan(0.97 * expectation);
    expect(drawn).toBeLessThan(0.35 * raw);
  });

  it('are the counts where these show far more than noise', () => {
    const { drawn, raw, taken } = risks(10 * SIGMA);
    expect(taken).toBeCloseTo(1, 12);
    expect(Math.abs(drawn / raw - 1)).toBeLessThan(0.02);
  });

  it('leave noise alone alone: at most one standard deviation above its mean in one of six', () => {
    // A chi-square of 64 degrees is above its mean by one deviation with probability 0.156; five standard errors of 2000 draws are 0.041.
    const { taken, drawn, raw } = risks(0);
    expect(Math.abs(taken - 0.156)).toBeLessThan(0.041);
    expect(drawn).toBeLessThan(0.1 * raw);
  });

  it('keep less of the noise than there was, and say what they gain', () => {
    const counts = expected.map((e, i) => e + (i % 2 === 0 ? 2 : -2) * SIGMA);
    const {
      variance,
      gain,
      counts: drawn,
    } = shrunk(counts, expected, SIGMA ** 2) as NonNullable<ReturnType<typeof shrunk>>;
    const weight = 1 - (CELLS - 2) / (4 * CELLS);
    expect(variance).toBeCloseTo(weight * SIGMA ** 2, 12);
    expect(drawn[0]).toBeCloseTo(weight * 2 * SIGMA, 12);
    // √(‖y − e‖² − kσ²) = σ√(3k) was left, √(1 − w) of it still is; L1 norms are ∝ √k of it.
    expect(gain).toBeCloseTo(CELLS * SIGMA * Math.sqrt(3) * (1 - Math.sqrt(1 - weight)), 9);
    expect(shrunk(expected, expected, SIGMA ** 2)).toBeUndefined();
    expect(shrunk([9, -9], [0, 0], 1)).toBeUndefined();
  });
});
