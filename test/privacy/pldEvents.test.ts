import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  composedEvent,
  deltaBounds,
  deltaInterval,
  discreteGaussianEvent,
  distributedDiscreteGaussianEvent,
  epsilonBounds,
  epsilonInterval,
  gaussianEvent,
  laplaceEvent,
  localDpSgdEvent,
  type Neighbouring,
  nonPrivateEvent,
  type PrivacyEvent,
  type PrivacyInterval,
  parallelComposedEvent,
  poissonSampledEvent,
  privacyCurve,
  randomAllocationEvent,
  randomizedResponseEvent,
  sampledWithoutReplacementEvent,
  selfComposedEvent,
} from '../../src/privacy/index.js';
import { gaussian, laplace, response } from './pldVectors.js';

const UNKNOWN: PrivacyInterval = { lower: 0, upper: Number.POSITIVE_INFINITY };
const EXPOSED: PrivacyInterval = { lower: Number.POSITIVE_INFINITY, upper: Number.POSITIVE_INFINITY };
const FREE: PrivacyInterval = { lower: 0, upper: 0 };

const epsilonAt = (
  event: PrivacyEvent,
  delta = 1e-6,
  relation: Neighbouring = 'add-remove',
): PrivacyInterval => epsilonInterval(event, { delta, relation });

/** ∞ upwards, and never a NaN, a negative number or an end that passes the other (hazard P14). */
function expectInterval({ lower, upper }: PrivacyInterval, narrow?: number): void {
  expect(lower).toBeGreaterThanOrEqual(0);
  expect(upper).toBeGreaterThanOrEqual(lower);
  if (narrow !== undefined) expect(upper - lower).toBeLessThanOrEqual(narrow * Math.max(1, upper / 10));
}

