import { equalBytes } from '@noble/ciphers/utils.js';
import { identityKeys, memberIds } from '../block.js';
import { openingAt } from '../dealing.js';
import { dealers, neighbours, shareholders, survivesCut, survivorFloor, survivorQuorum } from '../graph.js';
import { pairMask, type SecretKind, selfMask } from '../keys.js';
import { toRing } from '../mask.js';
import {
  type ConsistencyCheck,
  decodeConsistencyCheck,
  encodeConsistencyCheck,
  encodeUnmasking,
  frameMaskedInput,
  OPENING_BYTES,
  type ShareAnswer,
} from '../messages.js';
import { packBits } from '../packing.js';
import { SecaggRefusal } from '../refusal.js';
import {
  assertRoundContext,
  memberSet,
  type RoundContext,
  roundTranscript,
  sameSet,
  survivorsDigest,
} from '../round.js';
import { signInPlace, verifySigned } from '../signing.js';
import { MalformedMessage } from '../wire.js';
import { Outbound, type Transition } from './outbound.js';
import type {
  AnsweredSlot,
  BurntSlot,
  MaskedSlot,
  Party,
  ReadyMember,
  SignedSlot,
  SlotState,
} from './state.js';

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
export function assertMayMask(
  { primitives, identity }: Pick<Party, 'primitives' | 'identity'>,
  state: ReadyMember,
  round: RoundContext,
): Opening {
  const { config, self } = state;
  const expected = assertRoundContext(config, round);
  if (!expected.every((member) => state.members.includes(member)))
    throw new SecaggRefusal('InvalidRound', 'the round expects a member that did not share its keys');
  if (!expected.includes(self))
    throw new SecaggRefusal('NotExpected', `round ${round.round} does not expect ${identity.id}`);
  const floor = survivorFloor(config, state.graph);
  if (expected.length < floor)
    throw new SecaggRefusal(
      'CohortTooSmall',
      `the round expects ${expected.length} members, ${floor} are needed`,
    );
  const slot = slotAt(state, round.slot);
  const transcript = roundTranscript(primitives, state.transcript, round, expected);
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
export async function createMaskedInput(
  party: Party,
  state: ReadyMember,
  round: RoundContext,
  vector: Int32Array | Uint32Array,
): Promise<Transition<ReadyMember>> {
  const { primitives, identity, masks } = party;
  const { self } = state;
  const { expected, slot, transcript, attempt } = assertMayMask(party, state, round);
  if (vector.length !== round.dimension)
    throw new SecaggRefusal(
      'InvalidVector',
      `${vector.length} coordinates, the round has ${round.dimension}`,
    );
  const elements = masks.vector(round.dimension);
  if (!toRing(vector, round.modulusBits, elements))
    throw new SecaggRefusal('InvalidVector', `a coordinate does not fit into ${round.modulusBits} bits`);
  const inRound = new Set(expected);
  const linked = new Set(neighbours(state.graph, self).filter((member) => inRound.has(member)));
  await masks.addMasks(elements, [
    selfMask(primitives, transcript, self, slot.seedRoot),
    ...slot.pairSecrets
      .filter(({ member }) => linked.has(member))
      .map(({ member, secret }) => pairMask(primitives, transcript, self, member, secret)),
  ]);
  const { message, room } = frameMaskedInput(self, round.slot, round.dimension, round.modulusBits);
  packBits(elements, round.modulusBits, room);
  masks.release(elements);
  const inputDigest = signInPlace(primitives, identity.seed, 'MaskedInput', transcript, message);
  const outbound = new Outbound(message);
  if (slot.kind !== 'fresh') {
    // Ed25519 is deterministic, so an equal body is an equal message.
    if (!equalBytes(inputDigest, slot.inputDigest)) throw used(round.slot);
    return { state, outbound };
  }
  const masked: MaskedSlot = { ...slot, kind: 'masked', transcript, attempt, expected, inputDigest };
  return { state: withSlot(state, round.slot, masked), outbound };
}

/**
 * ConsistencyCheck: the signature over the survivors U₂ that the coordinator names. The first valid set is signed
 * and no other ever, so that no lying server gets signatures on two (S3).
 */
export function handleSurvivors(
  { primitives, identity }: Pick<Party, 'primitives' | 'identity'>,
  state: ReadyMember,
  slotNumber: number,
  survivors: readonly string[],
): Transition<ReadyMember> {
  const slot = slotAt(state, slotNumber);
  if (slot.kind === 'fresh') throw outOfOrder(slotNumber, 'no masked input was sent');
  const named = memberSet(state.config, survivors, () => {
    throw new SecaggRefusal('InvalidSurvivors', 'survivors must be members, sorted by id, each once');
  });
  const inRound = new Set(slot.expected);
  if (!named.every((member) => inRound.has(member)))
    throw new SecaggRefusal('InvalidSurvivors', 'a survivor was not expected in this round');
  if (!named.includes(state.self))
    throw new SecaggRefusal(
      'InvalidSurvivors',
      'my own masked input is declared lost; I unmask nothing without it',
    );
  const floor = survivorFloor(state.config, state.graph);
  if (named.length < floor)
    throw new SecaggRefusal('TooFewSurvivors', `${named.length} survivors, ${floor} are needed`);
  if (!survivesCut(state.graph, named))
    throw new SecaggRefusal(
      'SurvivorsSplit',
      'the survivors leave gaps in the ring through which colluders could split the sum in two',
    );
  if (slot.kind !== 'masked') {
    if (!sameSet(named, slot.survivors))
      throw new SecaggRefusal('SurvivorsConflict', 'another set of survivors was already signed');
    return { state, outbound: new Outbound(slot.check) };
  }
  const check = encodeConsistencyCheck(state.self, slotNumber, survivorsDigest(primitives, named));
  signInPlace(primitives, identity.seed, 'ConsistencyCheck', slot.transcript, check);
  const signed: SignedSlot = { ...slot, kind: 'signed', survivors: named, check };
  return { state: withSlot(state, slotNumber, signed), outbound: new Outbound(check) };
}

/**
 * Unmasking: for every expected member either its seed share (alive) or its mask-key share (dropped), once at
 * least t of this member's shareholders, and a quorum of all, signed the same survivors over the same round. One
 * answer a slot for ever; asked again, the same bytes again (S5). Persist it before it is sent.
 */
export function handleConsistency(
  { primitives, identity }: Pick<Party, 'primitives' | 'identity'>,
  state: ReadyMember,
  slotNumber: number,
  checks: readonly Uint8Array[],
): Transition<ReadyMember> & { readonly survivors: readonly string[] } {
  const { graph } = state;
  const slot = slotAt(state, slotNumber);
  if (slot.kind === 'fresh' || slot.kind === 'masked')
    throw outOfOrder(slotNumber, 'no survivors were signed');
  const survivors = memberIds(state.config, slot.survivors);
  if (slot.kind === 'answered') return { state, outbound: new Outbound(slot.answer), survivors };

  const quorum = survivorQuorum(state.config, graph);
  const { holders, all } = countChecks(primitives, state, slotNumber, slot, checks);
  if (holders < graph.threshold || all < quorum)
    throw new SecaggRefusal(
      'TooFewChecks',
      `${holders} valid signatures of my shareholders on the survivors, ${graph.threshold} are needed; ${all} in all, ${quorum} are needed`,
    );
  const inRound = new Set(slot.expected);
  const alive = new Set(slot.survivors);
  const held = new Map(slot.openings.map(({ dealer, bytes }) => [dealer, bytes]));
  const answers = dealers(graph, state.self)
    .filter((member) => inRound.has(member))
    .map((member): ShareAnswer => {
      const openings = held.get(member);
      if (openings === undefined) return { member, kind: 'none', opening: new Uint8Array(OPENING_BYTES) };
      // One kind or the other is all that this expression can say of a member (S4).
      const kind: SecretKind = alive.has(member) ? 'seed' : 'mask';
      return { member, kind, opening: openingAt(openings, 0, kind) };
    });
  const answer = encodeUnmasking(state.self, slotNumber, answers);
  signInPlace(primitives, identity.seed, 'Unmasking', slot.transcript, answer);
  const { transcript, attempt, expected, check } = slot;
  const answered: AnsweredSlot = {
    kind: 'answered',
    transcript,
    attempt,
    expected,
    survivors: slot.survivors,
    check,
    answer,
  };
  return { state: withSlot(state, slotNumber, answered), outbound: new Outbound(answer), survivors };
}

/** Gives a slot up: its secrets are dropped and it never answers (again). */
export function abandonSlot(state: ReadyMember, slotNumber: number): { state: ReadyMember } {
  const slot = state.slots[slotNumber];
  if (slot === undefined)
    throw new SecaggRefusal('InvalidRound', `block ${state.config.block} has no slot ${slotNumber}`);
  const attempt = slot.kind === 'fresh' ? null : slot.attempt;
  return { state: withSlot(state, slotNumber, { kind: 'burnt', attempt }) };
}

interface Counted {
  /** Valid signatures of one's own shareholders. */
  readonly holders: number;
  /** Valid signatures of survivors. */
  readonly all: number;
}

/** Own signature included without a look; others' checked until both bounds are reached. */
function countChecks(
  primitives: Party['primitives'],
  state: ReadyMember,
  slotNumber: number,
  slot: SignedSlot,
  checks: readonly Uint8Array[],
): Counted {
  const { graph, config, self } = state;
  const quorum = survivorQuorum(config, graph);
  const alive = new Set(slot.survivors);
  const holding = new Set(shareholders(graph, self));
  const valid = new Set([self]);
  let holders = holding.has(self) ? 1 : 0;
  const signed = survivorsDigest(primitives, slot.survivors);
  for (const bytes of checks) {
    if (holders >= graph.threshold && valid.size >= quorum) break;
    const check = tryDecode(bytes);
    if (check === undefined || check.slot !== slotNumber) continue;
    const { sender } = check;
    if (valid.has(sender) || !alive.has(sender)) continue;
    const holds = holding.has(sender);
    // A quorum is there: only shareholders are wanted still.
    if (!holds && valid.size >= quorum) continue;
    if (!equalBytes(check.survivors, signed)) continue;
    const identity = identityKeys(config)[sender]!;
    if (verifySigned(primitives, identity, 'ConsistencyCheck', slot.transcript, check) === undefined)
      continue;
    valid.add(sender);
    if (holds) holders += 1;
  }
  return { holders, all: valid.size };
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
