import { describe, expect, test } from 'vitest';
import {
  discreteGaussianRenyi,
  sumOfDiscreteGaussians,
} from '../../src/privacy/accountants/discreteGaussian.js';
import { gaussianRdp, sampledGaussianRdp } from '../../src/privacy/accountants/sampledGaussian.js';
import {
  bestEpsilon,
  composedEvent,
  discreteGaussianEvent,
  epsilonOf,
  gaussianEvent,
  INTEGER_ORDERS,
  laplaceEvent,
  nonPrivateEvent,
  type PrivacyEvent,
  poissonSampledEvent,
  randomAllocationEvent,
  randomizedResponseEvent,
  rdp,
  rdpToEpsilon,
  STANDARD_ORDERS,
  selfComposedEvent,
} from '../../src/privacy/index.js';
import { goldenCases } from './support.js';
import {
  DISCRETE_GAUSSIAN_RENYI,
  EPSILONS,
  FRACTIONAL_RDP,
  LAPLACE_RDP,
  RANDOMIZED_RESPONSE_RDP,
  SAMPLED_GAUSSIAN_RDP,
} from './vectors.js';

const step = (noiseMultiplier: number, samplingRate: number): PrivacyEvent =>
  samplingRate === 1
    ? gaussianEvent(noiseMultiplier)
    : poissonSampledEvent(samplingRate, gaussianEvent(noiseMultiplier));

function expectUpper(actual: number, exact: number, relative: number): void {
  expect(actual).toBeGreaterThanOrEqual(exact * (1 - 2 ** -52));
  expect(actual).toBeLessThanOrEqual(exact * (1 + relative));
}

/**
 * The same divergences by quadrature, both directions: P = (1−q)N(0,σ²) + qN(1,σ²), Q = N(0,σ²). Trapezoids converge
 * geometrically on such integrands.
 */
function divergenceByQuadrature(noise: number, rate: number, order: number): { remove: number; add: number } {
  const logRatio = (x: number): number => Math.log1p(rate * Math.expm1((2 * x - 1) / (2 * noise * noise)));
  const steps = 40_000;
  const from = -40 * noise - order;
  const width = (80 * noise + 3 * order) / steps;
  let remove = 0;
  let add = 0;
  for (let i = 0; i <= steps; i++) {
    const x = from + i * width;
    const base = -(x * x) / (2 * noise * noise);
    remove += Math.exp(base + order * logRatio(x));
    add += Math.exp(base + (1 - order) * logRatio(x));
  }
  const scale = width / (noise * Math.sqrt(2 * Math.PI));
  return { remove: Math.log(remove * scale) / (order - 1), add: Math.log(add * scale) / (order - 1) };
}

/** MTZ 2019, §3.3, both halves with |C(α,k)| for C(α,k), as dp-accounting 0.6.0 has it; Φ by a plain quadrature. */
function seriesWithoutSigns(noise: number, rate: number, order: number): number {
  const phi = (x: number): number => {
    let sum = 0;
    for (let i = 0; i < 4000; i++) {
      const y = x - (i + 0.5) * 0.005;
      sum += Math.exp((-y * y) / 2) * 0.005;
    }
    return sum / Math.sqrt(2 * Math.PI);
  };
  const cut = noise * noise * Math.log(1 / rate - 1) + 0.5;
  let total = 0;
  let choose = 1;
  for (let k = 0; k < 40; k++) {
    const rest = order - k;
    const power = (a: number): number => rate ** a * (1 - rate) ** (order - a);
    const moment = (a: number): number => Math.exp((a * a - a) / (2 * noise * noise));
    total += Math.abs(choose) * power(k) * moment(k) * phi((cut - k) / noise);
    total += Math.abs(choose) * power(rest) * moment(rest) * phi((rest - cut) / noise);
    choose *= (order - k) / (k + 1);
  }
  return Math.log(total) / (order - 1);
}

