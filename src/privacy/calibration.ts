import { checkDelta } from './accountants/conversion.js';
import { INTEGER_ORDERS } from './accountants/orders.js';
import { epsilonGuess, epsilonInterval } from './accountants/pld/epsilonInterval.js';
import { PrivacyError } from './errors.js';
import { gaussianEvent, type PrivacyEvent, poissonSampledEvent, selfComposedEvent } from './events.js';
import { costUnits, epsilonOfUnits, type FilterLimit, limitUnits } from './filter.js';
import { GAUSSIAN_ORDER } from './filterOrders.js';
import type { Neighbouring } from './relation.js';
import { INFINITE_UNITS } from './units.js';

export interface CalibrationRequest {
  readonly epsilon: number;
  readonly delta: number;
  /** Poisson sampling rate of each step, 0 < q ≤ 1. */
  readonly samplingRate: number;
  /** Equal steps that shall fit. */
  readonly steps: number;
  /** Candidates, of which one is chosen; left out: Gaussian DP (order 1, infinite where records are sampled) and INTEGER_ORDERS. */
  readonly orders?: readonly number[];
}

export interface Calibration {
  /** Standard deviation / L2 sensitivity, rounded up to six digits. */
  readonly noiseMultiplier: number;
  /** The one order at which the charter's filter is to be enforced, with the whole δ. */
  readonly order: number;
  /** What the steps spend at that order: at most the ε asked for. */
  readonly epsilon: number;
}

const SMALLEST_NOISE = 2 ** -7;
const LARGEST_NOISE = 2 ** 30;
const PRECISION = 2 ** -20;

/**
 * The smallest noise multiplier with which `steps` Poisson-sampled Gaussian sums fit (ε, δ) at the best single order, in the
 * filter's own integers: what is calibrated is admitted to the last step. A unit a step is kept for the bridge's slack. Throws
 * `calibration-impossible` where not even 2^30 is enough.
 */
export function calibrateNoise(request: CalibrationRequest): Calibration {
  const { epsilon, delta, samplingRate, steps, orders = [GAUSSIAN_ORDER, ...INTEGER_ORDERS] } = request;
  if (!Number.isSafeInteger(steps) || steps < 1) {
    throw new PrivacyError('argument-invalid', `steps must be a positive integer, got ${steps}`);
  }
  // One order at a time: each has the whole δ.
  const limits = orders.map((order): FilterLimit => ({ epsilon, delta, orders: [order] }));
  const largest = limits.map((limit) => limitUnits(limit)[0] as bigint);

  const spend = (noiseMultiplier: number): bigint[] => {
    const release = gaussianEvent(noiseMultiplier);
    const step: PrivacyEvent = samplingRate === 1 ? release : poissonSampledEvent(samplingRate, release);
    return costUnits(step, orders).map((unit) => (unit >= INFINITE_UNITS ? unit : unit + 1n) * BigInt(steps));
  };
  const fits = (noiseMultiplier: number): boolean =>
    spend(noiseMultiplier).some((units, i) => units <= (largest[i] as bigint));

  if (!fits(LARGEST_NOISE)) {
    throw new PrivacyError(
      'calibration-impossible',
      `no noise keeps ${steps} steps within ε = ${epsilon} at δ = ${delta}: raise ε or δ, offer larger orders, or take fewer steps`,
    );
  }
  let low = Math.log2(SMALLEST_NOISE);
  let high = Math.log2(LARGEST_NOISE);
  while (high - low > PRECISION) {
    const middle = (low + high) / 2;
    if (fits(2 ** middle)) high = middle;
    else low = middle;
  }
  const noiseMultiplier = roundUpDigits(2 ** high);
  const units = spend(noiseMultiplier);
  let best: Calibration | undefined;
  limits.forEach((limit, i) => {
    const spent = units[i] as bigint;
    if (spent > (largest[i] as bigint)) return;
    const order = orders[i] as number;
    const reached = epsilonOfUnits(limit, [spent]);
    if (best === undefined || reached < best.epsilon) best = { noiseMultiplier, order, epsilon: reached };
  });
  if (best === undefined)
    throw new PrivacyError('calibration-impossible', 'the noise that was found does not hold');
  return best;
}

/** Six significant digits, upwards. */
function roundUpDigits(value: number): number {
  const scale = 10 ** (5 - Math.floor(Math.log10(value)));
  return Math.ceil(value * scale) / scale;
}

export interface NoiseRequest {
  readonly epsilon: number;
  readonly delta: number;
  /** Poisson sampling rate of each step, 0 < q ≤ 1; 1 by default. */
  readonly samplingRate?: number;
  /** Steps; 1 by default. */
  readonly steps?: number;
  readonly relation?: Neighbouring;
}

export interface StepsRequest {
  readonly epsilon: number;
  readonly delta: number;
  /** Standard deviation / L2 sensitivity. */
  readonly noiseMultiplier: number;
  readonly samplingRate?: number;
  readonly relation?: Neighbouring;
}

/** Width that the accountant is asked for, as a part of ε. */
const WIDTH = 1e-4;
const MOST_STEPS = 2 ** 40;

/**
 * The smallest noise multiplier from 2^-7 on, rounded up to four digits, with which `steps` Poisson-sampled Gaussian sums are
 * (ε, δ)-differentially private, by privacy loss distributions: what is answered has been checked, and is within 10^-4 of the truth
 * (relative). For a plan that is fixed before it runs; what a filter is to admit step by step is `calibrateNoise`. Throws `calibration-impossible` where not even 2^30 is enough.
 */
