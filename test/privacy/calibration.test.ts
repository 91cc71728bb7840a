import { describe, expect, test } from 'vitest';
import {
  addUnits,
  admits,
  calibrateNoise,
  costUnits,
  epsilonInterval,
  eventOf,
  type FilterLimit,
  gaussianEvent,
  INTEGER_ORDERS,
  noiseFor,
  planEncoding,
  poissonSampledEvent,
  selfComposedEvent,
  stepsFor,
} from '../../src/privacy/index.js';
import { goldenCases, sumQuery } from './support.js';
import { ANALYTIC_GAUSSIAN, TIGHT_NOISE } from './vectors.js';

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

/** Copied from the golden numbers: the most steps, and ε at these. */
const MOST_STEPS = [
  { noiseMultiplier: 2, samplingRate: 0.008533333333333334, epsilon: 10, delta: 1e-5, steps: 192_986 },
  { noiseMultiplier: 1, samplingRate: 0.01, epsilon: 2, delta: 1e-5, steps: 1202 },
  { noiseMultiplier: 4, samplingRate: 0.02, epsilon: 1, delta: 1e-6, steps: 2126 },
] as const;

describe('calibration by privacy loss distributions', () => {
  /** Four digits, and never less noise than the truth. */
  function expectFourDigits(found: number, exact: number): void {
    expect(found / exact).toBeGreaterThanOrEqual(1 - 1e-8);
    expect(found / exact).toBeLessThan(1 + 1e-4);
  }

  test.each(TIGHT_NOISE)('noise for ε = $epsilon, q = $samplingRate, $steps steps', (golden) => {
    expectFourDigits(noiseFor(golden), golden.noiseMultiplier);
  });

  test.each(ANALYTIC_GAUSSIAN)('noise for one Gaussian answer, ε = %d, δ = %d', (epsilon, delta, sigma) => {
    expectFourDigits(noiseFor({ epsilon, delta }), sigma);
    expectFourDigits(noiseFor({ epsilon, delta, relation: 'replace-one' }), 2 * sigma);
  });

  test.each(MOST_STEPS)('steps for ε = $epsilon, noise $noiseMultiplier, q = $samplingRate', (golden) => {
    const steps = stepsFor(golden);
    expect(steps).toBeLessThanOrEqual(golden.steps);
    expect(steps).toBeGreaterThanOrEqual(Math.floor(golden.steps * (1 - 1e-4)) - 1);
  });

  const noises = goldenCases('calibration.json', 'poisson-gaussian-calibration');
  const answers = goldenCases('calibration.json', 'analytic-gaussian-calibration');
  const steps = goldenCases('calibration.json', 'poisson-gaussian-max-steps');
  test.skipIf(!noises)('all golden calibrations (skipped without ../shared/golden)', () => {
    for (const { params, expected } of noises ?? []) {
      expectFourDigits(noiseFor({ ...params, relation: 'add-remove' }), expected.noiseMultiplier);
    }
    for (const { params, expected } of answers ?? [])
      expectFourDigits(noiseFor({ epsilon: params.epsilon, delta: params.delta }), expected.sigma);
    expect(steps?.map(({ expected }) => expected.steps)).toEqual(MOST_STEPS.map((golden) => golden.steps));
  });

  test('what is answered holds, and a thousandth less noise or more steps does not', () => {
    const target = { epsilon: 2, delta: 1e-6, samplingRate: 0.02 };
    const spent = (noise: number, count: number) =>
      epsilonInterval(selfComposedEvent(poissonSampledEvent(0.02, gaussianEvent(noise)), count), {
        delta: target.delta,
        width: 1e-5,
      });
    const noise = noiseFor({ ...target, steps: 200 });
    expect(spent(noise, 200).upper).toBeLessThanOrEqual(target.epsilon + 1e-4);
    expect(spent(noise, 200).lower).toBeLessThanOrEqual(target.epsilon);
    expect(spent(noise * (1 - 1e-3), 200).lower).toBeGreaterThan(target.epsilon);
    const count = stepsFor({ ...target, noiseMultiplier: 3 });
    expect(spent(3, count).lower).toBeLessThanOrEqual(target.epsilon);
    expect(spent(3, Math.ceil(count * 1.001)).lower).toBeGreaterThan(target.epsilon);
  });

  test('a target that no noise meets is refused, and says what to change', () => {
    // 2^30 sensitivities of noise still tell two records apart with advantage 3.7·10^-10 > δ.
    for (const target of [
      { epsilon: 1e-10, delta: 1e-12 },
      { epsilon: 1e-10, delta: 1e-12, samplingRate: 0.5 },
      { epsilon: 1e-6, delta: 1e-12, steps: 2 ** 50 },
    ])
      expect(() => noiseFor(target)).toThrow(
        expect.objectContaining({
          code: 'calibration-impossible',
          message: expect.stringMatching(/raise ε or δ, or take fewer steps/),
        }),
      );
  });

  test('targets that any noise meets, or not one step: the ends of the range', () => {
    expect(noiseFor({ epsilon: 3, delta: 0.3, samplingRate: 0.1 })).toBeLessThan(2 ** -6.9);
    expect(stepsFor({ epsilon: 0.001, delta: 1e-9, noiseMultiplier: 0.5 })).toBe(0);
    expect(stepsFor({ epsilon: 10, delta: 1e-5, noiseMultiplier: 0.5 })).toBe(1);
    expect(stepsFor({ epsilon: 1, delta: 1e-5, noiseMultiplier: 1e9 })).toBe(2 ** 40);
  });

  test('wrong questions are refused by name', () => {
    const target = { epsilon: 1, delta: 1e-5, samplingRate: 0.1, steps: 10 };
    for (const wrong of [
      { epsilon: 0 },
      { epsilon: Infinity },
      { delta: 0 },
      { delta: 1 },
      { steps: 0 },
      { steps: 1.5 },
    ])
      expect(() => noiseFor({ ...target, ...wrong })).toThrow(
        expect.objectContaining({ code: 'argument-invalid' }),
      );
    expect(() => noiseFor({ ...target, samplingRate: 0 })).toThrow(/samplingRate/);
    expect(() => stepsFor({ ...target, noiseMultiplier: -1 })).toThrow(/noiseMultiplier/);
  });
});
