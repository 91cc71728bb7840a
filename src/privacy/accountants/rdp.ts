import { PrivacyError } from '../errors.js';
import { type PrivacyEvent, parseEvent } from '../events.js';
import { continuousEquivalent, rdpSlack } from './bridge.js';
import { roundUp, sampledGaussianRdp } from './sampledGaussian.js';

/** The integers among the field's standard orders. Fractional orders have their place here, and a formula of their own. */
export const INTEGER_ORDERS: readonly number[] = Object.freeze([
  ...Array.from({ length: 62 }, (_, i) => i + 2),
  128,
  256,
  512,
  1024,
]);

/** Bounds the work of one binomial sum. */
export const MAX_ORDER = 4096;

export function checkOrders(orders: readonly number[]): void {
  if (orders.length === 0) throw new PrivacyError('argument-invalid', 'at least one Rényi order is needed');
  for (const order of orders) {
    if (!Number.isInteger(order) || order < 2 || order > MAX_ORDER) {
      throw new PrivacyError(
        'argument-invalid',
        `Rényi orders are integers from 2 to ${MAX_ORDER}, got ${order}`,
      );
    }
  }
}

/**
 * Rényi divergences of an event at `orders` (integers 2 … 4096), natural logarithm, rounded up; add/remove of one
 * record. Composition is addition (Mironov 2017, Prop. 1). An event that is malformed, of an unknown kind or not
 * private costs Infinity at every order: nothing is ever skipped (hazard P25). Never NaN, never negative.
 */
export function rdp(event: PrivacyEvent, orders: readonly number[] = INTEGER_ORDERS): Float64Array {
  checkOrders(orders);
  let parsed: PrivacyEvent;
  try {
    parsed = parseEvent(event);
  } catch (error) {
    if (error instanceof PrivacyError) return infinite(orders);
    throw error;
  }
  return curve(parsed, orders, new Map());
}

function infinite(orders: readonly number[]): Float64Array {
  return new Float64Array(orders.length).fill(Number.POSITIVE_INFINITY);
}

/** `memo` makes a ledger of a thousand equal rounds cost one. */
function curve(
  event: PrivacyEvent,
  orders: readonly number[],
  memo: Map<string, Float64Array>,
): Float64Array {
  switch (event.kind) {
    case 'composed': {
      const total = new Float64Array(orders.length);
      for (const part of event.events) {
        const costs = curve(part, orders, memo);
        for (let i = 0; i < total.length; i++)
          total[i] = roundUp((total[i] as number) + (costs[i] as number));
      }
      return total;
    }
    case 'self-composed':
      // 0 × Infinity is NaN in IEEE 754; an event that never happened costs nothing.
      if (event.count === 0) return new Float64Array(orders.length);
      return curve(event.event, orders, memo).map((cost) => roundUp(cost * event.count));
    default: {
      const key = JSON.stringify(event);
      const known = memo.get(key);
      if (known) return known;
      const costs = leaf(event, orders, memo);
      memo.set(key, costs);
      return costs;
    }
  }
}

function leaf(
  event: Exclude<PrivacyEvent, { kind: 'composed' | 'self-composed' }>,
  orders: readonly number[],
  memo: Map<string, Float64Array>,
): Float64Array {
  switch (event.kind) {
    case 'non-private':
      return infinite(orders);
    case 'gaussian':
    case 'distributed-discrete-gaussian':
      return sampled(event, 1, orders);
    case 'poisson-sampled':
      if (event.event.kind === 'gaussian' || event.event.kind === 'distributed-discrete-gaussian') {
        return sampled(event.event, event.samplingRate, orders);
      }
      // Sound, not tight: Rényi divergences are jointly quasi-convex (van Erven, Harremoës 2014, Thm. 13), so sampling
      // never costs more than asking all records.
      return curve(event.event, orders, memo);
  }
}

function sampled(
  event: Extract<PrivacyEvent, { kind: 'gaussian' | 'distributed-discrete-gaussian' }>,
  samplingRate: number,
  orders: readonly number[],
): Float64Array {
  const continuous =
    event.kind === 'gaussian'
      ? { noiseMultiplier: event.noiseMultiplier, logFactor: 0 }
      : continuousEquivalent(event);
  if (continuous === undefined) return infinite(orders);
  return Float64Array.from(orders, (order) => {
    const divergence = sampledGaussianRdp(continuous.noiseMultiplier, samplingRate, order);
    return roundUp(divergence + rdpSlack(continuous.logFactor, order));
  });
}