describe('Rényi divergences of the Poisson-subsampled Gaussian', () => {
  test.each(SAMPLED_GAUSSIAN_RDP)(
    'σ = $noiseMultiplier, q = $samplingRate: copied golden numbers',
    (golden) => {
      const actual = rdp(step(golden.noiseMultiplier, golden.samplingRate), golden.orders);
      golden.rdp.forEach((exact, i) => {
        expectUpper(actual[i] as number, exact, 1e-10);
      });
    },
  );

  test.each(FRACTIONAL_RDP)(
    'σ = %d, q = %d, order %d, a fraction: to 1e-10 and never below',
    (noise, rate, order, exact) => {
      expectUpper(sampledGaussianRdp(noise, rate, order), exact, 1e-10);
    },
  );

  // 40-digit integrals (mpmath): near order 1 nearly all of (1 + w)^α − 1 − αw cancels, and the sum alone falls below by the difference.
  test.each([
    [3, 0.3, 1.01, 0.005187376379421082],
    [5, 0.9, 1.01, 0.01636587947068803],
    [1, 0.02, 1.01, 0.00033151402617048503],
    [5, 0.5, 1.02, 0.00512635560989819],
    [1.2, 0.1, 1.01, 0.0045839164439207825],
    [100, 0.5, 1.1, 0.000013750206247507885],
    [1, 0.999, 1.05, 0.5239766072982867],
  ])(
    'σ = %d, q = %d, order %d: not below either where the integrand cancels',
    (noise, rate, order, exact) => {
      expectUpper(sampledGaussianRdp(noise, rate, order), exact, 1e-10);
    },
  );

  test.each([
    [1.25, 1.5, 0.04, 1.15],
    [1.5, 10, 0.3, 20],
  ])(
    'the binomial series without its signs, order %d, σ = %d, q = %d, would be %d times too high: the trap of the golden numbers',
    (order, noise, rate, factor) => {
      expect(seriesWithoutSigns(noise, rate, order)).toBeGreaterThan(
        0.9 * factor * sampledGaussianRdp(noise, rate, order),
      );
    },
  );

  const curves = goldenCases('accounting-rdp.json', 'poisson-subsampled-gaussian');
  test.skipIf(!curves)(
    'every golden curve at every order to 1e-10 (skipped where ../shared/golden is missing)',
    () => {
      for (const { params, expected } of curves ?? []) {
        const actual = rdp(step(params.noiseMultiplier, params.samplingRate), params.orders);
        actual.forEach((value, i) => {
          expectUpper(value, expected.rdp[i], 1e-10);
        });
      }
    },
  );

  test('between integers it lies under the chord, and D_α never falls with α', () => {
    for (const [noise, rate] of [
      [0.6, 0.1],
      [2, 0.01],
      [30, 0.5],
    ] as const) {
      const costs = rdp(step(noise, rate), STANDARD_ORDERS);
      costs.forEach((cost, i) => {
        if (i > 0) expect(cost).toBeGreaterThanOrEqual((costs[i - 1] as number) * (1 - 1e-11));
      });
      const [at3, at35, at4] = rdp(step(noise, rate), [3, 3.5, 4]) as unknown as [number, number, number];
      expect(2.5 * at35).toBeLessThanOrEqual(0.5 * (2 * at3 + 3 * at4));
    }
  });

  test.each([
    [1, 0.01, 4],
    [0.8, 0.5, 8],
    [2, 0.1, 16],
    [4, 0.99, 32],
    [1.5, 0.04, 2],
  ])('σ = %d, q = %d, order %d agrees with quadrature, and is the larger direction', (noise, rate, order) => {
    const { remove, add } = divergenceByQuadrature(noise, rate, order);
    const actual = sampledGaussianRdp(noise, rate, order);
    expect(Math.abs(actual / remove - 1)).toBeLessThan(1e-9);
    expect(add).toBeLessThanOrEqual(remove * (1 + 1e-9));
  });

  test('sampling all records is the plain Gaussian, and q → 1 tends to it', () => {
    expect(sampledGaussianRdp(2, 1, 8)).toBe(gaussianRdp(2, 8));
    expect(sampledGaussianRdp(2, 1 - 1e-12, 8)).toBeCloseTo(1, 9);
  });

  test('composition adds, and zero steps cost nothing', () => {
    const one = rdp(step(1, 0.01));
    const many = rdp(selfComposedEvent(step(1, 0.01), 1000));
    const listed = rdp(composedEvent(Array.from({ length: 1000 }, () => step(1, 0.01))));
    one.forEach((cost, i) => {
      expect((many[i] as number) / (1000 * cost)).toBeCloseTo(1, 9);
      expect((listed[i] as number) / (many[i] as number)).toBeCloseTo(1, 9);
    });
    expect(epsilonOf(composedEvent([]), 1e-6)).toBe(0);
    expect(epsilonOf(selfComposedEvent(nonPrivateEvent(), 0), 1e-6)).toBe(0);
  });
});

