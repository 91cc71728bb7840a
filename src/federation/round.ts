import { canonicalDigest, type Json } from '../crypto/canonical.js';
import { dequantize, eventOf } from '../privacy/quantization.js';
import { type Evidence, verifyEvidence } from '../secagg/blame.js';
import { CONSISTENCY_CHECK_BYTES, maskedInputBytes, unmaskingBytes } from '../secagg/messages.js';
import type { RoundContext } from '../secagg/round.js';
import {
  closeConsistency,
  closeMaskedInputs,
  openRound,
  receiveConsistency,
  receiveMaskedInput,
  receiveUnmasking,
  restoreRound,
} from '../secagg/server/round.js';
import type { CheckingRound, CollectingRound, UnmaskingRound } from '../secagg/server/state.js';
import { unmask } from '../secagg/server/unmask.js';
import { encodeEvidence } from '../secagg/stateCodec.js';
import type { NoisySum, Step } from '../synthesis/synthesizer.js';
import type { LiveBlock } from './block.js';
import { cohortOf, floorsOf } from './charter.js';
import type { RunFrame } from './driver.js';
import type { Collected } from './exchange.js';
import { reserve } from './ledger.js';
import { type Receiver, receiver, replay } from './messages.js';
import type { MessageRecord, RoundRecord } from './ports.js';
import { describeRefusal, recordRefusal } from './refusals.js';
import { PHASES, type Phase, type Task, type Ticket } from './service.js';

export type RoundOutcome =
  | { readonly kind: 'sum'; readonly sum: NoisySum; readonly round: RoundRecord }
  | {
      readonly kind: 'aborted';
      readonly reason: string;
      /** With fewer unmask answers than the threshold, nothing can have been opened. */
      readonly answersHeld: number;
      readonly threshold: number;
    };

/** Reserves the cost, burns the slot and writes the round down, all in one transaction: only then is anybody asked. */
export async function openRoundRow(
  frame: RunFrame,
  block: LiveBlock,
  { query }: Step,
  step: number,
  attempt: number,
): Promise<RoundRecord> {
  const { run, charter, ports } = frame;
  const roundId = `${run.id}.${step}.${attempt}`;
  const slot = block.nextSlot;
  const round = await ports.store.transaction(async (tx) => {
    await reserve(tx, {
      runId: run.id,
      roundId,
      event: eventOf(query, charter.cohort.minSurvivors, cohortOf(charter)),
    });
    await tx.updateBlock(block.record.id, { nextSlot: slot + 1 });
    return tx.insertRound({
      id: roundId,
      runId: run.id,
      step,
      attempt,
      blockId: block.record.id,
      slot,
      phase: 'masked-input',
      query: query as unknown as Json,
      queryDigest: canonicalDigest(query),
      modelDigest: canonicalDigest(query.models),
      expected: block.active,
      survivors: null,
      maskedSumDigest: null,
      abortReason: null,
      bytesReceived: {},
      timings: {},
    });
  });
  block.nextSlot = slot + 1;
  return round;
}

/**
 * Plays a round from the phase that its row says to the opened sum. Of the answers only those that unmask are stored one by
 * one (`stored`, after a restart): they decide whether a charge may be voided. Masked inputs are folded in memory, and the sum
 * and whose vectors are in it become durable together; before that a crash forgets them, after it the members' own
 * repeats fill the gap, since a task that comes again gets the same bytes again. So no member's vector is ever written
 * down (hazard S27), and none waits for the database. An abort leaves the row to the caller, who settles the reservation.
 */
