import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openSpending } from '../../clients/participant/spending.js';
import { distributedDiscreteGaussianEvent, type PrivacyEvent } from '../../src/privacy/events.js';
import { commitToPlan, costUnits, epsilonOfUnits } from '../../src/privacy/filter.js';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'chorale-spending-'));
  path = join(folder, 'spending.jsonl');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

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
const [three, four] = [unitsOf(3), unitsOf(4)];
/** Room for two sums of three contributors, and not for a third. */
const LIMIT = {
  epsilon: epsilonOfUnits({ epsilon: 1, delta: 1e-6, orders: ORDERS }, [2n * three + three / 2n]),
  delta: 1e-6,
  orders: ORDERS,
};

const key = (slot: number) => ({ blockId: 'block', slot, roundId: `round-${slot}` });
const lines = (): string[] => readFileSync(path, 'utf8').split('\n').filter(Boolean);
const damaged = expect.objectContaining({ name: 'ParticipantError', code: 'SpendingDamaged' });
const otherCharter = expect.objectContaining({
  name: 'ParticipantError',
  code: 'CharterRefused',
  message: expect.stringMatching(/Ask for a charter that names/),
});

/** Length of the file at each flush. */
const flushed: number[] = [];
vi.mock('node:fs', async (original) => {
  const real = await original<typeof import('node:fs')>();
  return {
    ...real,
    fsyncSync(file: number) {
      real.fsyncSync(file);
      flushed.push(real.fstatSync(file).size);
    },
  };
});