describe('Rényi divergences in closed form', () => {
  test.each(LAPLACE_RDP)('Laplace of scale $scale', ({ scale, orders, rdp: exact }) => {
    rdp(laplaceEvent(scale), orders).forEach((value, i) => {
      expectUpper(value, exact[i] as number, 1e-10);
    });
  });

  test('Laplace where its closed form would cancel, and where it would overflow', () => {
    // D_α = αt²/2 − … for small t = 1/scale (40 digits: 4.999998333334…e−13 at α = 1.01 + …): the leading term bounds it within t.
    for (const order of [1.01, 2, 50.5]) {
      const [value] = rdp(laplaceEvent(1e6), [order]) as unknown as [number];
      expect(value / ((order * 1e-12) / 2)).toBeCloseTo(1, 4);
    }
    const [large] = rdp(laplaceEvent(1e-4), [1024]) as unknown as [number];
    expect(large).toBeLessThanOrEqual(1e4 * (1 + 1e-14));
    expect(large).toBeGreaterThan(9999.9);
  });

  test.each(RANDOMIZED_RESPONSE_RDP)(
    'randomized response λ = $noiseParameter over $buckets values, replace-one',
    ({ noiseParameter, buckets, orders, rdp: exact }) => {
      rdp(randomizedResponseEvent(noiseParameter, buckets), orders, 'replace-one').forEach((value, i) => {
        expectUpper(value, exact[i] as number, 1e-10);
      });
    },
  );

  test('randomized response: always the truth costs ∞, never the truth costs nothing', () => {
    expect(epsilonOf(randomizedResponseEvent(0, 2), 1e-6, [2], 'replace-one')).toBe(Number.POSITIVE_INFINITY);
    expect(epsilonOf(randomizedResponseEvent(1, 2), 1e-6, [2], 'replace-one')).toBe(0);
  });

  test.each(DISCRETE_GAUSSIAN_RENYI)(
    'discrete Gaussian σ² = %s/%s, shift %d, order %d: exact in one coordinate, charged by the concentrated bound',
    (numerator, denominator, sensitivity, order, exact, bound) => {
      const variance = Number(numerator) / Number(denominator);
      expect(discreteGaussianRenyi(variance, sensitivity, order) / exact).toBeCloseTo(1, 12);
      const event = discreteGaussianEvent({
        variance: { numerator, denominator },
        sensitivity,
        dimension: 1,
      });
      expectUpper(rdp(event, [order])[0] as number, bound, 1e-12);
    },
  );

  for (const [mechanism, make, relation] of [
    ['laplace', (p: { scale: number }) => laplaceEvent(p.scale), 'add-remove'],
    [
      'randomized-response',
      (p: { noiseParameter: number; buckets: number }) =>
        randomizedResponseEvent(p.noiseParameter, p.buckets),
      'replace-one',
    ],
  ] as const) {
    const cases = goldenCases('accounting-rdp.json', mechanism);
    test.skipIf(!cases)(`every golden ${mechanism} curve to 1e-10 (skipped without ../shared/golden)`, () => {
      for (const { params, expected } of cases ?? []) {
        rdp(make(params), params.orders, relation).forEach((value, i) => {
          expectUpper(value, expected.rdp[i], 1e-10);
        });
      }
    });
  }

  const sums = goldenCases('discrete-gaussian.json', 'distributed-discrete-gaussian');
  test.skipIf(!sums)(
    'golden sums of discrete Gaussians, Kairouz, Liu, Steinke 2021 (skipped without ../shared/golden)',
    () => {
      for (const { params, expected } of sums ?? []) {
        const sum = sumOfDiscreteGaussians({
          contributors: params.participants,
          shareVariance: (params.localSigma / params.grid) ** 2,
          sensitivity: expected.roundedNorm / params.grid,
          dimension: params.dimension,
        });
        const costs = STANDARD_ORDERS.map((order) => params.steps * sum.rdp(order));
        const best = bestEpsilon(STANDARD_ORDERS, costs, params.delta);
        expect(sum.tau / (expected.tau || 1)).toBeCloseTo(expected.tau === 0 ? 0 : 1, 9);
        expect(sum.rho / expected.rho).toBeCloseTo(1, 9);
        expect(best.epsilon / expected.epsilon).toBeCloseTo(1, 9);
        expect(best.order).toBe(expected.optimalOrder);
      }
    },
  );
});

