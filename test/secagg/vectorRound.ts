import { hexToBytes } from '@noble/hashes/utils.js';
import { inlineMaskWork } from '../../src/crypto/maskWork.js';
import type { Primitives } from '../../src/crypto/primitives.js';
import {
  type Aborted,
  type CharterFloors,
  closeConsistency,
  closeMaskedInputs,
  createMaskedInput,
  type Evidence,
  EvidenceRejected,
  handleConsistency,
  handleSurvivors,
  openRound,
  type Party,
  type ReadyBlock,
  type ReadyMember,
  type Received,
  receiveConsistency,
  receiveMaskedInput,
  receiveUnmasking,
  type UnmaskAborted,
  type Unmasked,
  unmask,
  unpackBits,
  verifyEvidence,
} from '../../src/secagg/index.js';
import { pairMask, selfMask } from '../../src/secagg/keys.js';
import { decodeMaskedInput, decodeUnmasking, encodeUnmasking } from '../../src/secagg/messages.js';
import { survivorsDigest } from '../../src/secagg/round.js';
import { evidenceOf } from '../../src/secagg/server/evidence.js';
import { signInPlace } from '../../src/secagg/signing.js';
import {
  type Deviation,
  digested,
  hex,
  type Json,
  plain,
  type RoundInputs,
  type Sent,
  spelled,
  type VectorInputs,
} from './vectorForm.js';

export interface Table {
  readonly inputs: VectorInputs;
  readonly primitives: Primitives;
  readonly players: readonly { readonly party: Party }[];
}

export async function playRound(
  { inputs, primitives, players }: Table,
  block: ReadyBlock,
  members: Map<number, ReadyMember>,
  { context, vectors, silentFrom }: RoundInputs,
): Promise<{ readonly outputs: Json; readonly judgements: readonly Json[] }> {
  const { compact, config } = inputs;
  const listed = compact ? digested : spelled;
  const { slot, dimension, modulusBits } = context;
  const idOf = (member: number) => config.members[member]!.id;
  const gone = new Set<string>(silentFrom.MaskedInput);
  const active = (among: readonly number[]) => among.filter((member) => !gone.has(idOf(member)));

  let collecting = openRound(primitives, block, context);
  const { transcript, expected } = collecting;
  const maskedInputs: Sent[] = [];
  for (const member of active(expected)) {
    const ready = members.get(member)!;
    const fresh = ready.slots[slot]!;
    if (fresh.kind !== 'fresh') throw new Error(`slot ${slot} is ${fresh.kind}`);
    const vector = Int32Array.from(vectors[idOf(member)]!);
    const unsigned = vectors[idOf(member)]!.every((x) => x >= 0);
    const { state, outbound } = await createMaskedInput(
      players[member]!.party,
      ready,
      context,
      unsigned ? Uint32Array.from(vector) : vector,
    );
    members.set(member, state);
    const message = outbound.release('restart-abandons');
    collecting = took(receiveMaskedInput(primitives, collecting, message));
    const { packed } = decodeMaskedInput(message, dimension, modulusBits);
    const pairs = fresh.pairSecrets
      .filter((pair) => expected.includes(pair.member))
      .map(({ member: other, secret }) => {
        const { key, sign } = pairMask(primitives, transcript, member, other, secret);
        return { member: other, sign, key: hex(key) };
      });
    maskedInputs.push({
      member,
      message,
      shown: {
        selfMaskKey: hex(selfMask(primitives, transcript, member, fresh.seedRoot).key),
        pairMasks: pairs,
        masked: [...unpackBits(packed, dimension, modulusBits)],
      },
    });
  }
  const first = {
    transcript: hex(transcript),
    expected,
    maskedInputs: listed(primitives, maskedInputs),
  };
  const ended = (outputs: { readonly [key: string]: Json }, aborted: Aborted) => ({
    outputs: { ...outputs, outcome: aborted as unknown as Json },
    judgements: [],
  });
  const inputsClosed = closeMaskedInputs(collecting);
  if (inputsClosed.kind === 'aborted') return ended(first, inputsClosed);

  let checking = inputsClosed.state;
  const { survivors } = checking;
  for (const id of silentFrom.ConsistencyCheck) gone.add(id);
  const checks: Sent[] = [];
  for (const member of active(survivors)) {
    const { party } = players[member]!;
    const { state, outbound } = handleSurvivors(party, members.get(member)!, slot, inputsClosed.survivors);
    members.set(member, state);
    const message = outbound.release('restart-abandons');
    checking = took(receiveConsistency(primitives, checking, message));
    checks.push({ member, message, shown: {} });
  }
  const second = {
    ...first,
    survivors,
    survivorsDigest: hex(survivorsDigest(primitives, survivors)),
    consistencyChecks: listed(primitives, checks),
  };
  const checksClosed = closeConsistency(checking);
  if (checksClosed.kind === 'aborted') return ended(second, checksClosed);

  let unmasking = checksClosed.state;
  for (const id of silentFrom.Unmasking) gone.add(id);
  const answers: Sent[] = [];
  for (const member of active(unmasking.asked)) {
    const { party } = players[member]!;
    const relayed = checksClosed.checksFor.get(idOf(member))!;
    const { state, outbound } = handleConsistency(party, members.get(member)!, slot, relayed);
    members.set(member, state);
    const message = outbound.release('restart-abandons').slice();
    answerAs(inputs.deviations, party, member, slot, transcript, message);
    unmasking = took(receiveUnmasking(primitives, unmasking, message));
    answers.push({ member, message, shown: {} });
  }
  const outcome = await unmask(primitives, inlineMaskWork(primitives), unmasking);
  const judged = inputs.judgements(outcome.evidence, {
    pretend: (lie, dealer, responders) =>
      evidenceOf(
        primitives,
        unmasking,
        lie === 'wrong-opening'
          ? { kind: lie, dealer, responder: responders[0]! }
          : { kind: lie, dealer, responders },
      ),
  });
  return {
    outputs: {
      ...second,
      asked: unmasking.asked,
      unmaskings: listed(primitives, answers),
      outcome: outcomeJson(outcome, (evidence) => judge(primitives, inputs.floors, evidence)),
    },
    judgements: judged.map(({ description, of, changed }) => ({
      description,
      of,
      changed: plain(changed),
      verdict: judge(primitives, inputs.floors, { ...outcome.evidence[of]!, ...changed }),
    })),
  };
}

