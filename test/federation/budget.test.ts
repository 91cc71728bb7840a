import { afterEach, describe, expect, it } from 'vitest';
import type { Json } from '../../src/crypto/canonical.js';
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
    const { budget, ledger } = await booksOf(choir, runId);
    expect(budget).toMatchObject({ spent: [committedUnits(ledger)], reserved: [0n] });
    expect(committedUnits(ledger)).toBeGreaterThan(0n);
    for (const member of choir.members.slice(0, 2))
      expect(member.spending.epsilon).toBeLessThanOrEqual(TWO_SUMS);
  });
});

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
