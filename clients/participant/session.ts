import { bytesToHex } from '@noble/hashes/utils.js';
import { canonicalDigest } from '../../src/crypto/canonical.js';
import type { MaskWork } from '../../src/crypto/maskWork.js';
import type { Primitives } from '../../src/crypto/primitives.js';
import type { Rng } from '../../src/crypto/rng.js';
import { type Charter, cohortOf, floorsOf } from '../../src/federation/charter.js';
import type { Task } from '../../src/federation/service.js';
import { addShare, drawShare, eventOf, quantize } from '../../src/privacy/quantization.js';
import type { ModelReference, SumQuery } from '../../src/privacy/sumQuery.js';
import type { BlockConfig } from '../../src/secagg/block.js';
import type { Outbound } from '../../src/secagg/client/outbound.js';
import {
  assertMayMask,
  createMaskedInput,
  handleConsistency,
  handleSurvivors,
} from '../../src/secagg/client/round.js';
import { createAdvert, handleAdverts, handleShares } from '../../src/secagg/client/setup.js';
import type { MemberState, Party, ReadyMember } from '../../src/secagg/client/state.js';
import type { RoundContext } from '../../src/secagg/round.js';
import type { RecordSource } from '../../src/synthesis/table/records.js';
import { ParticipantError } from './errors.js';
import type { Identity } from './home.js';
import type { AnnouncedRun, RunPolicy } from './policy.js';
import type { Spending } from './spending.js';

/** What the session needs from the coordinator beside the tasks; public documents only. */
export interface PublicSource {
  run(runId: string): Promise<AnnouncedRun>;
  /** The bytes of the models, in the order asked for; 1 to 8 of them. */
  models(wanted: readonly ModelReference[]): Promise<readonly Uint8Array[]>;
}

export interface SessionPorts {
  readonly memberId: string;
  readonly identity: Identity;
  readonly charter: Charter;
  readonly charterDigest: string;
  readonly spending: Spending;
  readonly records: RecordSource;
  readonly source: PublicSource;
  readonly policyFor: (run: AnnouncedRun) => RunPolicy;
  readonly rng: Rng;
  readonly primitives: Primitives;
  readonly masks: MaskWork;
}

/** The round in progress: what settles its charge. */
interface OpenRound {
  readonly blockId: string;
  readonly slot: number;
  readonly roundId: string;
  readonly query: SumQuery;
}

/**
 * One participant's side of the protocol: a task in, a message out. Slot secrets live here, in memory, and nowhere else:
 * after a restart this participant has no old shares left to give, so it can't answer an old slot twice, and
 * joins again at the next block.
 */
export interface Session {
  /** The answer, or none where the task wants none. Throws what makes it refuse; the state is then unchanged. */
  handle(task: Task): Promise<Uint8Array | undefined>;
}