/** The lies of one answer, in place. */
function answerAs(
  deviations: readonly Deviation[],
  { primitives, identity }: Party,
  self: number,
  slot: number,
  transcript: Uint8Array,
  message: Uint8Array,
): void {
  const lies = deviations.flatMap((deviation) =>
    deviation.kind === 'wrong-opening' && deviation.member === self && deviation.slot === slot
      ? [deviation]
      : [],
  );
  if (lies.length === 0) return;
  const answers = decodeUnmasking(message).answers.map((answer) => {
    const lie = lies.find(({ dealer }) => dealer === answer.member);
    if (lie === undefined) return answer;
    const xor = hexToBytes(lie.xor);
    return { ...answer, opening: Uint8Array.from(answer.opening, (byte, i) => byte ^ xor[i]!) };
  });
  message.set(encodeUnmasking(self, slot, answers));
  signInPlace(primitives, identity.seed, 'Unmasking', transcript, message);
}

function judge(primitives: Primitives, floors: CharterFloors, evidence: Evidence): Json {
  try {
    return verifyEvidence(primitives, floors, evidence);
  } catch (error) {
    if (error instanceof EvidenceRejected) return { rejected: error.code };
    throw error;
  }
}

function outcomeJson(outcome: Unmasked | UnmaskAborted, verdict: (evidence: Evidence) => Json): Json {
  const evidence = outcome.evidence.map((item) => ({ evidence: plain(item), verdict: verdict(item) }));
  if (outcome.kind === 'unmasked')
    return { kind: outcome.kind, sum: [...outcome.sum], survivors: outcome.survivors, evidence };
  return { ...outcome, evidence };
}

export function took<State>(received: Received<State>): State {
  if (received.kind !== 'accepted')
    throw new Error(`${received.kind} ${received.kind === 'rejected' ? received.reason : ''}`);
  return received.state;
}