export async function playRound(
  frame: RunFrame,
  block: LiveBlock,
  step: Step,
  row: RoundRecord,
  stored: readonly MessageRecord[],
): Promise<RoundOutcome> {
  const { ports, signal } = frame;
  const { store, blobs, primitives } = ports;
  const answersStored = stored.filter((message) => PHASES[message.phase] === 'unmasking').length;
  const context: RoundContext = {
    block: row.blockId,
    slot: row.slot,
    round: row.id,
    attempt: row.attempt,
    queryDigest: row.queryDigest,
    modelDigest: row.modelDigest,
    dimension: step.query.dimension,
    modulusBits: step.query.encoding.modulusBits,
    expected: row.expected,
  };
  let round = row;
  /** Who answered in the phase that was collected last. */
  let heard: ReadonlySet<string> = new Set();
  const note = (phase: Phase, { bytes, elapsedMs, declined }: Collected) => {
    const bytesReceived: Record<string, number> = { ...round.bytesReceived };
    for (const [id, count] of Object.entries(bytes)) bytesReceived[id] = (bytesReceived[id] ?? 0) + count;
    round = { ...round, bytesReceived, timings: { ...round.timings, [phase]: Math.round(elapsedMs) } };
    for (const [member, { reason }] of declined)
      ports.log('a member declined', { round: row.id, member, phase, reason });
  };
  /** Members whose own record had no room where the ledger had some, in words, with the figures of both. */
  const refusals: string[] = [];
  const keepRefusals = async ({ declined }: Collected) => {
    for (const [participantId, { reason, budget }] of declined) {
      if (budget === undefined) continue;
      const refusal = await store.transaction((tx) =>
        recordRefusal(tx, { roundId: row.id, participantId, reason, budget }),
      );
      const { name } = frame.charter.members.find(({ id }) => id === participantId)!;
      refusals.push(describeRefusal(name, refusal));
    }
  };
  const aborted = (
    state: { readonly answersHeld: number; readonly threshold: number },
    reason: string,
  ): RoundOutcome => {
    // Whoever was lost is left out of the next attempt, and rejoins at the next block: asked again on keys that it may have
    // lost, it would only make the others pay for another round that fails.
    block.active = block.active.filter((id) => heard.has(id) && !frame.accused.has(id));
    const answersHeld = Math.max(state.answersHeld, answersStored);
    const why = [reason, ...refusals].join('; ');
    return { kind: 'aborted', reason: why, answersHeld, threshold: state.threshold };
  };

  /** Asks whoever has not answered yet. */
  async function collect<State>(
    phase: Phase,
    fold: Receiver<State>,
    from: readonly string[],
    maxBytes: number,
    task: (upload: Ticket, participantId: string) => Task,
  ): Promise<Collected> {
    const answered = replay(
      fold,
      stored.filter((message) => PHASES[message.phase] === phase),
    );
    const collected = await ports.desk.collect(
      {
        blockId: row.blockId,
        slot: row.slot,
        phase,
        from: from.filter((id) => !answered.has(id)),
        task: (participantId, upload) => task(upload, participantId),
        maxBytes,
        receive: fold.receive,
        deadlineMs: ports.timing.phaseDeadlineMs,
        graceMs: ports.timing.reconnectGraceMs,
      },
      signal,
    );
    signal.throwIfAborted();
    note(phase, collected);
    await keepRefusals(collected);
    heard = new Set([...answered, ...collected.answered]);
    return collected;
  }

  const checking = row.phase === 'masked-input' ? await collectInputs() : await restoreSum();
  if ('reason' in checking)
    return aborted(
      { answersHeld: 0, threshold: block.state.graph.threshold },
      `${checking.reason}: ${checking.have} of ${checking.need}`,
    );

  const checks = receiver<CheckingRound>(ports, address('consistency-check'), checking.state, (state, body) =>
    receiveConsistency(primitives, state, body),
  );
  await collect('consistency-check', checks, checking.survivors, CONSISTENCY_CHECK_BYTES, (upload) => ({
    kind: 'consistency-check',
    blockId: row.blockId,
    slot: row.slot,
    survivors: checking.survivors,
    upload,
  }));
  const consistent = closeConsistency(checks.state);
  if (consistent.kind === 'aborted')
    return aborted(checks.state, `${consistent.reason}: ${consistent.have} of ${consistent.need}`);

  const unmasking = receiver<UnmaskingRound>(ports, address('unmasking'), consistent.state, (state, body) =>
    receiveUnmasking(primitives, state, body),
  );
  await collect(
    'unmasking',
    unmasking,
    checking.survivors.filter((id) => consistent.checksFor.has(id)),
    unmaskingBytes(row.expected.length),
    (upload, id) => ({
      kind: 'unmasking',
      blockId: row.blockId,
      slot: row.slot,
      checks: consistent.checksFor.get(id)!,
      upload,
    }),
  );
  const opened = await unmask(primitives, ports.masks, unmasking.state);
  for (const evidence of opened.evidence) await accuse(evidence);
  if (opened.kind === 'aborted') {
    // Its shares are missing at too many holders: with this block's keys its secrets never open. It comes back at the next one.
    block.active = block.active.filter((id) => !opened.members.includes(id));
    return aborted(unmasking.state, `${opened.reason}: ${opened.have} of ${opened.need}`);
  }
  return {
    kind: 'sum',
    sum: { values: dequantize(step.query, opened.sum), contributors: opened.survivors },
    round,
  };

  /** Keeps the proof where anyone can check it (`chorale cohort judge`), and asks the liar no more. */
  async function accuse(evidence: Evidence) {
    const { accused, lie } = verifyEvidence(primitives, floorsOf(frame.charter), evidence);
    frame.accused.add(accused);
    block.active = block.active.filter((id) => id !== accused);
    const digest = await blobs.put(encodeEvidence(primitives, evidence));
    ports.log('a member gave wrong shares', { round: row.id, accused, lie, evidence: digest });
  }

  function address(phase: Phase) {
    return { blockId: row.blockId, slot: row.slot, phase };
  }

  async function collectInputs() {
    const inputs = receiver<CollectingRound>(
      ports,
      address('masked-input'),
      openRound(primitives, block.state, context),
      (state, body) => receiveMaskedInput(primitives, state, body),
    );
    const size = maskedInputBytes(context.dimension, context.modulusBits);
    await collect('masked-input', inputs, row.expected, size, (upload) => ({
      kind: 'masked-input',
      blockId: row.blockId,
      slot: row.slot,
      runId: row.runId,
      roundId: row.id,
      step: row.step,
      attempt: row.attempt,
      query: step.query,
      expected: row.expected,
      upload,
    }));
    const closed = closeMaskedInputs(inputs.state);
    if (closed.kind === 'aborted') return closed;
    const written = {
      phase: 'unmasking',
      survivors: closed.survivors,
      maskedSumDigest: await blobs.put(bytesOf(inputs.state.running.sum)),
      bytesReceived: round.bytesReceived,
      timings: round.timings,
    } as const;
    const moved = await store.transaction((tx) => tx.updateRound(row.id, 'masked-input', written));
    if (!moved) throw new Error(`round ${row.id} was moved by somebody else`);
    round = { ...round, ...written };
    block.active = closed.survivors;
    return closed;
  }

  async function restoreSum() {
    const bytes = await blobs.get(row.maskedSumDigest!);
    if (bytes === undefined) throw new Error(`the masked sum of round ${row.id} is missing`);
    const members = Object.fromEntries(row.survivors!.map((id) => [id, '']));
    const running = { sum: wordsOf(bytes), members };
    const closed = closeMaskedInputs(restoreRound(primitives, block.state, context, running));
    if (closed.kind === 'aborted')
      throw new Error(`round ${row.id} does not fold as its row says: ${closed.reason}`);
    block.active = closed.survivors;
    return closed;
  }
}

/** Little-endian on every platform that this runs on, as the masked inputs are. */
function bytesOf(words: Uint32Array): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
}

function wordsOf(bytes: Uint8Array): Uint32Array {
  // Not bytes.slice(): a Buffer’s slice is a view of its pool.
  return new Uint32Array(Uint8Array.from(bytes).buffer);
}
