import { FederationError } from '../federation/errors.js';
import type { Transaction } from '../federation/ports.js';
import { inserted, updated } from './conflicts.js';
import type { Budget, Prisma } from './generated/client.js';
import { budgetRecord, digits, json, jsonOrNull, ledgerEntryRecord, refusalRecord } from './rows.js';

type LedgerTables = Pick<
  Transaction,
  | 'lockBudget'
  | 'saveBudget'
  | 'insertLedgerEntry'
  | 'settleLedgerEntry'
  | 'ledgerEntry'
  | 'ledger'
  | 'insertRefusal'
  | 'refusals'
>;

const BUDGET_ID = 1;
/** Advisory lock that stands in for the budget's row until there is one ("chor" in ASCII). */
const FIRST_BUDGET_LOCK = 0x63_68_6f_72;

/** The budget and what was reserved, spent and voided of it. */
export function ledgerTables(db: Prisma.TransactionClient): LedgerTables {
  async function lockedBudget(): Promise<Budget | null> {
    const rows = await db.$queryRaw<Budget[]>`SELECT * FROM "Budget" WHERE "id" = ${BUDGET_ID} FOR UPDATE`;
    return rows[0] ?? null;
  }
  return {
    async lockBudget() {
      let row = await lockedBudget();
      if (row === null) {
        // No row, nothing to lock: two first reservations would both start from nothing.
        await db.$executeRaw`SELECT pg_advisory_xact_lock(${FIRST_BUDGET_LOCK})`;
        row = await lockedBudget();
      }
      return row && budgetRecord(row);
    },
    async saveBudget({ epsilon, delta, orders, spent, reserved }) {
      const data = { epsilon, delta, orders: [...orders], spent: digits(spent), reserved: digits(reserved) };
      const { count } = await db.budget.updateMany({ where: { id: BUDGET_ID }, data });
      if (count === 0) await db.budget.create({ data: { id: BUDGET_ID, ...data } });
    },

    async insertLedgerEntry(entry) {
      const [budget] = await db.budget.updateManyAndReturn({
        where: { id: BUDGET_ID },
        data: { entries: { increment: 1 } },
        select: { entries: true },
      });
      if (budget === undefined) {
        throw new FederationError('NotFound', 'there is no budget yet: save it before the first reservation');
      }
      const rows = await db.ledgerEntry.createManyAndReturn({
        data: [
          {
            roundId: entry.roundId,
            runId: entry.runId,
            sequence: budget.entries,
            status: 'reserved',
            reservedEvent: json(entry.reservedEvent),
            reservedUnits: digits(entry.reservedUnits),
            committedUnits: [],
          },
        ],
        skipDuplicates: true,
      });
      if (rows.length === 0) {
        // The caller may catch the conflict and commit: the number goes back, so that no gap is left.
        await db.budget.updateMany({ where: { id: BUDGET_ID }, data: { entries: { decrement: 1 } } });
      }
      return ledgerEntryRecord(inserted(rows, `a reservation for round ${entry.roundId}`));
    },
    async settleLedgerEntry(roundId, { status, committedEvent, committedUnits, epsilonAfter, reason }) {
      const rows = await db.ledgerEntry.updateManyAndReturn({
        where: { roundId },
        data: {
          status,
          committedEvent: jsonOrNull(committedEvent),
          committedUnits: digits(committedUnits ?? []),
          epsilonAfter,
          reason,
        },
      });
      return ledgerEntryRecord(updated(rows, `reservation for round ${roundId}`));
    },
    async ledgerEntry(roundId) {
      const row = await db.ledgerEntry.findUnique({ where: { roundId } });
      return row && ledgerEntryRecord(row);
    },
    async ledger(runId) {
      const rows = await db.ledgerEntry.findMany({
        ...(runId !== undefined && { where: { runId } }),
        orderBy: { sequence: 'asc' },
      });
      return rows.map(ledgerEntryRecord);
    },

    async insertRefusal({ participant, coordinator, ...refusal }) {
      await db.refusal.createMany({
        data: [{ ...refusal, participant: { ...participant }, coordinator: { ...coordinator } }],
        skipDuplicates: true,
      });
    },
    async refusals(runId) {
      const rows = await db.refusal.findMany({
        where: { round: { runId } },
        orderBy: [{ createdAt: 'asc' }, { roundId: 'asc' }, { participantId: 'asc' }],
      });
      return rows.map(refusalRecord);
    },
  };
}
