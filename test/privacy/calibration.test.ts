import { describe, expect, test } from 'vitest';
import {
  addUnits,
  admits,
  calibrateNoise,
  costUnits,
  eventOf,
  type FilterLimit,
  INTEGER_ORDERS,
  planEncoding,
} from '../../src/privacy/index.js';
import { goldenCases, sumQuery } from './support.js';
import { TIGHT_NOISE } from './vectors.js';

interface Target {
  readonly epsilon: number;
  readonly delta: number;
  readonly samplingRate: number;
  readonly steps: number;
}

/** RDP at one integer order is an upper bound: never less noise than the tight answer, and at most 26 % more (integer orders are coarse at small rates). */
function expectSound(target: Target, tight: number): void {
  const { noiseMultiplier, epsilon } = calibrateNoise(target);
  expect(noiseMultiplier / tight).toBeGreaterThan(1);
  expect(noiseMultiplier / tight).toBeLessThan(1.27);
  expect(epsilon).toBeLessThanOrEqual(target.epsilon);
  expect(epsilon).toBeGreaterThan(target.epsilon * 0.999);
}

describe('calibration', () => {
  test.each(TIGHT_NOISE)(
    'ε = $epsilon, q = $samplingRate, $steps steps: a little above the tight noise $noiseMultiplier',
    (golden) => {
      expectSound(golden, golden.noiseMultiplier);
    },
  );

  const cases = goldenCases('calibration.json', 'poisson-gaussian-calibration');
  test.skipIf(!cases)('all golden calibrations (skipped without ../shared/golden)', () => {
    for (const { params, expected } of cases ?? []) expectSound(params, expected.noiseMultiplier);
  });

  test('the noise is the smallest: one part in ten thousand less breaks the limit at every order', () => {
    const target = { epsilon: 3, delta: 1e-6, samplingRate: 0.05, steps: 300 };
    const { noiseMultiplier } = calibrateNoise(target);
    const spent = (noise: number): boolean =>
      INTEGER_ORDERS.some((order) => {
        const query = { version: 1, kind: 'gaussian', noiseMultiplier: noise } as const;
        const step = { version: 1, kind: 'poisson-sampled', samplingRate: 0.05, event: query } as const;
        const [unit] = costUnits(step, [order]) as [bigint];
        return admits({ epsilon: 3, delta: 1e-6, orders: [order] }, [unit * 300n]);
      });
    expect(spent(noiseMultiplier)).toBe(true);
    expect(spent(noiseMultiplier * (1 - 1e-4))).toBe(false);
  });

  test('the whole way: calibrated, encoded and filtered at one order, every step is admitted and not many more', () => {
    const target = { epsilon: 3, delta: 1e-6, samplingRate: 0.05, steps: 250 };
    const { noiseMultiplier, order } = calibrateNoise(target);
    const cohort = { minSurvivors: 6, maxColluders: 1 };
    const encoding = planEncoding({
      dimension: 5000,
      l2Sensitivity: 1.001,
      noiseMultiplier,
      maxCoordinate: 40,
      cohort,
      members: 8,
      rounding: 'nearest',
    });
    const query = sumQuery({ dimension: 5000, l2Sensitivity: 1.001, samplingRate: 0.05, encoding });
    const limit: FilterLimit = { epsilon: 3, delta: 1e-6, orders: [order] };
    const step = costUnits(eventOf(query, cohort.minSurvivors, cohort), limit.orders);
    let total = [0n];
    let steps = 0;
    while (admits(limit, addUnits(total, step))) {
      total = addUnits(total, step);
      steps += 1;
    }
    expect(steps).toBeGreaterThanOrEqual(250);
    expect(steps).toBeLessThanOrEqual(252);
  });

  test('the order may be given', () => {
    const target = { epsilon: 3, delta: 1e-6, samplingRate: 0.05, steps: 100 };
    const free = calibrateNoise(target);
    const given = calibrateNoise({ ...target, orders: [free.order] });
    expect(given.noiseMultiplier).toBeCloseTo(free.noiseMultiplier, 4);
    expect(calibrateNoise({ ...target, orders: [63] }).noiseMultiplier).toBeGreaterThan(free.noiseMultiplier);
  });

  test('what no noise can do is refused, with what to change', () => {
    const target = { epsilon: 0.1, delta: 1e-9, samplingRate: 0.05, steps: 10, orders: [2] };
    expect(() => calibrateNoise(target)).toThrow(expect.objectContaining({ code: 'calibration-impossible' }));
    expect(() => calibrateNoise({ ...target, steps: 0 })).toThrow(
      expect.objectContaining({ code: 'argument-invalid' }),
    );
    expect(() => calibrateNoise({ ...target, steps: 1.5 })).toThrow(
      expect.objectContaining({ code: 'argument-invalid' }),
    );
    expect(() => calibrateNoise({ ...target, epsilon: -1 })).toThrow(
      expect.objectContaining({ code: 'argument-invalid' }),
    );
  });
});
