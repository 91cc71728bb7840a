import { describe, expect, test } from 'vitest';
import {
  distributedDiscreteGaussianEvent,
  type FilterLimit,
  nonPrivateEvent,
  type PrivacyEvent,
  poissonSampledEvent,
  views,
} from '../../src/privacy/index.js';
import { type ObserverView, observerViews } from '../../src/privacy/observerViews.js';

const limit: FilterLimit = { epsilon: 3, delta: 1e-6, orders: [8] };
const round = (contributors: number, colluders = 2): PrivacyEvent =>
  poissonSampledEvent(
    0.05,
    distributedDiscreteGaussianEvent({
      contributors,
      colluders,
      // A fine grid: the four grid steps² that the bridge gives up (docs/privacy.md) widen the interval by 10^-6 only.
      shareVariance: { numerator: '20000000', denominator: '3' },
      sensitivity: 5000,
      dimension: 1000,
    }),
  );
const run = [...Array.from({ length: 40 }, () => round(8)), round(7)];

const byObserver = (shown: readonly ObserverView[]) =>
  Object.fromEntries(shown.map((view) => [view.observer, view])) as Record<
    ObserverView['observer'],
    ObserverView
  >;

describe('what each observer of a release can learn', () => {
  test('the headline stands first, and every charged ε is that of the five numbers', () => {
    const shown = observerViews(limit, run);
    expect(shown[0]?.observer).toBe('coordinatorWithColluders');
    expect(Object.fromEntries(shown.map(({ observer, epsilon }) => [observer, epsilon]))).toEqual(
      views(limit, run),
    );
  });

  test('the interval is narrow, below what is charged, and larger for whoever knows more of the noise', () => {
    const seen = byObserver(observerViews(limit, run));
    for (const { epsilon, interval } of Object.values(seen)) {
      expect(interval.lower).toBeGreaterThan(0);
      expect(interval.lower).toBeLessThanOrEqual(interval.upper);
      expect(interval.upper - interval.lower).toBeLessThan(1e-3 * Math.max(1, interval.upper));
      expect(interval.upper).toBeLessThanOrEqual(epsilon);
    }
    expect(seen.coordinatorAlone).toEqual({ ...seen.public, observer: 'coordinatorAlone' });
    expect(seen.anotherMember.interval.lower).toBeGreaterThan(seen.public.interval.upper);
    expect(seen.coordinatorWithColluders.interval.lower).toBeGreaterThan(seen.anotherMember.interval.upper);
    expect(seen.secureAggregationBroken.interval.lower).toBeGreaterThan(
      seen.coordinatorWithColluders.interval.upper,
    );
  });

  test('a curve of some twenty points: ε rises, δ falls, and it agrees with the interval at the limit’s δ', () => {
    for (const { curve, interval } of observerViews(limit, run)) {
      expect(curve.length).toBeGreaterThanOrEqual(15);
      expect(curve.length).toBeLessThanOrEqual(25);
      curve.forEach((point, i) => {
        expect(point.deltaLower).toBeLessThanOrEqual(point.deltaUpper);
        const before = curve[i - 1];
        if (before === undefined) return;
        expect(point.epsilon).toBeGreaterThan(before.epsilon);
        expect(point.deltaUpper).toBeLessThanOrEqual(before.deltaUpper);
      });
      for (const { epsilon, deltaLower, deltaUpper } of curve) {
        if (epsilon >= interval.upper) expect(deltaLower).toBeLessThanOrEqual(limit.delta);
        if (epsilon < interval.lower) expect(deltaUpper).toBeGreaterThan(limit.delta);
      }
    }
  });

  test('a member’s own noise covers its records whoever looks: local DP-SGD is one and the same for all five', () => {
    const local = {
      version: 1,
      kind: 'local-dp-sgd',
      noiseMultiplier: 1.5,
      samplingRate: 0.02,
      steps: 50,
    } as PrivacyEvent;
    const shown = observerViews(limit, [local, local]);
    const figures = shown.map(({ observer: _, ...view }) => JSON.stringify(view));
    expect(new Set(figures).size).toBe(1);
    expect(shown[0]?.interval.upper).toBeLessThan(Number.POSITIVE_INFINITY);
    expect(new Set(Object.values(views(limit, [local]))).size).toBe(1);
    // Beside distributed noise it adds as much for each.
    const mixed = byObserver(observerViews(limit, [...run, local]));
    const alone = byObserver(observerViews(limit, run));
    for (const observer of ['public', 'anotherMember', 'coordinatorWithColluders'] as const)
      expect(mixed[observer].interval.lower).toBeGreaterThan(alone[observer].interval.upper);
  });

  test('where nothing protects there is no bound and no curve', () => {
    for (const { epsilon, interval, curve } of observerViews(limit, [...run, nonPrivateEvent()])) {
      expect(epsilon).toBe(Number.POSITIVE_INFINITY);
      expect(interval.upper).toBe(Number.POSITIVE_INFINITY);
      expect(curve).toEqual([]);
    }
  });

  test('distributed noise is looked for inside every event that holds others', () => {
    const inner = round(8) as Extract<PrivacyEvent, { kind: 'poisson-sampled' }>;
    const nested = [
      { version: 1, kind: 'parallel-composed', events: [inner] },
      {
        version: 1,
        kind: 'sampled-without-replacement',
        sampleSize: 5,
        populationSize: 100,
        event: inner.event,
      },
      { version: 1, kind: 'random-allocation', selections: 2, steps: 40, event: inner.event },
    ] as unknown as PrivacyEvent[];
    for (const event of nested) {
      const seen = views(limit, [event]);
      expect(seen.coordinatorWithColluders, event.kind).toBeGreaterThan(seen.anotherMember);
      expect(seen.anotherMember, event.kind).toBeGreaterThan(seen.public);
    }
  });
});
