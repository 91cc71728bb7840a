import { describe, expect, test } from 'vitest';
import { gaussianKernel, scaledNormalTail } from '../../src/privacy/accountants/pld/normal.js';
import {
  advantage,
  gaussianEvent,
  gdpInterval,
  laplaceEvent,
  muGdp,
  nonPrivateEvent,
  rocCurve,
  tprAtFpr,
} from '../../src/privacy/index.js';
import { gaussian, laplace } from './pldVectors.js';

const FPRS = [1e-6, 1e-4, 0.01, 0.1, 0.3, 0.5, 0.9, 0.999];

/** P(N(0, 1) > z), and its inverse. */
const tail = (z: number): number => (z < 0 ? 1 - tail(-z) : gaussianKernel(z) * scaledNormalTail(z));

function quantile(probability: number): number {
  let [low, high] = [-40, 40];
  for (let i = 0; i < 100; i++) {
    const middle = (low + high) / 2;
    if (tail(middle) > probability) low = middle;
    else high = middle;
  }
  return high;
}

/** The best test between N(0, 1) and N(μ, 1): Dong, Roth, Su 2022, §2.2. */
const gaussianTpr = (mu: number, fpr: number): number => tail(quantile(fpr) - mu);

/** The best test between Laplace noise around 0 and around 1: likelihood ratios e^±1/b outside, in between a line. */
function laplaceTpr(scale: number, fpr: number): number {
  const mu = 1 / scale;
  if (fpr < Math.exp(-mu) / 2) return Math.exp(mu) * fpr;
  return fpr <= 0.5 ? 1 - Math.exp(-mu) / 4 / fpr : 1 - Math.exp(-mu) * (1 - fpr);
}

describe('the best test of whether a record is in', () => {
  test.each([0.5, 1, 3])('Gaussian noise %d: never below the exact power, and close to it', (noise) => {
    for (const { fpr, tpr } of rocCurve(gaussianEvent(noise), FPRS)) {
      const exact = gaussianTpr(1 / noise, fpr);
      expect(tpr).toBeGreaterThanOrEqual(exact * (1 - 1e-12));
      expect(tpr).toBeLessThan(exact * 1.002 + 1e-9);
    }
  });

  test.each([0.5, 1, 4])('Laplace noise %d likewise', (scale) => {
    for (const { fpr, tpr } of rocCurve(laplaceEvent(scale), FPRS)) {
      const exact = laplaceTpr(scale, fpr);
      expect(tpr).toBeGreaterThanOrEqual(exact * (1 - 1e-12));
      expect(tpr).toBeLessThan(exact * 1.002 + 1e-9);
    }
  });

  test('many steps: a composed Gaussian is one', () => {
    const exact = gaussianTpr(0.5, 0.01);
    const found = tprAtFpr(gaussian(20, 1, 100), 0.01);
    expect(found).toBeGreaterThanOrEqual(exact * (1 - 1e-12));
    expect(found).toBeLessThan(exact * 1.002);
  });

  test('it lies between guessing and certainty, and rises with the false positive rate', () => {
    const event = gaussian(1, 0.01, 300);
    const curve = rocCurve(event, [0, ...FPRS, 1]);
    expect(curve[0]?.tpr).toBeLessThan(1e-9);
    expect(curve.at(-1)?.tpr).toBe(1);
    curve.forEach(({ fpr, tpr }, i) => {
      expect(tpr).toBeGreaterThanOrEqual(fpr);
      expect(tpr).toBeLessThanOrEqual(1);
      if (i > 0) expect(tpr).toBeGreaterThanOrEqual(curve[i - 1]?.tpr as number);
      expect(tprAtFpr(event, fpr)).toBe(tpr);
    });
    expect(tprAtFpr(gaussian(1, 0.01, 0), 0.25)).toBeCloseTo(0.25, 12);
    expect(tprAtFpr(nonPrivateEvent(), 0.01)).toBe(1);
    for (const rate of [-0.1, 1.1, Number.NaN])
      expect(() => tprAtFpr(event, rate)).toThrow(expect.objectContaining({ code: 'argument-invalid' }));
  });
});

describe('μ-GDP', () => {
  test('of Gaussian noise it is 1/σ at every δ, from above; composed √T/σ; under replace-one twice that', () => {
    for (const [event, mu] of [
      [gaussianEvent(1), 1],
      [gaussianEvent(30), 1 / 30],
      [gaussian(20, 1, 100), 0.5],
    ] as const) {
      for (const delta of [1e-10, 1e-5, 0.01]) {
        if (delta > 1e-3 * mu) continue;
        expect(muGdp(event, delta)).toBeGreaterThanOrEqual(mu * (1 - 1e-13));
        expect(muGdp(event, delta) / mu).toBeCloseTo(1, 8);
        expect(muGdp(event, delta, 'replace-one') / mu).toBeCloseTo(2, 8);
      }
    }
    const { lower, upper } = gdpInterval(gaussianEvent(2), { to: 0.01 });
    expect(lower).toBeCloseTo(0.5, 8);
    expect(upper).toBeCloseTo(0.5, 8);
  });

  test('of sampled or Laplace noise it depends on δ: the interval says how far', () => {
    for (const event of [gaussian(0.8, 0.001, 300), laplace(4, 3)]) {
      const { lower, upper } = gdpInterval(event, { from: 1e-9, to: 1e-3 });
      expect(lower).toBeGreaterThan(0);
      expect(upper).toBeGreaterThan(1.02 * lower);
      expect(muGdp(event, 1e-9)).toBeLessThanOrEqual(upper);
    }
    expect(muGdp(nonPrivateEvent())).toBe(Number.POSITIVE_INFINITY);
  });

  test('positive control: the central limit’s μ is too small for 1,000 sampled steps', () => {
    // Dong, Roth, Su 2022, §5: μ ≈ q√(T(e^(1/σ²) − 1)).
    const limit = 0.01 * Math.sqrt(1000 * Math.expm1(1));
    expect(muGdp(gaussian(1, 0.01, 1000), 1e-5)).toBeGreaterThan(1.05 * limit);
  });
});

test('the advantage is the total variation distance', () => {
  for (const noise of [0.3, 1, 50]) {
    const exact = 1 - 2 * tail(0.5 / noise);
    const { lower, upper } = advantage(gaussianEvent(noise));
    expect(lower).toBeLessThanOrEqual(exact * (1 + 1e-11));
    expect(upper).toBeGreaterThanOrEqual(exact * (1 - 1e-11));
    expect(upper - lower).toBeLessThan(1e-10);
  }
  const { lower, upper } = advantage(laplaceEvent(2));
  expect(lower).toBeCloseTo(-Math.expm1(-0.25), 11);
  expect(upper).toBeCloseTo(-Math.expm1(-0.25), 11);
  expect(advantage(nonPrivateEvent())).toEqual({ lower: 1, upper: 1 });
});