describe('sums of discrete Gaussians: Kairouz, Liu, Steinke 2021, Proposition 14, to the letter', () => {
  // Three shares of ½ step², Δ = 2 steps in 5 coordinates: τ = 10(e^(−2π²σ²/2) + e^(−2π²σ²·2/3)), ‖Δ‖₁ ≤ 2·min(√5, 2) = 4.
  const sum = { contributors: 3, shareVariance: 0.5, sensitivity: 2, dimension: 5 };
  const tau = 10 * (Math.exp(-(Math.PI ** 2) / 2) + Math.exp((-2 * Math.PI ** 2) / 3));
  const variance = 3 * 0.5;

  test('τ, ρ and the curve', () => {
    const found = sumOfDiscreteGaussians(sum);
    expectUpper(found.tau, tau, 1e-12);
    const second = (4 / variance + (2 * 4 * tau) / Math.sqrt(variance) + tau ** 2 * 5) / 2;
    const third = (2 / Math.sqrt(variance) + tau * Math.sqrt(5)) ** 2 / 2;
    const first = (order: number) => (order * 4) / 2 / variance + tau * 5;
    expectUpper(found.rho, Math.min(first(1), second, third), 1e-12);
    for (const order of [1.1, 2, 8, 64])
      expectUpper(found.rdp(order), Math.min(first(order), order * Math.min(second, third)), 1e-12);
    // Control: without the factor 10 of τ it would be a seventh less.
    const light = (4 / variance + (2 * 4 * tau) / 10 / Math.sqrt(variance) + (tau / 10) ** 2 * 5) / 2;
    expect(light).toBeLessThan(0.87 * found.rho);
  });

  test('hold from σ² = ¼ on, and for one share at least', () => {
    for (const change of [{ shareVariance: 0.25 - 2 ** -54 }, { shareVariance: 0 }, { contributors: 0 }]) {
      const found = sumOfDiscreteGaussians({ ...sum, ...change });
      expect(found.rho).toBe(Number.POSITIVE_INFINITY);
      expect(found.rdp(2)).toBe(Number.POSITIVE_INFINITY);
    }
    expect(sumOfDiscreteGaussians({ ...sum, shareVariance: 0.25 }).rho).toBeLessThan(20);
    // One share: nothing is folded, τ = 0, the concentrated bound.
    const one = sumOfDiscreteGaussians({ ...sum, contributors: 1 });
    expect(one.tau).toBe(0);
    expectUpper(one.rdp(3), (3 * 4) / 2 / 0.5, 1e-12);
  });
});

