import { describe, expect, test } from 'vitest';
import { continuousEquivalent, rdpSlack } from '../../src/privacy/accountants/bridge.js';
import { sampledGaussianRdp } from '../../src/privacy/accountants/sampledGaussian.js';
import {
  type DistributedDiscreteGaussianEvent,
  distributedDiscreteGaussianEvent,
  epsilonOf,
  type PrivacyEvent,
  poissonSampledEvent,
  rdp,
} from '../../src/privacy/index.js';

function event(fields: Partial<DistributedDiscreteGaussianEvent> = {}): DistributedDiscreteGaussianEvent {
  return distributedDiscreteGaussianEvent({
    contributors: 8,
    colluders: 1,
    shareVariance: { numerator: '1000', denominator: '1' },
    sensitivity: 40,
    dimension: 1000,
    ...fields,
  }) as DistributedDiscreteGaussianEvent;
}

const theta = (z: number, variance: number): number => {
  const reach = Math.ceil(40 * Math.sqrt(variance));
  let sum = 0;
  for (let j = Math.floor(z) - reach; j <= Math.floor(z) + reach + 1; j++)
    sum += Math.exp(-((j - z) ** 2) / (2 * variance));
  return sum;
};

function discreteGaussianMass(variance: number, reach: number): Float64Array {
  const total = theta(0, variance);
  return Float64Array.from(
    { length: 2 * reach + 1 },
    (_, i) => Math.exp(-((i - reach) ** 2) / (2 * variance)) / total,
  );
}

function convolve(a: Float64Array, b: Float64Array, reach: number): Float64Array {
  return Float64Array.from(a, (_, k) => {
    let sum = 0;
    for (let j = Math.max(0, k - reach); j <= Math.min(2 * reach, k + reach); j++)
      sum += (a[j] as number) * (b[k - j + reach] as number);
    return sum;
  });
}

describe('the bridge, numerically (small s, where the factor is visible)', () => {
  const t = (s2: number): number => 2 * Math.exp(-2 * Math.PI ** 2 * s2) * (1 + 2 ** -20);

  test.each([0.1, 0.2, 0.5, 1])(
    'the normaliser at s² = %d is s√2π(1 ± 2e^(−2π²s²)) for every centre, and reaches it',
    (s2) => {
      const flat = Math.sqrt(2 * Math.PI * s2);
      // At s² = 0.1 the second harmonic, e^(−8π²s²), is seen: three per cent of the first.
      const higher = 1 + 2 * Math.exp(-6 * Math.PI ** 2 * s2) + 1e-12;
      let worst = 0;
      for (let i = 0; i <= 100; i++) worst = Math.max(worst, Math.abs(theta(i / 100, s2) / flat - 1));
      expect(worst).toBeLessThanOrEqual(t(s2) * higher + 1e-14);
      expect(worst).toBeGreaterThan(t(s2) * 0.99 - 1e-14);
    },
  );

  test.each([
    [4, 0.2],
    [4, 0.5],
    [20, 1],
  ])(
    'continuous noise of σ² = %d less s² = %d, then a discrete Gaussian around it, is the discrete law within the factor',
    (variance, s2) => {
      // z ~ N(0, σ² − s²), then k ~ N_Z(z, s²): integrate over z by trapezoids.
      const spread = Math.sqrt(variance - s2);
      const steps = 8000;
      const width = (24 * spread) / steps;
      const mass = discreteGaussianMass(variance, 20);
      const bound = -Math.log1p(-t(s2)) + Math.log1p(t(s2));
      let worst = 0;
      for (let k = 0; k <= 8; k++) {
        let sum = 0;
        for (let i = 0; i <= steps; i++) {
          const z = -12 * spread + i * width;
          sum +=
            (Math.exp((-z * z) / (2 * spread * spread)) * Math.exp(-((k - z) ** 2) / (2 * s2))) /
            theta(z, s2);
        }
        const made = (sum * width) / (spread * Math.sqrt(2 * Math.PI));
        worst = Math.max(worst, Math.abs(Math.log(made / (mass[k + 20] as number))));
      }
      expect(worst).toBeLessThanOrEqual(bound * 1.02 + 1e-12);
      // Control: the bound is not idle where it can be seen.
      if (s2 === 0.2) expect(worst).toBeGreaterThan(bound / 100);
    },
  );

  test.each([0.3, 0.5, 1])(
    'folding eight shares of variance %d stays within seven times 3·2e^(−2π²v/2)',
    (variance) => {
      const reach = 60;
      const share = discreteGaussianMass(variance, reach);
      let sum = share;
      for (let i = 1; i < 8; i++) sum = convolve(sum, share, reach);
      const whole = discreteGaussianMass(8 * variance, reach);
      const perFolding = -Math.log1p(-Math.min(0.99, t(variance / 2))) + 2 * Math.log1p(t(variance / 2));
      let worst = 0;
      for (let k = -8; k <= 8; k++) {
        worst = Math.max(
          worst,
          Math.abs(Math.log((sum[k + reach] as number) / (whole[k + reach] as number))),
        );
      }
      expect(worst).toBeLessThanOrEqual(7 * perFolding + 1e-12);
      if (variance === 0.3) expect(worst).toBeGreaterThan(1e-3);
    },
  );
});