describe('hazard P14: extreme questions have answers, in finite time', () => {
  test('no steps, no noise, infinite noise', () => {
    expect(epsilonAt(gaussian(1, 0.01, 0))).toEqual(FREE);
    expect(epsilonAt(composedEvent([]))).toEqual(FREE);
    expect(epsilonAt(gaussian(0, 1, 100))).toEqual(EXPOSED);
    // A sample without noise: δ is the rate at each step, beyond what is claimed from below.
    expect(epsilonAt(gaussian(0, 0.01, 100))).toEqual(UNKNOWN);
    expect(deltaInterval(gaussian(0, 0.01, 100), { epsilon: 1 })).toEqual({ lower: 0, upper: 1 });
    // Not JSON, so not an event.
    expect(epsilonAt({ version: 1, kind: 'gaussian', noiseMultiplier: Number.POSITIVE_INFINITY })).toEqual(
      UNKNOWN,
    );
    expect(epsilonAt(gaussian(1e150, 1, 100))).toEqual(FREE);
    expect(epsilonAt(gaussian(1e-200, 1, 1))).toEqual(UNKNOWN);
    expect(epsilonAt(laplace(1e-200, 1))).toEqual(UNKNOWN);
    // So many of so little noise that they are beyond doubles, on one sample.
    expect(epsilonAt(poissonSampledEvent(0.5, gaussian(1e-99, 1, 1e6)))).toEqual(UNKNOWN);
    expect(epsilonAt(laplace(1e200, 3)).upper).toBeLessThan(1e-9);
  });

  test.each<[string, PrivacyEvent, number, number?]>([
    ['two steps', gaussian(1, 0.01, 2), 1e-6, 1e-3],
    ['hundreds of steps', gaussian(1, 0.5, 300), 1e-6, 1e-3],
    ['half a million steps at rate ½', gaussian(1, 0.5, 500_000), 1e-6, 1e-3],
    ['ten million steps', gaussian(5, 0.01, 1e7), 1e-6, 1e-2],
    ['2^52 steps', gaussian(100, 1e-6, 2 ** 52), 1e-6],
    ['rate 10^-12', gaussian(1, 1e-12, 1000), 1e-6, 1e-9],
    ['rate 10^-12 where it counts', gaussian(1, 1e-12, 1000), 1e-11, 1e-3],
    ['rate 1 − 2^-53', gaussian(2, 1 - 2 ** -53, 100), 1e-6, 1e-3],
    ['rate 10^-200', gaussian(1, 1e-200, 100), 1e-6, 1e-9],
    ['noise 0.05', gaussian(0.05, 0.1, 1000), 1e-6, 1e-3],
    ['noise 10^-3 and hardly any sampling', gaussian(1e-3, 1e-6, 1000), 1e-6],
    ['noise 10^-9', gaussian(1e-9, 0.01, 100), 1e-6],
    ['noise 10^6', gaussian(1e6, 0.01, 100), 1e-6, 1e-9],
    ['noise 10^150', gaussian(1e150, 0.01, 100), 1e-6, 1e-9],
    ['δ = 10^-30', gaussian(1, 0.01, 1000), 1e-30, 1e-3],
    ['δ = 10^-280', gaussian(1, 0.01, 1000), 1e-280, 1e-3],
    ['δ = 5·10^-324', gaussian(1, 0.01, 1000), 5e-324],
    ['δ = 0.999', gaussian(1, 0.5, 1000), 0.999, 1e-2],
    ['δ = 1 − 2^-53', gaussian(1, 0.5, 1000), 1 - 2 ** -53],
    ['Laplace at δ = 10^-300', laplace(1, 4), 1e-300],
    ['Laplace of scale 10^-3', laplace(1e-3, 4), 1e-6, 1e-3],
    ['sampled Laplace', selfComposedEvent(poissonSampledEvent(0.1, laplaceEvent(1)), 100), 1e-6, 1e-3],
    ['two scales', composedEvent([laplace(1, 10), laplace(3.3, 20)]), 1e-6, 1e-3],
    ['a record always answers', composedEvent([laplace(1e-12, 1), gaussian(1, 0.01, 5)]), 1e-6],
  ])('%s', (_, event, delta, narrow) => {
    expectInterval(epsilonAt(event, delta), narrow);
    expectInterval(deltaInterval(event, { epsilon: 0.5 }));
  });

  test('pure ε bounds what δ can’t: no upper end above the sum of the largest losses', () => {
    for (const delta of [1e-12, 1e-100, 1e-300, 5e-324]) {
      expect(epsilonAt(laplace(1, 4), delta).upper).toBeLessThanOrEqual(4 * (1 + 1e-9));
      const { lower, upper } = epsilonAt(response(0.5, 2, 10), delta, 'replace-one');
      expect(upper).toBeLessThanOrEqual(10 * Math.log(3) * (1 + 1e-9));
      expect(lower).toBeLessThanOrEqual(upper);
    }
  });

  test('δ at any ε, however large', () => {
    const event = gaussian(1, 0.01, 1000);
    for (const epsilon of [0, 1e-300, 50, 200, 1e6, 1e300])
      expectInterval(deltaInterval(event, { epsilon }), 1e-3);
    expect(deltaInterval(event, { epsilon: 1e300 }).upper).toBeLessThan(1e-250);
    expect(deltaInterval(event, { epsilon: Number.POSITIVE_INFINITY })).toEqual(FREE);
    expect(deltaBounds(event, { epsilon: Number.POSITIVE_INFINITY }).rdp).toBe(0);
    expect(deltaInterval(laplace(1, 4), { epsilon: 5 })).toEqual(FREE);
  });

  test('nonsense is refused by name', () => {
    for (const delta of [0, 1, -1, Number.NaN, 2])
      expect(() => epsilonAt(gaussianEvent(1), delta)).toThrow(
        expect.objectContaining({ code: 'argument-invalid' }),
      );
    for (const epsilon of [-1e-9, Number.NaN])
      expect(() => deltaInterval(gaussianEvent(1), { epsilon })).toThrow(
        expect.objectContaining({ code: 'argument-invalid' }),
      );
  });

  test('64 different mechanisms', () => {
    const event = composedEvent(
      Array.from({ length: 64 }, (_, i) => gaussian(1 + 0.01 * i, 0.01 + 1e-4 * i, 5)),
    );
    expectInterval(epsilonAt(event, 1e-5), 1e-3);
  });
});

