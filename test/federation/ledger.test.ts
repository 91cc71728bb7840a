import { describe, expect, it } from 'vitest';
import type { Json } from '../../src/crypto/canonical.js';
import {
  budgetFigures,
  commit,
  openBudget,
  openToPlans,
  reserve,
  voidReservation,
} from '../../src/federation/ledger.js';
import { planDigest } from '../../src/federation/plan.js';
import type { Store } from '../../src/federation/ports.js';
import { distributedDiscreteGaussianEvent, type PrivacyEvent } from '../../src/privacy/events.js';
import { commitToPlan, costUnits, epsilonOfUnits, limitUnits } from '../../src/privacy/filter.js';
import { databases } from '../store/databases.js';
import { newRound, newRun, runningFederation } from '../store/fixtures.js';

/** The noise of so many contributors, one of them a colluder: fewer contributors cost more. */
const eventOf = (contributors: number): PrivacyEvent =>
  distributedDiscreteGaussianEvent({
    contributors,
    colluders: 1,
    shareVariance: { numerator: '6400', denominator: '1' },
    sensitivity: 64,
    dimension: 45,
  });

const ORDERS = [8];
const unitsOf = (contributors: number): bigint => costUnits(eventOf(contributors), ORDERS)[0]!;

/** Room for exactly three reservations of three contributors, and not a fourth. */
const LIMIT = {
  epsilon: epsilonOfUnits({ epsilon: 1, delta: 1e-6, orders: ORDERS }, [3n * unitsOf(3) + unitsOf(3) / 2n]),
  delta: 1e-6,
  orders: ORDERS,
};

const roundId = (slot: number): string => `round-${slot}`;

async function ledgerOn(store: Store): Promise<void> {
  await runningFederation(store);
  await store.transaction((tx) => openBudget(tx, LIMIT));
}

/** As the driver does it: the reservation and its round in one transaction, one round open at a time. */
const reserveRound = (store: Store, slot: number) =>
  store.transaction(async (tx) => {
    const entry = await reserve(tx, { runId: 'run', roundId: roundId(slot), event: eventOf(3) });
    if ((await tx.round(roundId(slot))) === null)
      await tx.insertRound({ ...newRound(slot), phase: 'completed' });
    return entry;
  });

const budgetOf = (store: Store) => store.transaction((tx) => tx.lockBudget());

