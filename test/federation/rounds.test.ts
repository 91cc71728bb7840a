import { afterEach, describe, expect, it, vi } from 'vitest';
import { PHASES } from '../../src/federation/service.js';
import { type PrivacyEvent, parseEvent } from '../../src/privacy/events.js';
import { costUnits } from '../../src/privacy/filter.js';
import { databases } from '../store/databases.js';
import { type Choir, openChoir } from './harness.js';
import {
  booksOf,
  committedUnits,
  type OpenedSum,
  ringIntegers,
  ringSum,
  stepsBySlot,
  watchOpenedSums,
} from './observe.js';

// On the PostgreSQL server: a fresh database takes a tenth of PGlite's time. search.test.ts is on PGlite, the ledger on both.
const fresh = databases[1]!.use();

let choir: Choir;
afterEach(async () => {
  vi.restoreAllMocks();
  await choir.close();
});

/** Every opened sum is, in ring integers, the sum of the vectors of those whom its round names; gives the rounds. */
async function expectSums(runId: string, opened: readonly OpenedSum[]) {
  const books = await booksOf(choir, runId);
  const completed = books.rounds.filter((round) => round.phase === 'completed');
  expect(opened).toHaveLength(completed.length);
  for (const [i, round] of completed.entries()) {
    const { query, sum } = opened[i]!;
    expect([...sum.contributors]).toEqual([...round.survivors!]);
    const put = choir.contributions.filter(
      (c) => c.roundId === round.id && round.survivors!.includes(c.member),
    );
    expect(put).toHaveLength(round.survivors!.length);
    expect(ringIntegers(opened[i]!)).toEqual(
      ringSum(
        query,
        put.map((c) => c.vector),
      ),
    );
    // Positive control: without one of them it would be another sum.
    expect(ringIntegers(opened[i]!)).not.toEqual(
      ringSum(
        query,
        put.slice(1).map((c) => c.vector),
      ),
    );
  }
  return books;
}

/** The noise of a sum: all records are in the first, a sample of them in each later one. */
const distributed = (event: PrivacyEvent): PrivacyEvent =>
  event.kind === 'poisson-sampled' ? event.event : event;

const amongFour = (event: PrivacyEvent): PrivacyEvent =>
  event.kind === 'poisson-sampled'
    ? { ...event, event: amongFour(event.event) }
    : parseEvent({ ...event, contributors: 4 });

