import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { type ProcessFederation, processFederation } from './federation.js';

let federation: ProcessFederation | undefined;
afterEach(async () => {
  await federation?.end();
  federation = undefined;
});

async function verifiedLedger(of: ProcessFederation) {
  const auditor = await of.token('auditor');
  const file = join(of.folder, 'ledger.json');
  await of.processes.run('auditor', ['budget', 'export', '--out', file, ...auditor]);
  const [verdict] = await of.processes.run('auditor', ['budget', 'verify', file]);
  return {
    verdict: verdict!,
    ledger: JSON.parse(readFileSync(file, 'utf8')) as {
      rounds: { phase: string; contributors: string[] | null }[];
    },
  };
}

describe('killing any one process gives the right release or a clean abort', () => {
  test('hazard V1: the coordinator is killed with -9 three times in a run and restarted: the run goes on to its end', {
    timeout: 240_000,
  }, async () => {
    federation = await processFederation(4, 3, 4611);
    const runId = await federation.run({ steps: 30 });
    for (let kill = 0; kill < 3; kill += 1) {
      await wait(900 + 370 * kill);
      federation.coordinator.kill();
      await federation.coordinator.ended;
      federation.coordinator = await federation.startCoordinator();
    }
    const last = await federation.finished(runId);
    expect(last, JSON.stringify(last)).toMatchObject({ status: 'COMPLETED', step: 30 });
    const { verdict, ledger } = await verifiedLedger(federation);
    // 30 sums paid for, once each, whatever was interrupted.
    expect(verdict).toMatchObject({ event: 'verified', committed: 30 });
    expect(ledger.rounds.filter((round) => round.phase === 'COMPLETED')).toHaveLength(30);
  });

  test('a participant is killed and the run goes on without it; restarted, it joins again at the next block', {
    timeout: 240_000,
  }, async () => {
    federation = await processFederation(4, 3, 4621);
    const runId = await federation.run({ steps: 40 });
    // On a busy machine the first keys may take seconds: a kill before them would show nothing.
    await federation.reached(runId, 2);
    federation.members[1]!.process.kill();
    await federation.members[1]!.process.ended;
    federation.startMember(federation.members[1]!.id);
    const last = await federation.finished(runId);
    expect(last, JSON.stringify(last)).toMatchObject({ status: 'COMPLETED', step: 40 });
    const { ledger } = await verifiedLedger(federation);
    const sizes = ledger.rounds.flatMap((round) =>
      round.contributors === null ? [] : [round.contributors.length],
    );
    expect(sizes).toContain(3);
    expect(sizes.at(-1)).toBe(4);
  });

  test('with fewer than minSurvivors left the run aborts, says so, and keeps everything', {
    timeout: 240_000,
  }, async () => {
    federation = await processFederation(4, 3, 4631);
    const runId = await federation.run({ steps: 2000 });
    await wait(1500);
    federation.members[0]!.process.kill();
    federation.members[1]!.process.kill();
    const last = await federation.finished(runId);
    expect(last.status).toBe('ABORTED');
    expect(String(last.reason)).toMatch(/2 of 4 members are connected; the charter wants at least 3/);
    const { verdict, ledger } = await verifiedLedger(federation);
    expect(verdict.committed).toBe(ledger.rounds.filter((round) => round.phase === 'COMPLETED').length);
    expect(Number(verdict.committed)).toBeGreaterThan(0);
  });
});
