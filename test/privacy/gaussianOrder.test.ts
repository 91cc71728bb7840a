import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  gaussianCost,
  gaussianCostToEpsilon,
  largestGaussianCost,
} from '../../src/privacy/accountants/gaussianOrder.js';
import {
  admits,
  calibrateGaussian,
  composedEvent,
  costUnits,
  describeOrders,
  discreteGaussianEvent,
  epsilonOfUnits,
  type FilterLimit,
  GAUSSIAN_ORDER,
  gaussianEvent,
  laplaceEvent,
  limitUnits,
  localDpSgdEvent,
  nonPrivateEvent,
  type PrivacyEvent,
  parallelComposedEvent,
  poissonSampledEvent,
  randomAllocationEvent,
  randomizedResponseEvent,
  rdp,
  sampledWithoutReplacementEvent,
  selfComposedEvent,
} from '../../src/privacy/index.js';
import { INFINITE_UNITS } from '../../src/privacy/units.js';
import { shares } from './support.js';
import { ANALYTIC_GAUSSIAN, GAUSSIAN_TOTALS } from './vectors.js';

const gdp = (epsilon: number, delta: number): FilterLimit => ({ epsilon, delta, orders: [GAUSSIAN_ORDER] });

describe('the ε of a total of µ²/2', () => {
  test.each(GAUSSIAN_TOTALS)('%d at δ = %d is ε = %d, never below', (total, delta, exact) => {
    const epsilon = gaussianCostToEpsilon(total, delta);
    expect(epsilon).toBeGreaterThanOrEqual(exact * (1 - 2 ** -51));
    expect(epsilon).toBeLessThanOrEqual(exact * (1 + 1e-9));
  });

  test.each(ANALYTIC_GAUSSIAN)(
    'ε = %d at δ = %d has room for one Gaussian of σ = %d',
    (epsilon, delta, sigma) => {
      const largest = largestGaussianCost(epsilon, delta);
      expect(largest).toBeLessThanOrEqual(0.5 / sigma ** 2);
      expect(largest).toBeGreaterThan((0.5 / sigma ** 2) * (1 - 1e-9));
    },
  );

  test('limit, units and back: at most the limit, and a millionth below it at most', () => {
    fc.assert(
      fc.property(
        fc.double({ min: Math.log(0.01), max: Math.log(200), noNaN: true }),
        fc.double({ min: Math.log(1e-15), max: Math.log(0.2), noNaN: true }),
        (logEpsilon, logDelta) => {
          const limit = gdp(Math.exp(logEpsilon), Math.exp(logDelta));
          const [units] = limitUnits(limit) as [bigint];
          const epsilon = epsilonOfUnits(limit, [units]);
          expect(epsilon).toBeLessThanOrEqual(limit.epsilon);
          // The smallest of these limits is a million units.
          expect(epsilonOfUnits(limit, [units + (units >> 30n) + 1n])).toBeGreaterThan(
            limit.epsilon * (1 - 1e-6),
          );
          expect(epsilonOfUnits(limit, [units - 1n])).toBeLessThanOrEqual(limit.epsilon);
          expect(admits(limit, [units])).toBe(true);
          expect(admits(limit, [units + 1n])).toBe(false);
        },
      ),
      { numRuns: 200 },
    );
    for (const [epsilon, delta] of [
      [1, 1e-9],
      [3, 1e-6],
      [0.1, 1e-5],
    ] as const)
      expect(epsilonOfUnits(gdp(epsilon, delta), limitUnits(gdp(epsilon, delta)))).toBeGreaterThan(
        epsilon * (1 - 1e-6),
      );
  });

  test('at every corner it is a number, at least 0, and rises with the total', () => {
    for (const delta of [1e-300, 1e-12, 0.5, 1 - 2 ** -53]) {
      let before = 0;
      for (const total of [0, 2 ** -1000, 2 ** -40, 1e-6, 1, 1e6, 1e13, 1e20, Number.POSITIVE_INFINITY]) {
        const epsilon = gaussianCostToEpsilon(total, delta);
        expect(epsilon).toBeGreaterThanOrEqual(before);
        before = epsilon;
      }
      expect(before).toBe(Number.POSITIVE_INFINITY);
      for (const epsilon of [1e-300, 1e-9, 1, 2 ** 39]) {
        const largest = largestGaussianCost(epsilon, delta);
        expect(largest).toBeGreaterThanOrEqual(0);
        expect(gaussianCostToEpsilon(largest, delta)).toBeLessThanOrEqual(epsilon);
      }
    }
    expect(admits(gdp(1e-9, 1e-12), [0n])).toBe(true);
    expect(epsilonOfUnits(gdp(1, 1e-6), [INFINITE_UNITS])).toBe(Number.POSITIVE_INFINITY);
    for (const delta of [0, 1, Number.NaN])
      expect(() => gaussianCostToEpsilon(1, delta)).toThrow(
        expect.objectContaining({ code: 'argument-invalid' }),
      );
  });
});

