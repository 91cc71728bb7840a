import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  calibrateNoise,
  commit,
  commitToPlan,
  composedEvent,
  costUnits,
  epsilonInterval,
  epsilonOfUnits,
  type FilterLimit,
  GAUSSIAN_ORDER,
  gaussianEvent,
  INTEGER_ORDERS,
  noiseFor,
  noSpending,
  type PrivacyEvent,
  planUnits,
  poissonSampledEvent,
  reserve,
  selfComposedEvent,
} from '../../src/privacy/index.js';
import { INFINITE_UNITS } from '../../src/privacy/units.js';
import { shares } from './support.js';

const gdp = (epsilon: number, delta: number): FilterLimit => ({ epsilon, delta, orders: [GAUSSIAN_ORDER] });

describe('a plan at order 1', () => {
  test.each([
    [1, 1e-9, 4],
    [3, 1e-9, 4],
    [0.5, 1e-6, 100],
    [8, 1e-5, 1],
  ])(
    'ε = %d, δ = %d, %d sums: as little noise as a fixed plan needs, and admitted to the last',
    (epsilon, delta, steps) => {
      const { noiseMultiplier, order } = calibrateNoise({ epsilon, delta, samplingRate: 1, steps });
      expect(order).toBe(GAUSSIAN_ORDER);
      const tight = noiseFor({ epsilon, delta, steps });
      expect(Math.abs(noiseMultiplier / tight - 1)).toBeLessThan(2e-4);
      const limit = gdp(epsilon, delta);
      const step = costUnits(gaussianEvent(noiseMultiplier), limit.orders);
      let spending = noSpending(limit);
      for (let i = 0; i < steps; i++) {
        const held = reserve(limit, spending, step);
        expect(held.kind).toBe('reserved');
        spending = commit(held.spending, step, step);
      }
      expect(reserve(limit, spending, step).kind).toBe('over-budget');
      expect(epsilonOfUnits(limit, spending.spent)).toBeGreaterThan(epsilon * (1 - 1e-4));
      // The best Rényi order asks for more.
      const renyi = calibrateNoise({ epsilon, delta, samplingRate: 1, steps, orders: INTEGER_ORDERS });
      expect(renyi.noiseMultiplier / noiseMultiplier).toBeGreaterThan(1.03);
    },
  );

  test('one sum within (1, 10^-9) needs 5.495, where the best Rényi order asks 5.78', () => {
    const target = { epsilon: 1, delta: 1e-9, samplingRate: 1, steps: 1 };
    expect(calibrateNoise(target).noiseMultiplier).toBeCloseTo(5.495, 2);
    expect(calibrateNoise({ ...target, orders: INTEGER_ORDERS }).noiseMultiplier).toBeCloseTo(5.78, 1);
  });

  test('is not what is calibrated where records are sampled: the demo’s charter keeps its Rényi order', () => {
    const gan = { epsilon: 3, delta: 1e-6, samplingRate: 0.05, steps: 200 };
    expect(calibrateNoise(gan)).toEqual(calibrateNoise({ ...gan, orders: INTEGER_ORDERS }));
    expect(() => calibrateNoise({ ...gan, orders: [GAUSSIAN_ORDER] })).toThrow(/names Rényi orders only/);
  });

  test('is committed to order 1; one that samples anywhere never is, however it begins', () => {
    const limit: FilterLimit = { epsilon: 3, delta: 1e-6, orders: [1, 4, 8, 16, 32] };
    const sums = [{ event: shares(10), count: 3 }];
    const sampled = [...sums, { event: poissonSampledEvent(0.05, gaussianEvent(1.5)), count: 100 }];
    expect(commitToPlan(limit, sums).orders).toEqual([1]);
    expect(planUnits(sampled, limit.orders)[0]).toBeGreaterThanOrEqual(INFINITE_UNITS);
    const renyi = commitToPlan({ ...limit, orders: [4, 8, 16, 32] }, sampled);
    expect(commitToPlan(limit, sampled)).toEqual(renyi);
    expect(() => planUnits(sampled, [1])).toThrow(/names Rényi orders only/);
    expect(commitToPlan({ ...limit, orders: [1] }, sums).orders).toEqual([1]);
    // Undecided, with δ divided, a sampled sum is still admitted at the orders where it is finite.
    const step = costUnits(poissonSampledEvent(0.05, gaussianEvent(1.5)), limit.orders);
    expect(reserve(limit, noSpending(limit), step).kind).toBe('reserved');
  });

  test('what is admitted has an ε within the limit by privacy loss distributions, however it was put together', () => {
    const sum = fc.oneof(
      fc.double({ min: 0.8, max: 60, noNaN: true }).map(gaussianEvent),
      fc.double({ min: 0.8, max: 60, noNaN: true }).map((noise) => shares(noise)),
    );
    const event = fc.oneof(
      sum,
      fc.tuple(sum, fc.integer({ min: 1, max: 20 })).map(([one, count]) => selfComposedEvent(one, count)),
      fc.array(sum, { maxLength: 3 }).map(composedEvent),
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 40 }), fc.constantFrom(0.5, 2, 6), (events, epsilon) => {
        const limit = gdp(epsilon, 1e-6);
        let spending = noSpending(limit);
        const asked: PrivacyEvent[] = [];
        for (const one of events) {
          const cost = costUnits(one, limit.orders);
          const held = reserve(limit, spending, cost);
          if (held.kind !== 'reserved') continue;
          spending = commit(held.spending, cost, cost);
          asked.push(one);
        }
        const spent = epsilonOfUnits(limit, spending.spent);
        expect(spent).toBeLessThanOrEqual(epsilon);
        const { lower, upper } = epsilonInterval(composedEvent(asked), { delta: limit.delta });
        expect(lower).toBeLessThanOrEqual(spent);
        expect(upper).toBeLessThanOrEqual(epsilon * (1 + 1e-9));
      }),
      { numRuns: 60 },
    );
  });
});
