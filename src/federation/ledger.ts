import type { PrivacyEvent } from '../privacy/events.js';
import type { CommittedCost, FilterLimit } from '../privacy/filter.js';
import * as filter from '../privacy/filter.js';
import { describeOrders } from '../privacy/filterOrders.js';
import { addUnits } from '../privacy/units.js';
import type { Charter } from './charter.js';
import { FederationError, refusingInput } from './errors.js';
import { planDigest } from './plan.js';
import type { BudgetRecord, LedgerEntryRecord, Transaction } from './ports.js';

/**
 * The budget filter over the store: reserve → commit | void, each inside the caller's transaction with the budget's row
 * locked, in integers rounded up. Reserve before the round opens, commit with the noise that really survived, void only
 * if nothing was unmasked and the slot is burnt.
 */

/**
 * Which reckoning of costs the units of a ledger come from: raised whenever an event may cost another number of units than
 * before, since whoever recomputes them demands the same to the last one.
 */
export const ACCOUNTANT = 1;

export function limitOf(charter: Charter): FilterLimit {
  const { epsilon, delta, orders } = charter.privacy;
  return { epsilon, delta, orders };
}

/** The first spending record of a federation, or the standing one under a new charter's limit. */
export async function openBudget(tx: Transaction, limit: FilterLimit): Promise<void> {
  const standing = await tx.lockBudget();
  const zeros = limit.orders.map(() => 0n);
  if (standing === null) {
    await tx.saveBudget({ ...limit, spent: zeros, reserved: zeros });
    return;
  }
  if (await nothingAsked(tx, standing)) {
    await tx.saveBudget({ ...limit, spent: zeros, reserved: zeros });
    return;
  }
  if (!sameOrders(standing.orders, limit.orders)) {
    // What was spent is known at the old orders only, and the filter is a theorem at orders fixed before the first spend. Where
    // all was voided here, members' own charges stand all the same.
    throw new FederationError(
      'Conflict',
      `A new charter must name ${describeOrders(standing.orders)} and no other, because sums were already asked there.`,
    );
  }
  await tx.saveBudget({ ...limit, spent: standing.spent, reserved: standing.reserved });
}

/** May the next run's plan still fix the order? Only while nothing was ever asked, whatever became of it. */
export async function openToPlans(tx: Transaction, budget: BudgetRecord): Promise<boolean> {
  return budget.orders.length > 1 && (await nothingAsked(tx, budget));
}

async function nothingAsked(tx: Transaction, { spent, reserved }: BudgetRecord): Promise<boolean> {
  return [...spent, ...reserved].every((units) => units === 0n) && (await tx.ledger()).length === 0;
}

/**
 * The first reservation of all commits the budget to its run's plan, whose hash was approved before anything was asked: the
 * charter's orders become the one at which that plan costs least, with the whole δ (privacy/filter.ts).
 */
async function committedBudget(tx: Transaction, runId: string): Promise<BudgetRecord> {
  const budget = await lockedBudget(tx);
  if (!(await openToPlans(tx, budget))) return budget;
  const run = await tx.run(runId);
  if (run === null) throw new FederationError('NotFound', `There is no run ${runId}.`);
  const plan = run.plan as unknown as readonly CommittedCost[];
  if (planDigest(plan) !== run.planDigest)
    throw new FederationError('Conflict', `The plan of run ${runId} is not the one that its digest names.`);
  const { orders } = refusingInput(() => filter.commitToPlan(budget, plan));
  return { ...budget, orders, spent: [0n], reserved: [0n] };
}

/** Throws InvalidInput for a plan with an event that no budget admits at the orders in force: sampled records in Gaussian DP. */
export async function assertCanBeCharged(tx: Transaction, plan: readonly CommittedCost[]): Promise<void> {
  const { orders } = await lockedBudget(tx);
  refusingInput(() => filter.planUnits(plan, orders));
}

