import type { SpendingRecord } from '../../clients/participant/spendingRecord.js';
import { canonicalJson } from '../crypto/canonical.js';
import type { Charter } from '../federation/charter.js';
import type { LedgerFile } from './ledgerShape.js';

/**
 * Where a member's own record contradicts the ledger: another order, or one fixed from other orders; a sum that it was asked for
 * and that the ledger does not have; another event; other survivors than t shareholders signed for. A charge whose round
 * the ledger voided is no contradiction: the member can't know whether its answer opened anything, and keeps it.
 */
export function memberFaults(
  { lines }: SpendingRecord,
  { entries, rounds }: LedgerFile,
  {
    orders,
    charters,
  }: { readonly orders: readonly number[]; readonly charters: ReadonlyMap<string, Charter> },
): string[] {
  const [first] = lines;
  if (first === undefined) return [];
  const faults: string[] = [];
  if (first.orders.join() !== orders.join())
    faults.push(`the member’s record stands at order ${first.orders.join()}, the ledger at ${orders.join()}`);
  const from = (first.fixedFrom ?? first.orders).join();
  if (
    first.fixedFrom !== undefined &&
    ![...charters.values()].some(({ privacy }) => privacy.orders.join() === from)
  )
    faults.push(`the member’s order was fixed from ${from}, which no charter of the file names`);
  const entryOf = new Map(entries.map((entry) => [entry.roundId, entry]));
  const phaseOf = new Map(rounds.map(({ roundId, phase }) => [roundId, phase]));
  const charged = new Set<string>();
  for (const { kind, round, block, slot, event } of lines) {
    const entry = entryOf.get(round);
    const where = `round ${round} (block ${block}, slot ${slot})`;
    if (kind === 'charge' && charged.has(round))
      faults.push(`the member was asked twice for ${where}, and the ledger has it once`);
    charged.add(round);
    if (entry === undefined) {
      if (kind === 'charge') faults.push(`the member was charged for ${where}, which is not in the ledger`);
    } else if (kind === 'charge') {
      if (canonicalJson(event) !== canonicalJson(entry.reservedEvent))
        faults.push(`the member was asked another event in ${where} than the ledger has`);
    } else if (
      entry.status === 'COMMITTED' &&
      phaseOf.get(round) === 'COMPLETED' &&
      canonicalJson(event) !== canonicalJson(entry.committedEvent)
    )
      faults.push(`the ledger charges ${where} for other survivors than the member saw signed`);
  }
  return faults;
}