describe('the cost at order 1', () => {
  test('is µ²/2 of Gaussian noise, rounded up, and adds', () => {
    for (const noise of [0.3, 1, 5.5, 1e6]) {
      const cost = gaussianCost(gaussianEvent(noise));
      expect(cost / (0.5 / noise ** 2)).toBeGreaterThanOrEqual(1 - 2 ** -52);
      expect(cost / (0.5 / noise ** 2)).toBeLessThan(1 + 1e-12);
    }
    const [a, b] = [gaussianEvent(2), gaussianEvent(5)];
    expect(gaussianCost(composedEvent([a, b, selfComposedEvent(b, 10)]))).toBeCloseTo(1 / 8 + 11 / 50, 12);
    expect(gaussianCost(selfComposedEvent(nonPrivateEvent(), 0))).toBe(0);
    expect(gaussianCost(composedEvent([]))).toBe(0);
    expect(gaussianCost(poissonSampledEvent(1, a))).toBe(gaussianCost(a));
    // It is the limit of the divergences of higher orders.
    for (const order of [2, 1.5, 1.01]) expect(rdp(a, [order])[0]! / order).toBeCloseTo(gaussianCost(a), 12);
  });

  test('of sums on disjoint records is that of the dearest', () => {
    const [a, b] = [gaussianEvent(2), gaussianEvent(5)];
    expect(gaussianCost(parallelComposedEvent([b, composedEvent([a, b]), a]))).toBeCloseTo(
      1 / 8 + 1 / 50,
      12,
    );
    expect(gaussianCost(parallelComposedEvent([]))).toBe(0);
    expect(gaussianCost(parallelComposedEvent([a, laplaceEvent(3)]))).toBe(Number.POSITIVE_INFINITY);
  });

  test('of discrete noise is that of the continuous noise which it is made of, four steps² less', () => {
    for (const noise of [0.5, 3, 100]) {
      const cost = gaussianCost(shares(noise));
      expect(cost).toBeGreaterThanOrEqual((0.5 / noise ** 2) * (1 - 1e-9) * (1 - 8 / (40 * noise) ** 2));
      expect(cost).toBeLessThan((0.5 / noise ** 2) * (1 + 8 / (40 * noise) ** 2));
    }
    const own = discreteGaussianEvent({
      variance: { numerator: '10000', denominator: '1' },
      sensitivity: 10,
      dimension: 3,
    });
    expect(gaussianCost(own) / (0.5 / 99.96)).toBeCloseTo(1, 9);
  });

  test('the bridge’s slack is in the charge: no sum is charged less than 2^40 of its log factor', () => {
    const noisy = (dimension: number) => gaussianCost(shares(1e5, dimension));
    expect(noisy(1)).toBe(noisy(2 ** 24));
    // So long that factors of e^(10^-22) a coordinate would be seen: charged, and never less than by noise alone.
    expect(noisy(2 ** 40)).toBeGreaterThan(noisy(1) * 4);
    expect(noisy(2 ** 40)).toBeGreaterThanOrEqual(2 ** 40 * 2 ** 40 * 4 * Math.exp(-8 * Math.PI ** 2));
    // ε has room for 2H = 2^-39 of the total beside what the Gaussian's curve says (positive control: without it none).
    const total = 1e6;
    const bare = 1 / calibrateGaussian({ epsilon: gaussianCostToEpsilon(total, 1e-5), delta: 1e-5 });
    expect((bare * bare) / 2 / total - 1).toBeGreaterThan(2 ** -40);
  });

  test.each<[string, PrivacyEvent]>([
    ['a Poisson sample', poissonSampledEvent(0.5, gaussianEvent(1))],
    ['a sample of fixed size', sampledWithoutReplacementEvent(1, 2, gaussianEvent(1))],
    ['random allocation', randomAllocationEvent(1, 2, gaussianEvent(1))],
    ['local training', localDpSgdEvent({ noiseMultiplier: 1, samplingRate: 1, steps: 1 })],
    ['Laplace noise', laplaceEvent(1)],
    ['randomized response', randomizedResponseEvent(0.5, 2)],
    ['no privacy', nonPrivateEvent()],
    ['no noise', gaussianEvent(0)],
    ['a share below the floor', shares(0.15)],
    ['an unknown event', { version: 1, kind: 'telepathy' } as unknown as PrivacyEvent],
    ['one of these inside', composedEvent([gaussianEvent(1), selfComposedEvent(laplaceEvent(9), 1)])],
  ])('%s costs ∞ (hazard P25)', (_, event) => {
    expect(gaussianCost(event)).toBe(Number.POSITIVE_INFINITY);
    expect(() => costUnits(event, [GAUSSIAN_ORDER])).toThrow(
      expect.objectContaining({ code: 'cost-infinite' }),
    );
  });

  test('sampled records under Gaussian DP are refused with what to do, and a hopeless event as what it is', () => {
    const step = poissonSampledEvent(0.05, gaussianEvent(1));
    expect(() => costUnits(step, [1])).toThrow(/counts Gaussian DP \(order 1\).*names Rényi orders only/);
    expect(() => costUnits(nonPrivateEvent(), [1])).toThrow(/this event costs ε = ∞/);
    expect(costUnits(step, [1, 8])).toEqual([INFINITE_UNITS, ...costUnits(step, [8])]);
  });

  test('Rényi divergences know no order 1, and limits no order below', () => {
    expect(() => rdp(gaussianEvent(1), [1])).toThrow(expect.objectContaining({ code: 'argument-invalid' }));
    for (const order of [0, -1, 1.5, Number.NaN, 4097])
      expect(() => costUnits(gaussianEvent(1), [order])).toThrow(
        expect.objectContaining({ code: 'argument-invalid' }),
      );
    expect(describeOrders([1])).toBe('Gaussian DP (order 1)');
    expect(describeOrders([8])).toBe('Rényi order 8');
    expect(describeOrders([1, 4, 8])).toBe('Gaussian DP (order 1) and Rényi orders 4, 8');
  });
});
