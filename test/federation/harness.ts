import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import type { Json } from '../../src/crypto/canonical.js';
import { inlineMaskWork } from '../../src/crypto/maskWork.js';
import { nodePrimitives } from '../../src/crypto/nodePrimitives.js';
import { type Rng, seededRng } from '../../src/crypto/rng.js';
import {
  type Charter,
  charterStatement,
  enrolmentStatement,
  readCharter,
} from '../../src/federation/charter.js';
import type { RunTiming } from '../../src/federation/driver.js';
import { createFederation, type Federation } from '../../src/federation/index.js';
import type { Blobs, Clock, RunRecord, Store } from '../../src/federation/ports.js';
import type { CharterInput } from '../../src/federation/service.js';
import { openFileBlobs } from '../../src/store/fileBlobs.js';
import type { OpenedStore } from '../../src/store/index.js';
import { readCsv } from '../../src/synthesis/table/csv.js';
import { splitRecords } from '../../src/synthesis/table/holdOut.js';
import type { RecordSource } from '../../src/synthesis/table/records.js';
import { parseTableSchema } from '../../src/synthesis/table/schema.js';
import { type Contribution, identityOf, Member } from './member.js';

/**
 * A whole federation in one process: the coordinator over a real store and file blobs, real members with real
 * records, secure aggregation, noise and accounts. Only HTTP is left out.
 */

export const FEDERATION = 'choir';

/** Two columns that agree and one that does not. */
export const SCHEMA: Json = {
  fields: ['a', 'b', 'c'].map((name) => ({
    name,
    type: 'string',
    constraints: { required: true, enum: ['x', 'y', 'z'] },
  })),
};

export const CHARTER: CharterInput = {
  schema: SCHEMA,
  epsilon: 60,
  delta: 1e-6,
  orders: [8],
  minSurvivors: 3,
  maxColluders: 1,
};

/** A critic of 45 parameters, so that a round takes milliseconds. */
export const GAN: Json = {
  steps: 3,
  samplingRate: 0.5,
  noiseMultiplier: 2,
  criticHidden: [4],
  generatorHidden: [4],
  latent: 2,
  generatorBatch: 4,
};

/** Nobody waits here: whoever is dropped has lost its connection, so that graces are what ends a phase. */
const TIMING: Partial<RunTiming> = {
  phaseDeadlineMs: 20_000,
  reconnectGraceMs: 40,
  gatherMs: 200,
  quorumWaitMs: 400,
  slotsPerBlock: 4,
  attemptsPerStep: 3,
};

export const realClock: Clock = {
  now: () => Date.now(),
  sleep: (ms, signal) => wait(ms, undefined, { signal }).catch(() => undefined),
};

export const seedOf = (label: string): Uint8Array => nodePrimitives.sha256(utf8ToBytes(label));

export interface ChoirOptions {
  readonly members?: number;
  readonly charter?: Partial<CharterInput>;
  readonly timing?: Partial<RunTiming>;
  /** Everything random follows from it. */
  readonly seed?: string;
  /** A hand between the coordinator and its store: for crashes at a chosen statement. */
  readonly storeOf?: (store: Store) => Store;
  /** A member's own copy of the charter may have a smaller budget than the coordinator's ledger. */
  readonly ownEpsilon?: Readonly<Record<number, number>>;
}

