import { describe, expect, test } from 'vitest';
import {
  costUnits,
  distributedDiscreteGaussianEvent,
  epsilonOfUnits,
  type FilterLimit,
  gaussianEvent,
  type PrivacyEvent,
  poissonSampledEvent,
  selfComposedEvent,
  views,
} from '../../src/privacy/index.js';

const limit: FilterLimit = { epsilon: 3, delta: 1e-6, orders: [6, 12] };
const round = (contributors: number, colluders = 2): PrivacyEvent =>
  poissonSampledEvent(
    0.05,
    distributedDiscreteGaussianEvent({
      contributors,
      colluders,
      shareVariance: { numerator: '2000', denominator: '3' },
      sensitivity: 50,
      dimension: 1000,
    }),
  );

describe('who sees which ε', () => {
  test('one run, five observers, in the order of what they know', () => {
    const seen = views(limit, [round(8), round(8), round(7)]);
    expect(seen.coordinatorAlone).toBe(seen.public);
    expect(seen.anotherMember).toBeGreaterThan(seen.public);
    expect(seen.coordinatorWithColluders).toBeGreaterThan(seen.anotherMember);
    expect(seen.secureAggregationBroken).toBeGreaterThan(seen.coordinatorWithColluders);
    expect(seen.secureAggregationBroken).toBeLessThan(Number.POSITIVE_INFINITY);
  });

  test('the headline is the filter’s own number', () => {
    const total = [round(8), round(7)].map((event) => costUnits(event, limit.orders));
    const sum = limit.orders.map((_, i) => total.reduce((all, cost) => all + (cost[i] as bigint), 0n));
    expect(views(limit, [round(8), round(7)]).coordinatorWithColluders).toBe(epsilonOfUnits(limit, sum));
  });

  test('with one colluder, another member knows as much as the coalition', () => {
    const seen = views(limit, [round(8, 1)]);
    expect(seen.anotherMember).toBe(seen.coordinatorWithColluders);
  });

  test('nested events are looked into; noise of one hand looks alike to all', () => {
    const nested = selfComposedEvent(round(8), 3);
    const flat = views(limit, [round(8), round(8), round(8)]);
    expect(views(limit, [nested]).anotherMember).toBeCloseTo(flat.anotherMember, 9);
    const central = views(limit, [gaussianEvent(5)]);
    expect(new Set(Object.values(central)).size).toBe(1);
  });

  test('nothing protects against whoever knows every share; nothing asked costs nothing', () => {
    const seen = views(limit, [round(2, 2), round(8)]);
    expect(seen.coordinatorWithColluders).toBe(Number.POSITIVE_INFINITY);
    expect(seen.public).toBeLessThan(Number.POSITIVE_INFINITY);
    expect(views(limit, [])).toEqual({
      coordinatorWithColluders: 0,
      coordinatorAlone: 0,
      anotherMember: 0,
      public: 0,
      secureAggregationBroken: 0,
    });
  });
});
