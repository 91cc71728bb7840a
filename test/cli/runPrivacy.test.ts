import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { openSpending } from '../../clients/participant/spending.js';
import { registerBudget } from '../../src/cli/commands/budget.js';
import { registerRun } from '../../src/cli/commands/run.js';
import { ask } from '../../src/cli/connection.js';
import { fetchLedger } from '../../src/cli/ledgerExport.js';
import { verifyLedger } from '../../src/cli/ledgerFile.js';
import { ACCOUNTANT, commit, reserve } from '../../src/federation/ledger.js';
import { recordRefusal } from '../../src/federation/refusals.js';
import { parseEvent } from '../../src/privacy/events.js';
import { type CommittedCost, commitToPlan } from '../../src/privacy/filter.js';
import { type Bench, CHARTER, enrollApproved, type Member, openBench, signCharter } from '../api/fixture.js';

/** The commands against a coordinator over HTTP, with a charter of several orders and one committed round. */
let bench: Bench;
let operator: string;
let auditor: string;
let runId: string;
const members: Member[] = [];
const ORDERS = [4, 8, 16];
const OPTIONS = { steps: 20, samplingRate: 0.05, noiseMultiplier: 2 };

beforeAll(async () => {
  bench = await openBench();
  operator = await bench.token('operator');
  auditor = await bench.token('auditor');
  for (const name of ['Alto', 'Bass', 'Soprano', 'Tenor']) members.push(await enrollApproved(bench, name));
  const { digest } = await bench.service.enrolment.proposeCharter({ ...CHARTER, orders: ORDERS });
  for (const member of members)
    await bench.service.enrolment.signCharter(member.id, digest, signCharter(member, digest));
}, 180_000);
afterAll(() => bench.close());

const chorale = (token: string, ...args: string[]): Promise<string> =>
  spoken(registerRun, [...args, '--url', bench.server.url, '--token', token]);

async function spoken(register: (program: Command) => void, args: readonly string[]): Promise<string> {
  const said: string[] = [];
  const log = vi.spyOn(console, 'log').mockImplementation((line: string) => void said.push(line));
  try {
    const program = new Command().option('--json').exitOverride();
    register(program);
    await program.parseAsync([...args], { from: 'user' });
  } finally {
    log.mockRestore();
  }
  return said.join('\n');
}

const announcedOrder = async () =>
  (
    await ask<{ order: number | null }>(
      { url: bench.server.url, token: operator },
      'query ($id: String!) { run(id: $id) { order } }',
      { id: runId },
    )
  ).order;

const plan = (...more: string[]) =>
  chorale(operator, 'run', 'plan', '--options', JSON.stringify(OPTIONS), ...more);

