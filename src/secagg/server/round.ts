import { equalBytes } from '@noble/ciphers/utils.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import type { Primitives } from '../../crypto/primitives.js';
import { identityKeys, memberIds } from '../block.js';
import { dealers, shareholders, survivesCut, survivorFloor, survivorQuorum } from '../graph.js';
import {
  type ConsistencyCheck,
  decodeConsistencyCheck,
  decodeMaskedInput,
  decodeUnmasking,
  maskedInputBytes,
  type Unmasking,
} from '../messages.js';
import { addPacked } from '../packing.js';
import { type RejectReason, SecaggRefusal } from '../refusal.js';
import {
  assertRoundContext,
  type RoundContext,
  roundTranscript,
  sameSet,
  survivorsDigest,
} from '../round.js';
import { type MessageKind, type Signed, verifySigned } from '../signing.js';
import { MalformedMessage } from '../wire.js';
import type {
  Aborted,
  CheckingRound,
  CollectingRound,
  ReadyBlock,
  Received,
  RoundState,
  RunningSum,
  UnmaskingRound,
} from './state.js';

/**
 * Opens a round on a slot. Whoever keeps the rounds makes (block, slot) a key, so that a slot is burnt as soon as
 * this is called; members refuse a second opening in any case. Throws SecaggRefusal.
 */
export function openRound(primitives: Primitives, block: ReadyBlock, context: RoundContext): CollectingRound {
  return restoreRound(primitives, block, context, { sum: new Uint32Array(context.dimension), members: {} });
}

/** Goes on from a running sum that was made durable together with the set of members in it; both are copied. */
export function restoreRound(
  primitives: Primitives,
  block: ReadyBlock,
  context: RoundContext,
  running: RunningSum,
): CollectingRound {
  const expected = assertRoundContext(block.config, context);
  const inU1 = new Set(block.members);
  if (!expected.every((member) => inU1.has(member)))
    throw new SecaggRefusal('InvalidRound', 'the round expects a member that did not share its keys');
  const need = survivorFloor(block.config, block.graph);
  if (expected.length < need)
    throw new SecaggRefusal(
      'CohortTooSmall',
      `the round expects ${expected.length} members, ${need} are needed`,
    );
  if (running.sum.length !== context.dimension)
    throw new SecaggRefusal('InvalidRound', 'the running sum has another dimension than the round');
  for (const id of Object.keys(running.members))
    if (!context.expected.includes(id))
      throw new SecaggRefusal('InvalidRound', `the running sum holds ${id}, whom the round does not expect`);
  return {
    kind: 'collecting',
    block,
    context,
    transcript: roundTranscript(primitives, block.transcript, context, expected),
    expected,
    threshold: block.graph.threshold,
    answersHeld: 0,
    running: { sum: running.sum.slice(), members: { ...running.members } },
  };
}

/** Decodes, then checks slot, sender and signature: the parts that all three round messages have in common. */
function authenticate<Message extends Signed & { sender: number; slot: number }>(
  primitives: Primitives,
  state: RoundState,
  kind: MessageKind,
  senders: readonly number[],
  decode: () => Message,
): { message: Message; digest: Uint8Array; from: string } | RejectReason {
  let message: Message;
  try {
    message = decode();
  } catch (error) {
    if (error instanceof MalformedMessage) return 'Malformed';
    throw error;
  }
  const { block, context, transcript } = state;
  const identity = identityKeys(block.config)[message.sender];
  if (identity === undefined) return 'UnknownSender';
  if (message.slot !== context.slot) return 'WrongSlot';
  if (!senders.includes(message.sender)) return 'NotExpected';
  const digest = verifySigned(primitives, identity, kind, transcript, message);
  if (digest === undefined) return 'BadSignature';
  return { message, digest, from: block.config.members[message.sender]!.id };
}

const rejected = <State>(state: State, reason: RejectReason): Received<State> => ({
  kind: 'rejected',
  state,
  reason,
});

/** Folds a masked vector into the running sum, in place, and keeps only its digest. */
export function receiveMaskedInput<State extends RoundState>(
  primitives: Primitives,
  state: State,
  bytes: Uint8Array,
): Received<State> {
  const { dimension, modulusBits } = state.context;
  if (bytes.length !== maskedInputBytes(dimension, modulusBits)) return rejected(state, 'WrongLength');
  const checked = authenticate(primitives, state, 'MaskedInput', state.expected, () =>
    decodeMaskedInput(bytes, dimension, modulusBits),
  );
  if (typeof checked === 'string') return rejected(state, checked);
  const { message, from } = checked;
  const digest = bytesToHex(checked.digest);
  const known = foldedDigest(state.running, from);
  if (known !== undefined)
    return known === digest ? { kind: 'duplicate', state, from } : rejected(state, 'Conflict');
  if (state.kind !== 'collecting') return rejected(state, 'PhaseClosed');
  try {
    addPacked(state.running.sum, message.packed, modulusBits);
  } catch (error) {
    if (error instanceof MalformedMessage) return rejected(state, 'Malformed');
    throw error;
  }
  const entry = { value: digest, enumerable: true, writable: true, configurable: true };
  Object.defineProperty(state.running.members, from, entry);
  return { kind: 'accepted', state, from };
}

