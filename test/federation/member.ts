import { bytesToHex } from '@noble/hashes/utils.js';
import { ParticipantError } from '../../clients/participant/errors.js';
import type { Identity } from '../../clients/participant/home.js';
import { createRunPolicy } from '../../clients/participant/policy.js';
import { createSession, type Session } from '../../clients/participant/session.js';
import { openSpending, type Spending } from '../../clients/participant/spending.js';
import { inlineMaskWork } from '../../src/crypto/maskWork.js';
import { nodePrimitives } from '../../src/crypto/nodePrimitives.js';
import type { Rng } from '../../src/crypto/rng.js';
import type { Charter } from '../../src/federation/charter.js';
import { FederationError } from '../../src/federation/errors.js';
import type { CoordinatorService, Task } from '../../src/federation/service.js';
import { sampleDiscreteGaussian } from '../../src/privacy/noise/discreteGaussian.js';
import { addShare, quantize } from '../../src/privacy/quantization.js';
import { synthesizerOf } from '../../src/synthesis/index.js';
import type { RecordSource } from '../../src/synthesis/table/records.js';

/**
 * What a member does with a task: answers it, never does, declines it, loses its connection before it could answer, or makes
 * its answer and loses its connection before it is sent.
 */
export type Reaction = 'answer' | 'ignore' | 'decline' | 'leave' | 'lose-answer';

export type MaskedInputTask = Extract<Task, { kind: 'masked-input' }>;

/** What a member put into a round: its clipped sum, quantized, with its share of the noise, as residues. */
export interface Contribution {
  readonly roundId: string;
  readonly member: string;
  readonly vector: Uint32Array;
}

export interface MemberPorts {
  readonly id: string;
  readonly name: string;
  readonly identity: Identity;
  readonly charter: Charter;
  readonly charterDigest: string;
  readonly records: RecordSource;
  readonly spendingFile: string;
  readonly rng: Rng;
  /** The coordinator of the moment: another one after a restart. */
  readonly service: () => CoordinatorService;
  readonly contributed: (contribution: Contribution) => void;
}

/**
 * A real session and a real spending record, joined to the coordinator's exchange without HTTP. `conduct` is asked before
 * every task, so that a test can drop, delay or silence this member at any message.
 */
export class Member {
  readonly id: string;
  readonly name: string;
  readonly identity: Identity;
  conduct: (task: Task) => Reaction | Promise<Reaction> = () => 'answer';
  /** A hand on what leaves: for members that misbehave. */
  alter: (task: Task, message: Uint8Array) => Uint8Array = (_, message) => message;
  /** A hand on what is hashed, and so on what is signed before the signature: for members that lie in their own name. */
  beforeHash: (bytes: Uint8Array) => void = () => {};
  alterModel: (bytes: Uint8Array) => Uint8Array = (bytes) => bytes;
  /** Why tasks were declined, and why answers were not taken. */
  readonly declined: string[] = [];
  readonly rejected: string[] = [];
  readonly answered: Task[] = [];
  /** Everything random that the session ever drew, keys included: what must be found nowhere else. */
  readonly drawn: Uint8Array[] = [];
  spending: Spending;
  session: Session;
  readonly records: RecordSource;
  readonly #ports: MemberPorts;
  #tape: Uint8Array[] = [];
  #stream: AbortController | undefined;
  #working: Promise<void> = Promise.resolve();

  constructor(ports: MemberPorts) {
    this.#ports = ports;
    this.id = ports.id;
    this.name = ports.name;
    this.identity = ports.identity;
    this.records = ports.records;
    this.spending = openSpending(ports.spendingFile, ports.charter.privacy);
    this.session = this.#newSession();
  }

  connect(): void {
    if (this.#stream !== undefined) return;
    const stream = (this.#stream = new AbortController());
    this.#working = this.#work(this.#ports.service(), stream.signal).catch((error: unknown) => {
      // The coordinator died under it: the connection is lost.
      if (!(error instanceof PowerCut)) throw error;
    });
  }

  /** The connection is gone; what is being computed is not sent. */
  disconnect(): void {
    this.#stream?.abort();
    this.#stream = undefined;
  }

