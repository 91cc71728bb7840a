import { checkDelta, conversionTerm, rdpToEpsilon } from './accountants/conversion.js';
import { gaussianCost, gaussianCostToEpsilon, largestGaussianCost } from './accountants/gaussianOrder.js';
import { rdp } from './accountants/rdp.js';
import { PrivacyError } from './errors.js';
import type { PrivacyEvent } from './events.js';
import { checkFilterOrders, GAUSSIAN_ORDER } from './filterOrders.js';
import { addUnits, checkUnits, INFINITE_UNITS, rdpOfUnits, UNITS_PER_NAT, unitsOfRdp } from './units.js';

/**
 * The budget filter: may one more query be asked, when queries and their costs are chosen as one goes?
 *
 * At one order fixed before the first spend, yes while the costs sum up to at most r (Feldman, Zrnic 2021;
 * Lécuyer 2021). At m orders the filter goes on while some order is within its own r_a, where r_a converts to ε at δ/m:
 * split the outcomes by an order that was still within at the end; on each part the run is the run of that order's own
 * filter, so P(part ∩ S) ≤ e^ε Q(part ∩ S) + δ/m, and the m parts sum to δ. With δ undivided it would be no theorem, and
 * the true δ can be twice the declared one (docs/privacy.md, "The filter"). Order 1 is Gaussian DP, whose filter is the sum
 * of µ²/2 (Smith, Thakurta 2022; accountants/gaussianOrder.ts): alone or as one of the m, it is a filter like theirs.
 */
export interface FilterLimit {
  readonly epsilon: number;
  readonly delta: number;
  /** Integers from 2 (Rényi), or 1 (Gaussian DP), distinct, fixed before the first spend. */
  readonly orders: readonly number[];
}

/** `count` events in a row, of a run whose worst-case costs are all known before it starts. */
export interface CommittedCost {
  readonly event: PrivacyEvent;
  readonly count: number;
}

/** Units of 2^-40 nats, one entry an order. */
export interface Spending {
  readonly spent: readonly bigint[];
  readonly reserved: readonly bigint[];
}

export type Reservation =
  | { readonly kind: 'reserved'; readonly spending: Spending }
  | { readonly kind: 'over-budget'; readonly spending: Spending };

function deltaEach(limit: FilterLimit): number {
  // Rounded down, so that m of them never exceed δ.
  return (limit.delta / limit.orders.length) * (1 - 2 ** -52);
}

/** Throws `argument-invalid` unless ε is positive and finite, 0 < δ < 1, and the orders are distinct integers ≥ 1. */
export function checkLimit(limit: FilterLimit): void {
  checkFilterOrders(limit.orders);
  checkDelta(limit.delta);
  if (new Set(limit.orders).size !== limit.orders.length) {
    throw new PrivacyError('argument-invalid', 'the orders of a limit are distinct');
  }
  if (!(limit.epsilon > 0 && limit.epsilon < 2 ** 40)) {
    throw new PrivacyError('argument-invalid', `ε of a limit is positive and finite, got ${limit.epsilon}`);
  }
}

/**
 * Cost of an event in units, rounded up, one entry an order; INFINITE_UNITS at orders where it is infinite. Throws
 * `cost-infinite` where it is infinite at every order: such an event can never be admitted.
 */
export function costUnits(event: PrivacyEvent, orders: readonly number[]): bigint[] {
  checkFilterOrders(orders);
  const renyi = orders.filter((order) => order !== GAUSSIAN_ORDER);
  const divergences = renyi.length === 0 ? [] : rdp(event, renyi);
  const units = unitsOfRdp(
    orders.map((order) =>
      order === GAUSSIAN_ORDER ? gaussianCost(event) : (divergences[renyi.indexOf(order)] as number),
    ),
  );
  if (units.every((unit) => unit >= INFINITE_UNITS)) throw infiniteCost(event, renyi.length === 0);
  return units;
}

function infiniteCost(event: PrivacyEvent, gaussianOnly: boolean): PrivacyError {
  return new PrivacyError(
    'cost-infinite',
    gaussianOnly && rdp(event, [2]).every(Number.isFinite)
      ? 'this limit counts Gaussian DP (order 1), as its charter or the first plan under it fixed: only sums of all records with Gaussian ' +
          'noise have a finite cost there, sums over sampled records have none. A charter that shall allow both names Rényi orders only'
      : 'this event costs ε = ∞: unknown, malformed, not private, or with noise below the floor',
  );
}

/** Worst-case cost of a whole plan in units, one entry an order. Throws `cost-infinite` as `costUnits` does. */
export function planUnits(plan: readonly CommittedCost[], orders: readonly number[]): bigint[] {
  let total = orders.map(() => 0n);
  for (const { event, count } of plan) {
    if (!Number.isSafeInteger(count) || count < 0)
      throw new PrivacyError(
        'argument-invalid',
        `a plan asks a whole number of queries in a row, got ${count}`,
      );
    total = addUnits(
      total,
      costUnits(event, orders).map((unit) => unit * BigInt(count)),
    );
  }
  return total;
}

