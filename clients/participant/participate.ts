import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { bytesToHex } from '@noble/hashes/utils.js';
import type { MaskWork } from '../../src/crypto/maskWork.js';
import type { Primitives } from '../../src/crypto/primitives.js';
import type { Rng } from '../../src/crypto/rng.js';
import {
  type Charter,
  charterDigest,
  enrolmentStatement,
  readCharter,
} from '../../src/federation/charter.js';
import type { Task } from '../../src/federation/service.js';
import { splitRecords } from '../../src/synthesis/table/holdOut.js';
import type { RecordSource } from '../../src/synthesis/table/records.js';
import { type CoordinatorClient, createCoordinatorClient } from './coordinatorClient.js';
import { ParticipantError } from './errors.js';
import {
  holdOutKey,
  type PinnedCharter,
  readEnrolment,
  readIdentity,
  readPinnedCharter,
  SPENDING_FILE,
} from './home.js';
import { createRunPolicy } from './policy.js';
import { createSession } from './session.js';
import { assertMember } from './signCharter.js';
import { openSpending } from './spending.js';

/** What a participant tells its operator; never a row, a vector or a secret. */
export type Notice = (event: string, figures?: Readonly<Record<string, string | number>>) => void;

export interface ParticipatePorts {
  readonly dir: string;
  /** Reads and checks the organisation's records against the charter's schema. */
  readonly openRecords: (schema: Charter['schema']) => Promise<RecordSource>;
  readonly rng: Rng;
  readonly primitives: Primitives;
  readonly masks: MaskWork;
  readonly now: () => number;
  readonly notice: Notice;
  readonly signal: AbortSignal;
}

/** How long to wait before asking again: from the first to the longest, doubling. */
const RETRY_MS = { first: 250, longest: 1_000 };
const POLL_MS = 300;

/**
 * Enrols, waits for approval and for a charter that its people have pinned, then answers tasks until it is stopped. Whatever is
 * not there yet, it says so and waits; whatever is wrong, it throws.
 */