export interface Choir {
  readonly opened: OpenedStore;
  readonly blobs: Blobs;
  readonly blobFolder: string;
  readonly folder: string;
  readonly charter: Charter;
  readonly charterDigest: string;
  readonly members: readonly Member[];
  readonly contributions: Contribution[];
  readonly crashes: unknown[];
  readonly logged: { readonly event: string; readonly figures: Readonly<Record<string, string | number>> }[];
  readonly service: Federation;
  /** Proposes and approves a run of the GAN. */
  start(options?: Record<string, Json>): Promise<string>;
  /** The run once it is completed, stopped or aborted. */
  finished(runId: string): Promise<RunRecord>;
  /** The coordinator ends as if killed, and a new one starts on the same store; the members come back to it. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

export async function openChoir(opened: OpenedStore, options: ChoirOptions = {}): Promise<Choir> {
  const { seed = 'choir', members: count = 4 } = options;
  const folder = mkdtempSync(join(tmpdir(), 'chorale-choir-'));
  const blobFolder = join(folder, 'blobs');
  const blobs = await openFileBlobs(blobFolder);
  const coordinatorRng = seededRng(seedOf(`${seed} coordinator`));
  const crashes: unknown[] = [];
  const logged: Choir['logged'] = [];
  const contributions: Contribution[] = [];

  const start = (): Federation =>
    createFederation({
      federation: FEDERATION,
      store: options.storeOf?.(opened.store) ?? opened.store,
      blobs,
      bus: opened.bus,
      clock: realClock,
      rng: coordinatorRng,
      primitives: nodePrimitives,
      masks: inlineMaskWork(nodePrimitives),
      timing: { ...TIMING, ...options.timing },
      log: (event, figures) => logged.push({ event, figures }),
      onCrash: (_, error) => crashes.push(error),
    });
  let service = start();

  const identities = Array.from({ length: count }, (_, i) => identityOf(seedOf(`${seed} identity ${i}`)));
  const enrolled: { readonly id: string; readonly name: string; readonly seed: Uint8Array }[] = [];
  for (const [i, identity] of identities.entries()) {
    const name = `member ${i}`;
    const { id } = await enrol(service, identity.seed, name);
    await service.enrolment.approve(id);
    enrolled.push({ id, name, seed: identity.seed });
  }
  const proposed = await service.enrolment.proposeCharter({ ...CHARTER, ...options.charter });
  for (const { id, seed: key } of enrolled)
    await service.enrolment.signCharter(id, proposed.digest, signatureOf(key, proposed.digest));
  const charter = readCharter(proposed.body);

  const members: Member[] = [];
  for (const [i, { id, name, seed: key }] of enrolled.entries()) {
    const epsilon = options.ownEpsilon?.[i] ?? charter.privacy.epsilon;
    members.push(
      new Member({
        id,
        name,
        identity: identityOf(key),
        charter: { ...charter, privacy: { ...charter.privacy, epsilon } },
        charterDigest: proposed.digest,
        records: await dividedBy(charter, await recordsOf(i), i),
        spendingFile: join(folder, `spending-${i}.jsonl`),
        rng: memberRng(`${seed} member ${i}`),
        service: () => service,
        contributed: (contribution) => contributions.push(contribution),
      }),
    );
  }
  for (const member of members) member.connect();

  return {
    opened,
    blobs,
    blobFolder,
    folder,
    charter,
    charterDigest: proposed.digest,
    members,
    contributions,
    crashes,
    logged,
    get service() {
      return service;
    },
    async start(change = {}) {
      const { id } = await service.runs.propose({
        synthesizer: 'gan',
        options: { ...(GAN as Record<string, Json>), ...change },
        proposedBy: 'olga',
      });
      await service.runs.approve(id, 'paul');
      return id;
    },
    async finished(runId) {
      for (;;) {
        const run = await opened.store.transaction((tx) => tx.run(runId));
        if (run !== null && ['completed', 'stopped', 'aborted'].includes(run.status)) return run;
        if (crashes.length > 0) throw crashes[0];
        await wait(15);
      }
    },
    async restart() {
      for (const member of members) member.disconnect();
      await service.close();
      service = start();
      for (const member of members) member.connect();
      await service.resume();
    },
    async close() {
      await service.close();
      for (const member of members) await member.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export async function enrol(service: Federation, seed: Uint8Array, name: string, declaredRecords = 40) {
  const { publicKey } = identityOf(seed);
  const statement = { federation: FEDERATION, name, publicKey, declaredRecords };
  const proof = bytesToHex(nodePrimitives.ed25519Sign(seed, enrolmentStatement(statement)));
  return service.enrolment.enroll({ ...statement, proof });
}

export const signatureOf = (seed: Uint8Array, digest: string): string =>
  bytesToHex(nodePrimitives.ed25519Sign(seed, charterStatement(digest)));

/** Forty rows, others for every member. */
async function recordsOf(member: number) {
  const rows = Array.from({ length: 40 }, (_, i) => {
    const value = 'xyz'[(i * 7 + member) % 3];
    return `${value},${value},${'xyz'[(i + member) % 2]}`;
  });
  return readCsv(Readable.from([`a,b,c\n${rows.join('\n')}\n`]), parseTableSchema(SCHEMA));
}

/** As a participant does it when it reads its file. */
function dividedBy(
  { holdOut }: Charter,
  records: RecordSource,
  member: number,
): Promise<RecordSource> | RecordSource {
  return holdOut === undefined ? records : splitRecords(records, holdOut, seedOf(`hold-out ${member}`));
}

/** Goes on over the member's restarts, as the system's generator does: no key comes twice. */
function memberRng(label: string): Rng {
  return seededRng(seedOf(label));
}
