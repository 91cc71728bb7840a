import { INTEGER_ORDERS } from './accountants/rdp.js';
import { PrivacyError } from './errors.js';
import { gaussianEvent, type PrivacyEvent, poissonSampledEvent } from './events.js';
import { costUnits, epsilonOfUnits, type FilterLimit, limitUnits } from './filter.js';
import { INFINITE_UNITS } from './units.js';

export interface CalibrationRequest {
  readonly epsilon: number;
  readonly delta: number;
  /** Poisson sampling rate of each step, 0 < q ≤ 1. */
  readonly samplingRate: number;
  /** Equal steps that shall fit. */
  readonly steps: number;
  /** Candidates; one is chosen. */
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
  const { epsilon, delta, samplingRate, steps, orders = INTEGER_ORDERS } = request;
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
