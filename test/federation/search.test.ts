import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { bytesToHex } from '@noble/hashes/utils.js';
import { afterEach, describe, expect, it } from 'vitest';
import type { OpenedStore } from '../../src/store/index.js';
import { databases } from '../store/databases.js';
import { type Choir, openChoir } from './harness.js';
import type { Reaction } from './member.js';

const fresh = databases[0]!.use();

let choir: Choir;
afterEach(() => choir.close());

/** All that is in the database, as text; bytes are hex in it. */
async function dump({ prisma }: OpenedStore): Promise<string> {
  const tables = await prisma.$queryRaw<{ name: string }[]>`
    SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public'`;
  const texts: string[] = [];
  for (const { name } of tables) {
    const rows = await prisma.$queryRawUnsafe<{ row: string }[]>(
      `SELECT row_to_json(t)::text AS row FROM "${name}" AS t`,
    );
    texts.push(...rows.map(({ row }) => row));
  }
  return texts.join('\n');
}

function filesUnder(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? filesUnder(path) : [path];
  });
}

interface Haystack {
  readonly text: string;
  /** Every byte on disk, in hex. */
  readonly disk: string;
}

async function everything(): Promise<Haystack> {
  return {
    text: await dump(choir.opened),
    disk: filesUnder(choir.blobFolder)
      .map((path) => readFileSync(path).toString('hex'))
      .join('\n'),
  };
}

const holds = ({ text, disk }: Haystack, bytes: Uint8Array): boolean => {
  const hex = bytesToHex(bytes);
  const base64 = Buffer.from(bytes).toString('base64').replace(/=+$/, '').slice(0, -2);
  return text.includes(hex) || disk.includes(hex) || text.includes(base64);
};

const MASKED_HEADER_BYTES = 12;

describe('hazards S27, S28: the coordinator folds and forgets', () => {
  it('its database and disk hold no masked vector, no vector and no key of a member', async () => {
    choir = await openChoir(await fresh.open());
    const masked: Uint8Array[] = [];
    const adverts: Uint8Array[] = [];
    let during: Haystack | undefined;
    let after: Haystack | undefined;
    for (const [i, member] of choir.members.entries()) {
      member.alter = (task, message) => {
        if (task.kind === 'masked-input')
          masked.push(message.slice(MASKED_HEADER_BYTES, MASKED_HEADER_BYTES + 32));
        if (task.kind === 'advertise-keys') adverts.push(message.slice(0, 64));
        return message;
      };
      member.conduct = async (task): Promise<Reaction> => {
        if (i !== 3 || !('slot' in task) || task.slot !== 0) return 'answer';
        if (task.kind === 'masked-input') {
          // The others' vectors are there by then: this one waits for them.
          while (choir.members.slice(0, 3).some((m) => m.answered.every((t) => t.kind !== 'masked-input')))
            await new Promise((resolve) => setTimeout(resolve, 10));
          during = await everything();
        }
        if (task.kind === 'unmasking') after = await everything();
        return 'answer';
      };
    }
    const runId = await choir.start({ steps: 2 });
    const run = await choir.finished(runId);
    expect(run.status).toBe('completed');
    expect(masked).toHaveLength(8);

    // Positive control: what a restart needs is found, so the search finds what is there.
    expect(adverts.filter((advert) => holds(during!, advert))).toHaveLength(4);
    // A vector is never written down: not while they are being collected, not once the sum is folded, not at the end.
    const end = await everything();
    for (const haystack of [during!, after!, end]) {
      for (const vector of masked) expect(holds(haystack, vector)).toBe(false);
      for (const { vector } of choir.contributions)
        for (const form of [
          vector,
          Int32Array.from(vector),
          Float32Array.from(vector),
          Float64Array.from(vector),
        ])
          expect(holds(haystack, new Uint8Array(form.buffer).subarray(0, 64))).toBe(false);
      for (const { vector } of choir.contributions)
        expect(haystack.text).not.toContain([...vector.subarray(0, 4)].join(','));
      for (const member of choir.members) {
        expect(holds(haystack, member.identity.seed)).toBe(false);
        for (const bytes of member.drawn) if (bytes.length >= 16) expect(holds(haystack, bytes)).toBe(false);
      }
    }
    // Positive control, at rest: public keys and the release are found.
    for (const member of choir.members) expect(end.text).toContain(member.identity.publicKey);
    expect(end.disk).toContain(bytesToHex((await choir.blobs.get(run.releaseDigest!))!));
    // The disk holds the last state and the release, and nothing else; the block's messages are deleted.
    expect(filesUnder(choir.blobFolder)).toHaveLength(2);
    expect(await choir.opened.prisma.message.count()).toBe(0);
    // Nor do the coordinator's logs say more than public figures.
    const logs = JSON.stringify(choir.logged);
    for (const member of choir.members) expect(logs).not.toContain(bytesToHex(member.identity.seed));
  });

  it('an aborted round leaves nothing behind either', async () => {
    choir = await openChoir(await fresh.open());
    for (const member of choir.members.slice(0, 2))
      member.conduct = (task) => (task.kind === 'unmasking' ? 'leave' : 'answer');
    const runId = await choir.start();
    expect(await choir.finished(runId)).toMatchObject({ status: 'aborted', step: 0 });
    expect(filesUnder(choir.blobFolder)).toEqual([]);
    expect(await choir.opened.prisma.message.count()).toBe(0);
  });
});