export function noiseFor(request: NoiseRequest): number {
  const { epsilon, steps = 1 } = request;
  checkTarget(epsilon, request.delta);
  checkSteps(steps);
  const event = (log: number): PrivacyEvent =>
    stepsEvent({ ...request, noiseMultiplier: Math.exp(log) }, steps);
  const range = { low: Math.log(SMALLEST_NOISE), high: Math.log(LARGEST_NOISE) };
  const start = rootOfGuess(request, event, range, 'falling');
  if (start === undefined) throw impossible(request, steps);
  let noiseMultiplier = roundUpDigits(Math.exp(refined(request, event, start)));
  while (costOf(request, event(Math.log(noiseMultiplier))) > epsilon) {
    noiseMultiplier = roundUpDigits(noiseMultiplier * (1 + WIDTH / 3));
    if (noiseMultiplier > LARGEST_NOISE) throw impossible(request, steps);
  }
  return noiseMultiplier;
}

/**
 * The most Poisson-sampled Gaussian sums that are (ε, δ)-differentially private together: never too many, and short of the
 * truth by about a part in ten thousand. 0 where not even one is; 2^40 where so many are.
 */
export function stepsFor(request: StepsRequest): number {
  const { epsilon } = request;
  checkTarget(epsilon, request.delta);
  const event = (log: number): PrivacyEvent =>
    stepsEvent(request, Math.min(MOST_STEPS, Math.max(1, Math.floor(Math.exp(log)))));
  const fits = (steps: number): boolean => costOf(request, stepsEvent(request, steps)) <= epsilon;
  if (!fits(1)) return 0;
  const start = rootOfGuess(request, event, { low: 0, high: Math.log(MOST_STEPS) }, 'rising');
  let steps =
    start === undefined ? MOST_STEPS : Math.max(1, Math.floor(Math.exp(refined(request, event, start))));
  while (!fits(steps)) steps -= Math.max(1, Math.ceil((steps * WIDTH) / 3));
  for (let more = Math.ceil(steps * WIDTH); more >= 1; more = Math.floor(more / 2)) {
    while (steps + more <= MOST_STEPS && fits(steps + more)) steps += more;
    if (more * 20_000 < steps) break;
  }
  return steps;
}

interface Start {
  /** Where the guess meets ε, and how fast log ε changes there. */
  readonly at: number;
  readonly slope: number;
}

/** Root of the cheap guess, by bisection; undefined where even the end with the least ε has too much, or the other end too little. */
function rootOfGuess(
  { epsilon, delta, relation = 'add-remove' }: Pick<NoiseRequest, 'epsilon' | 'delta' | 'relation'>,
  event: (x: number) => PrivacyEvent,
  range: { readonly low: number; readonly high: number },
  kind: 'falling' | 'rising',
): Start | undefined {
  const guess = (x: number): number => epsilonGuess(event(x), delta, relation);
  let { low, high } = range;
  if (guess(high) <= epsilon !== (kind === 'falling')) return undefined;
  while (high - low > 1e-4) {
    const middle = (low + high) / 2;
    if (guess(middle) <= epsilon === (kind === 'falling')) high = middle;
    else low = middle;
  }
  const slope = Math.log(guess(low + 0.02) / guess(low - 0.02)) / 0.04;
  const expected = kind === 'falling' ? -1 : 0.5;
  return { at: low, slope: Number.isFinite(slope) && slope * expected > 0 ? slope : expected };
}

/** Newton's steps from the guess, aimed a little to the safe side. */
function refined(
  request: Pick<NoiseRequest, 'epsilon' | 'delta' | 'relation'>,
  event: (x: number) => PrivacyEvent,
  { at, slope }: Start,
): number {
  let x = at;
  for (let i = 0; i < 4; i++) {
    const excess = Math.log(costOf(request, event(x)) / request.epsilon);
    if (excess <= 0 && excess > -WIDTH / 2) break;
    if (!Number.isFinite(excess)) break;
    x -= (excess + WIDTH / 8) / slope;
  }
  return x;
}

function stepsEvent(
  { noiseMultiplier, samplingRate = 1 }: Pick<StepsRequest, 'noiseMultiplier' | 'samplingRate'>,
  steps: number,
): PrivacyEvent {
  const release = gaussianEvent(noiseMultiplier);
  return selfComposedEvent(samplingRate === 1 ? release : poissonSampledEvent(samplingRate, release), steps);
}

function costOf(
  { epsilon, delta, relation = 'add-remove' }: Pick<NoiseRequest, 'epsilon' | 'delta' | 'relation'>,
  event: PrivacyEvent,
): number {
  return epsilonInterval(event, { delta, relation, width: WIDTH * epsilon, ends: 'upper' }).upper;
}

function checkTarget(epsilon: number, delta: number): void {
  if (!(epsilon > 0 && epsilon < Number.POSITIVE_INFINITY))
    throw new PrivacyError('argument-invalid', `ε must be positive and finite, got ${epsilon}`);
  checkDelta(delta);
}

function checkSteps(steps: number): void {
  if (!Number.isSafeInteger(steps) || steps < 1)
    throw new PrivacyError('argument-invalid', `steps must be a positive integer, got ${steps}`);
}

function impossible({ epsilon, delta }: NoiseRequest, steps: number): PrivacyError {
  return new PrivacyError(
    'calibration-impossible',
    `no noise keeps ${steps} steps within ε = ${epsilon} at δ = ${delta}: raise ε or δ, or take fewer steps`,
  );
}
