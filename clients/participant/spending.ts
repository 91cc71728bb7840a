import {
  closeSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { canonicalJson } from '../../src/crypto/canonical.js';
import { type PrivacyEvent, parseEvent } from '../../src/privacy/events.js';
import { admits, costUnits, epsilonOfUnits, type FilterLimit } from '../../src/privacy/filter.js';
import { ParticipantError } from './errors.js';
import { damaged, ordersUnder, readSpendingRecord } from './spendingRecord.js';

/**
 * The participant's own spending record: it decides for itself, whatever the coordinator's ledger says. A charge is on
 * disk (fsync) before the vector that it pays for leaves; it is lowered only to what t signatures of shareholders show,
 * and never taken back: the participant can't know that nothing was opened.
 */
export interface Spending {
  readonly units: readonly bigint[];
  readonly epsilon: number;
  /** Was anything ever charged in this block? Its keys must never be made again. */
  knowsBlock(blockId: string): boolean;
  /**
   * Throws BudgetRefused with both figures if there is no room at the order in force (several: at none of them), PrivacyError
   * `cost-infinite` if the event has no finite cost there (sampled records in Gaussian DP), and Refused if the slot was charged
   * before: a charge pays for one vector. Either way nothing is recorded. The first charge of all fixes
   * `orders`, one of the charter's (RunPolicy.orders) and with the whole δ, for good; later ones change nothing.
   */
  charge(entry: SpendingKey & { readonly event: PrivacyEvent; readonly orders?: readonly number[] }): void;
  /** Lowers a charge to the noise that was proved to survive; a higher cost is ignored. */
  lower(entry: SpendingKey & { readonly event: PrivacyEvent }): void;
  close(): void;
}

export interface SpendingKey {
  readonly blockId: string;
  readonly slot: number;
  readonly roundId: string;
}

/** Recorded and recomputed cost may differ by one unit or one part in so many: another accountant's rounding, no other event. */
const ACCOUNTANTS_AGREE = 1_000_000n;

export function openSpending(path: string, charter: FilterLimit): Spending {
  const record = readSpendingRecord(path);
  const orders = ordersUnder(record, charter.orders);
  /** What stands of each charge, by block/slot. */
  const charges = new Map<string, readonly bigint[]>();
  const blocks = new Set<string>();
  /** The charter's, at the one of its orders that the first charge fixed, once there is one. */
  let limit: FilterLimit = { ...charter, orders };
  let total: readonly bigint[] = orders.map(() => 0n);

  function apply(block: string, slot: number, units: readonly bigint[]): void {
    const key = `${block}/${slot}`;
    const before = charges.get(key);
    total = total.map((sum, i) => sum + units[i]! - (before?.[i] ?? 0n));
    charges.set(key, units);
    blocks.add(block);
  }

  // The same event stands in hundreds of lines, and its cost takes the accountant milliseconds.
  const costs = new Map<string, readonly bigint[]>();
  for (const [index, { block, slot, event, units }] of record.lines.entries()) {
    const where = `${path}:${index + 1}`;
    const cost = costs.get(canonicalJson(event)) ?? costOf(event, orders, where);
    costs.set(canonicalJson(event), cost);
    apply(block, slot, standingCost(units.map(BigInt), cost, where));
  }
  if (record.wholeBytes < record.bytes) truncateSync(path, record.wholeBytes);
  const file = openSync(path, 'a', 0o600);

  function append(
    kind: 'charge' | 'lower',
    key: SpendingKey,
    event: PrivacyEvent,
    units: readonly bigint[],
    at: FilterLimit = limit,
  ): void {
    const line = canonicalJson({
      version: 1,
      kind,
      block: key.blockId,
      slot: key.slot,
      round: key.roundId,
      orders: at.orders,
      ...(at !== limit && { fixedFrom: charter.orders }),
      event,
      units: units.map(String),
    });
    const { size } = fstatSync(file);
    try {
      writeFileSync(file, `${line}\n`);
      // A lowering that a power cut takes back leaves the higher charge: it need not wait for the disk.
      if (kind === 'charge') fsyncSync(file);
    } catch (cause) {
      // A full disk may have taken half the line: the next one must not stand behind it.
      ftruncateSync(file, size);
      throw cause;
    }
    if (at !== limit) {
      limit = at;
      total = at.orders.map(() => 0n);
    }
    apply(key.blockId, key.slot, units);
  }

  return {
    get units() {
      return total;
    },
    get epsilon() {
      return epsilonOfUnits(limit, total);
    },
    knowsBlock: (blockId) => blocks.has(blockId),
    charge(entry) {
      // The coordinator chooses block and slot: a second vector for one charge would be a second noisy sum for nothing.
      if (charges.has(`${entry.blockId}/${entry.slot}`))
        throw new ParticipantError(
          'Refused',
          `Slot ${entry.slot} of block ${entry.blockId} has served its one attempt.`,
        );
      const at = charges.size === 0 ? fixedAt(charter, limit, entry.orders) : limit;
      const before = at === limit ? total : at.orders.map(() => 0n);
      const cost = costUnits(entry.event, at.orders);
      const after = before.map((sum, i) => sum + cost[i]!);
      if (!admits(at, after)) {
        const budget = {
          epsilonSpent: epsilonOfUnits(at, before),
          epsilonAsked: epsilonOfUnits(at, after),
          epsilonLimit: at.epsilon,
        };
        throw new ParticipantError(
          'BudgetRefused',
          `By this participant's own record ε ${budget.epsilonSpent.toFixed(4)} is spent; this sum would bring it to ` +
            `${budget.epsilonAsked.toFixed(4)}, over the charter's limit of ${at.epsilon}.`,
          { budget },
        );
      }
      append('charge', entry, entry.event, cost, at);
    },
    lower(entry) {
      const standing = charges.get(`${entry.blockId}/${entry.slot}`);
      const cost = costUnits(entry.event, limit.orders);
      if (standing === undefined || cost.some((units, i) => units > standing[i]!)) return;
      if (cost.every((units, i) => units === standing[i])) return;
      append('lower', entry, entry.event, cost);
    },
    close: () => closeSync(file),
  };
}

/** The limit that a first charge fixes: one of several orders, with the whole δ; as it is where there is nothing to fix. */
function fixedAt(
  charter: FilterLimit,
  limit: FilterLimit,
  orders: readonly number[] | undefined,
): FilterLimit {
  if (orders === undefined || limit.orders.length === 1) return limit;
  const [order] = orders;
  if (orders.length !== 1 || !charter.orders.includes(order!))
    throw new ParticipantError(
      'QueryRefused',
      `A first charge is made at one of the charter's orders ${charter.orders.join(', ')}, not at ${orders.join(', ')}.`,
    );
  return { ...charter, orders };
}

/** The dearer of what was recorded and what it costs by this accountant, at each order; damaged where it was made cheaper. */
function standingCost(
  recorded: readonly bigint[],
  cost: readonly bigint[],
  where: string,
): readonly bigint[] {
  if (recorded.length !== cost.length) throw damaged(where);
  return cost.map((now, i) => {
    const then = recorded[i]!;
    if (now - then > 1n && (now - then) * ACCOUNTANTS_AGREE > now) throw damaged(where);
    return now > then ? now : then;
  });
}

function costOf(event: unknown, orders: readonly number[], where: string): readonly bigint[] {
  try {
    return costUnits(parseEvent(event), orders);
  } catch (cause) {
    throw damaged(where, cause);
  }
}