  /** As after kill -9: the slot secrets are lost, the spending record is read from disk again. */
  restart(): void {
    this.disconnect();
    this.spending.close();
    this.spending = openSpending(this.#ports.spendingFile, this.#ports.charter.privacy);
    this.session = this.#newSession();
    this.connect();
  }

  async close(): Promise<void> {
    this.disconnect();
    await this.#working;
    this.spending.close();
    await this.#ports.records.close();
  }

  #newSession(): Session {
    const { charter, charterDigest, records, rng, service } = this.#ports;
    return createSession({
      memberId: this.id,
      identity: this.identity,
      charter,
      charterDigest,
      spending: this.spending,
      records,
      source: {
        run: async (runId) => ({
          ...(await service().runs.run(runId))!,
          order: (await service().compliance.budget()).order,
        }),
        models: (wanted) =>
          Promise.all(
            wanted.map(async ({ digest }) => {
              const bytes = await service().exchange.model(digest);
              if (bytes === undefined) throw new ParticipantError('Refused', 'The model is not there.');
              return this.alterModel(bytes);
            }),
          ),
      },
      policyFor: (run) => createRunPolicy(run, charter, charterDigest),
      rng: (length) => {
        const bytes = rng(length);
        this.#tape.push(bytes.slice());
        this.drawn.push(bytes.slice());
        return bytes;
      },
      primitives: {
        ...nodePrimitives,
        sha256: (...parts) => {
          for (const part of parts) this.beforeHash(part);
          return nodePrimitives.sha256(...parts);
        },
      },
      masks: inlineMaskWork(nodePrimitives),
    });
  }

  async #work(service: CoordinatorService, signal: AbortSignal): Promise<void> {
    for await (const task of service.exchange.tasks(this.id, signal)) {
      const reaction = await this.conduct(task);
      if (signal.aborted || reaction === 'leave') {
        if (!signal.aborted) this.disconnect();
        return;
      }
      if (reaction === 'ignore') continue;
      if (reaction === 'decline') {
        await taken(service.exchange.decline(this.id, addressOf(task), 'not today'));
        continue;
      }
      await this.#answer(service, task, signal, reaction === 'lose-answer');
    }
  }

  async #answer(service: CoordinatorService, task: Task, signal: AbortSignal, lost: boolean): Promise<void> {
    this.#tape = [];
    let message: Uint8Array | undefined;
    try {
      message = await this.session.handle(task);
    } catch (error) {
      this.declined.push((error as Error).message);
      const budget = error instanceof ParticipantError ? error.budget : undefined;
      if (task.kind !== 'receive-shares' && !signal.aborted)
        await taken(service.exchange.decline(this.id, addressOf(task), (error as Error).message, budget));
      return;
    }
    // No randomness was drawn for a repeated task: its answer was kept.
    if (task.kind === 'masked-input' && this.#tape.length > 0)
      this.#ports.contributed(await this.#replayed(service, task, this.#tape));
    if (lost) return this.disconnect();
    if (message === undefined || signal.aborted) return;
    const problem = await taken(service.exchange.submit(this.id, addressOf(task), this.alter(task, message)));
    if (problem === undefined) this.answered.push(task);
    else this.rejected.push(problem);
  }

  /** The vector again, from the randomness that the session drew: noise first, then the records (hazard P11). */
  async #replayed(
    service: CoordinatorService,
    { query, runId, roundId }: MaskedInputTask,
    tape: readonly Uint8Array[],
  ): Promise<Contribution> {
    const left = [...tape];
    const rng: Rng = (length) => {
      const bytes = left.shift();
      if (bytes?.length !== length) throw new Error('the session drew its randomness otherwise');
      return bytes;
    };
    const models = new Map<string, Uint8Array>();
    for (const { name, digest } of query.models) models.set(name, (await service.exchange.model(digest))!);
    const noise = sampleDiscreteGaussian(query.encoding.shareVariance, query.dimension, rng);
    const synthesizer = synthesizerOf((await service.runs.run(runId))!.synthesizer);
    const sum = await synthesizer.contribute(query, models, this.#ports.records, rng);
    return { roundId, member: this.id, vector: addShare(query, quantize(query, sum), noise) };
  }
}

/** What a test throws where it kills the coordinator. */
export class PowerCut extends Error {
  override readonly name = 'PowerCut';
}

export function addressOf(task: Task) {
  if (task.kind === 'receive-shares') throw new TypeError('receive-shares wants no answer');
  return { blockId: task.blockId, slot: 'slot' in task ? task.slot : -1, phase: task.kind };
}

export const identityOf = (seed: Uint8Array): Identity => ({
  seed,
  publicKey: bytesToHex(nodePrimitives.ed25519PublicKey(seed)),
});

/** Undefined when it was taken, else the code of the refusal. */
async function taken(sending: Promise<void>): Promise<string | undefined> {
  try {
    await sending;
    return undefined;
  } catch (error) {
    if (error instanceof FederationError) return error.code;
    // The coordinator died while it was taking the message.
    if (error instanceof PowerCut) return 'Unreachable';
    throw error;
  }
}
