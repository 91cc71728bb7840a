import { describe, expect, test } from 'vitest';
import { mills } from '../../src/privacy/accountants/mills.js';
import {
  calibrateGaussian,
  epsilonOf,
  gaussianDelta,
  gaussianEpsilon,
  gaussianEvent,
} from '../../src/privacy/index.js';
import { goldenCases } from './support.js';
import { ANALYTIC_GAUSSIAN, GAUSSIAN_DELTA, MILLS } from './vectors.js';

describe('the analytic Gaussian mechanism', () => {
  test.each(MILLS)('Mills’ ratio at %d, within its stated error', (x, exact) => {
    expect(Math.abs(mills(x) / exact - 1)).toBeLessThan(20 * 2 ** -52);
  });

  test.each(GAUSSIAN_DELTA)(
    'σ = %d, ε = %d: δ = %d, never below, 10^-11 above at most',
    (noise, epsilon, exact) => {
      const delta = gaussianDelta({ noiseMultiplier: noise, epsilon });
      expect(delta).toBeGreaterThanOrEqual(exact * (1 - 2 ** -52));
      expect(delta).toBeLessThanOrEqual(exact * (1 + 1e-11));
    },
  );

  test.each(ANALYTIC_GAUSSIAN)('ε = %d, δ = %d needs σ = %d', (epsilon, delta, exact) => {
    const sigma = calibrateGaussian({ epsilon, delta });
    expect(Math.abs(sigma / exact - 1)).toBeLessThan(1e-10);
    expect(gaussianDelta({ noiseMultiplier: sigma, epsilon })).toBeLessThanOrEqual(delta);
    expect(gaussianDelta({ noiseMultiplier: sigma * (1 - 1e-9), epsilon })).toBeGreaterThan(delta);
    const back = gaussianEpsilon({ noiseMultiplier: sigma, delta });
    expect(Math.abs(back / epsilon - 1)).toBeLessThan(1e-9);
  });

  const cases = goldenCases('calibration.json', 'analytic-gaussian-calibration');
  test.skipIf(!cases)('every golden case to 1e-10 (skipped without ../shared/golden)', () => {
    for (const { params, expected } of cases ?? []) {
      const sigma = calibrateGaussian({ epsilon: params.epsilon, delta: params.delta }) * params.sensitivity;
      expect(Math.abs(sigma / expected.sigma - 1)).toBeLessThan(1e-10);
    }
  });

  test.each([
    [20, 0.1],
    [10, 1e-2],
    [100, 1e-5],
  ])(
    'hazard P17: at ε = %d, δ = %d the classic formula is no theorem: it adds too little noise',
    (epsilon, delta) => {
      const classic = Math.sqrt(2 * Math.log(1.25 / delta)) / epsilon;
      expect(gaussianDelta({ noiseMultiplier: classic, epsilon })).toBeGreaterThan(delta);
      expect(calibrateGaussian({ epsilon, delta })).toBeGreaterThan(classic);
    },
  );

  test('hazard P17: for ε < 1 the classic formula holds, and wastes noise', () => {
    for (const epsilon of [0.01, 0.5, 0.99]) {
      const classic = Math.sqrt(2 * Math.log(1.25 / 1e-5)) / epsilon;
      expect(gaussianDelta({ noiseMultiplier: classic, epsilon })).toBeLessThan(1e-5);
      expect(calibrateGaussian({ epsilon, delta: 1e-5 })).toBeLessThan(classic);
    }
  });

  test('the exact ε is below the Rényi bound, by little', () => {
    for (const noise of [0.3, 1, 5, 50]) {
      const exact = gaussianEpsilon({ noiseMultiplier: noise, delta: 1e-6 });
      const bound = epsilonOf(gaussianEvent(noise), 1e-6);
      expect(exact).toBeLessThan(bound);
      expect(bound).toBeLessThan(exact * 1.2);
    }
  });

  test('hazard P8: replace-one is the same mechanism at twice the sensitivity', () => {
    const halved = gaussianDelta({ noiseMultiplier: 1, epsilon: 1 });
    expect(gaussianDelta({ noiseMultiplier: 2, epsilon: 1, relation: 'replace-one' })).toBe(halved);
    expect(gaussianDelta({ noiseMultiplier: 2, epsilon: 1, relation: 'zero-out' })).toBeLessThan(halved);
    const one = calibrateGaussian({ epsilon: 1, delta: 1e-5 });
    expect(calibrateGaussian({ epsilon: 1, delta: 1e-5, relation: 'replace-one' })).toBe(2 * one);
  });

  test('hazard P14: no NaN, nothing negative, no hang, and monotone at every corner', () => {
    for (const noise of [0, 1e-300, 1e-8, 0.01, 1, 1e8, 1e300]) {
      let before = 1;
      for (const epsilon of [0, 1e-300, 1e-9, 1, 50, 1e4, 1e300]) {
        const delta = gaussianDelta({ noiseMultiplier: noise, epsilon });
        expect(delta > 0 && delta <= before * (1 + 1e-9)).toBe(true);
        before = delta;
      }
      for (const delta of [1e-300, 1e-12, 0.5, 1 - 2 ** -53]) {
        expect(gaussianEpsilon({ noiseMultiplier: noise, delta }) >= 0).toBe(true);
      }
    }
    expect(gaussianEpsilon({ noiseMultiplier: 0, delta: 0.5 })).toBe(Number.POSITIVE_INFINITY);
    expect(() => gaussianDelta({ noiseMultiplier: Number.NaN, epsilon: 1 })).toThrow(
      expect.objectContaining({ code: 'argument-invalid' }),
    );
    expect(() => gaussianDelta({ noiseMultiplier: 1, epsilon: -1 })).toThrow(
      expect.objectContaining({ code: 'argument-invalid' }),
    );
    expect(() => calibrateGaussian({ epsilon: 1, delta: 0 })).toThrow(
      expect.objectContaining({ code: 'argument-invalid' }),
    );
  });
});
