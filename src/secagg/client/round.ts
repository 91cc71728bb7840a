import { equalBytes } from '@noble/ciphers/utils.js';
import { memberIds } from '../block.js';
import { survivorFloor } from '../graph.js';
import { pairMask, scalarBytes, selfMask } from '../keys.js';
import { addMasks, toRing } from '../mask.js';
import {
  type ConsistencyCheck,
  decodeConsistencyCheck,
  encodeConsistencyCheck,
  encodeMaskedInput,
  encodeUnmasking,
  type ShareAnswer,
} from '../messages.js';
import { packBits } from '../packing.js';
import { SecaggRefusal } from '../refusal.js';
import { assertRoundContext, memberSet, type RoundContext, roundTranscript, sameSet } from '../round.js';
import { SCALAR_BYTES } from '../shamir.js';
import { signInPlace, verifySigned } from '../signing.js';
import { MalformedMessage } from '../wire.js';
import type { AnsweredSlot, BurntSlot, MaskedSlot, ReadyMember, SignedSlot, SlotState } from './state.js';

interface Opening {
  readonly expected: number[];
  readonly slot: Exclude<SlotState, AnsweredSlot | BurntSlot>;
  readonly transcript: Uint8Array;
  readonly attempt: string;
}

/**
 * Whether this member may send its masked input for the round: context, members, floor, slot. Throws SecaggRefusal; to be asked
 * before anything is paid for or any record looked at.
 */
export function assertMayMask(state: ReadyMember, round: RoundContext): Opening {
  const { primitives, config, self } = state;
  const expected = assertRoundContext(config, round);
  if (!expected.every((member) => state.members.includes(member)))
    throw new SecaggRefusal('InvalidRound', 'the round expects a member that did not share its keys');
  if (!expected.includes(self))
    throw new SecaggRefusal('NotExpected', `round ${round.round} does not expect ${state.identity.id}`);
  const floor = survivorFloor(config, state.graph);
  if (expected.length < floor)
    throw new SecaggRefusal(
      'CohortTooSmall',
      `the round expects ${expected.length} members, ${floor} are needed`,
    );
  const slot = slotAt(state, round.slot);
  const transcript = roundTranscript(primitives, state.setup, round, expected);
  const attempt = `${round.attempt} ${round.round}`;
  if (slot.kind === 'answered') throw used(round.slot);
  if (slot.kind === 'fresh') assertNewAttempt(state, attempt);
  else if (!equalBytes(slot.transcript, transcript)) throw used(round.slot);
  return { expected, slot, transcript, attempt };
}

/**
 * MaskedInput: y = x + PRG(self) + Σ ±PRG(pair) modulo 2^modulusBits. One slot, one masked input: an equal
 * request gives the same bytes again, another one is refused; the slot is bound to this round for ever.
 *
 * @param vector `dimension` ring elements: unsigned below 2^b, or signed in [−2^(b−1), 2^(b−1)); noise included.
 */
export function createMaskedInput(
  state: ReadyMember,
  round: RoundContext,
  vector: Int32Array | Uint32Array,
): { state: ReadyMember; message: Uint8Array } {
  const { primitives, self } = state;
  const { expected, slot, transcript, attempt } = assertMayMask(state, round);
  if (vector.length !== round.dimension)
    throw new SecaggRefusal(
      'InvalidVector',
      `${vector.length} coordinates, the round has ${round.dimension}`,
    );
  const elements = toRing(vector, round.modulusBits);
  if (elements === undefined)
    throw new SecaggRefusal('InvalidVector', `a coordinate does not fit into ${round.modulusBits} bits`);
  const neighbours = state.graph.neighbours(self).filter((member) => expected.includes(member));
  addMasks(primitives, elements, [
    selfMask(primitives, transcript, self, slot.seedRoot),
    ...neighbours.map((other) => pairMask(primitives, transcript, self, other, slot.pairSecrets.get(other)!)),
  ]);
  const packed = packBits(elements, round.modulusBits);
  const message = encodeMaskedInput(self, round.slot, round.dimension, round.modulusBits, packed);
  const inputDigest = signInPlace(primitives, state.identity.seed, 'MaskedInput', transcript, message);
  if (slot.kind !== 'fresh') {
    // Ed25519 is deterministic, so an equal body is an equal message.
    if (!equalBytes(inputDigest, slot.inputDigest)) throw used(round.slot);
    return { state, message };
  }
  const masked: MaskedSlot = { ...slot, kind: 'masked', transcript, attempt, expected, inputDigest };
  return { state: withSlot(state, round.slot, masked), message };
}

/**
 * ConsistencyCheck: the signature over the survivors U₂ that the coordinator names. The first valid set is signed
 * and no other ever, so that no lying server gets signatures on two (S3).
 */
export function handleSurvivors(
  state: ReadyMember,
  slotNumber: number,
  survivors: readonly string[],
): { state: ReadyMember; message: Uint8Array } {
  const slot = slotAt(state, slotNumber);
  if (slot.kind === 'fresh') throw outOfOrder(slotNumber, 'no masked input was sent');
  const named = memberSet(state.config, survivors, () => {
    throw new SecaggRefusal('InvalidSurvivors', 'survivors must be members, sorted by id, each once');
  });
  if (!named.every((member) => slot.expected.includes(member)))
    throw new SecaggRefusal('InvalidSurvivors', 'a survivor was not expected in this round');
  if (!named.includes(state.self))
    throw new SecaggRefusal(
      'InvalidSurvivors',
      'my own masked input is declared lost; I unmask nothing without it',
    );
  const floor = survivorFloor(state.config, state.graph);
  if (named.length < floor)
    throw new SecaggRefusal('TooFewSurvivors', `${named.length} survivors, ${floor} are needed`);
  if (slot.kind !== 'masked') {
    if (!sameSet(named, slot.survivors))
      throw new SecaggRefusal('SurvivorsConflict', 'another set of survivors was already signed');
    return { state, message: slot.check };
  }
  const check = encodeConsistencyCheck(state.self, slotNumber, named);
  signInPlace(state.primitives, state.identity.seed, 'ConsistencyCheck', slot.transcript, check);
  const signed: SignedSlot = { ...slot, kind: 'signed', survivors: named, check };
  return { state: withSlot(state, slotNumber, signed), message: check };
}