describe('a round, replayed with fixed seeds', () => {
  it('opens exactly the sum of what the members put in, and everyone charges the noise that is in it', async () => {
    choir = await openChoir(await fresh.open());
    const opened = watchOpenedSums();
    const runId = await choir.start();
    const run = await choir.finished(runId);
    expect(run).toMatchObject({ status: 'completed', step: 3, reason: null });
    expect(run.releaseDigest).not.toBeNull();
    const { ledger, budget } = await expectSums(runId, opened);
    expect(budget).toMatchObject({ spent: [committedUnits(ledger)], reserved: [0n] });
    for (const entry of ledger) {
      const event = parseEvent(entry.committedEvent);
      expect(distributed(event)).toMatchObject({ contributors: 4, colluders: 1 });
      expect(entry.committedUnits).toEqual(costUnits(event, [8]));
      expect(entry.committedUnits![0]!).toBeLessThan(entry.reservedUnits[0]!);
    }
    for (const member of choir.members) expect(member.spending.units).toEqual(budget.spent);
  });

  it.each([
    { phase: 'advertise-keys', survivors: [3, 3, 3] },
    { phase: 'share-keys', survivors: [3, 3, 3] },
    { phase: 'masked-input', survivors: [4, 3, 3] },
    { phase: 'consistency-check', survivors: [4, 4, 3] },
    { phase: 'unmasking', survivors: [4, 4, 3] },
  ] as const)(
    'hazard S18: a member that is lost before its $phase message costs nobody the sum',
    async ({ phase, survivors }) => {
      choir = await openChoir(await fresh.open(), { seed: `lost at ${phase}` });
      const opened = watchOpenedSums();
      const lost = choir.members[1]!;
      const stepOf = stepsBySlot();
      lost.conduct = (task) => {
        const step = stepOf(task);
        return task.kind === phase && (step === undefined || step === 1) ? 'leave' : 'answer';
      };
      const runId = await choir.start();
      expect(await choir.finished(runId)).toMatchObject({ status: 'completed', step: 3 });
      const { rounds, ledger, budget } = await expectSums(runId, opened);
      expect(rounds.map((round) => round.survivors!.length)).toEqual(survivors);
      expect(ledger.map((entry) => distributed(parseEvent(entry.committedEvent)))).toMatchObject(
        survivors.map((contributors) => ({ contributors })),
      );
      expect(budget).toMatchObject({ spent: [committedUnits(ledger)], reserved: [0n] });

      const present = choir.members.filter((member) => member !== lost);
      for (const member of present) expect(member.spending.units).toEqual(budget.spent);
      // It settles what it saw proved; the round in which it was lost stays at the worst case, if its vector left at all.
      const [first, second] = ledger;
      expect(lost.spending.units).toEqual([
        {
          'advertise-keys': 0n,
          'share-keys': 0n,
          'masked-input': first!.committedUnits![0]!,
          'consistency-check': first!.committedUnits![0]! + second!.reservedUnits[0]!,
          unmasking: first!.committedUnits![0]! + second!.reservedUnits[0]!,
        }[phase],
      ]);
    },
  );

  it('a vector that never arrived was paid for by its owner, and is not in the sum', async () => {
    choir = await openChoir(await fresh.open());
    const opened = watchOpenedSums();
    const lost = choir.members[0]!;
    lost.conduct = (task) => (task.kind === 'masked-input' ? 'lose-answer' : 'answer');
    const runId = await choir.start({ steps: 1 });
    expect(await choir.finished(runId)).toMatchObject({ status: 'completed' });
    const { rounds, ledger } = await expectSums(runId, opened);
    expect(rounds[0]!.survivors).not.toContain(lost.id);
    expect(choir.contributions.map((c) => c.member)).toContain(lost.id);
    expect(lost.spending.units).toEqual(ledger[0]!.reservedUnits);
  });

  it('hazard S20: a connected member that says nothing is waited for no longer than the deadline', async () => {
    choir = await openChoir(await fresh.open(), { timing: { phaseDeadlineMs: 1_500 } });
    const opened = watchOpenedSums();
    choir.members[3]!.conduct = (task) => (task.kind === 'masked-input' ? 'ignore' : 'answer');
    const runId = await choir.start({ steps: 1 });
    expect(await choir.finished(runId)).toMatchObject({ status: 'completed' });
    const { rounds } = await expectSums(runId, opened);
    expect(rounds[0]!.survivors).toHaveLength(3);
    expect(rounds[0]!.timings['masked-input']).toBeGreaterThanOrEqual(1_400);
  });

  it('the record says how many bytes each member sent', async () => {
    choir = await openChoir(await fresh.open());
    const runId = await choir.start({ steps: 1 });
    await choir.finished(runId);
    const { rounds } = await booksOf(choir, runId);
    expect(Object.keys(rounds[0]!.bytesReceived).sort()).toEqual(choir.members.map((m) => m.id).sort());
    // Hazard S26: sizes do not depend on data.
    expect(new Set(Object.values(rounds[0]!.bytesReceived)).size).toBe(1);
    expect(Object.keys(rounds[0]!.timings).sort()).toEqual([
      'absorb',
      'consistency-check',
      'masked-input',
      'unmasking',
    ]);
  });
});

