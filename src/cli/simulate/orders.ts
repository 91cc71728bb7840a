import { calibrateNoise } from '../../privacy/calibration.js';
import { PrivacyError } from '../../privacy/errors.js';
import { GAUSSIAN_ORDER } from '../../privacy/filterOrders.js';

/** The charter takes so many, none above the last (federation/charter.ts). */
const MOST_ORDERS = 16;
const LARGEST_ORDER = 1024;
const SMALLEST_ORDER = 2;
/** Beyond the order that suits one Gaussian sum: discrete noise may be a little cheaper higher up. */
const ABOVE = 1.25;

/**
 * Orders for a charter, from which the first committed plan takes one with the whole δ (privacy/filter.ts, commitToPlan): a simulation has
 * one run. Gaussian DP for plans without sampling, which cost least there. For sums of samples of the records the Rényi orders up to the
 * one that suits a Gaussian sum of ε, spread evenly in the logarithm: near its least, ε over the logarithm of the order is flat.
 */
export function ordersFor(epsilon: number, delta: number): readonly number[] {
  const best = orderOfOneSum(epsilon, delta);
  const largest = Math.min(LARGEST_ORDER, Math.ceil(best * ABOVE));
  const spread = Array.from({ length: MOST_ORDERS - 2 }, (_, i) =>
    Math.round(SMALLEST_ORDER * (largest / SMALLEST_ORDER) ** (i / (MOST_ORDERS - 3))),
  );
  return [...new Set([GAUSSIAN_ORDER, ...spread, best])].sort((a, b) => a - b);
}

/** The Rényi order at which one Gaussian sum of ε needs least noise; the largest where ε is out of reach at all of them. */
function orderOfOneSum(epsilon: number, delta: number): number {
  const orders = Array.from({ length: LARGEST_ORDER - SMALLEST_ORDER + 1 }, (_, i) => i + SMALLEST_ORDER);
  try {
    return calibrateNoise({ epsilon, delta, samplingRate: 1, steps: 1, orders }).order;
  } catch (error) {
    if (error instanceof PrivacyError && error.code === 'calibration-impossible') return LARGEST_ORDER;
    throw error;
  }
}