describe('what a distributed discrete Gaussian costs', () => {
  test('is the continuous cost at σ² = honest shares − 4, to rounding', () => {
    const one = event();
    const noise = Math.sqrt(7 * 1000 - 4) / 40;
    for (const [given, rate] of [
      [one, 1],
      [poissonSampledEvent(0.01, one), 0.01],
    ] as [PrivacyEvent, number][]) {
      const [actual] = rdp(given, [9]) as unknown as [number];
      const exact = sampledGaussianRdp(noise, rate, 9);
      expect(actual).toBeGreaterThanOrEqual(exact);
      expect(actual / exact - 1).toBeLessThan(1e-12);
    }
  });

  test('the slack is below 10^-21 for 10^12 coordinates and a thousand members, and is added', () => {
    const huge = event({ dimension: 2 ** 40, contributors: 1001 });
    const { logFactor } = continuousEquivalent(huge) as { logFactor: number };
    expect(logFactor).toBeGreaterThan(4 * 2 ** 40 * Math.exp(-8 * Math.PI ** 2));
    expect(rdpSlack(logFactor, 2)).toBeLessThan(1e-20);
    expect(rdpSlack(1, 2)).toBeCloseTo(3, 12);
    expect(rdpSlack(1, 1024)).toBeCloseTo(2, 2);
  });

  test('with 2⁴⁰ coordinates and shares of 2⁸⁰ steps² the slack is most of the cost: it is charged, once, sampled or not', () => {
    const order = 9;
    const variance = { numerator: String(2n ** 80n), denominator: '1' };
    const one = event({ dimension: 2 ** 40, contributors: 3, shareVariance: variance, sensitivity: 1 });
    // Two honest shares: η = d(4e^(−8π²) + 8e^(−16π²)), to a millionth.
    const eta = 2 ** 40 * (4 * Math.exp(-8 * Math.PI ** 2) + 8 * Math.exp(-16 * Math.PI ** 2));
    const slack = (eta * (2 * order - 1)) / (order - 1);
    const [whole] = rdp(one, [order]) as unknown as [number];
    const exact = order / 2 / 2 ** 81 + slack;
    expect(whole / exact).toBeGreaterThanOrEqual(1);
    expect(whole / exact).toBeLessThan(1.00001);
    expect(slack).toBeGreaterThan(50 * (order / 2 / 2 ** 81));
    const [sampled] = rdp(poissonSampledEvent(0.01, one), [order]) as unknown as [number];
    expect(sampled / slack).toBeGreaterThanOrEqual(1);
    expect(sampled / slack).toBeLessThan(1.00001);
  });

  test('hazard P13: fewer surviving shares cost more; no honest share costs ∞', () => {
    const costs = [8, 7, 6, 4, 2].map((contributors) => epsilonOf(event({ contributors }), 1e-6));
    expect(costs).toEqual([...costs].sort((a, b) => a - b));
    for (const contributors of [1, 2]) {
      expect(epsilonOf(event({ contributors, colluders: 2 }), 1e-6)).toBe(Number.POSITIVE_INFINITY);
    }
    expect(epsilonOf(event({ contributors: 1, colluders: 1 }), 1e-6)).toBe(Number.POSITIVE_INFINITY);
  });

  test('a share below 16 grid steps² costs ∞, exactly at the floor it does not', () => {
    const at = (numerator: string, denominator: string): number =>
      epsilonOf(event({ shareVariance: { numerator, denominator }, sensitivity: 1 }), 1e-6);
    expect(at('16', '1')).toBeLessThan(10);
    expect(at('15999999999999999999999999999999', '1000000000000000000000000000000')).toBe(
      Number.POSITIVE_INFINITY,
    );
    expect(at('0', '1')).toBe(Number.POSITIVE_INFINITY);
  });
});