/**
 * Unmasking: for every expected member either its seed share (alive) or its mask-key share (dropped), once at
 * least t shareholders of this member, itself included, signed the same survivors over the same round. One
 * answer a slot for ever; asked again, the same bytes again (S5). Persist it before it is sent.
 */
export function handleConsistency(
  state: ReadyMember,
  slotNumber: number,
  checks: readonly Uint8Array[],
): { state: ReadyMember; message: Uint8Array; survivors: string[] } {
  const slot = slotAt(state, slotNumber);
  if (slot.kind === 'fresh' || slot.kind === 'masked')
    throw outOfOrder(slotNumber, 'no survivors were signed');
  const survivors = memberIds(state.config, slot.survivors);
  if (slot.kind === 'answered') return { state, message: slot.answer, survivors };

  const valid = countChecks(state, slotNumber, slot, checks);
  if (valid < state.graph.threshold)
    throw new SecaggRefusal(
      'TooFewChecks',
      `${valid} valid signatures on the survivors, ${state.graph.threshold} are needed`,
    );
  const answers = slot.expected
    .filter((member) => state.graph.dealers(state.self).includes(member))
    .map((member): ShareAnswer => {
      const shares = slot.shares.get(member);
      if (shares === undefined) return { member, kind: 'none', share: new Uint8Array(SCALAR_BYTES) };
      // One kind or the other is all that this expression can say of a member (S4).
      return slot.survivors.includes(member)
        ? { member, kind: 'seed', share: scalarBytes(shares.seed) }
        : { member, kind: 'mask', share: scalarBytes(shares.mask) };
    });
  const answer = encodeUnmasking(state.self, slotNumber, answers);
  signInPlace(state.primitives, state.identity.seed, 'Unmasking', slot.transcript, answer);
  const { transcript, attempt, expected, check } = slot;
  const answered: SlotState = {
    kind: 'answered',
    transcript,
    attempt,
    expected,
    survivors: slot.survivors,
    check,
    answer,
  };
  return { state: withSlot(state, slotNumber, answered), message: answer, survivors };
}

/** Gives a slot up: its secrets are dropped and it never answers (again). */
export function abandonSlot(state: ReadyMember, slotNumber: number): { state: ReadyMember } {
  if (state.slots[slotNumber] === undefined)
    throw new SecaggRefusal('InvalidRound', `block ${state.config.block} has no slot ${slotNumber}`);
  return { state: withSlot(state, slotNumber, { kind: 'burnt' }) };
}

/** Own signature included without a look; others' checked until the threshold is reached. */
function countChecks(
  state: ReadyMember,
  slotNumber: number,
  slot: SignedSlot,
  checks: readonly Uint8Array[],
): number {
  const shareholders = state.graph.shareholders(state.self);
  const valid = new Set(shareholders.includes(state.self) ? [state.self] : []);
  for (const bytes of checks) {
    if (valid.size >= state.graph.threshold) break;
    const check = tryDecode(bytes);
    if (check === undefined || check.slot !== slotNumber || valid.has(check.sender)) continue;
    if (!shareholders.includes(check.sender) || !slot.survivors.includes(check.sender)) continue;
    if (!sameSet(check.survivors, slot.survivors)) continue;
    const identity = state.identities[check.sender]!;
    if (verifySigned(state.primitives, identity, 'ConsistencyCheck', slot.transcript, check) !== undefined)
      valid.add(check.sender);
  }
  return valid.size;
}

function tryDecode(bytes: Uint8Array): ConsistencyCheck | undefined {
  try {
    return decodeConsistencyCheck(bytes);
  } catch (error) {
    if (error instanceof MalformedMessage) return undefined;
    throw error;
  }
}

function slotAt(state: ReadyMember, slot: number): Exclude<SlotState, { kind: 'burnt' }> {
  const found = state.slots[slot];
  if (found === undefined)
    throw new SecaggRefusal('InvalidRound', `block ${state.config.block} has no slot ${slot}`);
  if (found.kind === 'burnt') throw new SecaggRefusal('SlotBurnt', `slot ${slot} was given up`);
  return found;
}

function withSlot(state: ReadyMember, slot: number, next: SlotState): ReadyMember {
  return { ...state, slots: state.slots.with(slot, next) };
}

function assertNewAttempt(state: ReadyMember, attempt: string): void {
  for (const slot of state.slots)
    if ('attempt' in slot && slot.attempt === attempt)
      throw new SecaggRefusal(
        'RoundReused',
        'this attempt of the round was already served from another slot',
      );
}

function used(slot: number): SecaggRefusal {
  return new SecaggRefusal('SlotUsed', `slot ${slot} serves another round or vector; take the next slot`);
}

function outOfOrder(slot: number, why: string): SecaggRefusal {
  return new SecaggRefusal('OutOfOrder', `slot ${slot}: ${why}`);
}
