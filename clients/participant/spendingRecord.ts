import { existsSync, readFileSync } from 'node:fs';
import { z } from 'zod';
import { describeOrders } from '../../src/privacy/filterOrders.js';
import { ParticipantError } from './errors.js';

/**
 * `spending.jsonl`: one JSON line an entry, appended. A last line without its newline was torn by a crash before its charge
 * returned, so its vector never left: it does not count. Any other damage is refused.
 */
const lineShape = z.strictObject({
  version: z.literal(1),
  kind: z.enum(['charge', 'lower']),
  block: z.string(),
  slot: z.int(),
  round: z.string(),
  orders: z.array(z.int()),
  /** In the first line only: the charter's orders, of which the one in `orders` was fixed before this charge. */
  fixedFrom: z.array(z.int()).optional(),
  event: z.json(),
  units: z.array(z.string().regex(/^[0-9]+$/)),
});
export type SpendingLine = z.infer<typeof lineShape>;

export interface SpendingRecord {
  readonly lines: readonly SpendingLine[];
  /** Length of the whole lines, and of the file: more where the last line is torn. */
  readonly wholeBytes: number;
  readonly bytes: number;
}

/** Changes nothing; a file that is not there is a record without lines. Throws SpendingDamaged with the line. */
export function readSpendingRecord(path: string): SpendingRecord {
  const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  const lines = whole
    .split('\n')
    .slice(0, -1)
    .map((line, index) => readLine(line, `${path}:${index + 1}`));
  for (const [index, { orders, fixedFrom }] of lines.entries()) {
    const fixed = index === 0 && orders.length === 1 && fixedFrom?.includes(orders[0]!);
    if (orders.join() !== lines[0]!.orders.join() || (fixedFrom !== undefined && !fixed))
      throw damaged(`${path}:${index + 1}`);
  }
  return { lines, wholeBytes: Buffer.byteLength(whole), bytes: Buffer.byteLength(text) };
}

/**
 * Where a record goes on under a charter: at the one order at which it stands if the charter names that, among others or
 * alone; at several only if they are the charter's. Throws CharterRefused otherwise: what was spent is known there only, and
 * another order, chosen now, was not fixed before the first charge.
 */
export function ordersUnder({ lines: [first] }: SpendingRecord, charter: readonly number[]) {
  if (first === undefined) return charter;
  const [order] = first.orders;
  if (first.orders.length === 1 ? charter.includes(order!) : first.orders.join() === charter.join())
    return first.orders;
  throw new ParticipantError(
    'CharterRefused',
    `This participant's own record was charged at ${describeOrders(first.orders)}; the charter names ${describeOrders(charter)}. ` +
      `Ask for a charter that names ${describeOrders(first.orders)}: what was spent is known there only.`,
  );
}

function readLine(line: string, where: string): SpendingLine {
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

export function damaged(where: string, cause?: unknown): ParticipantError {
  return new ParticipantError(
    'SpendingDamaged',
    `${where} is not a spending entry. The record must be whole: restore it from a backup; without it no sum is answered.`,
    { cause },
  );
}