describe('hazard P25: what is not known costs ∞', () => {
  const unknown = { version: 1, kind: 'homeopathic' } as unknown as PrivacyEvent;

  test('an unknown event, alone and inside', () => {
    expect(epsilonAt(unknown)).toEqual(UNKNOWN);
    const composed = { version: 1, kind: 'composed', events: [gaussianEvent(1), unknown] } as const;
    expect(epsilonAt(composed)).toEqual(UNKNOWN);
    const sampled = { version: 1, kind: 'poisson-sampled', samplingRate: 0.01, event: unknown } as const;
    expect(epsilonAt(sampled)).toEqual(UNKNOWN);
    expect(deltaInterval(unknown, { epsilon: 1 })).toEqual({ lower: 0, upper: 1 });
    expect(privacyCurve(unknown)).toEqual([]);
  });

  test('what is not private at all is known to be so', () => {
    expect(epsilonAt(nonPrivateEvent())).toEqual(EXPOSED);
    expect(epsilonAt(composedEvent([gaussianEvent(1), nonPrivateEvent()]))).toEqual(EXPOSED);
    expect(deltaInterval(nonPrivateEvent(), { epsilon: 3 })).toEqual({ lower: 1, upper: 1 });
    // In a sample it may be that nothing was shown.
    expect(epsilonAt(poissonSampledEvent(0.5, nonPrivateEvent()))).toEqual(UNKNOWN);
    expect(epsilonAt(sampledWithoutReplacementEvent(1, 10, nonPrivateEvent()))).toEqual(UNKNOWN);
  });

  test('randomized response without a record to answer: only replace-one', () => {
    const event = randomizedResponseEvent(0.5, 2);
    expect(epsilonAt(event)).toEqual(UNKNOWN);
    expect(epsilonAt(event, 1e-6, 'zero-out')).toEqual(UNKNOWN);
    expect(epsilonAt(poissonSampledEvent(0.1, event), 1e-6, 'add-remove')).toEqual(UNKNOWN);
    for (const relation of ['add-remove', 'zero-out'] as const)
      expect(epsilonAt(sampledWithoutReplacementEvent(2, 10, event), 1e-6, relation)).toEqual(UNKNOWN);
    // Replaced, a record may answer in one set and not in the other.
    expect(epsilonAt(parallelComposedEvent([event, gaussianEvent(1)]), 1e-6, 'replace-one')).toEqual(UNKNOWN);
    expect(epsilonAt(response(1, 2, 5), 1e-6, 'replace-one')).toEqual(FREE);
    expect(epsilonAt(response(0, 2, 5), 1e-6, 'replace-one')).toEqual(EXPOSED);
    expect(epsilonAt(response(1e-300, 2 ** 30, 5), 1e-6, 'replace-one')).toEqual(UNKNOWN);
  });

  test('who answers is public, so a sample of answers hides nothing', () => {
    const event = randomizedResponseEvent(0.5, 2);
    const alone = epsilonAt(event, 1e-6, 'replace-one').upper;
    expect(epsilonAt(poissonSampledEvent(0.01, event), 1e-6, 'replace-one')).toEqual({
      lower: 0,
      upper: alone,
    });
    expect(epsilonAt(sampledWithoutReplacementEvent(1, 100, event), 1e-6, 'replace-one')).toEqual({
      lower: 0,
      upper: alone,
    });
  });
});

