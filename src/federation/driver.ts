import type { Json } from '../crypto/canonical.js';
import type { MaskWork } from '../crypto/maskWork.js';
import type { Primitives } from '../crypto/primitives.js';
import type { Rng } from '../crypto/rng.js';
import { eventOf } from '../privacy/quantization.js';
import { survivorFloor } from '../secagg/graph.js';
import { synthesizerOf } from '../synthesis/index.js';
import type { NoisySum, Step } from '../synthesis/synthesizer.js';
import { closeBlock, type LiveBlock, restoreBlock, setUpBlock } from './block.js';
import { type Charter, cohortOf, readCharter, synthesisContext } from './charter.js';
import { FederationError } from './errors.js';
import type { Desk } from './exchange.js';
import { commit, voidReservation } from './ledger.js';
import type { Blobs, Bus, Clock, MessageRecord, RoundRecord, RunRecord, Store } from './ports.js';
import { openRoundRow, playRound, type RoundOutcome } from './round.js';
import { loadState, releaseOf } from './runState.js';
import { PHASES } from './service.js';

/** Waits and sizes of a run; none of them touches privacy. */
export interface RunTiming {
  /** A connected participant's time for one answer. */
  readonly phaseDeadlineMs: number;
  /** The time that participants who lost their connection have to come back before a phase goes on without them. */
  readonly reconnectGraceMs: number;
  /** How long a block's set-up waits for the whole roster before it goes on with a quorum. */
  readonly gatherMs: number;
  /** How long it waits for a quorum before the run is aborted. */
  readonly quorumWaitMs: number;
  /** Key slots set up together, 1 to 64. */
  readonly slotsPerBlock: number;
  /** Attempts at one sum before the run is aborted. */
  readonly attemptsPerStep: number;
}

export const DEFAULT_TIMING: RunTiming = {
  phaseDeadlineMs: 30_000,
  reconnectGraceMs: 2_000,
  gatherMs: 5_000,
  quorumWaitMs: 120_000,
  slotsPerBlock: 32,
  attemptsPerStep: 5,
};

export interface DriverPorts {
  readonly store: Store;
  readonly blobs: Blobs;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly rng: Rng;
  readonly primitives: Primitives;
  readonly masks: MaskWork;
  readonly desk: Desk;
  readonly timing: RunTiming;
  /** Public figures only. */
  readonly log: (event: string, figures: Readonly<Record<string, string | number>>) => void;
}

/** What stands still while a run is driven. */
export interface RunFrame {
  readonly run: RunRecord;
  readonly charter: Charter;
  readonly ports: DriverPorts;
  readonly signal: AbortSignal;
  /** Members proved to have lied in this run; they are not asked again. A restart forgets them, and they would be proved again. */
  readonly accused: Set<string>;
}

const NOTHING_OPEN: {
  readonly round: RoundRecord | null;
  readonly attempts: number;
  readonly stored: readonly MessageRecord[];
} = { round: null, attempts: 0, stored: [] };

/**
 * Drives a run from wherever the store says it stands to its end: asks the synthesizer's queries one by one, each
 * answered by a round, each paid for before it is asked. Returns when the run is finished; throws only for bugs and when
 * the signal aborts, in which case nothing is settled and the next driver goes on from the store.
 */
