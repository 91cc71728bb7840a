import type { PrivacyEvent } from '../privacy/events.js';
import type { FilterLimit } from '../privacy/filter.js';
import * as filter from '../privacy/filter.js';
import type { Charter } from './charter.js';
import { FederationError } from './errors.js';
import type { BudgetRecord, LedgerEntryRecord, Transaction } from './ports.js';

/**
 * The budget filter over the store: reserve → commit | void, each inside the caller's transaction with the budget's row
 * locked, in integers rounded up. Reserve before the round opens, commit with the noise that really survived, void only
 * if nothing was unmasked and the slot is burnt.
 */

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
  const nothingSpent = [...standing.spent, ...standing.reserved].every((units) => units === 0n);
  if (!nothingSpent && !sameOrders(standing.orders, limit.orders)) {
    // What was spent is known at the old orders only, and the filter is a theorem at orders fixed before the first spend.
    throw new FederationError(
      'Conflict',
      'A new charter must keep the orders, because budget was already spent at them.',
    );
  }
  const spent = nothingSpent ? zeros : standing.spent;
  const reserved = nothingSpent ? zeros : standing.reserved;
  await tx.saveBudget({ ...limit, spent, reserved });
}

/** Throws BudgetExceeded, with nothing changed, if no order has room. Idempotent by round id. */
export async function reserve(
  tx: Transaction,
  request: { readonly runId: string; readonly roundId: string; readonly event: PrivacyEvent },
): Promise<LedgerEntryRecord> {
  const budget = await lockedBudget(tx);
  const standing = await tx.ledgerEntry(request.roundId);
  if (standing !== null) return standing;
  const cost = filter.costUnits(request.event, budget.orders);
  const outcome = filter.reserve(budget, budget, cost);
  if (outcome.kind === 'over-budget') {
    const standing = filter.totalUnits(budget);
    const spent = filter.epsilonOfUnits(budget, standing);
    const asked = filter.epsilonOfUnits(
      budget,
      standing.map((units, i) => units + cost[i]!),
    );
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
    orders: budget.orders,
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
