import { hexToBytes } from '@noble/hashes/utils.js';
import type { SpendingRecord } from '../../clients/participant/spendingRecord.js';
import { nodePrimitives } from '../crypto/nodePrimitives.js';
import { type Charter, charterDigest, charterStatement, readCharter } from '../federation/charter.js';
import { ACCOUNTANT, budgetFigures, limitOf } from '../federation/ledger.js';
import { parseEvent } from '../privacy/events.js';
import { admits, commitToPlan, epsilonOfUnits, type FilterLimit } from '../privacy/filter.js';
import { addUnits, serializeUnits } from '../privacy/units.js';
import { unitsOrInfinite } from '../privacy/views.js';
import { type EntryFrame, entryFaults, type RunPlan, roundFaults, runPlans } from './ledgerEntries.js';
import { memberFaults } from './ledgerMember.js';
import { type LedgerFile, parseLedgerFile } from './ledgerShape.js';

export type { LedgerFile } from './ledgerShape.js';

export interface LedgerVerdict {
  /** Of what was committed. */
  readonly epsilon: number;
  readonly delta: number;
  readonly committed: number;
  readonly reserved: number;
  readonly voided: number;
  readonly faults: readonly string[];
}

/**
 * Recomputes everything that follows from the signed charters and the runs' options, and holds the file against it: each plan and
 * its hash, the order that the first one fixed, what each round might cost and did, each entry's status against its round, each
 * running ε, all figures of the budget, the limit. What was asked, and of whom, is the coordinator's word; `member`, a
 * participant's own record, can contradict it. Throws CliError where the file has no such form.
 */
export function verifyLedger(input: unknown, member?: SpendingRecord): LedgerVerdict {
  const file = parseLedgerFile(input);
  const faults: string[] = [];
  const charters = new Map<string, Charter>();
  for (const charter of [file.charter, ...file.earlierCharters]) {
    const document = readCharter(charter.body);
    charters.set(charter.digest, document);
    if (charterDigest(document) !== charter.digest)
      faults.push('the charter is not the one that its digest names');
    faults.push(...unsigned(document, charter));
  }
  const inForce = charters.get(file.charter.digest)!;
  const plans = runPlans(file, charters, faults);
  const orders = ordersInForce(file, inForce, plans, faults);
  const limit = { ...limitOf(inForce), orders };
  // A cost that differs may be the accountant's doing.
  const reckoned =
    file.budget.accountant === ACCOUNTANT
      ? ''
      : ` (the file is by accountant ${file.budget.accountant}, this is ${ACCOUNTANT}: verify it with a release of accountant ${file.budget.accountant})`;
  const byRound = new Map(file.rounds.map((round) => [round.roundId, round]));

  let spent: readonly bigint[] = orders.map(() => 0n);
  let reserved = spent;
  const counts = { COMMITTED: 0, RESERVED: 0, VOIDED: 0 };
  for (const [index, entry] of file.entries.entries()) {
    if (entry.sequence !== index + 1)
      faults.push(`entry ${index + 1} has sequence ${entry.sequence}: an entry is missing`);
    counts[entry.status] += 1;
    const frame: EntryFrame = { round: byRound.get(entry.roundId), plan: plans.get(entry.runId) };
    faults.push(...entryFaults(entry, frame));
    const cost = (event: unknown, stated: readonly string[]) => {
      const found = unitsOrInfinite(parseEvent(event), orders);
      if (serializeUnits(found).join() !== stated.join())
        faults.push(`entry ${entry.sequence} states another cost than its event has${reckoned}`);
      return found;
    };
    const held = cost(entry.reservedEvent, entry.reservedUnits);
    if (entry.status === 'RESERVED') reserved = addUnits(reserved, held);
    if (entry.status === 'COMMITTED') {
      const charged = cost(entry.committedEvent, entry.committedUnits);
      spent = addUnits(spent, charged);
      if (charged.some((unit, i) => unit > held[i]!))
        faults.push(`entry ${entry.sequence} is charged for more than was reserved for it`);
    }
    if (entry.status === 'RESERVED') continue;
    // A charter that was renewed may have changed δ since.
    const after = [...charters.values()].map(({ privacy }) =>
      epsilonOfUnits({ ...limit, delta: privacy.delta }, spent),
    );
    if (!after.some((epsilon) => entry.epsilonAfter !== null && near(entry.epsilonAfter, epsilon)))
      faults.push(
        `entry ${entry.sequence} states ε = ${entry.epsilonAfter}, recomputed ${after[0]}${reckoned}`,
      );
  }
  faults.push(...roundFaults(file));
  faults.push(...budgetFaults(file, limit, { spent, reserved }));
  const total = addUnits(spent, reserved);
  if (!admits(limit, total))
    faults.push(
      `ε = ${epsilonOfUnits(limit, total)}, reservations included, is over the charter’s limit of ${limit.epsilon}`,
    );
  if (member !== undefined) faults.push(...memberFaults(member, file, { orders, charters }));
  return {
    ...{ epsilon: epsilonOfUnits(limit, spent), delta: limit.delta },
    ...{ committed: counts.COMMITTED, reserved: counts.RESERVED, voided: counts.VOIDED, faults },
  };
}

/**
 * The charter's orders, or the one among them that the first run's plan fixed: recomputed from that run's own charter and options,
 * since an order chosen when the answers were known would be no theorem.
 */
function ordersInForce(
  { entries: [first], charter }: LedgerFile,
  inForce: Charter,
  plans: ReadonlyMap<string, RunPlan>,
  faults: string[],
): readonly number[] {
  const { orders } = inForce.privacy;
  if (first === undefined) return orders;
  const plan = plans.get(first.runId);
  // runPlans has said why there is none.
  if (plan === undefined) return orders;
  const asked = limitOf(plan.charter);
  const fixed = asked.orders.length === 1 ? asked.orders : commitToPlan(asked, plan.costs).orders;
  if (plan.charterDigest !== charter.digest && fixed.some((order) => !orders.includes(order)))
    faults.push(`the first plan fixed order ${fixed.join()}, which the charter in force does not name`);
  return fixed;
}

function budgetFaults(
  { budget }: LedgerFile,
  limit: FilterLimit,
  sums: { readonly spent: readonly bigint[]; readonly reserved: readonly bigint[] },
): string[] {
  const { accountant: _, order: __, ...figures } = budgetFigures({ ...limit, ...sums });
  return Object.entries(figures).flatMap(([name, recomputed]) => {
    const stated = budget[name as keyof typeof figures];
    const same =
      typeof stated === 'number' && typeof recomputed === 'number'
        ? near(stated, recomputed)
        : String(stated) === String(recomputed);
    return same ? [] : [`the budget’s ${name} is ${String(stated)}, recomputed ${String(recomputed)}`];
  });
}

function unsigned(document: Charter, { digest, signatures }: LedgerFile['charter']): string[] {
  const byMember = new Map(signatures.map((s) => [s.participantId, s.signature]));
  const statement = charterStatement(digest);
  return document.members
    .filter(({ id, publicKey }) => {
      const signature = byMember.get(id);
      return (
        signature === undefined ||
        !nodePrimitives.ed25519Verify(hexToBytes(publicKey), statement, hexToBytes(signature))
      );
    })
    .map(({ name }) => `the charter lacks the signature of ${name}`);
}

/** An ε, which no limit is judged by, may differ in the last digits where another machine took the logarithms. */
function near(a: number, b: number): boolean {
  return Math.abs(a - b) <= 1e-9 * Math.max(Math.abs(b), 1e-3);
}
