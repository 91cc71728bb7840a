import { bytesToHex } from '@noble/hashes/utils.js';
import type { CoordinatorClient } from '../../../clients/participant/coordinatorClient.js';
import { ParticipantError } from '../../../clients/participant/errors.js';
import { createRunPolicy } from '../../../clients/participant/policy.js';
import { createSession, type SessionPorts } from '../../../clients/participant/session.js';
import { openSpending } from '../../../clients/participant/spending.js';
import type { MaskWork } from '../../crypto/maskWork.js';
import { nodePrimitives } from '../../crypto/nodePrimitives.js';
import type { Rng } from '../../crypto/rng.js';
import { charterStatement, enrolmentStatement, readCharter } from '../../federation/charter.js';
import type { Task } from '../../federation/service.js';
import type { Holding } from './records.js';
import { counted, type Traffic } from './traffic.js';

export interface ParticipantPorts {
  readonly federation: string;
  /** Its way to the coordinator, as the holder of that identity. */
  readonly connect: (identity: SessionPorts['identity']) => CoordinatorClient;
  readonly holding: Holding;
  /** Its own record of what was spent. */
  readonly spendingFile: string;
  readonly rng: Rng;
  readonly masks: MaskWork;
  /** Told when it declines a task, or when an answer was not taken. */
  readonly notice: (reason: string) => void;
}

/** One organisation's side of the simulation: an identity, its records and its own spending record. */
export interface SimulatedParticipant {
  readonly name: string;
  readonly traffic: Traffic;
  readonly enrol: () => Promise<void>;
  /** Signs the coordinator's charter as it stands: nobody is there to compare digests with. */
  readonly sign: () => Promise<void>;
  /** Answers tasks until the signal aborts. After `sign`. */
  readonly work: (signal: AbortSignal) => Promise<void>;
}

export function createParticipant(ports: ParticipantPorts): SimulatedParticipant {
  const { federation, connect, holding, rng } = ports;
  const { name, declaredRecords } = holding;
  const seed = rng(32);
  const identity = { seed, publicKey: bytesToHex(nodePrimitives.ed25519PublicKey(seed)) };
  const { client, traffic } = counted(connect(identity));
  const signature = (statement: Uint8Array) => bytesToHex(nodePrimitives.ed25519Sign(seed, statement));

  return {
    name,
    traffic,

    enrol() {
      const statement = { federation, name, publicKey: identity.publicKey, declaredRecords };
      const proof = signature(enrolmentStatement(statement));
      return client.enroll({ federation, name, declaredRecords, proof });
    },

    async sign() {
      const { digest } = (await client.charter())!;
      await client.signCharter(digest, signature(charterStatement(digest)));
    },

    work: (signal) => answerTasks(ports, client, identity, signal),
  };
}

async function answerTasks(
  { holding, rng, masks, spendingFile, notice }: ParticipantPorts,
  client: CoordinatorClient,
  identity: SessionPorts['identity'],
  signal: AbortSignal,
): Promise<void> {
  const { participantId } = (await client.me())!;
  const { body, digest } = (await client.charter())!;
  const charter = readCharter(body);
  const spending = openSpending(spendingFile, charter.privacy);
  try {
    const session = createSession({
      memberId: participantId,
      identity,
      charter,
      charterDigest: digest,
      spending,
      records: holding.records,
      source: client,
      policyFor: (run) => createRunPolicy(run, charter, digest),
      rng,
      primitives: nodePrimitives,
      masks,
    });
    for await (const task of client.tasks(signal)) {
      const message = await session.handle(task).catch((error: unknown) => declined(task, error));
      if (message !== undefined) await told(() => client.answer(task, message));
    }
  } finally {
    spending.close();
  }

  async function declined(task: Task, error: unknown): Promise<undefined> {
    const { message } = error as Error;
    notice(message);
    const budget = error instanceof ParticipantError ? error.budget : undefined;
    if (task.kind !== 'receive-shares') await told(() => client.decline(task, message, budget));
  }

  /** A message that came too late is no news: the next task says how it goes on. */
  async function told(send: () => Promise<void>): Promise<void> {
    try {
      await send();
    } catch (error) {
      if (!(error instanceof ParticipantError)) throw error;
      notice(error.message);
    }
  }
}
