import { calibrateNoise } from '../../privacy/calibration.js';
import { PrivacyError } from '../../privacy/errors.js';
import { CliError, EXIT } from '../exits.js';

/** The charter takes so many, none above the last (federation/charter.ts). */
const MOST_ORDERS = 16;
const LARGEST_ORDER = 1024;
const SMALLEST_ORDER = 2;
/** Beyond the order that suits one Gaussian sum: discrete noise may be a little cheaper higher up. */
const ABOVE = 1.25;

/**
 * Rényi orders for a charter, from which the first committed plan takes one with the whole δ (privacy/filter.ts, commitToPlan). One
 * Gaussian sum of ε costs least at an order that follows from ε and δ; sums of samples of the records cost least at
 * some order below. So that order, and others spread evenly in the logarithm: near its least, ε over the logarithm of the order is
 * flat. Throws CliError where ε is out of reach at every order.
 */
export function ordersFor(epsilon: number, delta: number): readonly number[] {
  const best = orderOfOneSum(epsilon, delta);
  const largest = Math.min(LARGEST_ORDER, Math.ceil(best * ABOVE));
  const spread = Array.from({ length: MOST_ORDERS - 1 }, (_, i) =>
    Math.round(SMALLEST_ORDER * (largest / SMALLEST_ORDER) ** (i / (MOST_ORDERS - 2))),
  );
  return [...new Set([...spread, best])].sort((a, b) => a - b);
}

function orderOfOneSum(epsilon: number, delta: number): number {
  const orders = Array.from({ length: LARGEST_ORDER - SMALLEST_ORDER + 1 }, (_, i) => i + SMALLEST_ORDER);
  try {
    return calibrateNoise({ epsilon, delta, samplingRate: 1, steps: 1, orders }).order;
  } catch (cause) {
    if (!(cause instanceof PrivacyError && cause.code === 'calibration-impossible')) throw cause;
    throw new CliError(
      `ε = ${epsilon} at δ = ${delta} is out of reach at every Rényi order that a charter takes (2 to ${LARGEST_ORDER}): raise --epsilon or --delta.`,
      EXIT.refused,
      'InvalidInput',
      { cause },
    );
  }
}
