import type { Json } from '../crypto/canonical.js';
import type {
  AccessTokenRecord,
  BlockRecord,
  BudgetRecord,
  CharterRecord,
  LedgerEntryRecord,
  MessageRecord,
  ParticipantRecord,
  RefusalRecord,
  RoundRecord,
  RunRecord,
} from '../federation/ports.js';
import type * as rows from './generated/client.js';
import { Prisma } from './generated/client.js';

/**
 * Rows as the ports' records. Statuses, phases and roles are strings to Prisma; the CHECKs of the first migration
 * let nothing into them but the unions of the ports, which the casts below rely on.
 */

export const participantRecord = (row: rows.Participant): ParticipantRecord => row as ParticipantRecord;

export function charterRecord(
  row: rows.Charter & { signatures: readonly rows.CharterSignature[] },
): CharterRecord {
  const signatures = Object.fromEntries(
    row.signatures.map(({ participantId, signature }) => [participantId, signature]),
  );
  return { ...row, signatures } as CharterRecord;
}

export const runRecord = (row: rows.Run): RunRecord => row as unknown as RunRecord;
export const blockRecord = (row: rows.Block): BlockRecord => row as unknown as BlockRecord;
export const roundRecord = (row: rows.Round): RoundRecord => row as unknown as RoundRecord;

export function messageRecord(row: rows.Message): MessageRecord {
  const { blockId, slot, phase, participantId, body } = row;
  return { blockId, slot, phase, participantId, body };
}

export function budgetRecord(row: rows.Budget): BudgetRecord {
  const { epsilon, delta, orders } = row;
  return { epsilon, delta, orders, spent: units(row.spent), reserved: units(row.reserved) };
}

export function ledgerEntryRecord(row: rows.LedgerEntry): LedgerEntryRecord {
  return {
    ...row,
    reservedUnits: units(row.reservedUnits),
    committedUnits: row.committedUnits.length === 0 ? null : units(row.committedUnits),
  } as unknown as LedgerEntryRecord;
}

export const refusalRecord = (row: rows.Refusal): RefusalRecord => row as unknown as RefusalRecord;

export const accessTokenRecord = (row: rows.AccessToken): AccessTokenRecord => row as AccessTokenRecord;

const units = (digits: readonly string[]): bigint[] => digits.map(BigInt);

/** Decimal digits, as the columns hold them. */
export const digits = (values: readonly bigint[]): string[] => values.map(String);

/** A JSON value for a column that is never SQL NULL. */
export const json = (value: Json): Prisma.InputJsonValue | typeof Prisma.JsonNull =>
  value === null ? Prisma.JsonNull : (value as Prisma.InputJsonValue);

/** A JSON value, or SQL NULL. */
export const jsonOrNull = (value: Json): Prisma.InputJsonValue | typeof Prisma.DbNull =>
  value === null ? Prisma.DbNull : (value as Prisma.InputJsonValue);
