import { PrivacyError } from '../errors.js';
import type { PrivacyEvent } from '../events.js';
import type { Neighbouring } from '../relation.js';
import { checkOrders, STANDARD_ORDERS } from './orders.js';
import { rdp } from './rdp.js';

/** Covers the few roundings of one conversion, relative to the magnitudes that were added. */
const MARGIN = 2 ** -48;

export function checkDelta(delta: number): void {
  if (!(delta > 0 && delta < 1)) {
    throw new PrivacyError('argument-invalid', `δ must be between 0 and 1, both excluded, got ${delta}`);
  }
}

/**
 * What (α, δ) alone contribute to ε: log(1 − 1/α) − (log δ + log α)/(α − 1), and a bound on its float error.
 * Canonne, Kamath, Steinke 2020, Prop. 12: (α, r)-RDP implies (ε, δ)-DP with ε = r + this.
 */
export function conversionTerm(
  order: number,
  delta: number,
): { readonly term: number; readonly error: number } {
  const a = Math.log1p(-1 / order);
  const b = (Math.log(delta) + Math.log(order)) / (order - 1);
  const error = MARGIN * (1 + Math.abs(a) + (Math.abs(Math.log(delta)) + Math.log(order)) / (order - 1));
  return { term: a - b, error };
}

/**
 * ε at δ of a divergence `rdp` at one order; rounded up, never below 0. A divergence of exactly 0 means equal laws, so ε = 0.
 * Throws `argument-invalid` for an order or δ outside its domain, or a NaN or negative divergence.
 */
export function rdpToEpsilon(order: number, rdp: number, delta: number): number {
  checkOrders([order]);
  checkDelta(delta);
  if (!(rdp >= 0)) throw new PrivacyError('argument-invalid', `a Rényi divergence is at least 0, got ${rdp}`);
  if (rdp === 0) return 0;
  const { term, error } = conversionTerm(order, delta);
  return Math.max(0, rdp * (1 + MARGIN) + term + error);
}

/** The smallest ε over the orders, and where. Infinity (at the first order) where every divergence is infinite. */
export function bestEpsilon(
  orders: readonly number[],
  rdp: ArrayLike<number>,
  delta: number,
): { readonly epsilon: number; readonly order: number } {
  checkOrders(orders);
  if (rdp.length !== orders.length)
    throw new PrivacyError('argument-invalid', 'one divergence an order is needed');
  let best = { epsilon: Number.POSITIVE_INFINITY, order: orders[0] as number };
  orders.forEach((order, i) => {
    const epsilon = rdpToEpsilon(order, rdp[i] as number, delta);
    if (epsilon < best.epsilon) best = { epsilon, order };
  });
  return best;
}

/**
 * ε of an event at δ, minimum over `orders`. For a plan that is fixed before it runs; costs chosen as one goes are for the
 * filter (filter.ts), whose δ is divided by the number of orders.
 */
export function epsilonOf(
  event: PrivacyEvent,
  delta: number,
  orders: readonly number[] = STANDARD_ORDERS,
  relation: Neighbouring = 'add-remove',
): number {
  return bestEpsilon(orders, rdp(event, orders, relation), delta).epsilon;
}
