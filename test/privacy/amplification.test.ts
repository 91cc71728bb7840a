import { describe, expect, test } from 'vitest';
import { generalMixtureRdp, ternaryMixtureRdp } from '../../src/privacy/accountants/amplification.js';
import { mills, normalDensity } from '../../src/privacy/accountants/mills.js';
import { allocationMoments, allocationOutRdp } from '../../src/privacy/accountants/randomAllocation.js';
import {
  composedEvent,
  discreteGaussianEvent,
  distributedDiscreteGaussianEvent,
  epsilonOf,
  gaussianEvent,
  laplaceEvent,
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
import { ALLOCATION } from './vectors.js';

const orders = [1.01, 1.5, 2, 2.5, 3, 4, 8, 16, 64];
const moment =
  (noise: number) =>
  (k: number): number =>
    (k * (k - 1)) / 2 / noise / noise;

function expectNoMore(cheaper: ArrayLike<number>, dearer: ArrayLike<number>): void {
  for (let i = 0; i < cheaper.length; i++) {
    expect(cheaper[i]).toBeLessThanOrEqual((dearer[i] as number) * (1 + 1e-12));
  }
}

/** D_α(P‖Q) for laws with densities `p`, `q` on the line, by quadrature. */
function divergence(order: number, p: (x: number) => number, q: (x: number) => number): number {
  const width = 1 / 256;
  let sum = 0;
  for (let x = -40; x <= 40; x += width) {
    if (p(x) > 0) sum += width * Math.exp(order * Math.log(p(x)) + (1 - order) * Math.log(q(x)));
  }
  return Math.log(sum) / (order - 1);
}

describe('Poisson sampling', () => {
  test('of Laplace noise is exact at integer orders, and covers both directions at all', () => {
    const [scale, q] = [1.5, 0.2];
    const law = (shift: number) => (x: number) => Math.exp(-Math.abs(x - shift) / scale) / (2 * scale);
    const mixed = (x: number): number => (1 - q) * law(0)(x) + q * law(1)(x);
    for (const order of [1.5, 2, 3, 4, 6.5]) {
      const [charged] = rdp(poissonSampledEvent(q, laplaceEvent(scale)), [order]) as unknown as [number];
      const truth = Math.max(divergence(order, mixed, law(0)), divergence(order, law(0), mixed));
      expect(charged).toBeGreaterThanOrEqual(truth * (1 - 1e-4));
      if (Number.isInteger(order)) expect(charged / truth).toBeCloseTo(1, 3);
    }
  });

  test('of one holder’s discrete noise: the Gaussian’s price, below the bridge’s floor at integer orders too', () => {
    const event = (numerator: string): PrivacyEvent =>
      discreteGaussianEvent({ variance: { numerator, denominator: '1' }, sensitivity: 2, dimension: 1000 });
    for (const numerator of ['4', '400']) {
      const noise = Math.sqrt(Number(numerator)) / 2;
      const discrete = rdp(poissonSampledEvent(0.01, event(numerator)), orders);
      const continuous = rdp(poissonSampledEvent(0.01, gaussianEvent(noise)), orders);
      orders.forEach((order, i) => {
        const ratio = (discrete[i] as number) / (continuous[i] as number);
        expect(ratio).toBeGreaterThan(1 - 1e-10);
        if (Number.isInteger(order)) expect(ratio).toBeLessThan(1 + 1e-10);
        // By the bridge: 400 − 4 for 400.
        else if (numerator === '400') expect(ratio).toBeLessThan(1.02);
      });
    }
  });

  test('of a composition: Zhu, Wang 2019, Theorem 5, between the exact price and not sampling', () => {
    const inner = selfComposedEvent(gaussianEvent(2), 4);
    const general = rdp(poissonSampledEvent(0.01, inner), orders);
    expectNoMore(general, rdp(inner, orders));
    // Four Gaussians on the same sample are one of half the noise multiplier.
    expectNoMore(rdp(poissonSampledEvent(0.01, gaussianEvent(1)), orders), general);
    expect(general[4] as number).toBeLessThan(0.05 * (rdp(inner, [3])[0] as number));
    for (const order of [2, 5, 30]) {
      expect(generalMixtureRdp(order, 0.01, moment(1))).toBeGreaterThanOrEqual(
        rdp(poissonSampledEvent(0.01, gaussianEvent(1)), [order])[0] as number,
      );
    }
  });

  test('of what need not be symmetric: Zhu, Wang 2019, Theorem 5, to the letter', () => {
    // (1−q)^(α−1)(αq − q + 1) + C(α,2) q²(1−q)^(α−2) e^D₂ + 3 Σ_(ℓ≥3) C(α,ℓ) q^ℓ (1−q)^(α−ℓ) e^((ℓ−1)D_ℓ), α = 4, D_ℓ = ℓ/2.
    const q = 0.1;
    const p = 1 - q;
    const series =
      p ** 3 * (4 * q - q + 1) +
      6 * q ** 2 * p ** 2 * Math.exp(1) +
      3 * (4 * q ** 3 * p * Math.exp(2 * 1.5) + q ** 4 * Math.exp(3 * 2));
    expect(generalMixtureRdp(4, q, moment(1))).toBeCloseTo(Math.log(series) / 3, 12);
    // Four Gaussians of noise 2 are one of noise 1, but no sum: priced by the general theorem.
    const [charged] = rdp(poissonSampledEvent(q, selfComposedEvent(gaussianEvent(2), 4)), [4]);
    expect(charged).toBeCloseTo(Math.log(series) / 3, 12);
  });

  test('a sample of a sample is a sample at the product of the rates', () => {
    const twice = rdp(poissonSampledEvent(0.1, poissonSampledEvent(0.2, gaussianEvent(1))), orders);
    const once = rdp(poissonSampledEvent(0.1 * 0.2, gaussianEvent(1)), orders);
    twice.forEach((cost, i) => {
      expect(cost / (once[i] as number)).toBeCloseTo(1, 10);
    });
  });

  test('local DP-SGD is its steps, one by one', () => {
    const local = localDpSgdEvent({ noiseMultiplier: 1.2, samplingRate: 0.02, steps: 700 });
    const spelt = selfComposedEvent(poissonSampledEvent(0.02, gaussianEvent(1.2)), 700);
    for (const relation of ['add-remove', 'replace-one', 'zero-out'] as const) {
      expect([...rdp(local, orders, relation)]).toEqual([...rdp(spelt, orders, relation)]);
    }
  });

  /** P(max of t outputs ≥ c) when one of them is centred at 1 or 2 and the others at 0: Chua et al. 2024, "How private are DP-SGD implementations?", §4. */
  test('hazard P6: shuffled batches have no event, and charging them as Poisson samples would be wrong by far', () => {
    const [noise, batches, delta] = [0.4, 10_000, 1e-6];
    const tail = (x: number): number =>
      x > 0 ? normalDensity(x) * mills(x) : 1 - normalDensity(x) * mills(-x);
    let lowerBound = 0;
    for (let c = 1; c < 5; c += 0.01) {
      const others = (batches - 1) * tail(c / noise);
      const p = tail((c - 2) / noise);
      const q = tail((c - 1) / noise) + others;
      if (p > delta) lowerBound = Math.max(lowerBound, Math.log((p - delta) / q));
    }
    const asPoisson = epsilonOf(
      selfComposedEvent(poissonSampledEvent(1 / batches, gaussianEvent(noise)), batches),
      delta,
    );
    expect(asPoisson).toBeLessThan(7);
    expect(lowerBound).toBeGreaterThan(1.5 * asPoisson);
    // What may be charged: the one batch that has the record, unsampled; replace-one covers the neighbour that moves by two.
    const shuffled = {
      version: 1,
      kind: 'shuffled',
      batches,
      event: gaussianEvent(noise),
    } as unknown as PrivacyEvent;
    expect(epsilonOf(shuffled, delta)).toBe(Number.POSITIVE_INFINITY);
    expect(epsilonOf(gaussianEvent(noise), delta)).toBeGreaterThan(lowerBound);
  });
});

describe('neighbouring relations', () => {
  const rational = { numerator: '400', denominator: '1' };
  const sums: readonly (readonly [PrivacyEvent, PrivacyEvent])[] = [
    [gaussianEvent(3), gaussianEvent(1.5)],
    [laplaceEvent(3), laplaceEvent(1.5)],
    [
      discreteGaussianEvent({ variance: rational, sensitivity: 7, dimension: 5 }),
      discreteGaussianEvent({ variance: rational, sensitivity: 14, dimension: 5 }),
    ],
    [
      distributedDiscreteGaussianEvent({
        contributors: 5,
        colluders: 1,
        shareVariance: rational,
        sensitivity: 7,
        dimension: 5,
      }),
      distributedDiscreteGaussianEvent({
        contributors: 5,
        colluders: 1,
        shareVariance: rational,
        sensitivity: 14,
        dimension: 5,
      }),
    ],
  ];

  test.each(sums.map(([event, doubled]) => [event.kind, event, doubled] as const))(
    'hazard P8: %s under replace-one costs what twice the sensitivity costs; zero-out what add/remove does',
    (_, event, doubled) => {
      expect([...rdp(event, orders, 'replace-one')]).toEqual([...rdp(doubled, orders)]);
      expect([...rdp(event, orders, 'zero-out')]).toEqual([...rdp(event, orders)]);
      // Control: forgetting it would charge a quarter of the Gaussian's price.
      expectNoMore(rdp(event, orders), rdp(event, orders, 'replace-one'));
      expect(rdp(event, [2], 'replace-one')[0] as number).toBeGreaterThan(2 * (rdp(event, [2])[0] as number));
    },
  );

  test('hazard P8: a Poisson sample under replace-one is above the truth of its worst shift, and near it', () => {
    const [noise, q] = [2, 0.1];
    const law = (shift: number) => (x: number) => normalDensity((x - shift) / noise) / noise;
    const mixed = (shift: number) => (x: number) => (1 - q) * law(0)(x) + q * law(shift)(x);
    for (const order of [1.5, 2, 4, 8]) {
      const [charged] = rdp(
        poissonSampledEvent(q, gaussianEvent(noise)),
        [order],
        'replace-one',
      ) as unknown as [number];
      const truth = divergence(order, mixed(1), mixed(-1));
      expect(charged).toBeGreaterThan(truth);
      expect(charged).toBeLessThan(4 * truth);
      expect(rdp(poissonSampledEvent(q, gaussianEvent(noise)), [order])[0] as number).toBeLessThan(truth);
    }
  });

  test('randomized response is defined for replace-one only: under the others it costs ∞, sampled or not', () => {
    for (const event of [
      randomizedResponseEvent(0.5, 2),
      poissonSampledEvent(0.1, randomizedResponseEvent(0.5, 2)),
    ]) {
      for (const relation of ['add-remove', 'zero-out'] as const) {
        expect(rdp(event, [2], relation)[0]).toBe(Number.POSITIVE_INFINITY);
      }
      expect(rdp(event, [2], 'replace-one')[0] as number).toBeLessThan(1);
    }
  });
});

describe('a Poisson sample under replace-one, to the letter', () => {
  test('is Wang, Balle, Kasiviswanathan 2019, Theorem 9, on the dearer of a replacement and a removal', () => {
    // Laplace noise of scale 100, α = 2: a replacement is ε = 0.02, e^D₂ = ⅔e^ε + ⅓e^(−2ε), D_∞ = ε.
    const [q, epsilon] = [0.1, 0.02];
    const second = (2 / 3) * Math.exp(epsilon) + (1 / 3) * Math.exp(-2 * epsilon);
    const series = q ** 2 * Math.min(4 * (second - 1), second * Math.min(2, Math.expm1(epsilon) ** 2));
    const [charged] = rdp(poissonSampledEvent(q, laplaceEvent(100)), [2], 'replace-one');
    expect((charged as number) / Math.log1p(series)).toBeCloseTo(1, 9);
  });

  test('does not gain from sampling where a record that is absent has no law: randomized response', () => {
    // Its removal costs ∞, and Theorem 9 needs the law of the unsampled record.
    const rr = randomizedResponseEvent(0.5, 2);
    expect([...rdp(poissonSampledEvent(0.1, rr), orders, 'replace-one')]).toEqual([
      ...rdp(rr, orders, 'replace-one'),
    ]);
  });
});

describe('zero-out', () => {
  // A record that is zeroed still takes a place in a sample of fixed size: its neighbour is not the table without it.
  const counting = sampledWithoutReplacementEvent(50, 100, gaussianEvent(2));
  const whole = rdp(counting, orders, 'zero-out');

  test.each([
    ['a Poisson sample', poissonSampledEvent(0.01, counting), 1],
    ['a sample of fixed size', sampledWithoutReplacementEvent(5, 500, counting), 1],
    ['a random allocation', randomAllocationEvent(2, 100, counting), 2],
  ])('%s of what sees how many records there are is charged as unsampled', (_, event, times) => {
    rdp(event, orders, 'zero-out').forEach((cost, i) => {
      expect(cost / times / (whole[i] as number)).toBeCloseTo(1, 12);
    });
  });

  test('of sums sampling does lower it (control)', () => {
    for (const event of [
      poissonSampledEvent(0.01, gaussianEvent(2)),
      sampledWithoutReplacementEvent(5, 500, gaussianEvent(2)),
      randomAllocationEvent(1, 100, gaussianEvent(2)),
    ])
      expect(rdp(event, [2], 'zero-out')[0]).toBeLessThan(0.1 * (rdp(gaussianEvent(2), [2])[0] as number));
  });
});

describe('sampling without replacement', () => {
  const event = sampledWithoutReplacementEvent(50, 1000, gaussianEvent(4));
  const truth = (order: number): number => {
    const law = (shift: number) => (x: number) => normalDensity((x - shift) / 4) / 4;
    const mixed = (shift: number) => (x: number) => 0.95 * law(0)(x) + 0.05 * law(shift)(x);
    return divergence(order, mixed(1), mixed(-1));
  };

  test('replace-one: Wang, Balle, Kasiviswanathan 2019, Theorem 9, to the letter', () => {
    const [q, order] = [0.05, 3];
    const e = (k: number): number => (4 * k) / (2 * 16);
    const series =
      1 + q ** 2 * 3 * Math.min(4 * Math.expm1(e(2)), 2 * Math.exp(e(2))) + q ** 3 * Math.exp(2 * e(3)) * 2;
    expect(rdp(event, [order], 'replace-one')[0] as number).toBeCloseTo(Math.log(series) / (order - 1), 10);
  });

  test('is above a lower bound of its own, and below not sampling, under every relation', () => {
    for (const relation of ['add-remove', 'replace-one', 'zero-out'] as const) {
      const costs = rdp(event, orders, relation);
      expectNoMore(
        costs,
        rdp(gaussianEvent(4), orders, relation === 'add-remove' ? 'replace-one' : relation),
      );
      expect(costs[2] as number).toBeLessThan(0.2 * (rdp(gaussianEvent(4), [2])[0] as number));
    }
    for (const order of [2, 4])
      expect(rdp(event, [order], 'replace-one')[0] as number).toBeGreaterThan(truth(order));
  });

  test('add/remove is the Poisson price at twice the sensitivity: the record pushes another one out', () => {
    const costs = rdp(event, orders);
    rdp(poissonSampledEvent(0.05, gaussianEvent(2)), orders).forEach((cost, i) => {
      expect((costs[i] as number) / cost).toBeCloseTo(1, 10);
    });
  });

  test('a pure D_∞ tightens it', () => {
    const q = 0.01;
    const loose = ternaryMixtureRdp(4, q, (k) => (k - 1) * 0.1, Number.POSITIVE_INFINITY);
    expect(ternaryMixtureRdp(4, q, (k) => (k - 1) * 0.1, 0.1)).toBeLessThan(loose);
  });
});

describe('random allocation', () => {
  test.each(ALLOCATION)(
    'one of two steps, σ = %d, order %d: in %d, out %d',
    (noise, order, inside, outside) => {
      const moments = allocationMoments(2, order, moment(noise));
      const ratio = (moments[order] as number) / (order - 1) / inside;
      expect(ratio).toBeGreaterThanOrEqual(1 - 1e-14);
      expect(ratio).toBeLessThan(1 + 1e-10);
      const [charged] = rdp(randomAllocationEvent(1, 2, gaussianEvent(noise)), [order]) as unknown as [
        number,
      ];
      expect(charged).toBeGreaterThanOrEqual(Math.max(inside, outside) * (1 - 1e-14));
    },
  );

  test('the integral for a record that is taken out lies between its second-order value and the geometric mean’s bound', () => {
    for (const [noise, steps] of [
      [1, 100],
      [2, 1000],
      [0.7, 5000],
    ] as const) {
      for (const order of [2, 5, 12]) {
        const out = allocationOutRdp(noise, steps, order - 1);
        // E[W^(1−α)] − 1 ≈ α(α−1)/2·Var W, Var W = (e^(1/σ²) − 1)/t; the next term lowers it.
        const second = (order / 2) * (Math.expm1(1 / noise ** 2) / steps);
        expect(out).toBeLessThan(second);
        expect(out).toBeGreaterThan(0.5 * second);
        expect(out).toBeLessThan((1 + (order - 1) / steps) / (2 * noise ** 2));
      }
    }
  });

  test('by hand: two steps, second moment', () => {
    // E[((L₁ + L₂)/2)²] = (e^(1/σ²) + 1)/2.
    const moments = allocationMoments(2, 2, moment(1));
    expect(moments[2] as number).toBeCloseTo(Math.log((Math.E + 1) / 2), 11);
  });

  test('by hand: the second moment of any number of steps, never below, though n log t cancels in it', () => {
    // E[W²] = 1 + (e^(1/σ²) − 1)/t. The error that is added is 10⁻¹¹ at most; unadded, every other value would be too small.
    for (let steps = 2; steps < 400; steps++) {
      const exact = Math.log1p(Math.expm1(1 / 4) / steps);
      const found = allocationMoments(steps, 2, moment(2))[2] as number;
      expect(found).toBeGreaterThanOrEqual(exact);
      expect(found - exact).toBeLessThan(1e-11);
    }
  });

  // The integral in 30 digits (mpmath). Each of its two margins alone is above all that doubles err here; without both it is below.
  test.each([
    [1, 100, 1, 0.01664138921314019],
    [1, 100, 4, 0.04081181978209385],
    [2, 1000, 1, 0.0002839622500209452],
    [2, 1000, 11, 0.001703318717634782],
    [4, 500, 1, 0.00012897952944077452],
  ])('record out, σ = %d, one of %d steps, E[W^−%d]: to 1e-11, never below', (noise, steps, s, exact) => {
    const found = allocationOutRdp(noise, steps, s);
    expect(found).toBeGreaterThanOrEqual(exact);
    expect(found - exact).toBeLessThan(1e-11);
  });

  test('a record that is taken out may cost more than one that is put in: two Laplace steps, by hand', () => {
    // Both answers below 0, of probability ¼ without the record, have W = e^(−1/b): E_Q[W^(1−α)] ≥ e^((α−1)/b)/4.
    for (const [scale, order] of [
      [0.1, 64],
      [0.5, 64],
      [0.1, 16],
    ] as const) {
      const least = 1 / scale - Math.log(4) / (order - 1);
      const [charged] = rdp(randomAllocationEvent(1, 2, laplaceEvent(scale)), [order]) as unknown as [number];
      expect(charged).toBeGreaterThanOrEqual(least);
      // Control: the other direction alone is below that.
      const step = rdp(
        laplaceEvent(scale),
        [...Array(order - 1).keys()].map((k) => k + 2),
      );
      const inside = allocationMoments(2, order, (k) => (k - 1) * (step[k - 2] as number));
      expect((inside[order] as number) / (order - 1)).toBeLessThan(least);
    }
  });

  test('of k selections takes blocks of ⌊t/k⌋ steps: a split of t into k has one as small', () => {
    const one = (steps: number): PrivacyEvent => randomAllocationEvent(1, steps, gaussianEvent(2));
    const ratio = (a: PrivacyEvent, b: PrivacyEvent) =>
      rdp(a, orders).map((cost, i) => cost / (rdp(b, orders)[i] as number));
    for (const cost of ratio(randomAllocationEvent(3, 11, gaussianEvent(2)), selfComposedEvent(one(3), 3)))
      expect(cost).toBeCloseTo(1, 12);
    // Two of three steps: a block may be a single step, which is not hidden among others.
    expect([...rdp(randomAllocationEvent(2, 3, gaussianEvent(2)), orders)]).toEqual([
      ...rdp(selfComposedEvent(gaussianEvent(2), 2), orders),
    ]);
    // Control: blocks of ⌈t/k⌉ would be cheaper.
    for (const cost of ratio(selfComposedEvent(one(4), 3), selfComposedEvent(one(3), 3)))
      expect(cost).toBeLessThan(0.97);
  });

  test('recurrence, squaring, doubles and logarithms agree', () => {
    const at = (steps: number, most: number): number =>
      allocationMoments(steps, most, moment(3))[40] as number;
    // 60 steps: most = 40 by the recurrence, 200 by squaring (in logarithms), 300 by squaring in doubles.
    expect(at(60, 200) / at(60, 40)).toBeCloseTo(1, 9);
    expect(at(60, 300) / at(60, 40)).toBeCloseTo(1, 9);
    expect(at(1000, 300) / at(1000, 40)).toBeCloseTo(1, 9);
  });

  test('never costs more than being in all selected steps, whatever the event; one of very many costs about a Poisson sample', () => {
    for (const inner of [gaussianEvent(1), laplaceEvent(1), selfComposedEvent(gaussianEvent(3), 2)]) {
      for (const relation of ['add-remove', 'replace-one', 'zero-out'] as const) {
        expectNoMore(
          rdp(randomAllocationEvent(3, 100, inner), orders, relation),
          rdp(selfComposedEvent(inner, 3), orders, relation),
        );
      }
    }
    const allocated = rdp(randomAllocationEvent(1, 100_000, gaussianEvent(2)), [2, 4, 8]);
    const sampled = rdp(selfComposedEvent(poissonSampledEvent(1e-5, gaussianEvent(2)), 100_000), [2, 4, 8]);
    sampled.forEach((cost, i) => {
      expect((allocated[i] as number) / cost).toBeCloseTo(1, 2);
    });
    expect([...rdp(randomAllocationEvent(5, 5, gaussianEvent(1)), orders)]).toEqual([
      ...rdp(selfComposedEvent(gaussianEvent(1), 5), orders),
    ]);
  });

  test('distributed noise goes through the bridge, its slack once a step', () => {
    const step = distributedDiscreteGaussianEvent({
      contributors: 10,
      colluders: 0,
      shareVariance: { numerator: '10000', denominator: '1' },
      sensitivity: 300,
      dimension: 1000,
    });
    const discrete = rdp(randomAllocationEvent(1, 50, step), [2, 8]);
    const continuous = rdp(randomAllocationEvent(1, 50, gaussianEvent(Math.sqrt(99_996) / 300)), [2, 8]);
    discrete.forEach((cost, i) => {
      expect(cost / (continuous[i] as number)).toBeCloseTo(1, 9);
    });
  });

  test('and that slack is visible where there are 2⁴⁰ steps of 2⁴⁰ coordinates', () => {
    const steps = 2 ** 40;
    const step = distributedDiscreteGaussianEvent({
      contributors: 1,
      colluders: 0,
      shareVariance: { numerator: '10000', denominator: '1' },
      sensitivity: 0.1,
      dimension: 2 ** 40,
    });
    const at = [2, 8];
    const discrete = rdp(randomAllocationEvent(1, steps, step), at);
    const continuous = rdp(randomAllocationEvent(1, steps, gaussianEvent(Math.sqrt(9996) / 0.1)), at);
    at.forEach((order, i) => {
      // η = 4d e^(−8π²) a step, (2α − 1)/(α − 1) times: bridge.ts.
      const slack = (steps * 4 * 2 ** 40 * Math.exp(-8 * Math.PI ** 2) * (2 * order - 1)) / (order - 1);
      expect(((discrete[i] as number) - (continuous[i] as number)) / slack).toBeCloseTo(1, 3);
      expect(slack).toBeGreaterThan(10 * (continuous[i] as number));
    });
  });
});

describe('parallel composition', () => {
  const [a, b, c] = [gaussianEvent(1), laplaceEvent(2), gaussianEvent(3)] as const;

  test('add/remove and zero-out pay the dearest part at each order', () => {
    for (const relation of ['add-remove', 'zero-out'] as const) {
      const parts = [a, b, c].map((part) => rdp(part, orders, relation));
      const costs = rdp(parallelComposedEvent([a, b, c]), orders, relation);
      costs.forEach((cost, i) => {
        expect(cost).toBe(Math.max(...parts.map((part) => part[i] as number)));
      });
    }
    expect(rdp(parallelComposedEvent([]), [2])[0]).toBe(0);
    expect(rdp(parallelComposedEvent([a, nonPrivateEvent()]), [2])[0]).toBe(Number.POSITIVE_INFINITY);
  });

  test('replace-one may move a record from one part to another: the two dearest parts together', () => {
    // Equal pure costs: replaced within a part, randomized response; moved, not defined.
    const rr = randomizedResponseEvent(0.5, 2);
    expect(rdp(parallelComposedEvent([rr, rr]), [2], 'replace-one')[0]).toBe(Number.POSITIVE_INFINITY);
    expect(rdp(parallelComposedEvent([rr]), [2], 'replace-one')[0]).toBe(rdp(rr, [2], 'replace-one')[0]);
    // A part that samples pays less for a replacement within than for the two moves; both are covered.
    const parts = [poissonSampledEvent(0.3, gaussianEvent(1)), gaussianEvent(3)];
    const both = rdp(composedEvent(parts), orders);
    const within = parts.map((part) => rdp(part, orders, 'replace-one'));
    rdp(parallelComposedEvent(parts), orders, 'replace-one').forEach((cost, i) => {
      expect(cost).toBeGreaterThanOrEqual((both[i] as number) * (1 - 1e-12));
      for (const one of within) expect(cost).toBeGreaterThanOrEqual(one[i] as number);
    });
    // Where adding costs what replacing does, the two moves are dearer than any replacement: their sum is the price.
    const fixed = [3, 4].map((noise) => sampledWithoutReplacementEvent(10, 20, gaussianEvent(noise)));
    const sum = rdp(composedEvent(fixed), orders);
    rdp(parallelComposedEvent(fixed), orders, 'replace-one').forEach((cost, i) => {
      expect(cost).toBeGreaterThanOrEqual((sum[i] as number) * (1 - 1e-12));
    });
  });
});

test('every kind is priced without NaN, under each relation', () => {
  const kinds: PrivacyEvent[] = [
    sampledWithoutReplacementEvent(5, 5, gaussianEvent(1)),
    sampledWithoutReplacementEvent(5, 500, randomizedResponseEvent(0.5, 3)),
    poissonSampledEvent(0.01, sampledWithoutReplacementEvent(5, 500, laplaceEvent(1))),
    poissonSampledEvent(0.01, parallelComposedEvent([gaussianEvent(1), laplaceEvent(1)])),
    randomAllocationEvent(1, 10, poissonSampledEvent(0.5, gaussianEvent(1))),
    poissonSampledEvent(0.1, nonPrivateEvent()),
  ];
  for (const event of kinds) {
    for (const relation of ['add-remove', 'replace-one', 'zero-out'] as const) {
      for (const cost of rdp(event, [1.01, 1.5, 2, 10.9, 64], relation)) expect(cost >= 0).toBe(true);
    }
  }
});