export async function driveRun(ports: DriverPorts, runId: string, signal: AbortSignal): Promise<void> {
  const { store, blobs, bus, desk } = ports;
  const run = await store.transaction((tx) => tx.run(runId));
  if (run === null || run.status !== 'running') return;
  const charter = readCharter((await store.transaction((tx) => tx.charter(run.charterDigest)))!.body);
  const frame: RunFrame = { run, charter, ports, signal, accused: new Set() };
  const synthesizer = synthesizerOf(run.synthesizer);
  const context = synthesisContext(charter);
  const options = synthesizer.parseOptions(run.options);

  let state = await loadState(ports, run, synthesizer, options, context);
  let step = run.step;
  let stateDigest = run.stateDigest;
  let block = await restoreBlock(frame);
  /** Where an earlier process left the next sum. */
  let resumed: typeof NOTHING_OPEN = await store.transaction(async (tx) => {
    const round = await tx.openRound(runId);
    const attempts = (await tx.rounds(runId)).filter((made) => made.step === step).length;
    return { round, attempts, stored: round === null ? [] : await tx.messages(round.blockId, round.slot) };
  });

  const finish = async (status: 'completed' | 'stopped' | 'aborted', reason: string | null) => {
    const released = status === 'aborted' ? undefined : releaseOf(synthesizer, state);
    const releaseDigest = released === undefined ? null : await blobs.put(released);
    if (block !== undefined) await closeBlock(frame, block);
    await store.transaction((tx) =>
      tx.updateRun(runId, { status, reason, releaseDigest, finishedAt: new Date(ports.clock.now()) }),
    );
    desk.publishModels(runId, new Map());
    bus.publish(`run:${runId}`);
    ports.log('run finished', { run: runId, status, step, reason: reason ?? '' });
  };

  try {
    for (;;) {
      signal.throwIfAborted();
      const next = synthesizer.nextQuery(state);
      if (next === undefined) return await finish('completed', null);
      desk.publishModels(runId, byDigest(next));
      const answered = await answer(next);
      const absorbing = ports.clock.now();
      const absorbed = await synthesizer.absorb(state, next.query, answered.sum);
      const nextDigest = await blobs.put(synthesizer.encodeState(absorbed));
      await completeRound(frame, answered.round, next, answered.sum, {
        step: step + 1,
        stateDigest: nextDigest,
        progress: synthesizer.progress(absorbed) as Json,
        absorbMs: ports.clock.now() - absorbing,
      });
      if (stateDigest !== null && stateDigest !== nextDigest) await blobs.delete(stateDigest);
      if (answered.round.maskedSumDigest !== null) await blobs.delete(answered.round.maskedSumDigest);
      state = absorbed;
      step += 1;
      stateDigest = nextDigest;
      bus.publish(`run:${runId}`);
    }
  } catch (error) {
    if (signal.aborted || !(error instanceof FederationError)) throw error;
    // Over the limit: what was learnt so far is paid for, and is released. Too few members: everything stays, nothing is published.
    await finish(error.code === 'BudgetExceeded' ? 'stopped' : 'aborted', error.message);
  }

  /** One query's sum, in as many attempts as it takes; every attempt has a key slot of its own. */
  async function answer(next: Step): Promise<{ readonly sum: NoisySum; readonly round: RoundRecord }> {
    let { round, attempts: attempt, stored } = resumed;
    resumed = NOTHING_OPEN;
    let last = '';
    while (attempt < ports.timing.attemptsPerStep || round !== null) {
      signal.throwIfAborted();
      let outcome: RoundOutcome;
      if (round !== null && block?.record.id !== round.blockId) {
        // Its block could not be restored: the slot is burnt. Without a single answer nothing of the round was unmasked.
        outcome = {
          kind: 'aborted',
          reason: 'the key slots were lost in a restart',
          answersHeld: stored.filter((message) => PHASES[message.phase] === 'unmasking').length,
          threshold: 1,
        };
      } else {
        if (round === null) {
          attempt += 1;
          block = await ensureBlock();
          round = await openRoundRow(frame, block, next, step, attempt);
        }
        outcome = await playRound(frame, block!, next, round, stored);
      }
      if (outcome.kind === 'sum') return { sum: outcome.sum, round: outcome.round };
      last = outcome.reason;
      await settleAborted(frame, round, outcome);
      ports.log('round aborted', { run: runId, step, attempt, reason: outcome.reason });
      round = null;
      stored = [];
    }
    throw new FederationError(
      'QuorumNotReached',
      `Step ${step} failed ${ports.timing.attemptsPerStep} times; the last reason: ${last}.`,
    );
  }

  async function ensureBlock(): Promise<LiveBlock> {
    // On a graph of its own size a block may need more than the charter's minSurvivors.
    if (
      block !== undefined &&
      block.nextSlot < block.record.slots &&
      block.active.length >= survivorFloor(block.state.config, block.state.graph)
    )
      return block;
    if (block !== undefined) await closeBlock(frame, block);
    block = undefined;
    return setUpBlock(frame);
  }
}

/** The charge becomes what survived, the state moves on, the round closes: all of it or nothing. */
async function completeRound(
  { run, charter, ports }: RunFrame,
  round: RoundRecord,
  { query }: Step,
  sum: NoisySum,
  change: {
    readonly step: number;
    readonly stateDigest: string;
    readonly progress: Json;
    readonly absorbMs: number;
  },
): Promise<void> {
  const { absorbMs, ...progress } = change;
  await ports.store.transaction(async (tx) => {
    await commit(tx, round.id, eventOf(query, sum.contributors.length, cohortOf(charter)));
    const moved = await tx.updateRound(round.id, 'unmasking', {
      phase: 'completed',
      bytesReceived: round.bytesReceived,
      timings: { ...round.timings, absorb: Math.round(absorbMs) },
      closedAt: new Date(ports.clock.now()),
    });
    if (!moved) throw new Error(`round ${round.id} was settled by somebody else`);
    await tx.updateRun(run.id, progress);
  });
}

/**
 * Void only if fewer than the threshold of unmask answers are held: then nothing can have been opened, and the slot is
 * burnt. Else the whole reservation is spent.
 */
async function settleAborted(
  { ports }: Pick<RunFrame, 'ports'>,
  round: RoundRecord,
  outcome: Extract<RoundOutcome, { kind: 'aborted' }>,
): Promise<void> {
  const { store, blobs, clock } = ports;
  const standing = await store.transaction(async (tx) => {
    if (outcome.answersHeld < outcome.threshold) await voidReservation(tx, round.id, outcome.reason);
    else await commit(tx, round.id, (await tx.ledgerEntry(round.id))!.reservedEvent as never);
    const found = (await tx.round(round.id))!;
    await tx.updateRound(round.id, found.phase, {
      phase: 'aborted',
      abortReason: outcome.reason,
      closedAt: new Date(clock.now()),
    });
    return found;
  });
  // As the row says now: the sum may have been folded after the caller read it.
  if (standing.maskedSumDigest !== null) await blobs.delete(standing.maskedSumDigest);
}

/**
 * Settles what a cancelled run had open, once its driver is gone. One stored unmask answer is enough to keep the whole charge:
 * whoever cancels does not reckon thresholds.
 */
export async function abandonRun(ports: DriverPorts, runId: string): Promise<void> {
  const { round, block, answersHeld } = await ports.store.transaction(async (tx) => {
    const open = await tx.openRound(runId);
    const messages = open === null ? [] : await tx.messages(open.blockId, open.slot);
    const answers = messages.filter((message) => PHASES[message.phase] === 'unmasking');
    return { round: open, block: await tx.openBlock(runId), answersHeld: answers.length };
  });
  if (round !== null)
    await settleAborted({ ports }, round, {
      kind: 'aborted',
      reason: 'the run was cancelled',
      answersHeld,
      threshold: 1,
    });
  if (block !== null) await closeBlock({ ports }, { record: block });
  ports.desk.publishModels(runId, new Map());
}

function byDigest({ query, models }: Step): Map<string, Uint8Array> {
  return new Map(query.models.map(({ name, digest }) => [digest, models.get(name)!]));
}