describe('conversion to (ε, δ)', () => {
  test.each(EPSILONS)(
    'copied golden ε at σ = $noiseMultiplier, q = $samplingRate, $steps steps',
    (golden) => {
      const event = selfComposedEvent(step(golden.noiseMultiplier, golden.samplingRate), golden.steps);
      const best = bestEpsilon(INTEGER_ORDERS, rdp(event, INTEGER_ORDERS), golden.delta);
      expectUpper(best.epsilon, golden.epsilon, 1e-9);
      expect(best.order).toBe(golden.order);
    },
  );

  const cases = goldenCases('accounting-rdp.json', 'rdp-to-epsilon');
  type Line = { kind: string; noiseMultiplier: number; scale: number; samplingRate: number; count: number };
  const eventOf = (line: Line): PrivacyEvent =>
    selfComposedEvent(
      line.kind === 'laplace' ? laplaceEvent(line.scale) : step(line.noiseMultiplier, line.samplingRate),
      line.count,
    );
  test.skipIf(!cases)(
    'golden ε over the standard orders to 1e-9, same order (skipped without ../shared/golden)',
    () => {
      for (const { params, expected } of cases ?? []) {
        const event = composedEvent((params.events as Line[]).map(eventOf));
        const best = bestEpsilon(STANDARD_ORDERS, rdp(event), params.delta);
        expectUpper(best.epsilon, expected.epsilon * (1 - 1e-12), 1e-9);
        expect(best.order).toBe(expected.optimalOrder);
        expect(epsilonOf(event, params.delta)).toBe(best.epsilon);
      }
    },
  );

  const filters = goldenCases('filter.json', 'renyi-filter')?.filter(
    ({ params }) => params.orders === 'standard',
  );
  test.skipIf(!filters)(
    'golden ledgers over the standard orders, δ undivided: arithmetic, not enforcement (skipped without ../shared/golden)',
    () => {
      for (const { id, params, expected } of filters ?? []) {
        let total = new Float64Array(STANDARD_ORDERS.length);
        (params.requests as { event: Line }[]).forEach(({ event }, i) => {
          const costs = rdp(eventOf(event));
          const after = total.map((sum, j) => sum + (costs[j] as number));
          const admitted = bestEpsilon(STANDARD_ORDERS, after, params.delta).epsilon <= params.epsilon;
          if (admitted) total = after;
          expect(admitted ? 'admitted' : 'over-budget', `${id} request ${i}`).toBe(expected.outcomes[i]);
          const { epsilon } = bestEpsilon(STANDARD_ORDERS, total, params.delta);
          expect(Math.abs(epsilon - expected.epsilonAfter[i]), id).toBeLessThan(1e-8 * epsilon + 1e-12);
        });
      }
    },
  );

  test('is Canonne, Kamath, Steinke 2020, Prop. 12, to the letter', () => {
    const [order, divergence, delta] = [8, 0.7, 1e-5];
    const exact = divergence + Math.log(1 - 1 / order) - (Math.log(delta) + Math.log(order)) / (order - 1);
    expect(rdpToEpsilon(order, divergence, delta)).toBeCloseTo(exact, 12);
    expect(rdpToEpsilon(order, divergence, delta)).toBeGreaterThanOrEqual(exact);
  });

  test.each([
    [1, 0.1, 1e-5],
    [1.009, 0.1, 1e-5],
    [4097, 0.1, 1e-5],
    [Number.NaN, 0.1, 1e-5],
    [8, Number.NaN, 1e-5],
    [8, -1, 1e-5],
    [8, 0.1, 0],
    [8, 0.1, 1],
    [8, 0.1, Number.NaN],
  ])('order %d, divergence %d, δ %d is refused', (order, divergence, delta) => {
    expect(() => rdpToEpsilon(order, divergence, delta)).toThrow(
      expect.objectContaining({ code: 'argument-invalid' }),
    );
  });
});