/** Only what was put in counts: an id is any text, "constructor" and "__proto__" too. */
function foldedDigest({ members }: RunningSum, id: string): string | undefined {
  return Object.hasOwn(members, id) ? members[id] : undefined;
}

/** Fixes U₂, those whose vectors are in the sum; later inputs are refused. */
export function closeMaskedInputs(
  state: CollectingRound,
): { kind: 'ready'; state: CheckingRound; survivors: readonly string[] } | Aborted {
  const { block, running, expected } = state;
  const survivors = expected.filter(
    (member) => foldedDigest(running, block.config.members[member]!.id) !== undefined,
  );
  const need = survivorFloor(block.config, block.graph);
  if (survivors.length < need)
    return { kind: 'aborted', reason: 'TooFewMaskedInputs', have: survivors.length, need, members: [] };
  if (!survivesCut(block.graph, survivors))
    return { kind: 'aborted', reason: 'SurvivorsSplit', have: survivors.length, need, members: [] };
  return {
    kind: 'ready',
    state: { ...state, kind: 'checking', survivors, checks: block.config.members.map(() => null) },
    survivors: memberIds(block.config, survivors),
  };
}

export function receiveConsistency<State extends RoundState>(
  primitives: Primitives,
  state: State,
  bytes: Uint8Array,
): Received<State> {
  if (state.kind === 'collecting') return rejected(state, 'NotExpected');
  const checked = authenticate<ConsistencyCheck>(primitives, state, 'ConsistencyCheck', state.survivors, () =>
    decodeConsistencyCheck(bytes),
  );
  if (typeof checked === 'string') return rejected(state, checked);
  const { message, from } = checked;
  if (!equalBytes(message.survivors, survivorsDigest(primitives, state.survivors)))
    return rejected(state, 'WrongSurvivors');
  const known = state.checks[message.sender];
  if (known != null)
    return equalBytes(known, bytes) ? { kind: 'duplicate', state, from } : rejected(state, 'Conflict');
  if (state.kind !== 'checking') return rejected(state, 'PhaseClosed');
  const checks = state.checks.with(message.sender, Uint8Array.from(bytes));
  return { kind: 'accepted', state: { ...state, checks }, from };
}

/**
 * Who is asked to unmask, each with the signatures of its own shareholders and of as many others as make a quorum, or
 * an abort: a member with fewer would not answer, and fewer than t answers open nothing.
 */
export function closeConsistency(
  state: CheckingRound,
): { kind: 'ready'; state: UnmaskingRound; checksFor: ReadonlyMap<string, readonly Uint8Array[]> } | Aborted {
  const { block, checks, survivors, threshold } = state;
  const signed = survivors.filter((member) => checks[member] !== null);
  const need = Math.max(threshold, survivorQuorum(block.config, block.graph));
  const checksFor = new Map<string, readonly Uint8Array[]>();
  const asked: number[] = [];
  for (const member of survivors) {
    const holders = new Set(shareholders(block.graph, member));
    const held = signed.filter((holder) => holders.has(holder));
    // A member takes its own signature for granted.
    const own = checks[member] === null ? 1 : 0;
    if (held.length + (holders.has(member) ? own : 0) < threshold) continue;
    if (signed.length + own < need) continue;
    asked.push(member);
    const others = signed.filter((holder) => !holders.has(holder)).slice(0, Math.max(0, need - held.length));
    const relayed = [...held, ...others].map((holder) => checks[holder]!);
    checksFor.set(block.config.members[member]!.id, relayed);
  }
  if (asked.length < threshold)
    return { kind: 'aborted', reason: 'TooFewChecks', have: signed.length, need, members: [] };
  const answers = block.config.members.map(() => null);
  return { kind: 'ready', state: { ...state, kind: 'unmasking', asked, answers }, checksFor };
}

/** From the first answer on the reservation may no longer be voided by habit: compare answersHeld with threshold. */
export function receiveUnmasking<State extends RoundState>(
  primitives: Primitives,
  state: State,
  bytes: Uint8Array,
): Received<State> {
  if (state.kind !== 'unmasking') return rejected(state, 'NotExpected');
  const kept = Uint8Array.from(bytes);
  const checked = authenticate<Unmasking>(primitives, state, 'Unmasking', state.survivors, () =>
    decodeUnmasking(kept),
  );
  if (typeof checked === 'string') return rejected(state, checked);
  const { message, from } = checked;
  if (!answersWhatWasAsked(state, message)) return rejected(state, 'WrongAnswer');
  const known = state.answers[message.sender];
  if (known != null)
    return equalBytes(known, bytes) ? { kind: 'duplicate', state, from } : rejected(state, 'Conflict');
  const answers = state.answers.with(message.sender, kept);
  const answersHeld = state.answersHeld + 1;
  return { kind: 'accepted', state: { ...state, answers, answersHeld }, from };
}

/** Exactly the members asked for, each with the kind of share that its fate calls for, or none. */
function answersWhatWasAsked(state: UnmaskingRound, { sender, answers }: Unmasking): boolean {
  const inRound = new Set(state.expected);
  const alive = new Set(state.survivors);
  const asked = dealers(state.block.graph, sender).filter((member) => inRound.has(member));
  const answered = answers.map(({ member }) => member);
  if (!sameSet(asked, answered)) return false;
  return answers.every(
    ({ member, kind }) => kind === 'none' || kind === (alive.has(member) ? 'seed' : 'mask'),
  );
}