describe('a quorum that is not reached', () => {
  it.each(PHASES.slice(2))(
    'fewer than minSurvivors at %s: nothing is spent, nothing is lost',
    async (phase) => {
      choir = await openChoir(await fresh.open(), { seed: `two lost at ${phase}` });
      const stepOf = stepsBySlot();
      for (const lost of choir.members.slice(0, 2))
        lost.conduct = (task) => (stepOf(task) === 1 && task.kind === phase ? 'leave' : 'answer');
      const runId = await choir.start();
      const run = await choir.finished(runId);
      expect(run).toMatchObject({ status: 'aborted', step: 1, releaseDigest: null });
      expect(run.reason).toMatch(/2 of 4 members are connected; the charter wants at least 3/);
      const { rounds, ledger, budget } = await booksOf(choir, runId);
      expect(rounds.map((round) => round.phase)).toEqual(['completed', 'aborted']);
      expect(ledger.map((entry) => entry.status)).toEqual(['committed', 'voided']);
      expect(ledger[1]!.reason).toMatch(/^TooFew(MaskedInputs|Checks|Answers): 2 of 3$/);
      // The coordinator paid for the first sum alone; its state is still there.
      expect(budget).toMatchObject({ spent: ledger[0]!.committedUnits, reserved: [0n] });
      expect(await choir.blobs.get(run.stateDigest!)).toBeDefined();
      // Those whose vector left can't know that nothing was opened: they never take the charge back. Signatures on four
      // survivors lower it.
      const still = choir.members[3]!;
      const reserved = parseEvent(ledger[1]!.reservedEvent);
      const proved = costUnits(phase === 'unmasking' ? amongFour(reserved) : reserved, [8]);
      expect(still.spending.units).toEqual([ledger[0]!.committedUnits![0]! + proved[0]!]);
    },
  );

  it('members that come back in time are waited for', async () => {
    choir = await openChoir(await fresh.open(), { timing: { quorumWaitMs: 20_000 } });
    const opened = watchOpenedSums();
    const lost = choir.members.slice(0, 2);
    const stepOf = stepsBySlot();
    for (const member of lost)
      member.conduct = (task) => {
        if (stepOf(task) !== 1 || task.kind !== 'masked-input' || task.attempt > 1) return 'answer';
        setTimeout(() => member.restart(), 300);
        return 'leave';
      };
    const runId = await choir.start();
    expect(await choir.finished(runId)).toMatchObject({ status: 'completed', step: 3 });
    const { rounds, ledger } = await expectSums(runId, opened);
    expect(rounds.map((round) => `${round.step}.${round.attempt} ${round.phase}`)).toEqual([
      '0.1 completed',
      '1.1 aborted',
      '1.2 completed',
      '2.1 completed',
    ]);
    expect(ledger.map((entry) => entry.status)).toEqual(['committed', 'voided', 'committed', 'committed']);
    // A retry takes another slot, of fresh keys.
    expect(new Set(rounds.map((round) => `${round.blockId}/${round.slot}`)).size).toBe(4);
    expect(rounds[3]!.survivors).toHaveLength(4);
  });

  it('a step is tried as often as the timing says, and no oftener', async () => {
    choir = await openChoir(await fresh.open(), { timing: { quorumWaitMs: 10_000 } });
    for (const member of choir.members)
      member.conduct = (task) => (task.kind === 'consistency-check' ? 'decline' : 'answer');
    const runId = await choir.start({ steps: 1 });
    const run = await choir.finished(runId);
    expect(run.status).toBe('aborted');
    expect(run.reason).toMatch(/failed 3 times; the last reason: TooFewChecks: 0 of 3/);
    const { rounds, budget } = await booksOf(choir, runId);
    expect(rounds.map((round) => round.attempt)).toEqual([1, 2, 3]);
    expect(budget).toMatchObject({ spent: [0n], reserved: [0n] });
    expect(choir.logged.filter(({ event }) => event === 'a member declined')).toHaveLength(12);
  });
});