describe.each(databases)('the ledger on $name', (database) => {
  const fresh = database.use();

  it('reserves the worst case, commits what survived, gives back what was voided: each once', async () => {
    const { store } = await fresh.open();
    await ledgerOn(store);
    const [three, four] = [unitsOf(3), unitsOf(4)];
    expect(four).toBeLessThan(three);

    const first = await reserveRound(store, 0);
    expect(first).toMatchObject({ status: 'reserved', reservedUnits: [three], committedUnits: null });
    expect(await reserveRound(store, 0)).toEqual(first);
    expect(await budgetOf(store)).toMatchObject({ spent: [0n], reserved: [three] });

    const settled = await store.transaction((tx) => commit(tx, roundId(0), eventOf(4)));
    expect(settled).toMatchObject({ status: 'committed', committedUnits: [four] });
    expect(settled.epsilonAfter).toBe(epsilonOfUnits(LIMIT, [four]));
    expect(await store.transaction((tx) => commit(tx, roundId(0), eventOf(4)))).toEqual(settled);
    expect(await budgetOf(store)).toMatchObject({ spent: [four], reserved: [0n] });
    // A settled reservation asked for again is answered, and changes nothing.
    expect(await reserveRound(store, 0)).toMatchObject({ status: 'committed' });
    await expect(store.transaction((tx) => voidReservation(tx, roundId(0), 'no'))).rejects.toMatchObject({
      code: 'Conflict',
    });

    await reserveRound(store, 1);
    const voided = await store.transaction((tx) => voidReservation(tx, roundId(1), 'nobody came'));
    expect(voided).toMatchObject({ status: 'voided', committedUnits: null, reason: 'nobody came' });
    expect(await store.transaction((tx) => voidReservation(tx, roundId(1), 'again'))).toEqual(voided);
    await expect(store.transaction((tx) => commit(tx, roundId(1), eventOf(3)))).rejects.toMatchObject({
      code: 'Conflict',
    });
    expect(await budgetOf(store)).toMatchObject({ spent: [four], reserved: [0n] });
    expect((await store.transaction((tx) => tx.ledger('run'))).map((entry) => entry.sequence)).toEqual([
      1, 2,
    ]);
  });

  it('over the limit: BudgetExceeded with both figures, and nothing changed', async () => {
    const { store } = await fresh.open();
    await ledgerOn(store);
    for (const slot of [0, 1, 2]) await reserveRound(store, slot);
    const before = await budgetOf(store);
    const refusal = await reserveRound(store, 3).catch((error: unknown) => error);
    expect(refusal).toMatchObject({
      code: 'BudgetExceeded',
      details: {
        epsilonSpent: epsilonOfUnits(LIMIT, [3n * unitsOf(3)]),
        epsilonAsked: epsilonOfUnits(LIMIT, [4n * unitsOf(3)]),
        epsilonLimit: LIMIT.epsilon,
      },
    });
    expect(await budgetOf(store)).toEqual(before);
    expect(await store.transaction((tx) => tx.ledgerEntry(roundId(3)))).toBeNull();
    expect(await store.transaction((tx) => tx.round(roundId(3)))).toBeNull();
    const figures = budgetFigures(before!);
    expect(figures.epsilonReserved).toBeLessThanOrEqual(LIMIT.epsilon);
    expect(figures.epsilonRemaining).toBeCloseTo(LIMIT.epsilon - figures.epsilonReserved, 12);
  });

  it('hazard P15: a commit costs at most its reservation', async () => {
    const { store } = await fresh.open();
    await ledgerOn(store);
    await reserveRound(store, 0);
    const before = await budgetOf(store);
    await expect(store.transaction((tx) => commit(tx, roundId(0), eventOf(2)))).rejects.toMatchObject({
      code: 'spending-inconsistent',
    });
    expect(await budgetOf(store)).toEqual(before);
    await expect(store.transaction((tx) => commit(tx, 'no-round', eventOf(3)))).rejects.toMatchObject({
      code: 'NotFound',
    });
    await expect(store.transaction((tx) => voidReservation(tx, 'no-round', ''))).rejects.toMatchObject({
      code: 'NotFound',
    });
  });

  it('hazard V3: reservations side by side never overrun the limit', async () => {
    const { store } = await fresh.open();
    await ledgerOn(store);
    const outcomes = await Promise.allSettled(
      Array.from({ length: 8 }, (_, slot) => reserveRound(store, slot)),
    );
    expect(outcomes.filter((o) => o.status === 'fulfilled')).toHaveLength(3);
    for (const outcome of outcomes)
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'BudgetExceeded' });
    const budget = (await budgetOf(store))!;
    expect(budget.reserved).toEqual([3n * unitsOf(3)]);
    expect(budget.reserved[0]!).toBeLessThanOrEqual(limitUnits(LIMIT)[0]!);
    expect((await store.transaction((tx) => tx.ledger())).map((entry) => entry.sequence)).toEqual([1, 2, 3]);
  });

  it('side by side under one key there is one reservation', async () => {
    const { store } = await fresh.open();
    await ledgerOn(store);
    await reserveRound(store, 0);
    await Promise.all(Array.from({ length: 4 }, () => reserveRound(store, 0)));
    expect((await budgetOf(store))!.reserved).toEqual([unitsOf(3)]);
  });

  it('the first reservation fixes the order at which its run’s plan costs least; none after it moves the order', async () => {
    const { store } = await fresh.open();
    await runningFederation(store);
    const orders = [4, 8, 16, 32];
    const limit = { ...LIMIT, epsilon: 6, orders };
    const plan = [{ event: eventOf(3), count: 6 }];
    const fixed = commitToPlan(limit, plan).orders;
    await store.transaction(async (tx) => {
      await openBudget(tx, limit);
      await tx.updateRun('run', { plan: plan as unknown as Json, planDigest: planDigest(plan) });
    });
    expect(await budgetOf(store)).toMatchObject({ orders });
    const entry = await reserveRound(store, 0);
    expect(entry.reservedUnits).toEqual(costUnits(eventOf(3), fixed));
    expect(await budgetOf(store)).toMatchObject({ orders: fixed, reserved: entry.reservedUnits });
    // What the plan leaves unspent, even all of it, opens the choice of the order to nobody.
    await store.transaction((tx) => voidReservation(tx, roundId(0), 'nobody came'));
    const later = [{ event: eventOf(100), count: 1 }];
    expect(commitToPlan(limit, later).orders).not.toEqual(fixed);
    await store.transaction((tx) =>
      tx.updateRun('run', { plan: later as unknown as Json, planDigest: planDigest(later) }),
    );
    await reserveRound(store, 1);
    expect(await budgetOf(store)).toMatchObject({ orders: fixed });
    // A next charter goes on at the order where something was spent.
    await expect(store.transaction((tx) => openBudget(tx, limit))).rejects.toMatchObject({
      code: 'Conflict',
      message: expect.stringContaining(`name Rényi order ${fixed[0]} and no other`),
    });
    await store.transaction((tx) => openBudget(tx, { ...limit, epsilon: 7, orders: fixed }));
    expect(await budgetOf(store)).toMatchObject({ epsilon: 7, orders: fixed, reserved: entry.reservedUnits });
  });

  it('where all was voided, members’ charges may stand: a next charter goes on at the same order, and no plan fixes another', async () => {
    const { store } = await fresh.open();
    await ledgerOn(store);
    await reserveRound(store, 0);
    await store.transaction((tx) => voidReservation(tx, roundId(0), 'nobody came'));
    expect(await budgetOf(store)).toMatchObject({ spent: [0n], reserved: [0n] });
    for (const orders of [[4], [4, ...ORDERS]])
      await expect(store.transaction((tx) => openBudget(tx, { ...LIMIT, orders }))).rejects.toMatchObject({
        code: 'Conflict',
        message: expect.stringContaining('name Rényi order 8 and no other'),
      });
    await store.transaction((tx) => openBudget(tx, { ...LIMIT, epsilon: 7 }));
    expect(await budgetOf(store)).toMatchObject({ epsilon: 7, orders: ORDERS });
    // A store that knows several all the same divides δ, and leaves it at that.
    const several = { ...LIMIT, orders: [4, 8], spent: [0n, 0n], reserved: [0n, 0n] };
    expect(await store.transaction((tx) => openToPlans(tx, several))).toBe(false);
  });

  it('a charter that replaces one under which nothing was asked may name any orders', async () => {
    const { store } = await fresh.open();
    await ledgerOn(store);
    await store.transaction((tx) => openBudget(tx, { ...LIMIT, orders: [4, 16] }));
    const budget = (await budgetOf(store))!;
    expect(budget).toMatchObject({ orders: [4, 16], spent: [0n, 0n] });
    expect(await store.transaction((tx) => openToPlans(tx, budget))).toBe(true);
    expect(budgetFigures(budget).order).toBeNull();
    expect(budgetFigures({ ...budget, orders: [8], spent: [0n], reserved: [0n] }).order).toBe(8);
  });

  it('a plan that is not the one of its hash fixes nothing and opens nothing', async () => {
    const { store } = await fresh.open();
    await runningFederation(store);
    await store.transaction((tx) => openBudget(tx, { ...LIMIT, orders: [4, 8] }));
    await expect(reserveRound(store, 0)).rejects.toMatchObject({ code: 'Conflict' });
    expect(await budgetOf(store)).toMatchObject({ orders: [4, 8], reserved: [0n, 0n] });
  });

  it('hazard P21: a coordinator that starts again, or a new charter, goes on from everything that was spent', async () => {
    const location = await fresh.location();
    const first = await fresh.open(location);
    await ledgerOn(first.store);
    await reserveRound(first.store, 0);
    await first.store.transaction((tx) => commit(tx, roundId(0), eventOf(4)));
    await reserveRound(first.store, 1);
    const before = await budgetOf(first.store);
    expect(before).toMatchObject({ spent: [unitsOf(4)], reserved: [unitsOf(3)] });
    await first.close();

    const { store } = await fresh.open(location);
    expect(await budgetOf(store)).toEqual(before);
    expect((await store.transaction((tx) => tx.ledger())).map((entry) => entry.status)).toEqual([
      'committed',
      'reserved',
    ]);
    // A reservation of before the restart can still be settled, once, and counts until then.
    await reserveRound(store, 2);
    await expect(reserveRound(store, 3)).rejects.toMatchObject({ code: 'BudgetExceeded' });
    await store.transaction((tx) => openBudget(tx, { ...LIMIT, epsilon: 2 * LIMIT.epsilon }));
    expect(await budgetOf(store)).toMatchObject({ spent: [unitsOf(4)], reserved: [2n * unitsOf(3)] });
    const settled = await store.transaction((tx) => commit(tx, roundId(1), eventOf(3)));
    expect(settled.epsilonAfter).toBe(
      epsilonOfUnits({ ...LIMIT, epsilon: 2 * LIMIT.epsilon }, [unitsOf(4) + unitsOf(3)]),
    );
  });

  it('hazard P15: the end of a run gives nothing back', async () => {
    const { store } = await fresh.open();
    await ledgerOn(store);
    await reserveRound(store, 0);
    await store.transaction((tx) => commit(tx, roundId(0), eventOf(3)));
    await store.transaction((tx) => tx.updateRun('run', { status: 'aborted', reason: 'cancelled' }));
    expect(await budgetOf(store)).toMatchObject({ spent: [unitsOf(3)] });
  });

  it('hazard P23: the same run once more with another seed is paid for once more, and its ε counts both', async () => {
    const { store } = await fresh.open();
    await ledgerOn(store);
    await reserveRound(store, 0);
    const first = await store.transaction((tx) => commit(tx, roundId(0), eventOf(3)));
    await store.transaction(async (tx) => {
      await tx.updateRun('run', { status: 'completed' });
      await tx.insertRun({ ...newRun('again'), seed: 'ff'.repeat(32) });
      await tx.insertBlock({ id: 'next', runId: 'again', phase: 'ready', config: {}, slots: 8, nextSlot: 0 });
    });
    const second = await store.transaction(async (tx) => {
      await reserve(tx, { runId: 'again', roundId: 'again-0', event: eventOf(3) });
      await tx.insertRound({
        ...newRound(0),
        ...{ id: 'again-0', runId: 'again', blockId: 'next', phase: 'completed' },
      });
      return commit(tx, 'again-0', eventOf(3));
    });
    expect(first.epsilonAfter).toBe(epsilonOfUnits(LIMIT, [unitsOf(3)]));
    expect(second.epsilonAfter).toBe(epsilonOfUnits(LIMIT, [2n * unitsOf(3)]));
  });

  it('without an active charter there is no budget to reserve from', async () => {
    const { store } = await fresh.open();
    await runningFederation(store);
    await expect(reserveRound(store, 0)).rejects.toMatchObject({ code: 'CharterNotActive' });
  });
});
