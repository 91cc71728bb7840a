import { equalBytes } from '@noble/ciphers/utils.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { survivorFloor } from '../graph.js';
import { scalarFrom } from '../keys.js';
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
import { assertRoundContext, type RoundContext, roundTranscript, sameSet } from '../round.js';
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
export function openRound(block: ReadyBlock, context: RoundContext): CollectingRound {
  return restoreRound(block, context, { sum: new Uint32Array(context.dimension), members: new Map() });
}

/** Goes on from a running sum that was made durable together with the set of members in it; both are copied. */
export function restoreRound(block: ReadyBlock, context: RoundContext, running: RunningSum): CollectingRound {
  const expected = assertRoundContext(block.config, context);
  if (!expected.every((member) => block.members.includes(member)))
    throw new SecaggRefusal('InvalidRound', 'the round expects a member that did not share its keys');
  const need = survivorFloor(block.config, block.graph);
  if (expected.length < need)
    throw new SecaggRefusal(
      'CohortTooSmall',
      `the round expects ${expected.length} members, ${need} are needed`,
    );
  if (running.sum.length !== context.dimension)
    throw new SecaggRefusal('InvalidRound', 'the running sum has another dimension than the round');
  for (const id of running.members.keys())
    if (!context.expected.includes(id))
      throw new SecaggRefusal('InvalidRound', `the running sum holds ${id}, whom the round does not expect`);
  return {
    kind: 'collecting',
    block,
    context,
    transcript: roundTranscript(block.primitives, block.setup, context, expected),
    expected,
    threshold: block.threshold,
    answersHeld: 0,
    running: { sum: running.sum.slice(), members: new Map(running.members) },
  };
}

/** Decodes, then checks slot, sender and signature: the parts that all three round messages have in common. */
function authenticate<Message extends Signed & { sender: number; slot: number }>(
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
  const identity = block.identities[message.sender];
  if (identity === undefined) return 'UnknownSender';
  if (message.slot !== context.slot) return 'WrongSlot';
  if (!senders.includes(message.sender)) return 'NotExpected';
  const digest = verifySigned(block.primitives, identity, kind, transcript, message);
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
  state: State,
  bytes: Uint8Array,
): Received<State> {
  const { dimension, modulusBits } = state.context;
  if (bytes.length !== maskedInputBytes(dimension, modulusBits)) return rejected(state, 'WrongLength');
  const checked = authenticate(state, 'MaskedInput', state.expected, () =>
    decodeMaskedInput(bytes, dimension, modulusBits),
  );
  if (typeof checked === 'string') return rejected(state, checked);
  const { message, from } = checked;
  const digest = bytesToHex(checked.digest);
  const known = state.running.members.get(from);
  if (known !== undefined)
    return known === digest ? { kind: 'duplicate', state, from } : rejected(state, 'Conflict');
  if (state.kind !== 'collecting') return rejected(state, 'PhaseClosed');
  try {
    addPacked(state.running.sum, message.packed, modulusBits);
  } catch (error) {
    if (error instanceof MalformedMessage) return rejected(state, 'Malformed');
    throw error;
  }
  (state.running.members as Map<string, string>).set(from, digest);
  return { kind: 'accepted', state, from };
}

/** Fixes U₂, those whose vectors are in the sum; later inputs are refused. */
export function closeMaskedInputs(
  state: CollectingRound,
): { kind: 'ready'; state: CheckingRound; survivors: readonly string[] } | Aborted {
  const { block, context, running, expected } = state;
  const survivors = expected.filter((member) => running.members.has(block.config.members[member]!.id));
  const need = survivorFloor(block.config, block.graph);
  if (survivors.length < need)
    return { kind: 'aborted', reason: 'TooFewMaskedInputs', have: survivors.length, need, members: [] };
  return {
    kind: 'ready',
    state: { ...state, kind: 'checking', survivors, checks: new Map() },
    survivors: context.expected.filter((id) => running.members.has(id)),
  };
}

export function receiveConsistency<State extends RoundState>(
  state: State,
  bytes: Uint8Array,
): Received<State> {
  if (state.kind === 'collecting') return rejected(state, 'NotExpected');
  const checked = authenticate<ConsistencyCheck>(state, 'ConsistencyCheck', state.survivors, () =>
    decodeConsistencyCheck(bytes),
  );
  if (typeof checked === 'string') return rejected(state, checked);
  const { message, from } = checked;
  if (!sameSet(message.survivors, state.survivors)) return rejected(state, 'WrongSurvivors');
  const known = state.checks.get(message.sender);
  if (known !== undefined)
    return equalBytes(known, bytes) ? { kind: 'duplicate', state, from } : rejected(state, 'Conflict');
  if (state.kind !== 'checking') return rejected(state, 'PhaseClosed');
  const checks = new Map(state.checks).set(message.sender, bytes.slice());
  return { kind: 'accepted', state: { ...state, checks } as State, from };
}

/** The signatures to relay to every survivor, or an abort: fewer than t would make no member answer. */
export function closeConsistency(
  state: CheckingRound,
): { kind: 'ready'; state: UnmaskingRound; checks: readonly Uint8Array[] } | Aborted {
  const have = state.checks.size;
  if (have < state.threshold)
    return { kind: 'aborted', reason: 'TooFewChecks', have, need: state.threshold, members: [] };
  return {
    kind: 'ready',
    state: { ...state, kind: 'unmasking', answers: new Map() },
    checks: [...state.checks.values()],
  };
}

/** From the first answer on the reservation may no longer be voided by habit: compare answersHeld with threshold. */
export function receiveUnmasking<State extends RoundState>(state: State, bytes: Uint8Array): Received<State> {
  if (state.kind !== 'unmasking') return rejected(state, 'NotExpected');
  const checked = authenticate<Unmasking>(state, 'Unmasking', state.survivors, () => decodeUnmasking(bytes));
  if (typeof checked === 'string') return rejected(state, checked);
  const { message, from } = checked;
  if (!answersWhatWasAsked(state, message)) return rejected(state, 'WrongAnswer');
  const known = state.answers.get(message.sender);
  if (known !== undefined)
    return equalBytes(known.bytes, bytes) ? { kind: 'duplicate', state, from } : rejected(state, 'Conflict');
  const answers = new Map(state.answers).set(message.sender, { bytes: bytes.slice(), message });
  return { kind: 'accepted', state: { ...state, answers, answersHeld: answers.size } as State, from };
}

/** Exactly the members asked for, each with the kind of share that its fate calls for, canonical, or none. */
function answersWhatWasAsked(state: UnmaskingRound, { sender, answers }: Unmasking): boolean {
  const dealers = state.block.graph.dealers(sender);
  const asked = state.expected.filter((member) => dealers.includes(member));
  if (
    !sameSet(
      asked,
      answers.map(({ member }) => member),
    )
  )
    return false;
  return answers.every(({ member, kind, share }) => {
    if (kind === 'none') return true;
    const wanted = state.survivors.includes(member) ? 'seed' : 'mask';
    return kind === wanted && scalarFrom(share) !== undefined;
  });
}
