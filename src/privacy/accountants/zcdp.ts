import { PrivacyError } from '../errors.js';
import { type PrivacyEvent, parseEvent } from '../events.js';
import { parseRational, toNumber } from '../rational.js';
import { type Neighbouring, sensitivityFactor } from '../relation.js';
import { continuousEquivalent } from './bridge.js';
import { laplacePure, randomizedResponsePure } from './closedForms.js';
import { checkDelta } from './conversion.js';
import { concentratedMultiplier, sumOfDiscreteGaussians } from './discreteGaussian.js';
import { roundUp, SMALLEST_RDP } from './rounding.js';

/**
 * Zero-concentrated differential privacy (Bun, Steinke 2016): ρ such that D_α ≤ ρα at every order α > 1. Adds under composition.
 * Upper bounds.
 */
export function zcdp(event: PrivacyEvent, relation: Neighbouring = 'add-remove'): number {
  try {
    return rho(parseEvent(event), relation);
  } catch (error) {
    // Unknown or malformed: hazard P25.
    if (error instanceof PrivacyError) return Number.POSITIVE_INFINITY;
    throw error;
  }
}

function rho(event: PrivacyEvent, relation: Neighbouring): number {
  const factor = sensitivityFactor(relation);
  switch (event.kind) {
    case 'non-private':
      return Number.POSITIVE_INFINITY;
    case 'gaussian':
      return gaussianRho(event.noiseMultiplier / factor);
    case 'discrete-gaussian':
      return gaussianRho(concentratedMultiplier({ ...event, sensitivity: event.sensitivity * factor }));
    case 'distributed-discrete-gaussian': {
      // Kairouz, Liu, Steinke 2021, Prop. 14; the floor is the bridge's, so that every accountant refuses the same events.
      if (continuousEquivalent(event) === undefined) return Number.POSITIVE_INFINITY;
      return sumOfDiscreteGaussians({
        contributors: event.contributors - event.colluders,
        shareVariance: toNumber(parseRational(event.shareVariance)) * (1 - 2 ** -50),
        sensitivity: event.sensitivity * factor,
        dimension: event.dimension,
      }).rho;
    }
    case 'laplace':
      return pureRho(laplacePure(event.noiseMultiplier / factor));
    case 'randomized-response':
      return relation === 'replace-one'
        ? pureRho(randomizedResponsePure(event.noiseParameter, event.buckets))
        : Number.POSITIVE_INFINITY;
    case 'local-dp-sgd':
      return repeated(gaussianRho(event.noiseMultiplier / factor), event.steps);
    // Sampling is charged as if all records were asked (joint quasi-convexity): it does not lower ρ at large orders.
    case 'poisson-sampled':
      return rho(event.event, relation);
    case 'sampled-without-replacement':
      // A record more in the population may push another one out of the sample.
      return rho(event.event, relation === 'add-remove' ? 'replace-one' : relation);
    case 'random-allocation':
      return repeated(rho(event.event, relation), event.selections);
    case 'self-composed':
      return repeated(rho(event.event, relation), event.count);
    case 'composed':
      return event.events.reduce((total, part) => roundUp(total + rho(part, relation)), 0);
    case 'parallel-composed': {
      // As in rdp.ts: the dearest part; under replace-one also the two dearest with a record less and a record more.
      const own = Math.max(0, ...event.events.map((part) => rho(part, relation)));
      if (relation !== 'replace-one' || event.events.length < 2) return own;
      const [first = 0, second = 0] = event.events
        .map((part) => rho(part, 'add-remove'))
        .sort((a, b) => (a === b ? 0 : b - a));
      return Math.max(own, roundUp(first + second));
    }
  }
}

/** 1/(2σ²): Bun, Steinke 2016, Prop. 1.6. */
function gaussianRho(noiseMultiplier: number): number {
  return noiseMultiplier > 0
    ? Math.max(roundUp(0.5 / noiseMultiplier / noiseMultiplier), SMALLEST_RDP)
    : Number.POSITIVE_INFINITY;
}

/** ε²/2: Bun, Steinke 2016, Prop. 1.4. */
function pureRho(epsilon: number): number {
  return roundUp((epsilon * epsilon) / 2);
}