export function createSession(ports: SessionPorts): Session {
  const { memberId, identity, charter, primitives, rng, spending } = ports;
  const floors = floorsOf(charter, ports.charterDigest);
  const party: Party = {
    identity: { id: memberId, seed: identity.seed },
    primitives,
    masks: ports.masks,
  };
  let blockId: string | undefined;
  const advertised = new Set<string>();
  let state: MemberState | undefined;
  let round: OpenRound | undefined;
  let policy: RunPolicy | undefined;
  /** A task may come twice, after a reconnect: it gets the same bytes, not another vector under the same masks. */
  const answers = new Map<string, Uint8Array>();
  let models = new Map<string, Uint8Array>();

  async function answer(task: Task): Promise<Uint8Array | undefined> {
    if (task.kind === 'advertise-keys') {
      const config = task.config as unknown as BlockConfig;
      if (config.block !== task.blockId)
        throw new ParticipantError('QueryRefused', 'The block’s configuration is for another block.');
      // New keys for a block that was served before would make its slots fresh again.
      if (advertised.has(task.blockId) || spending.knowsBlock(task.blockId))
        throw new ParticipantError(
          'Refused',
          'A block of this name was served before: its keys are made once.',
        );
      await knowRun(task.runId);
      const created = createAdvert(party, config, floors, rng);
      advertised.add(task.blockId);
      answers.clear();
      blockId = task.blockId;
      state = created.state;
      round = undefined;
      return leaving(created.outbound);
    }
    if (state === undefined || task.blockId !== blockId)
      throw new ParticipantError(
        'Refused',
        'This participant has no keys for the block (it was restarted); it joins again at the next one.',
      );
    switch (task.kind) {
      case 'share-keys': {
        if (state.kind === 'ready') throw new ParticipantError('Refused', 'The block is set up already.');
        const shared = handleAdverts(party, state, task.adverts, rng);
        state = shared.state;
        return leaving(shared.outbound);
      }
      case 'receive-shares': {
        if (state.kind === 'advertised')
          throw new ParticipantError('Refused', 'Shares came before the adverts.');
        state = handleShares(party, state, task.bundle).state;
        return undefined;
      }
      case 'masked-input':
        return maskedInput(task, ready(state));
      case 'consistency-check': {
        const signed = handleSurvivors(party, ready(state), task.slot, task.survivors);
        state = signed.state;
        return leaving(signed.outbound);
      }
      case 'unmasking': {
        const opened = handleConsistency(party, ready(state), task.slot, task.checks);
        state = opened.state;
        settle(task.slot, opened.survivors);
        return leaving(opened.outbound);
      }
    }
  }

  async function maskedInput(
    task: Extract<Task, { kind: 'masked-input' }>,
    member: ReadyMember,
  ): Promise<Uint8Array> {
    const { query } = task;
    const current = await knowRun(task.runId);
    const context: RoundContext = {
      block: task.blockId,
      slot: task.slot,
      round: task.roundId,
      attempt: task.attempt,
      queryDigest: canonicalDigest(query),
      modelDigest: canonicalDigest(query.models),
      dimension: query.dimension,
      modulusBits: query.encoding.modulusBits,
      expected: task.expected,
    };
    // Everything is checked, and then paid for, before the records are looked at.
    const event = current.check(query, task.step);
    assertMayMask(party, member, context);
    const noise = drawShare(query, rng);
    const given = await fetchModels(query);
    const key = { blockId: task.blockId, slot: task.slot, roundId: task.roundId };
    spending.charge({ ...key, event, orders: current.orders });
    const masked = await answerFrom(current, query, given, (sum) =>
      createMaskedInput(party, member, context, addShare(query, quantize(query, sum), noise)),
    );
    state = masked.state;
    round = { ...key, query };
    return leaving(masked.outbound);
  }

  /** From here on records are looked at: whatever goes wrong, the coordinator learns that it did, and nothing of why. */
  async function answerFrom<T>(
    { synthesizer }: RunPolicy,
    query: SumQuery,
    given: ReadonlyMap<string, Uint8Array>,
    mask: (sum: Float32Array | Float64Array) => Promise<T>,
  ): Promise<T> {
    try {
      return await mask(await synthesizer.contribute(query, given, ports.records, rng));
    } catch {
      throw new ParticipantError('Refused', 'This participant could not answer.');
    }
  }

  /** t signatures of shareholders prove who is in the sum: the charge comes down to the noise that survived. */
  function settle(slot: number, survivors: readonly string[]): void {
    if (round === undefined || round.slot !== slot) return;
    spending.lower({ ...round, event: eventOf(round.query, survivors.length, cohortOf(charter)) });
  }

  async function knowRun(runId: string): Promise<RunPolicy> {
    if (policy?.runId !== runId) policy = ports.policyFor(await ports.source.run(runId));
    return policy;
  }

  /** The generator changes less often than the critic: what the digest names is fetched once. */
  async function fetchModels(query: SumQuery): Promise<ReadonlyMap<string, Uint8Array>> {
    const missing = query.models.filter(({ digest }) => !models.has(digest));
    const fetched = missing.length === 0 ? [] : await ports.source.models(missing);
    for (const [i, { name, digest, bytes }] of missing.entries()) {
      const model = fetched[i];
      if (model === undefined || model.length !== bytes || bytesToHex(primitives.sha256(model)) !== digest)
        throw new ParticipantError(
          'QueryRefused',
          `The model "${name}" that was sent is not the one that the query names.`,
        );
      models.set(digest, model);
    }
    const named = new Map(query.models.map(({ name, digest }) => [name, models.get(digest)!]));
    models = new Map(query.models.map(({ digest }) => [digest, models.get(digest)!]));
    return named;
  }

  async function handle(task: Task): Promise<Uint8Array | undefined> {
    const key = `${task.blockId}/${'slot' in task ? task.slot : -1}/${task.kind}`;
    const known = answers.get(key);
    if (known !== undefined) return known;
    const message = await answer(task);
    if (message !== undefined) {
      // One slot is open at a time: an older slot's answers can't be asked for again.
      if (task.kind === 'masked-input') answers.clear();
      answers.set(key, message);
    }
    return message;
  }

  // One task at a time: two at once would both go on from the same state, and the later one would undo the other.
  let last: Promise<unknown> = Promise.resolve();
  return {
    handle(task) {
      const next = last.then(() => handle(task));
      last = next.catch(() => undefined);
      return next;
    },
  };
}

/** Slot secrets live in memory only, so a restart abandons the block: nothing has to be written before a message leaves. */
function leaving(outbound: Outbound): Uint8Array {
  return outbound.release('restart-abandons');
}

function ready(state: MemberState): ReadyMember {
  if (state.kind !== 'ready')
    throw new ParticipantError('Refused', 'A round was opened before the block was set up.');
  return state;
}
