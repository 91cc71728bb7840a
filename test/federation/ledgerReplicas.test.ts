import fc from 'fast-check';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Json } from '../../src/crypto/canonical.js';
import { FederationError } from '../../src/federation/errors.js';
import { commit, openBudget, reserve, voidReservation } from '../../src/federation/ledger.js';
import { planDigest } from '../../src/federation/plan.js';
import type { LedgerEntryRecord, Transaction } from '../../src/federation/ports.js';
import { PrivacyError } from '../../src/privacy/errors.js';
import { distributedDiscreteGaussianEvent, type PrivacyEvent } from '../../src/privacy/events.js';
import { admits, commitToPlan, epsilonOfUnits, planUnits } from '../../src/privacy/filter.js';
import { addUnits } from '../../src/privacy/units.js';
import type { OpenedStore } from '../../src/store/index.js';
import { databases } from '../store/databases.js';
import { newRound, runningFederation } from '../store/fixtures.js';

/**
 * Three coordinators on one PostgreSQL server, each over connections of its own, and a hand that ends a connection between
 * any two statements, as a crash of its coordinator would.
 */

/** The noise of so many contributors, one of them a colluder: fewer contributors cost more. */
const eventOf = (contributors: number): PrivacyEvent =>
  distributedDiscreteGaussianEvent({
    contributors,
    colluders: 1,
    shareVariance: { numerator: '6400', denominator: '1' },
    sensitivity: 64,
    dimension: 45,
  });

const PLAN = [{ event: eventOf(3), count: 4 }];
const ORDERS = [4, 8, 16];

/** Room for two and a half of the plan's four sums, at the order that the plan fixes. */
const LIMIT = (() => {
  const generous = { epsilon: 100, delta: 1e-6, orders: ORDERS };
  const fixed = commitToPlan(generous, PLAN);
  const [four] = planUnits(PLAN, fixed.orders) as [bigint];
  return { ...generous, epsilon: epsilonOfUnits(fixed, [(four * 5n) / 8n]) };
})();
const FIXED = commitToPlan(LIMIT, PLAN);

type Action = 'reserve' | 'commit' | 'void';

interface Operation {
  readonly action: Action;
  readonly slot: number;
  /** Whose noise survived; a commit of fewer than were reserved for is refused. */
  readonly contributors: number;
  /** The connection ends before this statement of the transaction; 0 never. */
  readonly crashAt: number;
}

const roundId = (slot: number): string => `round-${slot}`;

/** What a coordinator does in one transaction; the reservation and its round together, as the driver does it. */
async function perform(
  tx: Transaction,
  { action, slot, contributors }: Operation,
): Promise<LedgerEntryRecord> {
  switch (action) {
    case 'reserve': {
      const entry = await reserve(tx, { runId: 'run', roundId: roundId(slot), event: eventOf(contributors) });
      if ((await tx.round(roundId(slot))) === null)
        await tx.insertRound({ ...newRound(slot), phase: 'completed' });
      return entry;
    }
    case 'commit':
      return commit(tx, roundId(slot), eventOf(contributors));
    case 'void':
      return voidReservation(tx, roundId(slot), 'nobody came');
  }
}

class Cut extends Error {
  override readonly name = 'Cut';
}

