import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { z } from 'zod';
import { canonicalJson } from '../../src/crypto/canonical.js';
import { type PrivacyEvent, parseEvent } from '../../src/privacy/events.js';
import { admits, costUnits, epsilonOfUnits, type FilterLimit } from '../../src/privacy/filter.js';
import { ParticipantError } from './errors.js';

/**
 * The participant's own spending record: it decides for itself, whatever the coordinator's ledger says. A charge is on
 * disk (fsync) before the vector that it pays for leaves; it is lowered only to what t signatures of shareholders show,
 * and never taken back: the participant can't know that nothing was opened.
 *
 * One JSON line an entry, appended. A last line without its newline was torn by a crash before its charge returned, so its vector
 * never left: it is cut off. Any other damage is refused.
 */
export interface Spending {
  readonly units: readonly bigint[];
  readonly epsilon: number;
  /** Was anything ever charged in this block? Its keys must never be made again. */
  knowsBlock(blockId: string): boolean;
  /**
   * Throws BudgetRefused with both figures if no order of the charter has room, and Refused if the slot was charged before: a
   * charge pays for one vector. Either way nothing is recorded.
   */
  charge(entry: SpendingKey & { readonly event: PrivacyEvent }): void;
  /** Lowers a charge to the noise that was proved to survive; a higher cost is ignored. */
  lower(entry: SpendingKey & { readonly event: PrivacyEvent }): void;
  close(): void;
}

export interface SpendingKey {
  readonly blockId: string;
  readonly slot: number;
  readonly roundId: string;
}

const lineShape = z.strictObject({
  version: z.literal(1),
  kind: z.enum(['charge', 'lower']),
  block: z.string(),
  slot: z.int(),
  round: z.string(),
  orders: z.array(z.int()),
  event: z.json(),
  units: z.array(z.string().regex(/^[0-9]+$/)),
});

export function openSpending(path: string, limit: FilterLimit): Spending {
  /** What stands of each charge, by block/slot. */
  const charges = new Map<string, readonly bigint[]>();
  const blocks = new Set<string>();
  const orders = limit.orders;
  let total: bigint[] = orders.map(() => 0n);

  function apply(block: string, slot: number, units: readonly bigint[]): void {
    const key = `${block}/${slot}`;
    const before = charges.get(key);
    total = total.map((sum, i) => sum + units[i]! - (before?.[i] ?? 0n));
    charges.set(key, units);
    blocks.add(block);
  }

  if (existsSync(path)) {
    const text = readFileSync(path, 'utf8');
    // The same event stands in hundreds of lines, and its cost takes the accountant milliseconds.
    const costs = new Map<string, readonly bigint[]>();
    const whole = text.slice(0, text.lastIndexOf('\n') + 1);
    if (whole.length < text.length) truncateSync(path, Buffer.byteLength(whole));
    for (const [index, line] of whole.split('\n').slice(0, -1).entries()) {
      const where = `${path}:${index + 1}`;
      const entry = readLine(line, where);
      if (entry.orders.join() !== orders.join())
        throw new ParticipantError(
          'SpendingDamaged',
          `${where} was recorded at other Rényi orders than the charter's.`,
        );
      const units = entry.units.map(BigInt);
      const cost = costs.get(canonicalJson(entry.event)) ?? costOf(entry.event, orders, where);
      costs.set(canonicalJson(entry.event), cost);
      if (units.length !== cost.length || units.some((unit, i) => unit < cost[i]!)) throw damaged(where);
      apply(entry.block, entry.slot, units);
    }
  }
  const file = openSync(path, 'a', 0o600);

  function append(
    kind: 'charge' | 'lower',
    key: SpendingKey,
    event: PrivacyEvent,
    units: readonly bigint[],
  ): void {
    const line = canonicalJson({
      version: 1,
      kind,
      block: key.blockId,
      slot: key.slot,
      round: key.roundId,
      orders,
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
      const cost = costUnits(entry.event, orders);
      const after = total.map((sum, i) => sum + cost[i]!);
      if (!admits(limit, after)) {
        throw new ParticipantError(
          'BudgetRefused',
          `By this participant's own record ε ${epsilonOfUnits(limit, total).toFixed(4)} is spent; this sum would bring it to ` +
            `${epsilonOfUnits(limit, after).toFixed(4)}, over the charter's limit of ${limit.epsilon}.`,
        );
      }
      append('charge', entry, entry.event, cost);
    },
    lower(entry) {
      const standing = charges.get(`${entry.blockId}/${entry.slot}`);
      const cost = costUnits(entry.event, orders);
      if (standing === undefined || cost.some((units, i) => units > standing[i]!)) return;
      if (cost.every((units, i) => units === standing[i])) return;
      append('lower', entry, entry.event, cost);
    },
    close: () => closeSync(file),
  };
}

function readLine(line: string, where: string): z.infer<typeof lineShape> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    value = undefined;
  }
  const parsed = lineShape.safeParse(value);
  if (!parsed.success) throw damaged(where);
  return parsed.data;
}

function costOf(event: unknown, orders: readonly number[], where: string): readonly bigint[] {
  try {
    return costUnits(parseEvent(event), orders);
  } catch (cause) {
    throw damaged(where, cause);
  }
}

function damaged(where: string, cause?: unknown): ParticipantError {
  return new ParticipantError(
    'SpendingDamaged',
    `${where} is not a spending entry. The record must be whole: restore it from a backup; without it no sum is answered.`,
    { cause },
  );
}