export async function participate(ports: ParticipatePorts): Promise<void> {
  const { dir, notice, signal, primitives } = ports;
  const identity = readIdentity(dir, primitives);
  const enrolment = readEnrolment(dir);
  const client = createCoordinatorClient({
    url: enrolment.coordinator,
    identity,
    rng: ports.rng,
    now: ports.now,
  });

  await enrol(client);
  const pinned = await pinnedCharter();
  const charter = readCharter(pinned.body);
  if (charterDigest(charter) !== pinned.digest)
    throw new ParticipantError(
      'CharterMismatch',
      'The pinned charter is not the one that its digest names: sign it again.',
    );
  const member = assertMember(charter, identity.publicKey, enrolment);
  const { holdOut } = charter;
  const divisionKey = holdOutKey(dir, ports.rng);
  const whole = await ports.openRecords(charter.schema);
  const records = holdOut === undefined ? whole : await splitRecords(whole, holdOut, divisionKey);
  const spending = openSpending(join(dir, SPENDING_FILE), charter.privacy);
  try {
    await patiently(() => client.signCharter(pinned.digest, pinned.signature));
    notice('charter signed', { digest: pinned.digest });
    const session = createSession({
      memberId: member.id,
      identity,
      charter,
      charterDigest: pinned.digest,
      spending,
      records,
      source: client,
      policyFor: (run) => {
        const policy = createRunPolicy(run, charter, pinned.digest);
        notice('run accepted', { run: run.id, synthesizer: run.synthesizer });
        return policy;
      },
      rng: ports.rng,
      primitives,
      masks: ports.masks,
    });
    let rounds = 0;
    for (let failures = 0; !signal.aborted; ) {
      try {
        for await (const task of client.tasks(signal)) {
          if (failures > 0) notice('connected again');
          failures = 0;
          await work(task);
          if (task.kind === 'unmasking')
            notice('round answered', { rounds: (rounds += 1), epsilon: spending.epsilon });
        }
      } catch (error) {
        if (!(error instanceof ParticipantError) || error.code === 'AlreadyRunning') throw error;
        if (error.code !== 'Unreachable') throw error;
        if (failures === 0)
          notice('coordinator lost; waiting for it', { coordinator: enrolment.coordinator });
      }
      failures += 1;
      await pause(Math.min(RETRY_MS.longest, RETRY_MS.first * 2 ** Math.min(failures, 10)));
    }

    async function work(task: Task): Promise<void> {
      let message: Uint8Array | undefined;
      try {
        message = await session.handle(task);
      } catch (error) {
        if (error instanceof ParticipantError && error.code === 'Unreachable') return;
        // What is no refusal (a task of no sense, a full disk) stays here in detail; a server must not end us with it.
        const said = isRefusal(error) ? error.message : 'something went wrong on this participant’s side';
        notice('declined', { task: task.kind, reason: isRefusal(error) ? said : String(error) });
        const budget = error instanceof ParticipantError ? error.budget : undefined;
        if (task.kind !== 'receive-shares') await quietly(() => client.decline(task, said, budget));
        return;
      }
      if (message !== undefined) await quietly(() => client.answer(task, message));
    }
  } finally {
    spending.close();
    await records.close();
  }

  /** A message that came too late or twice is no news: the next task says how it goes on. */
  async function quietly(send: () => Promise<void>): Promise<void> {
    for (let attempt = 0; attempt < 3 && !signal.aborted; attempt += 1) {
      try {
        return await send();
      } catch (error) {
        if (!(error instanceof ParticipantError)) throw error;
        if (error.code !== 'Unreachable') return notice('not taken', { reason: error.message });
        await pause(RETRY_MS.first);
      }
    }
  }

  async function enrol(coordinator: CoordinatorClient): Promise<void> {
    const { federation, name, declaredRecords } = enrolment;
    const statement = enrolmentStatement({
      federation,
      name,
      publicKey: identity.publicKey,
      declaredRecords,
    });
    const proof = bytesToHex(primitives.ed25519Sign(identity.seed, statement));
    await patiently(() => coordinator.enroll({ federation, name, declaredRecords, proof }));
    notice('enrolled', { key: identity.publicKey });
    let told = false;
    for (;;) {
      const me = await patiently(() => coordinator.me());
      if (me?.status === 'APPROVED') return notice('approved', { id: me.participantId });
      if (me?.status === 'REVOKED')
        throw new ParticipantError('Refused', 'This key was revoked: make a new identity and enrol again.');
      if (!told) notice('waiting for an operator to approve', { key: identity.publicKey });
      told = true;
      await pause(POLL_MS);
    }
  }

  /** The charter that a person pinned with "chorale charter sign"; the coordinator's word alone is never enough. */
  async function pinnedCharter(): Promise<PinnedCharter> {
    let told = false;
    for (;;) {
      const pinned = existsSync(join(dir, 'charter.json')) ? readPinnedCharter(dir) : undefined;
      if (pinned !== undefined) return pinned;
      if (!told)
        notice('waiting for a charter to be signed here', {
          command: `chorale charter sign --dir ${dir} --digest …`,
        });
      told = true;
      await pause(POLL_MS);
    }
  }

  async function patiently<T>(call: () => Promise<T>): Promise<T> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await call();
      } catch (error) {
        if (!(error instanceof ParticipantError && error.code === 'Unreachable')) throw error;
        if (attempt === 0) notice('waiting for the coordinator', { coordinator: enrolment.coordinator });
        await pause(Math.min(RETRY_MS.longest, RETRY_MS.first * 2 ** attempt));
      }
    }
  }

  async function pause(ms: number): Promise<void> {
    await wait(ms, undefined, { signal });
  }
}

/** Errors by which the participant's own side says no; anything else is a bug and ends it. */
const REFUSALS = new Set([
  'MalformedBytes',
  'CryptoError',
  'ParticipantError',
  'QueryRefused',
  'SecaggRefusal',
  'PrivacyError',
  'FederationError',
  'InvalidOptions',
  'MalformedBytes',
]);

function isRefusal(error: unknown): error is Error {
  return error instanceof Error && REFUSALS.has(error.name);
}