/**
 * The limit once a plan is committed by hash before the first spend: one order, that at which the plan costs least, with the
 * whole δ. That order depends on the plan alone, which is public, and not on any answer: it is fixed beforehand, and what
 * follows is the filter at one fixed order, with no δ to divide. For the plan itself this is the minimum over the orders
 * (the same order attains it); a plan that comes later, chosen with the first one's answers in sight, is judged at
 * the order that stands. What a plan leaves unspent makes the plan no longer: its steps are in the hash (docs/privacy.md).
 *
 * The caller vouches that nothing was spent or reserved before.
 */
export function commitToPlan(limit: FilterLimit, plan: readonly CommittedCost[]): FilterLimit {
  checkLimit(limit);
  const units = planUnits(plan, limit.orders);
  let best: { readonly order: number; readonly epsilon: number } | undefined;
  limit.orders.forEach((order, i) => {
    const epsilon = epsilonOfUnits({ ...limit, orders: [order] }, [units[i] as bigint]);
    if (best === undefined || epsilon < best.epsilon) best = { order, epsilon };
  });
  return { epsilon: limit.epsilon, delta: limit.delta, orders: [best?.order as number] };
}

/** The largest total that an order admits, rounded down; −1 where ε is out of that order's reach at δ/m. */
export function limitUnits(limit: FilterLimit): bigint[] {
  checkLimit(limit);
  const delta = deltaEach(limit);
  return limit.orders.map((order) => {
    const largest =
      order === GAUSSIAN_ORDER
        ? largestGaussianCost(limit.epsilon, delta)
        : largestDivergence(order, limit.epsilon, delta);
    return largest < 0 ? -1n : BigInt(Math.floor(largest * UNITS_PER_NAT));
  });
}

function largestDivergence(order: number, epsilon: number, delta: number): number {
  const { term, error } = conversionTerm(order, delta);
  return (epsilon - term - error) * (1 - 2 ** -47) - 2 ** -47 * epsilon;
}

/** May the total stand? True when nothing is spent, or when some order is within its limit. */
export function admits(limit: FilterLimit, total: readonly bigint[]): boolean {
  checkUnits(total, limit.orders.length);
  if (total.every((unit) => unit === 0n)) return true;
  const limits = limitUnits(limit);
  return total.some((unit, i) => unit <= (limits[i] as bigint));
}

/** ε at the limit's δ of a total: 0 when nothing is spent, else the minimum over the orders at δ/m each; rounded up. */
export function epsilonOfUnits(limit: FilterLimit, units: readonly bigint[]): number {
  checkLimit(limit);
  checkUnits(units, limit.orders.length);
  const delta = deltaEach(limit);
  const epsilons = limit.orders.map((order, i) => {
    const total = rdpOfUnits(units[i] as bigint);
    return order === GAUSSIAN_ORDER ? gaussianCostToEpsilon(total, delta) : rdpToEpsilon(order, total, delta);
  });
  return Math.min(...epsilons);
}

export function noSpending(limit: FilterLimit): Spending {
  const zero = limit.orders.map(() => 0n);
  return { spent: zero, reserved: zero };
}

/** Spent and reserved together: what the filter judges. */
export function totalUnits(spending: Spending): bigint[] {
  return addUnits(spending.spent, spending.reserved);
}

/** Sets `cost` aside before a round opens; over the limit nothing changes. */
export function reserve(limit: FilterLimit, spending: Spending, cost: readonly bigint[]): Reservation {
  const reserved = addUnits(spending.reserved, cost);
  if (!admits(limit, addUnits(spending.spent, reserved))) return { kind: 'over-budget', spending };
  return { kind: 'reserved', spending: { spent: spending.spent, reserved } };
}

/**
 * Turns a reservation into a spend. `cost` is what the noise that survived really costs: at most what was reserved, at
 * every order. Throws `spending-inconsistent` otherwise.
 */
export function commit(
  spending: Spending,
  reservation: readonly bigint[],
  cost: readonly bigint[],
): Spending {
  checkUnits(cost, reservation.length);
  if (cost.some((unit, i) => unit > (reservation[i] as bigint))) {
    throw new PrivacyError('spending-inconsistent', 'a commit costs at most what was reserved for it');
  }
  const released = voidReservation(spending, reservation);
  return { spent: addUnits(released.spent, cost), reserved: released.reserved };
}

/** Gives a reservation back. Only where nothing was unmasked, and never after a MaskedInput left (DESIGN §5). */
export function voidReservation(spending: Spending, reservation: readonly bigint[]): Spending {
  checkUnits(reservation, spending.reserved.length);
  const reserved = spending.reserved.map((unit, i) => unit - (reservation[i] as bigint));
  if (reserved.some((unit) => unit < 0n)) {
    throw new PrivacyError(
      'spending-inconsistent',
      'this reservation was never made, or was settled already',
    );
  }
  return { spent: spending.spent, reserved };
}
