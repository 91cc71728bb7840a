import { readdirSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { databases } from '../store/databases.js';
import { type Choir, openChoir } from './harness.js';
import { booksOf } from './observe.js';

const fresh = databases[1]!.use();

let choir: Choir;
afterEach(() => choir.close());

/** What may be logged, by event: ids, public steps, words for why; nothing that is reckoned from records. */
const LOGGED: Readonly<Record<string, readonly string[]>> = {
  'waiting for members': ['run', 'present', 'needed'],
  'block abandoned': ['run', 'block', 'reason'],
  'round aborted': ['run', 'step', 'attempt', 'reason'],
  'a member declined': ['round', 'member', 'phase', 'reason'],
  'run finished': ['run', 'status', 'step', 'reason'],
};

/** Public figures of the synthesizer: its own models scored on fakes, and constants of the plan. */
const PROGRESS = ['step', 'steps', 'criticFakeAccuracy', 'generatorSteps', 'criticStepsPerGeneratorStep'];

describe('what leaves a run', () => {
  it('hazard P22: no loss, norm, batch size or row count is logged, published or kept', async () => {
    choir = await openChoir(await fresh.open(), { ownEpsilon: { 1: 2.4 } });
    const runId = await choir.start({ steps: 6 });
    const run = await choir.finished(runId);
    expect(run.status).toBe('completed');
    expect(choir.logged.map(({ event }) => event)).toContain('a member declined');
    for (const { event, figures } of choir.logged) {
      const allowed = LOGGED[event];
      expect(allowed, `"${event}" is logged`).toBeDefined();
      expect(Object.keys(figures).filter((name) => !allowed!.includes(name))).toEqual([]);
    }
    expect(Object.keys(run.progress as object).filter((name) => !PROGRESS.includes(name))).toEqual([]);
    const { rounds, ledger } = await booksOf(choir, runId);
    // Sizes and ε follow from the plan and from who was there: equal for all members, and for all rounds of equal survivors.
    const sizes = rounds.flatMap(({ bytesReceived }) => Object.values(bytesReceived));
    const full = rounds.filter((round) => round.survivors?.length === round.expected.length);
    // The first sum counts the columns, the others are alike.
    const isFirst = ({ step }: { readonly step: number }): boolean => step === 0;
    for (const alike of [full.filter(isFirst), full.filter((round) => !isFirst(round))])
      expect(
        new Set(alike.flatMap(({ bytesReceived }) => Object.values(bytesReceived))).size,
      ).toBeLessThanOrEqual(2);
    expect(sizes.length).toBeGreaterThan(0);
    const costs = new Map<number, Set<string>>();
    const first = rounds.filter(isFirst).map(({ id }) => id);
    for (const entry of ledger.filter(({ roundId }) => !first.includes(roundId))) {
      const survivors = rounds.find(({ id }) => id === entry.roundId)?.survivors?.length ?? 0;
      costs.set(survivors, (costs.get(survivors) ?? new Set()).add(String(entry.committedUnits)));
    }
    for (const prices of costs.values()) expect(prices.size).toBe(1);
  });

  it('hazard P23: of all its states the last is kept and released; there is no earlier one to choose by a score', async () => {
    choir = await openChoir(await fresh.open());
    const runId = await choir.start({ steps: 4 });
    const run = await choir.finished(runId);
    expect(run).toMatchObject({ status: 'completed', step: 4 });
    const blobs = readdirSync(choir.blobFolder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ name }) => name);
    expect(blobs.sort()).toEqual([run.releaseDigest!, run.stateDigest!].sort());
    // The seed was drawn when the run was proposed, before anything was asked, and is public.
    const proposed = await choir.opened.store.transaction((tx) => tx.run(runId));
    expect(proposed!.seed).toMatch(/^[0-9a-f]{64}$/);
    // Every sum that was opened is in the ledger.
    const { rounds, ledger } = await booksOf(choir, runId);
    expect(rounds.filter(({ phase }) => phase === 'completed').map(({ id }) => id)).toEqual(
      ledger.filter(({ status }) => status === 'committed').map(({ roundId }) => roundId),
    );
  });
});
