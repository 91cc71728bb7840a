import type { PrivacyEvent } from '../events.js';
import { betweenIntegers, gaussianMoment, symmetricMixtureRdp } from './amplification.js';
import { type ContinuousEquivalent, continuousEquivalent, rdpSlack } from './bridge.js';
import { laplaceRdp } from './closedForms.js';
import { type Curve, infinite, type Orders, smaller } from './curves.js';
import { bridged, concentratedMultiplier } from './discreteGaussian.js';
import { remember } from './memo.js';
import { roundUp } from './rounding.js';
import { gaussianRdp, sampledGaussianCurve } from './sampledGaussian.js';

/** A sum over the records with noise of its own. */
export type Sum = Extract<
  PrivacyEvent,
  { kind: 'gaussian' | 'laplace' | 'discrete-gaussian' | 'distributed-discrete-gaussian' }
>;

export function isSum(event: PrivacyEvent): event is Sum {
  return (
    event.kind === 'gaussian' ||
    event.kind === 'laplace' ||
    event.kind === 'discrete-gaussian' ||
    event.kind === 'distributed-discrete-gaussian'
  );
}

/** The same noise on a sum that moves `factor` times as far. */
function stretched<E extends Sum>(event: E, factor: 1 | 2): E {
  if (factor === 1) return event;
  return event.kind === 'gaussian' || event.kind === 'laplace'
    ? { ...event, noiseMultiplier: event.noiseMultiplier / factor }
    : { ...event, sensitivity: event.sensitivity * factor };
}

export function sumCurve(given: Sum, factor: 1 | 2, orders: Orders): Curve {
  const event = stretched(given, factor);
  switch (event.kind) {
    case 'gaussian':
      return Float64Array.from(orders, (order) => gaussianRdp(event.noiseMultiplier, order));
    case 'laplace':
      return Float64Array.from(orders, (order) => laplaceRdp(event.noiseMultiplier, order));
    case 'discrete-gaussian': {
      const noiseMultiplier = concentratedMultiplier(event);
      return Float64Array.from(orders, (order) => gaussianRdp(noiseMultiplier, order));
    }
    case 'distributed-discrete-gaussian':
      return throughBridge(continuousEquivalent(event), 1, orders);
  }
}

/** The continuous formula at the bridge's noise, and its slack after it; Infinity where the bridge does not reach. */
function throughBridge(
  continuous: ContinuousEquivalent | undefined,
  samplingRate: number,
  orders: Orders,
): Curve {
  if (continuous === undefined) return infinite(orders);
  return sampledGaussianCurve(continuous.noiseMultiplier, samplingRate, orders).map((divergence, i) =>
    roundUp(divergence + rdpSlack(continuous.logFactor, orders[i] as number)),
  );
}

/**
 * (1−q)·μ₀ + q·μ₁ against μ₀, both directions, μ₁ being μ₀ shifted by `factor` sensitivities. The noise is even, so at integer
 * orders the binomial sum is exact for every kind; at fractional orders the Gaussian's integral, for discrete noise by the bridge, or a chord.
 */
export function sampledSumCurve(given: Sum, samplingRate: number, factor: 1 | 2, orders: Orders): Curve {
  if (samplingRate === 1) return sumCurve(given, factor, orders);
  const event = stretched(given, factor);
  const chords = (moment: (k: number) => number): Curve =>
    Float64Array.from(orders, (order) =>
      betweenIntegers(order, (n) => symmetricMixtureRdp(n, samplingRate, moment)),
    );
  switch (event.kind) {
    case 'gaussian':
      return sampledGaussianCurve(event.noiseMultiplier, samplingRate, orders);
    case 'laplace':
      return chords(remember((k) => (k - 1) * laplaceRdp(event.noiseMultiplier, k)));
    case 'discrete-gaussian': {
      const noiseMultiplier = concentratedMultiplier(event);
      if (!(noiseMultiplier > 0)) return infinite(orders);
      return smaller(
        chords((k) => gaussianMoment(noiseMultiplier, k)),
        throughBridge(bridged(event), samplingRate, orders),
      );
    }
    case 'distributed-discrete-gaussian':
      return throughBridge(continuousEquivalent(event), samplingRate, orders);
  }
}

/** The continuous Gaussian that a step is post-processing of, if it is. */
export function gaussianStep(event: PrivacyEvent): ContinuousEquivalent | undefined {
  switch (event.kind) {
    case 'gaussian':
      return { noiseMultiplier: event.noiseMultiplier, logFactor: 0 };
    case 'discrete-gaussian':
      return bridged(event);
    case 'distributed-discrete-gaussian':
      return continuousEquivalent(event);
    default:
      return undefined;
  }
}
