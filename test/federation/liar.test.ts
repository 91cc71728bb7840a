import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { registerCohort } from '../../src/cli/commands/cohort.js';
import { CliError } from '../../src/cli/exits.js';
import { canonicalJson } from '../../src/crypto/canonical.js';
import { nodePrimitives } from '../../src/crypto/nodePrimitives.js';
import { floorsOf } from '../../src/federation/charter.js';
import { verifyEvidence } from '../../src/secagg/index.js';
import { decodeEvidence } from '../../src/secagg/stateCodec.js';
import { databases } from '../store/databases.js';
import { type Choir, openChoir } from './harness.js';

const fresh = databases[0]!.use();

let choir: Choir;
afterEach(async () => {
  vi.restoreAllMocks();
  await choir.close();
});

/** docs/protocol.md, Unmasking: the header, slot and count, member and kind, then the first opening. */
const UNMASKING = 4;
const FIRST_OPENING = 4 + 3 + 3;

async function judge(...args: string[]): Promise<string> {
  const lines: string[] = [];
  vi.spyOn(console, 'log').mockImplementation((line: string) => lines.push(line));
  const program = new Command('chorale').option('--json').exitOverride();
  registerCohort(program);
  await program.parseAsync(['cohort', 'judge', ...args], { from: 'user' });
  return lines.join('\n');
}

describe('hazard S13: a member that signs a wrong share', () => {
  it('is named by a proof that anyone can check, and is not asked again; the run goes on', async () => {
    choir = await openChoir(await fresh.open(), {
      members: 5,
      charter: { minSurvivors: 4, maxColluders: 1 },
    });
    const liar = choir.members[3]!;
    let lies = 0;
    liar.beforeHash = (body) => {
      if (body[0] !== 2 || body[1] !== UNMASKING || lies > 0) return;
      lies += 1;
      body[FIRST_OPENING]! ^= 1;
    };
    const runId = await choir.start();
    const run = await choir.finished(runId);
    expect(run.status).toBe('completed');
    expect(lies).toBe(1);

    const logged = choir.logged.filter(({ event }) => event === 'a member gave wrong shares');
    expect(logged.map(({ figures }) => [figures.accused, figures.lie])).toEqual([[liar.id, 'wrong-opening']]);
    const encoded = (await choir.blobs.get(String(logged[0]!.figures.evidence)))!;
    const evidence = decodeEvidence(nodePrimitives, encoded);
    expect(verifyEvidence(nodePrimitives, floorsOf(choir.charter), evidence)).toEqual({
      accused: liar.id,
      lie: 'wrong-opening',
    });

    const rounds = await choir.opened.store.transaction((tx) => tx.rounds(runId));
    const told = rounds.findIndex(({ id }) => id === logged[0]!.figures.round);
    expect(rounds.slice(told + 1).length).toBeGreaterThan(0);
    for (const { expected } of rounds.slice(told + 1)) expect(expected).not.toContain(liar.id);

    const proof = join(choir.folder, 'proof');
    const charter = join(choir.folder, 'charter.json');
    writeFileSync(proof, encoded);
    writeFileSync(charter, JSON.stringify({ body: canonicalJson(choir.charter) }));
    expect(await judge(proof, '--charter', charter)).toContain(`${liar.id} opened a share`);
    const altered = readFileSync(proof);
    altered[altered.length >> 1]! ^= 1;
    writeFileSync(proof, altered);
    await expect(judge(proof, '--charter', charter)).rejects.toThrow(CliError);
  });
});