/** Throws BudgetExceeded, with nothing changed, if no order has room, InvalidInput if the event has no finite cost there. Idempotent by round id. */
export async function reserve(
  tx: Transaction,
  request: { readonly runId: string; readonly roundId: string; readonly event: PrivacyEvent },
): Promise<LedgerEntryRecord> {
  const budget = await committedBudget(tx, request.runId);
  const standing = await tx.ledgerEntry(request.roundId);
  if (standing !== null) return standing;
  const cost = refusingInput(() => filter.costUnits(request.event, budget.orders));
  const outcome = filter.reserve(budget, budget, cost);
  if (outcome.kind === 'over-budget') {
    const before = filter.totalUnits(budget);
    const spent = filter.epsilonOfUnits(budget, before);
    const asked = filter.epsilonOfUnits(budget, addUnits(before, cost));
    throw new FederationError(
      'BudgetExceeded',
      `The next sum would bring the spent ε to ${asked.toFixed(4)}, over the charter's limit of ${budget.epsilon}. ` +
        'Nothing was asked. Release what there is, or sign a new charter.',
      { epsilonSpent: spent, epsilonAsked: asked, epsilonLimit: budget.epsilon },
    );
  }
  await tx.saveBudget({ ...budget, ...outcome.spending });
  return tx.insertLedgerEntry({
    roundId: request.roundId,
    runId: request.runId,
    reservedEvent: eventJson(request.event),
    reservedUnits: cost,
  });
}

/** Settles a reservation with the event that happened, which may cost at most what was reserved. Idempotent. */
export async function commit(
  tx: Transaction,
  roundId: string,
  event: PrivacyEvent,
): Promise<LedgerEntryRecord> {
  const budget = await lockedBudget(tx);
  const entry = await reservation(tx, roundId);
  if (entry.status === 'committed') return entry;
  if (entry.status === 'voided')
    throw new FederationError('Conflict', `Round ${roundId} was voided; it cannot be committed.`);
  const cost = filter.costUnits(event, budget.orders);
  const spending = filter.commit(budget, entry.reservedUnits, cost);
  await tx.saveBudget({ ...budget, ...spending });
  return tx.settleLedgerEntry(roundId, {
    status: 'committed',
    committedEvent: eventJson(event),
    committedUnits: cost,
    epsilonAfter: filter.epsilonOfUnits(budget, spending.spent),
    reason: null,
  });
}

/** Gives a reservation back. The caller vouches that fewer than the threshold of unmask answers exist and the slot is burnt. */
export async function voidReservation(
  tx: Transaction,
  roundId: string,
  reason: string,
): Promise<LedgerEntryRecord> {
  const budget = await lockedBudget(tx);
  const entry = await reservation(tx, roundId);
  if (entry.status === 'voided') return entry;
  if (entry.status === 'committed')
    throw new FederationError('Conflict', `Round ${roundId} was committed; it cannot be voided.`);
  await tx.saveBudget({ ...budget, ...filter.voidReservation(budget, entry.reservedUnits) });
  return tx.settleLedgerEntry(roundId, {
    status: 'voided',
    committedEvent: null,
    committedUnits: null,
    epsilonAfter: filter.epsilonOfUnits(budget, budget.spent),
    reason,
  });
}

/** Exact figures beside their ε. */
export function budgetFigures(budget: BudgetRecord) {
  const epsilonSpent = filter.epsilonOfUnits(budget, budget.spent);
  const epsilonReserved = filter.epsilonOfUnits(budget, filter.totalUnits(budget));
  return {
    epsilonLimit: budget.epsilon,
    delta: budget.delta,
    accountant: ACCOUNTANT,
    orders: budget.orders,
    order: budget.orders.length === 1 ? budget.orders[0]! : null,
    epsilonSpent,
    epsilonReserved,
    epsilonRemaining: Math.max(0, budget.epsilon - epsilonReserved),
    spentUnits: budget.spent.map(String),
    reservedUnits: budget.reserved.map(String),
    limitUnits: filter.limitUnits(budget).map(String),
  };
}

async function lockedBudget(tx: Transaction): Promise<BudgetRecord> {
  const budget = await tx.lockBudget();
  if (budget === null)
    throw new FederationError(
      'CharterNotActive',
      'There is no budget yet: every member must sign the charter first.',
    );
  return budget;
}

async function reservation(tx: Transaction, roundId: string): Promise<LedgerEntryRecord> {
  const entry = await tx.ledgerEntry(roundId);
  if (entry === null) throw new FederationError('NotFound', `Nothing was reserved for round ${roundId}.`);
  return entry;
}

function sameOrders(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((order, i) => order === b[i]);
}

function eventJson(event: PrivacyEvent) {
  return event as unknown as LedgerEntryRecord['reservedEvent'];
}
