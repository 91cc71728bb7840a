import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ProcessFederation, processFederation } from './federation.js';

/** One federation for all: each test is a run of its own, and finds the members that the one before it left. */
let federation: ProcessFederation;
let auditor: readonly string[];
beforeAll(async () => {
  federation = await processFederation(4, 3, 4611);
  auditor = await federation.token('auditor');
}, 240_000);
afterAll(() => federation?.end());

/** The ledger, whose sums over all runs must add up, and the rounds of one run in it. */
async function verifiedLedger(of: string) {
  const { processes, folder } = federation;
  const file = join(folder, `ledger-${of}.json`);
  await processes.run('auditor', ['budget', 'export', '--out', file, ...auditor]);
  const [verdict] = await processes.run('auditor', ['budget', 'verify', file]);
  const { rounds } = JSON.parse(readFileSync(file, 'utf8')) as {
    rounds: { runId: string; phase: string; contributors: string[] | null }[];
  };
  const completed = rounds.filter((round) => round.phase === 'COMPLETED');
  expect(verdict).toMatchObject({ event: 'verified', committed: completed.length });
  return completed.filter((round) => round.runId === of);
}

describe('killing any one process gives the right release or a clean abort', () => {
  test('hazard V1: the coordinator is killed with -9 three times in a run and restarted: the run goes on to its end', {
    timeout: 240_000,
  }, async () => {
    const runId = await federation.run({ steps: 30 });
    for (let kill = 0; kill < 3; kill += 1) {
      await wait(900 + 370 * kill);
      federation.coordinator.kill();
      await federation.coordinator.ended;
      federation.coordinator = await federation.startCoordinator();
    }
    const last = await federation.finished(runId);
    expect(last, JSON.stringify(last)).toMatchObject({ status: 'COMPLETED', step: 30 });
    // 30 sums paid for, once each, whatever was interrupted.
    expect(await verifiedLedger(runId)).toHaveLength(30);
  });

  test('a participant is killed and the run goes on without it; restarted, it joins again at the next block', {
    timeout: 240_000,
  }, async () => {
    const runId = await federation.run({ steps: 40 });
    // On a busy machine the first keys may take seconds: a kill before them would show nothing.
    await federation.reached(runId, 2);
    federation.members[1]!.process.kill();
    await federation.members[1]!.process.ended;
    federation.startMember(federation.members[1]!.id);
    const last = await federation.finished(runId);
    expect(last, JSON.stringify(last)).toMatchObject({ status: 'COMPLETED', step: 40 });
    const sizes = (await verifiedLedger(runId)).map((round) => round.contributors?.length);
    expect(sizes).toContain(3);
    expect(sizes.at(-1)).toBe(4);
  });

  test('with fewer than minSurvivors left the run aborts, says so, and keeps everything', {
    timeout: 240_000,
  }, async () => {
    const runId = await federation.run({ steps: 2000 });
    await federation.reached(runId, 1);
    federation.members[0]!.process.kill();
    federation.members[2]!.process.kill();
    const last = await federation.finished(runId);
    expect(last.status).toBe('ABORTED');
    expect(String(last.reason)).toMatch(/2 of 4 members are connected; the charter wants at least 3/);
    expect((await verifiedLedger(runId)).length).toBeGreaterThan(0);
  });
});