function repeated(cost: number, count: number): number {
  return count === 0 ? 0 : roundUp(cost * count);
}

function checkRho(value: number): void {
  if (!(value >= 0)) throw new PrivacyError('argument-invalid', `ρ is at least 0, got ${value}`);
}

/**
 * ε at δ of ρ-zCDP: inf over all real α > 1 of ρα + log(1 − 1/α) − (log δ + log α)/(α − 1) (Canonne, Kamath, Steinke 2020, Prop. 12),
 * rounded up, never below 0. The derivative is ρ + (log δ + log α)/(α − 1)²: one root, left of 1/δ.
 */
export function rhoToEpsilon(
  rho: number,
  delta: number,
): { readonly epsilon: number; readonly order: number } {
  checkRho(rho);
  checkDelta(delta);
  if (rho === 0) return { epsilon: 0, order: Number.POSITIVE_INFINITY };
  if (rho === Number.POSITIVE_INFINITY) return { epsilon: rho, order: 1 };
  // In t = log(α − 1): g = ρe^(2t) + log(1 + e^t) + log δ grows. Every order gives an upper bound; a search that is a little off costs the square.
  const logDelta = Math.log(delta);
  let low = -745;
  let high = 700;
  while (high - low > 1e-9) {
    const t = (low + high) / 2;
    if (rho * Math.exp(2 * t) + Math.log1p(Math.exp(t)) + logDelta < 0) low = t;
    else high = t;
  }
  // In e = α − 1, which α itself would lose when ρ is large: log(1 − 1/α) = log e − log(1 + e).
  const e = Math.exp(high);
  const a = high - Math.log1p(e);
  const b = (logDelta + Math.log1p(e)) / e;
  const error = 2 ** -48 * (1 + Math.abs(high) + Math.abs(b) + (Math.abs(logDelta) + Math.log1p(e)) / e);
  const epsilon = rho * (1 + e) * (1 + 2 ** -50) + a - b + error;
  return { epsilon: Number.isNaN(epsilon) ? Number.POSITIVE_INFINITY : Math.max(0, epsilon), order: 1 + e };
}

/** The largest ρ whose tight ε at δ is at most `epsilon`, rounded down. */
export function epsilonToRho(epsilon: number, delta: number): number {
  checkDelta(delta);
  if (!(epsilon >= 0 && epsilon < Number.POSITIVE_INFINITY)) {
    throw new PrivacyError('argument-invalid', `ε must be finite and at least 0, got ${epsilon}`);
  }
  const holds = (value: number): boolean => rhoToEpsilon(value, delta).epsilon <= epsilon;
  let low = 1;
  while (!holds(low)) {
    low /= 2;
    if (low === 0) return 0;
  }
  let high = 2 * low;
  while (holds(high)) high *= 2;
  while (high - low > low * 2 ** -46) {
    const middle = (low + high) / 2;
    if (holds(middle)) low = middle;
    else high = middle;
  }
  return low;
}

/** `rho` in shares proportional to positive weights, each rounded down: their sum never exceeds it. */
export function splitRho(rho: number, weights: readonly number[]): number[] {
  checkRho(rho);
  if (weights.length === 0 || weights.some((weight) => !(weight > 0 && weight < Number.POSITIVE_INFINITY))) {
    throw new PrivacyError('argument-invalid', 'a split needs weights, each positive and finite');
  }
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const down = 1 - 2 ** -51 * (weights.length + 3);
  return weights.map((weight) => rho * (weight / total) * down);
}

/** Standard deviation of Gaussian noise that spends at most `rho` on a sum of L2 sensitivity `sensitivity` (add/remove): Δ/√(2ρ), rounded up. */
export function rhoToSigma(rho: number, sensitivity: number, relation: Neighbouring = 'add-remove'): number {
  checkRho(rho);
  if (!(sensitivity > 0 && sensitivity < Number.POSITIVE_INFINITY)) {
    throw new PrivacyError('argument-invalid', `a sensitivity is positive and finite, got ${sensitivity}`);
  }
  return ((sensitivity * sensitivityFactor(relation)) / Math.sqrt(2 * rho)) * (1 + 2 ** -50);
}