describe('hazard P14: no NaN, no negative ε, no hang at the extremes', () => {
  const noises = [0, 1e-300, 1e-8, 0.01, 0.3, 1, 50, 1e8, 1e160, 1e300];
  const rates = [1e-300, 1e-12, 0.001, 0.5, 1 - 2 ** -53, 1];
  const counts = [0, 1, 1e6, Number.MAX_SAFE_INTEGER];
  const deltas = [5e-324, 1e-300, 1e-12, 0.5, 1 - 2 ** -53];
  // Down to α → 1.
  const ORDERS = [1.01, 1.1, 1.5, 2, 2.5, 10.9, 63, 512.5, 1024];
  test('all corners of noise × rate × steps × δ, all orders', () => {
    for (const noise of noises) {
      for (const rate of rates) {
        const costs = rdp(step(noise, rate), ORDERS);
        for (const cost of costs) expect(cost > 0).toBe(true);
        for (const count of counts) {
          const total = rdp(selfComposedEvent(step(noise, rate), count), ORDERS);
          for (const delta of deltas) {
            const { epsilon } = bestEpsilon(ORDERS, total, delta);
            expect(epsilon >= 0).toBe(true);
          }
        }
      }
    }
  });

  test('the other mechanisms at their corners', () => {
    const events = noises.flatMap((noise) => [
      laplaceEvent(noise),
      poissonSampledEvent(1e-9, laplaceEvent(noise)),
      randomAllocationEvent(1, 1000, gaussianEvent(noise)),
      randomAllocationEvent(7, 20, gaussianEvent(noise)),
    ]);
    for (const event of events) {
      for (const relation of ['add-remove', 'replace-one', 'zero-out'] as const) {
        for (const cost of rdp(event, [1.01, 1.5, 2, 10.9, 64], relation)) expect(cost > 0).toBe(true);
      }
    }
    for (const noiseParameter of [5e-324, 1e-300, 1e-9, 0.5, 1 - 2 ** -53]) {
      for (const buckets of [2, 1000, 2 ** 40]) {
        const costs = rdp(randomizedResponseEvent(noiseParameter, buckets), ORDERS, 'replace-one');
        for (const cost of costs) expect(cost > 0).toBe(true);
      }
    }
  });

  test('more noise never costs more, a higher rate or order never less', () => {
    for (const order of [1.1, 2, 3.5, 9, 63, 1024]) {
      for (const rate of [1e-6, 0.01, 0.9]) {
        const byNoise = [0.05, 0.3, 1, 5, 100, 1e6].map((noise) => sampledGaussianRdp(noise, rate, order));
        expect(byNoise).toEqual([...byNoise].sort((a, b) => b - a));
      }
      const byRate = [1e-9, 1e-3, 0.1, 0.5, 0.999, 1].map((rate) => sampledGaussianRdp(1, rate, order));
      expect(byRate).toEqual([...byRate].sort((a, b) => a - b));
    }
  });

  test('no noise costs ∞', () => {
    expect(epsilonOf(gaussianEvent(0), 1e-6)).toBe(Number.POSITIVE_INFINITY);
    expect(epsilonOf(nonPrivateEvent(), 1e-6)).toBe(Number.POSITIVE_INFINITY);
  });

  test('the largest order is bounded', () => {
    expect(() => rdp(gaussianEvent(1), [4097])).toThrow(
      expect.objectContaining({ code: 'argument-invalid' }),
    );
    expect(() => rdp(gaussianEvent(1), [])).toThrow(expect.objectContaining({ code: 'argument-invalid' }));
  });
});
