import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { Store } from '../../src/federation/ports.js';
import { PHASES, type Phase } from '../../src/federation/service.js';
import { databases } from '../store/databases.js';
import { type Choir, openChoir } from './harness.js';
import { PowerCut } from './member.js';
import { booksOf, committedUnits, stepsBySlot } from './observe.js';

const fresh = databases[1]!.use();

let choir: Choir;
afterEach(() => choir.close());

const STEPS = 2;

/** The members stop at a phase (of the second step, for a round's), after so many answers; resolves when they have. */
async function holdAt(phase: Phase, answers: number): Promise<void> {
  const stepOf = stepsBySlot();
  const before = answeredAt(phase);
  let given = 0;
  await new Promise<void>((resolve) => {
    for (const member of choir.members)
      member.conduct = (task) => {
        const step = stepOf(task);
        if (task.kind !== phase || (step !== undefined && step !== 1)) return 'answer';
        if (given < answers) {
          given += 1;
          return 'answer';
        }
        resolve();
        return 'ignore';
      };
  });
  while (answeredAt(phase) < before + answersSoFar(phase, answers)) await wait(10);
}

const answeredAt = (phase: Phase): number =>
  choir.members.reduce((sum, member) => sum + member.answered.filter((t) => t.kind === phase).length, 0);

/** The first step's answers are among those that are counted. */
const answersSoFar = (phase: Phase, answers: number): number =>
  answers + (PHASES.indexOf(phase) >= 2 ? choir.members.length : 0);

const goOn = (): void => {
  for (const member of choir.members) member.conduct = () => 'answer';
};

/** Completed, every step paid once, nothing left in reserve; gives the units that the run cost. */
async function expectPaidOnce(runId: string, steps = STEPS): Promise<bigint> {
  const { run, rounds, ledger, budget } = await booksOf(choir, runId);
  expect(run).toMatchObject({ status: 'completed', step: steps });
  const completed = rounds.filter((round) => round.phase === 'completed');
  expect(completed.map((round) => round.step)).toEqual(Array.from({ length: steps }, (_, i) => i));
  expect(ledger.filter((entry) => entry.status === 'committed')).toHaveLength(steps);
  expect(ledger.filter((entry) => entry.status === 'reserved')).toHaveLength(0);
  const everything = await choir.opened.store.transaction((tx) => tx.ledger());
  expect(budget).toMatchObject({ spent: [committedUnits(everything)], reserved: [0n] });
  return committedUnits(ledger);
}

describe('hazard V1: a coordinator that is killed', () => {
  it('in any phase goes on where it was, and nothing is paid for twice', async () => {
    choir = await openChoir(await fresh.open(), {
      charter: { epsilon: 1e4 },
      timing: { quorumWaitMs: 20_000 },
    });
    const undisturbed = await choir.start({ steps: STEPS });
    await choir.finished(undisturbed);
    const cost = await expectPaidOnce(undisturbed);

    for (const phase of PHASES)
      for (const answers of [0, 3]) {
        const before = choir.members[0]!.spending.units[0]!;
        const held = holdAt(phase, answers);
        const runId = await choir.start({ steps: STEPS });
        await held;
        goOn();
        await choir.restart();
        await choir.finished(runId);
        expect(await expectPaidOnce(runId), `${phase} after ${answers} answers`).toBe(cost);
        const { rounds } = await booksOf(choir, runId);
        // The same round, not another attempt; the same people in it.
        expect(rounds.map((r) => `${r.step}.${r.attempt} ${r.phase} ${r.survivors!.length}`)).toEqual([
          '0.1 completed 4',
          '1.1 completed 4',
        ]);
        expect(choir.members[0]!.spending.units[0]! - before).toBe(cost);
      }
    expect(choir.crashes).toEqual([]);
  }, 170_000);

  it('right after any of its statements goes on, and nothing is paid for twice', async () => {
    let left = Number.POSITIVE_INFINITY;
    let kills = 0;
    /** One coordinator's hold on the store: the statement that is its last takes place, and nothing does after it. */
    const mortal = (store: Store): Store => {
      let dead = false;
      const cut = async <T>(statement: () => Promise<T>): Promise<T> => {
        if (dead) throw new PowerCut();
        left -= 1;
        if (left <= 0) {
          dead = true;
          left = Number.POSITIVE_INFINITY;
        }
        const done = await statement();
        if (!dead) return done;
        kills += 1;
        throw new PowerCut();
      };
      return {
        transaction: (work) => cut(() => store.transaction(work)),
        appendMessage: (message) => cut(() => store.appendMessage(message)),
        close: () => store.close(),
      };
    };
    choir = await openChoir(await fresh.open(), {
      charter: { epsilon: 1e4 },
      timing: { quorumWaitMs: 20_000 },
      storeOf: mortal,
    });
    const whole = await choir.start({ steps: 1 });
    await choir.finished(whole);
    const cost = await expectPaidOnce(whole, 1);

    let interrupted = 0;
    // A run of one step takes about forty statements; every second is as many as fit the time of a test.
    for (let statements = 1; ; statements += 2) {
      const before = kills;
      // Proposal and approval take one statement each.
      left = statements + 2;
      const runId = await choir.start({ steps: 1 });
      for (;;) {
        const run = await choir.opened.store.transaction((tx) => tx.run(runId));
        if (kills > before || run!.status === 'completed') break;
        await wait(5);
      }
      left = Number.POSITIVE_INFINITY;
      const died = kills > before;
      await choir.restart();
      for (const crash of choir.crashes.splice(0)) expect(crash).toBeInstanceOf(PowerCut);
      await choir.finished(runId);
      expect(await expectPaidOnce(runId, 1), `killed after ${statements} statements`).toBe(cost);
      if (!died) break;
      interrupted += 1;
    }
    expect(interrupted).toBeGreaterThanOrEqual(15);
  }, 170_000);
});

describe('hazard S19: a member that is killed', () => {
  it('has lost its slot secrets, is left out, and is back at the next block', async () => {
    choir = await openChoir(await fresh.open(), { timing: { slotsPerBlock: 2 } });
    const killed = choir.members[2]!;
    let kills = 0;
    killed.conduct = (task) => {
      if (task.kind !== 'masked-input' || task.step !== 1 || kills++ > 0) return 'answer';
      setTimeout(() => killed.restart());
      return 'leave';
    };
    const runId = await choir.start({ steps: 4 });
    await choir.finished(runId);
    const { rounds, ledger } = await booksOf(choir, runId);
    expect(rounds.map((round) => round.survivors!.includes(killed.id))).toEqual([true, false, true, true]);
    expect(killed.declined.length).toBeGreaterThan(0);
    for (const reason of killed.declined)
      expect(reason).toMatch(/no keys for the block \(it was restarted\)/);
    // Read back from its disk: three sums, and nothing for the one it was not in.
    const answered = [ledger[0]!, ledger[2]!, ledger[3]!];
    expect(killed.spending.units).toEqual([committedUnits(answered)]);
    expect(ledger[1]!.committedUnits![0]!).toBeGreaterThan(ledger[0]!.committedUnits![0]!);
  });
});