describe('hazard P15 and V3: replicas', () => {
  const fresh = databases[1]!.use();
  let replicas: OpenedStore[];
  let admin: pg.Pool;
  /** Connections that were ended in a transaction: the crashes were real. */
  let ended = 0;

  beforeEach(async () => {
    const location = await fresh.location();
    if (!('databaseUrl' in location)) throw new Error('replicas share a server');
    replicas = [];
    for (const index of [0, 1, 2])
      replicas.push(
        await fresh.open({ databaseUrl: `${location.databaseUrl}?application_name=coordinator-${index}` }),
      );
    admin = new pg.Pool({ connectionString: location.databaseUrl, max: 3 });
    ended = 0;
    const [{ store }] = replicas as [OpenedStore];
    await runningFederation(store);
    await store.transaction(async (tx) => {
      await tx.updateRun('run', { plan: PLAN as unknown as Json, planDigest: planDigest(PLAN) });
      await openBudget(tx, LIMIT);
    });
  }, 120_000);
  afterEach(() => admin.end());

  async function cut(replica: number): Promise<void> {
    const { rowCount } = await admin.query(
      `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
       WHERE datname = current_database() AND application_name = $1 AND state = 'idle in transaction'`,
      [`coordinator-${replica}`],
    );
    ended += rowCount ?? 0;
  }

  /** One operation of one coordinator. Throws what it threw, or Cut if it crashed. */
  async function operate(replica: number, operation: Operation): Promise<LedgerEntryRecord> {
    let statements = 0;
    let crashed = false;
    const crashIfDue = async () => {
      statements += 1;
      if (statements !== operation.crashAt) return;
      crashed = true;
      await cut(replica);
    };
    try {
      return await replicas[replica]!.store.transaction(async (tx) => {
        const watched = Object.fromEntries(
          Object.entries(tx).map(([name, statement]) => [
            name,
            async (...given: unknown[]) => {
              await crashIfDue();
              return (statement as (...args: unknown[]) => Promise<unknown>)(...given);
            },
          ]),
        ) as unknown as Transaction;
        const entry = await perform(watched, operation);
        // The last chance: everything is said, and nothing committed.
        await crashIfDue();
        return entry;
      });
    } catch (error) {
      if (crashed) throw new Cut('the connection ended', { cause: error });
      throw error;
    }
  }

  const booksOf = () =>
    replicas[0]!.store.transaction(async (tx) => ({
      budget: (await tx.lockBudget())!,
      ledger: await tx.ledger(),
      rounds: (await tx.rounds('run')).length,
    }));

  /** Everything that must hold whenever no transaction is open. */
  async function consistentBooks() {
    const books = await booksOf();
    const { budget, ledger, rounds } = books;
    const { orders } = budget;
    // The order is fixed by the plan, once, with the first reservation.
    expect(orders).toEqual(ledger.length === 0 ? ORDERS : FIXED.orders);
    const sum = (units: readonly (readonly bigint[] | null)[]) =>
      units.reduce<bigint[]>(
        (total, own) => (own === null ? total : addUnits(total, own)),
        orders.map(() => 0n),
      );
    expect(budget.spent).toEqual(sum(ledger.map((entry) => entry.committedUnits)));
    expect(budget.reserved).toEqual(
      sum(ledger.map((entry) => (entry.status === 'reserved' ? entry.reservedUnits : null))),
    );
    expect(admits(budget, addUnits(budget.spent, budget.reserved))).toBe(true);
    expect(epsilonOfUnits(budget, budget.spent)).toBeLessThanOrEqual(LIMIT.epsilon);
    expect(new Set(ledger.map((entry) => entry.roundId)).size).toBe(ledger.length);
    expect(ledger.map((entry) => entry.sequence)).toEqual(ledger.map((_, i) => i + 1));
    expect(rounds).toBe(ledger.length);
    return books;
  }

  async function startAgain(): Promise<void> {
    await admin.query('TRUNCATE "LedgerEntry", "Refusal", "Round", "Budget" CASCADE');
    await replicas[0]!.store.transaction((tx) => openBudget(tx, LIMIT));
  }

  it('three at once, crashing as they go: never over the limit, nothing charged twice, the books agree', {
    timeout: 240_000,
  }, async () => {
    const operation = fc.record({
      action: fc.constantFrom<Action>('reserve', 'reserve', 'commit', 'void'),
      slot: fc.nat({ max: 5 }),
      contributors: fc.integer({ min: 3, max: 5 }),
      crashAt: fc.oneof(
        { weight: 3, arbitrary: fc.constant(0) },
        { weight: 1, arbitrary: fc.integer({ min: 1, max: 8 }) },
      ),
    });
    const script = fc.array(operation, { minLength: 4, maxLength: 9 });
    const seen = { reserved: 0, refused: 0, committed: 0, voided: 0, crashed: 0 };
    await fc.assert(
      fc.asyncProperty(fc.tuple(script, script, script), async (scripts) => {
        await startAgain();
        /** Every answer that a coordinator was given about a settled round. */
        const settled = new Map<string, LedgerEntryRecord[]>();
        const play = async (replica: number) => {
          for (const step of scripts[replica]!) {
            try {
              const entry = await operate(replica, step);
              if (entry.status === 'reserved') seen.reserved += 1;
              else {
                seen[entry.status] += 1;
                settled.set(entry.roundId, [...(settled.get(entry.roundId) ?? []), entry]);
              }
            } catch (error) {
              if (error instanceof Cut) seen.crashed += 1;
              else if (error instanceof FederationError) {
                expect(['BudgetExceeded', 'Conflict', 'NotFound']).toContain(error.code);
                if (error.code === 'BudgetExceeded') seen.refused += 1;
              } else if (error instanceof PrivacyError) expect(error.code).toBe('spending-inconsistent');
              else throw error;
            }
          }
        };
        await Promise.all([play(0), play(1), play(2)]);
        const { ledger } = await consistentBooks();
        // Whoever was told how a round was settled was told the same, and the books say so still.
        for (const [id, answers] of settled) {
          const entry = ledger.find((one) => one.roundId === id);
          for (const answer of answers) expect(answer).toEqual(entry);
        }
      }),
      // One seed: what the scripts must have met is then met whatever the three interleave to.
      { seed: 5, numRuns: 15, endOnFailure: true },
    );
    // The scripts met what they were written for.
    for (const [what, count] of Object.entries(seen)) expect(count, what).toBeGreaterThan(0);
    expect(ended).toBeGreaterThan(0);
  });

  it('positive control: without the row lock, reservations side by side are lost, and the books show it', async () => {
    // The order is fixed, so that the three differ in nothing but the lock.
    await operate(0, { action: 'reserve', slot: 5, contributors: 3, crashAt: 0 });
    await operate(0, { action: 'void', slot: 5, contributors: 3, crashAt: 0 });
    await consistentBooks();
    let waiting = 0;
    let letGo = () => {};
    const all = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    await Promise.all(
      replicas.map(({ store }, slot) =>
        store.transaction((tx) =>
          perform(
            {
              ...tx,
              async lockBudget() {
                const { rows } = await admin.query('SELECT * FROM "Budget"');
                if (++waiting === 3) letGo();
                await all;
                return {
                  ...rows[0],
                  spent: rows[0].spent.map(BigInt),
                  reserved: rows[0].reserved.map(BigInt),
                };
              },
            },
            { action: 'reserve', slot, contributors: 3, crashAt: 0 },
          ),
        ),
      ),
    );
    await expect(consistentBooks()).rejects.toThrow();
  });

  it.each<readonly [string, readonly Operation[], Operation]>([
    [
      'the first reservation, which fixes the order',
      [],
      { action: 'reserve', slot: 0, contributors: 3, crashAt: 0 },
    ],
    [
      'a reservation',
      [{ action: 'reserve', slot: 0, contributors: 3, crashAt: 0 }],
      { action: 'reserve', slot: 1, contributors: 3, crashAt: 0 },
    ],
    [
      'a commit',
      [{ action: 'reserve', slot: 0, contributors: 3, crashAt: 0 }],
      { action: 'commit', slot: 0, contributors: 4, crashAt: 0 },
    ],
    [
      'a void',
      [{ action: 'reserve', slot: 0, contributors: 3, crashAt: 0 }],
      { action: 'void', slot: 0, contributors: 3, crashAt: 0 },
    ],
  ])(
    'a crash between any two statements of %s leaves all or nothing, and another coordinator finishes it',
    {
      timeout: 120_000,
    },
    async (_, before, operation) => {
      /** The books without what the clock wrote. */
      const undated = ({ budget, ledger, rounds }: Awaited<ReturnType<typeof booksOf>>) => ({
        budget,
        ledger: ledger.map(({ createdAt: _created, settledAt: _settled, ...entry }) => entry),
        rounds,
      });
      const prepare = async () => {
        await startAgain();
        for (const earlier of before) await operate(0, earlier);
      };
      await prepare();
      const untouched = undated(await booksOf());
      await operate(0, operation);
      const done = undated(await consistentBooks());
      expect(done).not.toEqual(untouched);

      let crashes = 0;
      for (let crashAt = 1; ; crashAt++) {
        await prepare();
        const outcome = await operate(0, { ...operation, crashAt }).catch((error: unknown) => error);
        if (!(outcome instanceof Cut)) break;
        crashes += 1;
        expect(undated(await consistentBooks()), `crash before statement ${crashAt}`).toEqual(untouched);
        // Its answer may be what was lost: another one asks again, and again, and the charge is one.
        await operate(1, operation);
        await operate(2, operation);
        expect(undated(await consistentBooks()), `after a crash before statement ${crashAt}`).toEqual(done);
      }
      expect(crashes).toBeGreaterThanOrEqual(4);
      expect(ended).toBe(crashes);
    },
  );
});
