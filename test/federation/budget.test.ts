import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { readSpendingRecord } from '../../clients/participant/spendingRecord.js';
import { verifyLedger } from '../../src/cli/ledgerFile.js';
import { type LedgerFile, parseLedgerFile } from '../../src/cli/ledgerShape.js';
import type { Json } from '../../src/crypto/canonical.js';
import { type CommittedCost, commitToPlan } from '../../src/privacy/filter.js';
import { databases } from '../store/databases.js';
import { type Choir, GAN, openChoir } from './harness.js';
import { booksOf, committedUnits } from './observe.js';

const fresh = databases[1]!.use();

const OPTIONS = { ...(GAN as Record<string, Json>), steps: 12 };

let choir: Choir;
afterEach(() => choir.close());

/** Enough for two sums of three contributors and not for three, whoever was there. */
const TWO_SUMS = 2.4;

describe('the limit', () => {
  it('hazard V3: a run that would pass it stops by itself, says why, and releases what was paid for', async () => {
    choir = await openChoir(await fresh.open(), { charter: { epsilon: TWO_SUMS } });
    const { fits, epsilon } = await choir.service.compliance.preview({
      synthesizer: 'gan',
      options: OPTIONS,
    });
    expect(fits).toBe(false);
    expect(epsilon).toBeGreaterThan(TWO_SUMS);
    const runId = await choir.start(OPTIONS);
    const run = await choir.finished(runId);
    expect(run.status).toBe('stopped');
    expect(run.reason).toMatch(/would bring the spent ε to [\d.]+, over the charter's limit of 2\.4/);
    expect(run.step).toBeGreaterThanOrEqual(1);
    expect(run.step).toBeLessThan(OPTIONS.steps);
    const { rounds, ledger, budget } = await booksOf(choir, runId);
    expect(rounds).toHaveLength(run.step);
    expect(ledger.map((entry) => entry.status)).toEqual(rounds.map(() => 'committed'));
    expect(budget).toMatchObject({ spent: [committedUnits(ledger)], reserved: [0n] });
    const view = await choir.service.compliance.budget();
    expect(view.epsilonSpent).toBeLessThanOrEqual(TWO_SUMS);
    expect(view.charterDigest).toBe(choir.charterDigest);
    expect(run.releaseDigest).not.toBeNull();
    const rows = [];
    for await (const row of await choir.service.samples.rows(runId, { seed: 's', offset: 0, count: 5 }))
      rows.push(row);
    expect(rows).toHaveLength(5);
    // The views are of what was really spent: the fewer secrets an observer has, the smaller its ε.
    const views = await choir.service.compliance.views(runId);
    expect(views).toBeDefined();
  });

  it('a member over its own budget declines, and the others go on without it', async () => {
    choir = await openChoir(await fresh.open(), { ownEpsilon: { 1: TWO_SUMS } });
    const poor = choir.members[1]!;
    const runId = await choir.start(OPTIONS);
    expect(await choir.finished(runId)).toMatchObject({ status: 'completed', step: OPTIONS.steps });
    expect(poor.declined.length).toBeGreaterThanOrEqual(1);
    expect(poor.declined[0]).toMatch(/own record ε [\d.]+ is spent; this sum would bring it to [\d.]+, over/);
    expect(poor.spending.epsilon).toBeLessThanOrEqual(TWO_SUMS);
    const { rounds } = await booksOf(choir, runId);
    expect(rounds.at(-1)!.survivors).not.toContain(poor.id);
    expect(choir.logged.map(({ event }) => event)).toContain('a member declined');
  });

  it('two members over their own budgets end the run, whatever the coordinator’s ledger allows', async () => {
    choir = await openChoir(await fresh.open(), { ownEpsilon: { 0: TWO_SUMS, 1: TWO_SUMS } });
    const runId = await choir.start(OPTIONS);
    const run = await choir.finished(runId);
    expect(run).toMatchObject({ status: 'aborted', releaseDigest: null });
    expect(run.reason).toMatch(/failed 3 times; the last reason: TooFewMaskedInputs: 2 of 3/);
    // Whoever reads why it ended sees both sides' figures.
    expect(run.reason).toMatch(
      /member [01] refused by its own record \(ε [\d.]+ spent, [\d.]+ with this sum, limit 2\.4\), the coordinator’s ledger has ε [\d.]+ spent, [\d.]+ with this sum, limit 60/,
    );
    const refusals = await choir.service.compliance.refusals(runId);
    expect(new Set(refusals.map(({ participantId }) => participantId))).toEqual(
      new Set(choir.members.slice(0, 2).map(({ id }) => id)),
    );
    for (const { participant, coordinator } of refusals) {
      expect(participant.epsilonAsked).toBeGreaterThan(participant.epsilonLimit);
      expect(participant.epsilonSpent).toBeLessThanOrEqual(participant.epsilonLimit);
      expect(coordinator.epsilonAsked).toBeLessThanOrEqual(coordinator.epsilonLimit);
      expect(coordinator.epsilonAsked).toBeGreaterThan(coordinator.epsilonSpent);
    }
    const { budget, ledger } = await booksOf(choir, runId);
    expect(budget).toMatchObject({ spent: [committedUnits(ledger)], reserved: [0n] });
    expect(committedUnits(ledger)).toBeGreaterThan(0n);
    for (const member of choir.members.slice(0, 2))
      expect(member.spending.epsilon).toBeLessThanOrEqual(TWO_SUMS);
  });
});

describe('a charter of several orders', () => {
  const orders = [4, 8, 16, 32];
  const [SHORT, LONG] = [
    { steps: 2, noiseMultiplier: 2 },
    { steps: 2, noiseMultiplier: 40 },
  ];

  it('all members charge at the order that the first run’s plan fixed, whoever comes later', async () => {
    choir = await openChoir(await fresh.open(), { charter: { orders } });
    const late = choir.members[3]!;
    late.disconnect();
    const plans: number[][] = [];
    for (const options of [SHORT, LONG]) {
      const runId = await choir.start(options);
      const { status, plan } = await choir.finished(runId);
      expect(status).toBe('completed');
      const { privacy } = choir.charter;
      plans.push([...commitToPlan(privacy, plan as unknown as readonly CommittedCost[]).orders]);
      late.connect();
    }
    // The second plan alone would have fixed another.
    expect(plans[1]).not.toEqual(plans[0]);
    expect((await choir.opened.store.transaction((tx) => tx.lockBudget()))!.orders).toEqual(plans[0]);
    for (const i of choir.members.keys()) {
      const record = readSpendingRecord(join(choir.folder, `spending-${i}.jsonl`));
      expect(record.lines[0], `member ${i}`).toMatchObject({ orders: plans[0], fixedFrom: orders });
      expect(verifyLedger(await ledgerFileOf(choir), record).faults).toEqual([]);
    }
  });

  it('of which one is 1: a first plan without sampling is in Gaussian DP, and then nothing that samples is asked', async () => {
    const limit = { epsilon: 1, delta: 1e-9 };
    choir = await openChoir(await fresh.open(), { charter: { ...limit, orders: [1, ...orders] } });
    const { runs, compliance } = choir.service;
    const gan = { synthesizer: 'gan', options: { ...OPTIONS, noiseMultiplier: 20 } };
    // Its plan begins with a sum of all records, and goes on with samples.
    expect((await compliance.preview(gan)).orders).not.toContain(1);
    const early = await runs.propose({ ...gan, proposedBy: 'olga' });

    const { target, orders: planned } = await compliance.preview({ synthesizer: 'marginals', options: {} });
    expect(planned).toEqual([1]);
    // The Gaussian's own curve asks 5.495 of one sum, the best Rényi order 5.78.
    expect(target.noiseMultiplier).toBeGreaterThan(5.495);
    expect(target.noiseMultiplier).toBeLessThan(5.55);
    const options = { noiseMultiplier: target.noiseMultiplier, iterations: 20 };
    const { id } = await runs.propose({ synthesizer: 'marginals', options, proposedBy: 'olga' });
    await runs.approve(id, 'paul');
    expect(await choir.finished(id)).toMatchObject({ status: 'completed' });
    expect(await compliance.budget()).toMatchObject({ orders: [1], order: 1 });
    expect((await compliance.budget()).epsilonSpent).toBeLessThanOrEqual(limit.epsilon);

    const refused = expect.stringMatching(/counts Gaussian DP \(order 1\).*names Rényi orders only/);
    for (const ask of [() => compliance.preview(gan), () => runs.propose({ ...gan, proposedBy: 'olga' })])
      await expect(ask()).rejects.toMatchObject({ code: 'InvalidInput', message: refused });
    // Proposed before the order stood: its first sum could still be charged, and would be paid for nothing.
    await expect(runs.approve(early.id, 'paul')).rejects.toMatchObject({ message: refused });
    const file = await ledgerFileOf(choir);
    expect(file.runs.map(({ synthesizer }) => synthesizer)).toEqual(['marginals']);
    for (const i of choir.members.keys()) {
      const record = readSpendingRecord(join(choir.folder, `spending-${i}.jsonl`));
      expect(record.lines[0]).toMatchObject({ orders: [1], fixedFrom: [1, ...orders] });
      expect(verifyLedger(file, record).faults).toEqual([]);
    }
    // Positive control: a sampled sum in the books is a fault, and no crash.
    const event = {
      version: 1,
      kind: 'poisson-sampled',
      samplingRate: 0.1,
      event: file.entries[0]!.reservedEvent,
    };
    const [first, ...rest] = file.entries;
    expect(
      verifyLedger({ ...file, entries: [{ ...first!, reservedEvent: event }, ...rest] }).faults.join(),
    ).toMatch(/entry 1 states another cost than its event has/);
  });

  it('the books of rounds that failed, were given up after answers, or were cancelled add up, and with each member’s record', async () => {
    choir = await openChoir(await fresh.open(), { charter: { orders } });
    let failures = 0;
    // The first round gets too few survivors; in a later one, one answer comes and then the run is cancelled.
    for (const [i, member] of choir.members.entries())
      member.conduct = (task) => {
        if (task.kind === 'masked-input' && failures < 2 && i < 2) {
          failures += 1;
          return 'decline';
        }
        return task.kind === 'unmasking' && task.slot >= 2 && i > 0 ? 'ignore' : 'answer';
      };
    const runId = await choir.start({ steps: 4 });
    const taken = () =>
      choir.members[0]!.answered.some((task) => task.kind === 'unmasking' && task.slot >= 2);
    await expect.poll(taken, { timeout: 30_000 }).toBe(true);
    await choir.service.runs.cancel(runId, 'olga');
    const file = await ledgerFileOf(choir);
    expect(new Set(file.entries.map(({ status }) => status))).toEqual(new Set(['VOIDED', 'COMMITTED']));
    expect(file.rounds.at(-1)).toMatchObject({ phase: 'ABORTED' });
    expect(file.entries.at(-1)).toMatchObject({ status: 'COMMITTED' });
    expect(verifyLedger(file).faults).toEqual([]);
    for (const i of choir.members.keys()) {
      const record = readSpendingRecord(join(choir.folder, `spending-${i}.jsonl`));
      expect(verifyLedger(file, record).faults).toEqual([]);
      // Positive control: without its last round the file is whole, but for this record.
      const short = { ...file, entries: file.entries.slice(0, -1) };
      if (record.lines.length > 0)
        expect(verifyLedger(short, record).faults.join()).toMatch(/which is not in the ledger/);
    }
  });
});

/** What `budget export` writes, without HTTP. */
async function ledgerFileOf({ opened, service }: Choir): Promise<LedgerFile> {
  const named = (text: string) => text.toUpperCase().replaceAll('-', '_');
  const budget = await service.compliance.budget();
  return opened.store.transaction(async (tx) => {
    const charter = (await tx.charter(budget.charterDigest))!;
    const entries = await tx.ledger();
    const ids = [...new Set(entries.map(({ runId }) => runId))];
    const runs = await Promise.all(ids.map(async (id) => (await tx.run(id))!));
    const rounds = (await Promise.all(ids.map((id) => tx.rounds(id)))).flat();
    return parseLedgerFile(
      JSON.parse(
        JSON.stringify({
          format: 'chorale-ledger-2',
          charter: {
            ...charter,
            signatures: Object.entries(charter.signatures).map(([participantId, signature]) => ({
              participantId,
              signature,
            })),
          },
          earlierCharters: [],
          budget,
          runs: runs.map((run) => ({ ...run, runId: run.id })),
          entries: entries.map((entry) => ({
            ...entry,
            status: named(entry.status),
            reservedUnits: entry.reservedUnits.map(String),
            committedUnits: (entry.committedUnits ?? []).map(String),
          })),
          rounds: rounds.map((round) => ({
            ...{ ...round, roundId: round.id, phase: named(round.phase) },
            ...{ contributors: round.survivors, dropped: null },
          })),
        }),
      ),
    );
  });
}

describe('a run', () => {
  it('starts on a second person’s word, once, and can be cancelled before or after', async () => {
    choir = await openChoir(await fresh.open());
    const { runs } = choir.service;
    const propose = () =>
      runs.propose({ synthesizer: 'gan', options: { ...OPTIONS, steps: 1 }, proposedBy: 'olga' });
    await expect(
      runs.propose({ synthesizer: 'oracle', options: {}, proposedBy: 'olga' }),
    ).rejects.toMatchObject({
      code: 'InvalidInput',
    });
    await expect(
      runs.propose({ synthesizer: 'gan', options: { steps: 0 }, proposedBy: 'olga' }),
    ).rejects.toMatchObject({ code: 'InvalidInput' });
    const proposed = await propose();
    // The plan is committed by hash, with every default filled in.
    expect(proposed).toMatchObject({
      status: 'proposed',
      totalSteps: 1,
      options: { criticNormalization: 'none' },
    });
    expect(proposed.planDigest).toMatch(/^[0-9a-f]{64}$/);
    await expect(runs.approve(proposed.id, 'olga')).rejects.toMatchObject({ code: 'Conflict' });
    await expect(runs.approve('nothing', 'paul')).rejects.toMatchObject({ code: 'NotFound' });
    expect(await runs.approve(proposed.id, 'paul')).toMatchObject({ status: 'running', approvedBy: 'paul' });
    expect(await runs.approve(proposed.id, 'paul')).toMatchObject({ approvedBy: 'paul' });
    await expect(runs.approve(proposed.id, 'petra')).rejects.toMatchObject({ code: 'Conflict' });
    await choir.finished(proposed.id);
    expect(await runs.cancel(proposed.id, 'olga')).toMatchObject({ status: 'completed' });

    const second = await propose();
    expect(await runs.cancel(second.id, 'olga')).toMatchObject({
      status: 'aborted',
      reason: 'cancelled by olga',
    });
    await expect(runs.approve(second.id, 'paul')).rejects.toMatchObject({ code: 'Conflict' });
    await expect(
      choir.service.samples.rows(second.id, { seed: '', offset: 0, count: 1 }),
    ).rejects.toMatchObject({ code: 'ReleaseNotReady' });
  });

  it('that is cancelled in the middle of a round gives its reservation back and opens nothing', async () => {
    choir = await openChoir(await fresh.open());
    const held = new Promise<void>((resolve) => {
      for (const member of choir.members)
        member.conduct = (task) => {
          if (task.kind !== 'consistency-check') return 'answer';
          resolve();
          return 'ignore';
        };
    });
    const runId = await choir.start();
    await held;
    await choir.service.runs.cancel(runId, 'olga');
    const { run, rounds, ledger, budget } = await booksOf(choir, runId);
    expect(run).toMatchObject({ status: 'aborted', reason: 'cancelled by olga' });
    expect(rounds.map((round) => round.phase)).toEqual(['aborted']);
    expect(ledger.map((entry) => entry.status)).toEqual(['voided']);
    expect(budget).toMatchObject({ spent: [0n], reserved: [0n] });
    expect(await choir.opened.store.transaction((tx) => tx.openBlock(runId))).toBeNull();
  });

  it('is told of as it goes', async () => {
    choir = await openChoir(await fresh.open());
    const runId = await choir.start();
    const steps: number[] = [];
    for await (const run of choir.service.runs.watch(runId, AbortSignal.timeout(50_000)))
      steps.push(run.step);
    expect(steps.at(-1)).toBe(3);
    expect([...steps].sort((a, b) => a - b)).toEqual(steps);
  });
});