describe('a participant’s spending record', () => {
  it('hazard P21: is on disk before the charge returns, and survives a restart', () => {
    const spending = openSpending(path, LIMIT);
    spending.charge({ ...key(0), event: eventOf(3) });
    // Read while it is still open: what a crash right now would leave.
    expect(lines().map((line) => JSON.parse(line))).toMatchObject([
      { kind: 'charge', block: 'block', slot: 0, round: 'round-0', orders: ORDERS, units: [`${three}`] },
    ]);
    expect(statSync(path).mode & 0o077).toBe(0);
    spending.lower({ ...key(0), event: eventOf(4) });
    spending.charge({ ...key(1), event: eventOf(3) });
    expect(spending.units).toEqual([four + three]);
    spending.close();
    const again = openSpending(path, LIMIT);
    expect(again.units).toEqual([four + three]);
    expect(again.epsilon).toBe(epsilonOfUnits(LIMIT, [four + three]));
    again.close();
  });

  it('is committed by its first charge to one order, which it was told before: for good, and after a restart', () => {
    const several = { epsilon: 6, delta: 1e-6, orders: [4, 8, 16, 32] };
    const plan = [{ event: eventOf(3), count: 6 }];
    const fixed = commitToPlan(several, plan);
    const orders = fixed.orders;
    const spending = openSpending(path, several);
    // A charge that is refused fixes nothing.
    expect(() =>
      spending.charge({
        ...key(9),
        event: { version: 1, kind: 'gaussian', noiseMultiplier: 0.05 },
        orders: [4],
      }),
    ).toThrow(expect.objectContaining({ code: 'BudgetRefused', budget: expect.anything() }));
    expect(spending.units).toEqual([0n, 0n, 0n, 0n]);
    for (const strange of [[5], [4, 8], []])
      expect(() => spending.charge({ ...key(0), event: eventOf(3), orders: strange })).toThrow(
        expect.objectContaining({ code: 'QueryRefused' }),
      );
    spending.charge({ ...key(0), event: eventOf(3), orders });
    const cost = costUnits(eventOf(3), fixed.orders);
    expect(spending.units).toEqual(cost);
    expect(lines().map((line) => JSON.parse(line))).toMatchObject([
      { orders: fixed.orders, fixedFrom: several.orders },
    ]);
    const later = several.orders.filter((order) => order !== orders[0]);
    spending.lower({ ...key(0), event: eventOf(4) });
    spending.charge({ ...key(1), event: eventOf(100), orders: [later[0]!] });
    const [total] = spending.units;
    expect(total).toBe(costUnits(eventOf(4), fixed.orders)[0]! + costUnits(eventOf(100), fixed.orders)[0]!);
    spending.close();
    const again = openSpending(path, several);
    expect(again.units).toEqual([total]);
    expect(again.epsilon).toBe(epsilonOfUnits(fixed, [total!]));
    again.close();
    // A renewal goes on at the order that stands, if it names it, alone or among others.
    for (const named of [orders, [...orders, 64]]) {
      const renewed = openSpending(path, { ...several, orders: named });
      expect(renewed.units).toEqual([total]);
      expect(renewed.epsilon).toBe(epsilonOfUnits(fixed, [total!]));
      renewed.close();
    }
    expect(() => openSpending(path, { ...several, orders: later })).toThrow(otherCharter);
    const tampered = readFileSync(path, 'utf8').replace('"fixedFrom":[4,8,16,32]', '"fixedFrom":[64]');
    writeFileSync(path, tampered);
    expect(() => openSpending(path, several)).toThrow(damaged);
  });

  it('hazard P21: the charge is flushed to the disk before it returns; a lowering need not be', () => {
    const spending = openSpending(path, LIMIT);
    flushed.length = 0;
    spending.charge({ ...key(0), event: eventOf(3) });
    expect(flushed).toEqual([readFileSync(path, 'utf8').length]);
    spending.lower({ ...key(0), event: eventOf(4) });
    expect(flushed).toHaveLength(1);
    spending.close();
  });

  it('takes the dearer where another accountant rounded otherwise, and refuses what was made cheaper', () => {
    const spending = openSpending(path, LIMIT);
    spending.charge({ ...key(0), event: eventOf(3) });
    spending.close();
    const text = readFileSync(path, 'utf8');
    const withUnits = (units: bigint): bigint => {
      writeFileSync(path, text.replace(`"${three}"`, `"${units}"`));
      const opened = openSpending(path, LIMIT);
      opened.close();
      return opened.units[0]!;
    };
    expect(withUnits(three - 1n)).toBe(three);
    expect(withUnits(three - three / 1_000_000n)).toBe(three);
    expect(withUnits(three + 5n)).toBe(three + 5n);
    expect(() => withUnits(three - three / 1_000_000n - 1n)).toThrow(damaged);
  });

  it('charges a slot once, and lowers it only', () => {
    const spending = openSpending(path, LIMIT);
    spending.charge({ ...key(0), event: eventOf(3) });
    spending.lower({ ...key(0), event: eventOf(2) });
    expect(spending.units).toEqual([three]);
    spending.lower({ ...key(0), event: eventOf(4) });
    spending.lower({ ...key(0), event: eventOf(4) });
    spending.lower({ ...key(0), event: eventOf(3) });
    expect(spending.units).toEqual([four]);
    expect(lines()).toHaveLength(2);
    spending.lower({ ...key(9), event: eventOf(4) });
    expect(spending.units).toEqual([four]);
    spending.close();
  });

  it('hazard S5: a charge pays for one vector, also after a restart; its block is remembered', () => {
    const spending = openSpending(path, LIMIT);
    expect(spending.knowsBlock(key(0).blockId)).toBe(false);
    spending.charge({ ...key(0), event: eventOf(4) });
    // Equal, dearer, settled: a second vector for it is never made.
    for (const contributors of [4, 3])
      expect(() => spending.charge({ ...key(0), event: eventOf(contributors) })).toThrow(
        /has served its one attempt/,
      );
    spending.close();
    const again = openSpending(path, LIMIT);
    expect(() => again.charge({ ...key(0), event: eventOf(4) })).toThrow(/has served its one attempt/);
    expect(again.knowsBlock(key(0).blockId)).toBe(true);
    expect(again.units).toEqual([four]);
    expect(lines()).toHaveLength(1);
    again.close();
  });

  it('refuses what would pass the limit, with both figures, and records nothing of it', () => {
    const spending = openSpending(path, LIMIT);
    for (const slot of [0, 1]) spending.charge({ ...key(slot), event: eventOf(3) });
    const before = readFileSync(path);
    expect(() => spending.charge({ ...key(2), event: eventOf(3) })).toThrow(
      expect.objectContaining({
        code: 'BudgetRefused',
        message: expect.stringContaining(`ε ${spending.epsilon.toFixed(4)} is spent`),
      }),
    );
    expect(() =>
      spending.charge({ ...key(3), event: { version: 1, kind: 'non-private' } as PrivacyEvent }),
    ).toThrow(expect.objectContaining({ code: 'cost-infinite' }));
    expect(readFileSync(path)).toEqual(before);
    expect(spending.units).toEqual([2n * three]);
    // What is proved to have cost less makes room again.
    for (const slot of [0, 1]) spending.lower({ ...key(slot), event: eventOf(40) });
    spending.charge({ ...key(2), event: eventOf(3) });
    spending.close();
  });

  it('cuts off a last line that a crash tore', () => {
    const spending = openSpending(path, LIMIT);
    spending.charge({ ...key(0), event: eventOf(3) });
    spending.close();
    const whole = readFileSync(path, 'utf8');
    appendFileSync(path, whole.slice(0, 40));
    const again = openSpending(path, LIMIT);
    expect(again.units).toEqual([three]);
    again.charge({ ...key(1), event: eventOf(3) });
    again.close();
    expect(readFileSync(path, 'utf8').startsWith(whole)).toBe(true);
    expect(lines()).toHaveLength(2);
  });

  it.each([
    ['half a line in the middle', (text: string) => `${text.slice(0, 30)}\n${text}`],
    ['an empty line', (text: string) => `\n${text}`],
    ['another version', (text: string) => text.replace('"version":1}', '"version":2}')],
    ['a field more', (text: string) => text.replace('{"block"', '{"a":1,"block"')],
    ['a smaller cost', (text: string) => text.replace(`"${three}"`, `"${three - three / 500_000n}"`)],
    ['no cost', (text: string) => text.replace(`["${three}"]`, '[]')],
    ['a negative cost', (text: string) => text.replace(`"${three}"`, `"-${three}"`)],
    ['an unknown event', (text: string) => text.replace('distributed-discrete-gaussian', 'nothing-at-all')],
  ])('refuses a record with %s', (_, damage) => {
    const spending = openSpending(path, LIMIT);
    spending.charge({ ...key(0), event: eventOf(3) });
    spending.close();
    const text = readFileSync(path, 'utf8');
    expect(damage(text)).not.toBe(text);
    writeFileSync(path, damage(text));
    expect(() => openSpending(path, LIMIT)).toThrow(damaged);
    // Positive control: undamaged it opens.
    writeFileSync(path, text);
    openSpending(path, LIMIT).close();
  });

  it.each([[[16]], [[4, 16]], [[7]]])('refuses to be read at other orders: %j', (orders) => {
    const spending = openSpending(path, LIMIT);
    spending.charge({ ...key(0), event: eventOf(3) });
    spending.close();
    expect(() => openSpending(path, { ...LIMIT, orders })).toThrow(otherCharter);
    const larger = openSpending(path, { ...LIMIT, epsilon: 9 });
    expect(larger.units).toEqual([three]);
    larger.close();
  });

  it('starts empty, at no cost', () => {
    const spending = openSpending(path, LIMIT);
    expect(existsSync(path)).toBe(true);
    expect(spending.epsilon).toBe(0);
    spending.close();
  });
});