describe('chorale run plan', () => {
  it('says ε, the order that the plan would fix, what is left, and the noise or the sums for a target', async () => {
    const text = await plan('--target-epsilon', '2');
    expect(text).toMatch(/^At most ε = [\d.]+ over 20 sums at δ = 0\.000001 \(by the tight accountants/);
    expect(text).toMatch(/at Rényi order (4|8|16): the budget covers it/);
    expect(text).toMatch(/What is left covers \d+ sums with this noise\./);
    expect(text).toMatch(
      /For ε = 2: noise multiplier [\d.]+ with 20 sums, or \d+ sums with the noise as asked\./,
    );
    expect(await plan()).toMatch(/For what is left of the budget: noise multiplier/);
  });

  it('is one JSON line where that was asked for', async () => {
    const line = JSON.parse(
      await chorale(operator, '--json', 'run', 'plan', '--options', JSON.stringify(OPTIONS)),
    );
    expect(line).toMatchObject({ event: 'plan', steps: 20, fits: true, target: { epsilon: null } });
    expect(line.orders).toHaveLength(1);
  });

  it.each(['0', '-1', 'much', 'Infinity'])('a target of %s is a wrong command line', async (target) => {
    await expect(plan(`--target-epsilon=${target}`)).rejects.toMatchObject({
      code: 'InvalidInput',
      exitCode: 2,
    });
  });

  it('options that are none are refused with the coordinator’s words', async () => {
    await expect(chorale(operator, 'run', 'plan', '--options', '{"stepz":1}')).rejects.toMatchObject({
      code: 'InvalidInput',
      message: expect.stringContaining('stepz'),
    });
  });
});

describe('after a round', () => {
  beforeAll(async () => {
    const run = await bench.service.runs.propose({
      synthesizer: 'gan',
      options: OPTIONS,
      proposedBy: 'olga',
    });
    runId = run.id;
    expect(await announcedOrder()).toBeNull();
    const [{ event }] = run.plan as unknown as [{ event: unknown }];
    const ids = members.map(({ id }) => id);
    await bench.opened.store.transaction(async (tx) => {
      await reserve(tx, { runId, roundId: 'r0', event: parseEvent(event) });
      await tx.insertBlock({ id: 'b', runId, phase: 'ready', config: {}, slots: 8, nextSlot: 0 });
      await tx.insertRound({
        ...{ id: 'r0', runId, step: 0, attempt: 0, blockId: 'b', slot: 0, phase: 'completed', query: {} },
        ...{ queryDigest: '0'.repeat(64), modelDigest: '1'.repeat(64), expected: ids },
        ...{
          survivors: ids.slice(1),
          maskedSumDigest: null,
          abortReason: null,
          bytesReceived: {},
          timings: {},
        },
      });
      await recordRefusal(tx, {
        roundId: 'r0',
        participantId: ids[0]!,
        reason: 'over my budget',
        budget: { epsilonSpent: 2.9, epsilonAsked: 3.2, epsilonLimit: 3 },
      });
      await commit(tx, 'r0', parseEvent(event));
    });
  });

  it('run privacy shows ε by who looks, the headline first', async () => {
    const lines = (await chorale(auditor, 'run', 'privacy', runId)).split('\n');
    expect(lines).toHaveLength(6);
    expect(lines[1]).toMatch(/^coordinator with colluders +ε = [\d.]+, by the tight accountants /);
    const curve = JSON.parse(await chorale(auditor, '--json', 'run', 'privacy', runId)).views[0].curve;
    expect(curve.length).toBeGreaterThanOrEqual(10);
    expect(await chorale(auditor, 'run', 'privacy', runId, '--curve')).toMatch(/ε [\d.]+ {2}δ ≤ [\d.]+e-\d+/);
    await expect(chorale(auditor, 'run', 'privacy', 'nothing')).rejects.toMatchObject({ code: 'NotFound' });
  });

  it('run refusals shows both figures', async () => {
    expect(await chorale(auditor, 'run', 'refusals', runId)).toMatch(
      /refused round r0: by its own record ε 2\.9000 is spent and this sum makes it 3\.2000, limit 3; by the coordinator’s ledger ε 0\.0000 is spent and this sum makes it [\d.]+, limit 3\./,
    );
  });

  it('the ledger file is verified at the order that the plan fixed, recomputed from charter and options', async () => {
    const file = await fetchLedger({ url: bench.server.url, token: auditor });
    const verdict = verifyLedger(file);
    // The fixture charges what was reserved for three, though four were asked and three came.
    expect(verdict.faults).toEqual([]);
    const privacy = { epsilon: CHARTER.epsilon, delta: CHARTER.delta, orders: ORDERS };
    const { plan } = (await bench.service.runs.run(runId))!;
    const fixed = commitToPlan(privacy, plan as unknown as readonly CommittedCost[]).orders;
    expect(file.budget).toMatchObject({ orders: fixed, accountant: ACCOUNTANT });
    expect(await announcedOrder()).toBe(fixed[0]);
  });

  it('budget verify compares a member’s own record where one is named, and misses one that is not there', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'chorale-verify-'));
    const [file, own] = [join(folder, 'ledger.json'), join(folder, 'spending.jsonl')];
    const verify = (...more: string[]) => spoken(registerBudget, ['budget', 'verify', file, ...more]);
    try {
      const ledger = await fetchLedger({ url: bench.server.url, token: auditor });
      writeFileSync(file, JSON.stringify(ledger));
      expect(await verify()).toMatch(/from 1 committed sums \(0 open, 0 voided\), all members signed/);
      await expect(verify('--spending', own)).rejects.toMatchObject({ code: 'ENOENT' });
      const spending = openSpending(own, { epsilon: CHARTER.epsilon, delta: CHARTER.delta, orders: ORDERS });
      const event = parseEvent(ledger.entries[0]!.reservedEvent);
      const charge = (slot: number, roundId: string) =>
        spending.charge({ blockId: 'b', slot, roundId, event, orders: ledger.budget.orders });
      charge(0, 'r0');
      expect(await verify('--spending', own)).toMatch(/spending\.jsonl contradicts none of it\.$/);
      charge(1, 'r1');
      await expect(verify('--spending', own)).rejects.toMatchObject({
        code: 'LedgerFault',
        message: expect.stringMatching(/round r1 .*not in the ledger/),
      });
      spending.close();
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('a charter that is only proposed is not the one that the ledger is judged by', async () => {
    const { digest } = await bench.service.enrolment.proposeCharter({ ...CHARTER, epsilon: 4, orders: [4] });
    const file = await fetchLedger({ url: bench.server.url, token: auditor });
    expect(file.charter.digest).not.toBe(digest);
    expect(verifyLedger(file).faults).toEqual([]);
  });
});
