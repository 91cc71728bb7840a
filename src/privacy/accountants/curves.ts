import type { PrivacyEvent } from '../events.js';
import type { Neighbouring } from '../relation.js';
import { roundUp } from './rounding.js';

export type Orders = readonly number[];
/** Divergences, one an order. */
export type Curve = Float64Array;

/** What is asked of one event, and how its parts are priced. */
export interface Question {
  readonly orders: Orders;
  readonly relation: Neighbouring;
  readonly price: (event: PrivacyEvent, question: Question) => Curve;
}

export function infinite(orders: Orders): Curve {
  return new Float64Array(orders.length).fill(Number.POSITIVE_INFINITY);
}

export const smaller = (a: Curve, b: Curve): Curve => a.map((value, i) => Math.min(value, b[i] as number));
export const larger = (a: Curve, b: Curve): Curve => a.map((value, i) => Math.max(value, b[i] as number));

export function add(a: Curve, b: Curve): Curve {
  return a.map((value, i) => roundUp(value + (b[i] as number)));
}

/** 0 × Infinity is NaN in IEEE 754; an event that never happened costs nothing. */
export function times(costs: Curve, count: number): Curve {
  return count === 0 ? new Float64Array(costs.length) : costs.map((cost) => roundUp(cost * count));
}