describe('neighbours', () => {
  test('hazard P8: a record that is replaced moves a sum twice as far', () => {
    for (const event of [gaussianEvent(2), laplace(2, 5)]) {
      const half = event.kind === 'gaussian' ? gaussianEvent(1) : laplace(1, 5);
      expect(epsilonAt(event, 1e-6, 'replace-one')).toEqual(epsilonAt(half));
      expect(epsilonAt(event, 1e-6, 'zero-out')).toEqual(epsilonAt(event));
    }
  });

  test('sampling under replace-one: dearer than a record more or less at twice the reach, cheaper than two of them', () => {
    const sampled = epsilonAt(gaussian(2, 0.01, 1000), 1e-5, 'replace-one');
    expect(sampled.lower).toBe(0);
    expect(sampled.upper).toBeGreaterThanOrEqual(epsilonAt(gaussian(1, 0.01, 1000), 1e-5).lower);
    expect(sampled.upper).toBeLessThan(epsilonAt(gaussian(1, 1, 1000), 1e-5).upper);
    const without = selfComposedEvent(sampledWithoutReplacementEvent(10, 1000, gaussianEvent(2)), 1000);
    expect(epsilonAt(without, 1e-5, 'replace-one').upper).toBeCloseTo(sampled.upper, 6);
    expect(epsilonAt(without, 1e-5).upper).toBeGreaterThan(sampled.upper);
  });

  test('a sample of a sample has the product of the rates', () => {
    const step = gaussianEvent(1);
    const nested = selfComposedEvent(poissonSampledEvent(0.1, poissonSampledEvent(0.1, step)), 200);
    const { lower, upper } = epsilonAt(nested);
    const flat = epsilonAt(gaussian(1, 0.01, 200));
    expect(upper).toBeCloseTo(flat.upper, 9);
    expect(lower).toBeCloseTo(flat.lower, 9);
    expect(lower).toBeLessThanOrEqual(flat.upper);
  });

  test('several answers on one sample: Gaussian ones are one, others are not amplified', () => {
    const two = poissonSampledEvent(0.01, composedEvent([gaussianEvent(2), gaussianEvent(2)]));
    expect(epsilonAt(two, 1e-5).upper).toBeCloseTo(epsilonAt(gaussian(Math.SQRT2, 0.01, 1), 1e-5).upper, 9);
    const mixed = composedEvent([gaussianEvent(2), laplaceEvent(2)]);
    const { lower, upper } = epsilonAt(poissonSampledEvent(0.01, mixed), 1e-5);
    expect([lower, upper]).toEqual([0, expect.closeTo(epsilonAt(mixed, 1e-5).upper, 2)]);
  });

  test('steps that each record takes part in some of cost at most those', () => {
    const { lower, upper } = epsilonAt(randomAllocationEvent(2, 10, gaussianEvent(2)));
    expect(lower).toBe(0);
    expect(upper).toBeCloseTo(epsilonAt(gaussian(2, 1, 2)).upper, 9);
    expect(epsilonAt(randomAllocationEvent(3, 3, gaussianEvent(2)))).toEqual(epsilonAt(gaussian(2, 1, 3)));
  });

  test('disjoint sets cost as the dearest, replaced records both; again and again all of them', () => {
    const parts = [gaussianEvent(2), laplace(3, 4)] as const;
    const whole = parallelComposedEvent(parts);
    const each = parts.map((part) => epsilonAt(part));
    expect(epsilonAt(whole)).toEqual({
      lower: Math.max(...each.map(({ lower }) => lower)),
      upper: Math.max(...each.map(({ upper }) => upper)),
    });
    const replaced = epsilonAt(whole, 1e-6, 'replace-one');
    expect(replaced.upper).toBeGreaterThan(
      Math.max(...parts.map((part) => epsilonAt(part, 1e-6, 'replace-one').upper)),
    );
    expect(epsilonAt(selfComposedEvent(whole, 3)).upper).toBeCloseTo(
      epsilonAt(selfComposedEvent(composedEvent(parts), 3)).upper,
      2,
    );
  });

  test('DP-SGD of one participant is sampled Gaussian noise, again and again', () => {
    const local = localDpSgdEvent({ noiseMultiplier: 1, samplingRate: 0.01, steps: 100 });
    expect(epsilonAt(local)).toEqual(epsilonAt(gaussian(1, 0.01, 100)));
  });

  test('discrete noise is charged through the bridge, a little above continuous noise and not below it', () => {
    const shared = distributedDiscreteGaussianEvent({
      contributors: 10,
      colluders: 2,
      shareVariance: { numerator: '125000', denominator: '1' },
      sensitivity: 1000,
      dimension: 1000,
    });
    const one = discreteGaussianEvent({
      variance: { numerator: '1000000', denominator: '1' },
      sensitivity: 1000,
      dimension: 10,
    });
    const continuous = epsilonAt(gaussianEvent(1), 1e-5);
    for (const event of [shared, one]) {
      const { lower, upper } = epsilonAt(event, 1e-5);
      expect(upper).toBeGreaterThan(continuous.upper);
      expect(upper).toBeLessThan(continuous.upper + 1e-4);
      expect(lower).toBeLessThan(continuous.lower);
      expect(lower).toBeGreaterThan(continuous.lower - 1e-4);
    }
    // Below the floor of 16 grid steps² there is no proof.
    const coarse = discreteGaussianEvent({
      variance: { numerator: '10', denominator: '1' },
      sensitivity: 1,
      dimension: 1,
    });
    expect(epsilonAt(coarse)).toEqual(UNKNOWN);
  });

  test('a part of which nothing is known from below counts above only', () => {
    const known = gaussian(1, 0.01, 200);
    const { lower, upper } = epsilonAt(composedEvent([known, randomAllocationEvent(1, 10, laplaceEvent(3))]));
    const alone = epsilonAt(known);
    expect(lower).toBeCloseTo(alone.lower, 6);
    expect(upper).toBeGreaterThan(alone.upper);
  });

  test('all accountants together: the smallest upper end, no matter whose', () => {
    const event = composedEvent([randomAllocationEvent(1, 50, gaussianEvent(2)), gaussian(2, 0.02, 100)]);
    const { epsilon, rdp } = epsilonBounds(event, { delta: 1e-6 });
    expect(epsilon.upper).toBe(Math.min(rdp, epsilonAt(event).upper));
    const { delta, rdp: byRenyi } = deltaBounds(event, { epsilon: 1 });
    expect(delta.upper).toBe(Math.min(byRenyi, deltaInterval(event, { epsilon: 1 }).upper));
  });
});

test('hazard P24: what enforces a budget knows no privacy loss distribution (the counterexample is in adaptiveOrders.test.ts)', () => {
  for (const file of ['src/privacy/filter.ts', 'src/federation/ledger.ts', 'clients/participant/spending.ts'])
    expect(readFileSync(file, 'utf8')).not.toMatch(
      /accountants\/pld|epsilonInterval|deltaInterval|epsilonBounds/,
    );
});
