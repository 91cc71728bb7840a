import { bytesToHex, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { expect } from 'vitest';
import { inlineMaskWork } from '../../src/crypto/maskWork.js';
import { nodePrimitives } from '../../src/crypto/nodePrimitives.js';
import { planEncoding } from '../../src/privacy/encoding.js';
import type { SumQuery } from '../../src/privacy/sumQuery.js';
import type { BlockConfig } from '../../src/secagg/block.js';
import type { RoundContext } from '../../src/secagg/round.js';
import {
  closeAdverts,
  closeShares,
  createBlock,
  receiveAdvert,
  receiveShares,
  shareBundle,
} from '../../src/secagg/server/block.js';
import {
  closeConsistency,
  closeMaskedInputs,
  openRound,
  receiveConsistency,
  receiveMaskedInput,
  receiveUnmasking,
} from '../../src/secagg/server/round.js';
import type { Aborted, Received } from '../../src/secagg/server/state.js';
import { unmask } from '../../src/secagg/server/unmask.js';
import type { MemberScript, ScriptedMember } from './member.js';

const cohort = { minSurvivors: 3, maxColluders: 1 };
const IDS = ['a', 'b', 'c', 'd'];
/** Silent once its keys are shared. */
export const LOST = 'd';

/** Four members and what each of them has to say, from one seed. */
export function scripts(seed: string): MemberScript[] {
  const digest = (text: string): string => bytesToHex(nodePrimitives.sha256(utf8ToBytes(`${seed} ${text}`)));
  const identitySeeds = IDS.map((id) => digest(`identity ${id}`));
  const dimension = 1000;
  const query: SumQuery = {
    version: 1,
    kind: 'test/portable',
    dimension,
    l2Sensitivity: 1,
    samplingRate: 1,
    encoding: planEncoding({
      dimension,
      l2Sensitivity: 1,
      noiseMultiplier: 1,
      maxCoordinate: 20,
      cohort,
      members: IDS.length,
      rounding: 'nearest',
    }),
    models: [],
    parameters: {},
  };
  const config: BlockConfig = {
    protocolVersion: 2,
    federation: 'test',
    charterDigest: digest('charter'),
    block: 'block-1',
    slots: 2,
    members: IDS.map((id, i) => ({
      id,
      publicKey: bytesToHex(nodePrimitives.ed25519PublicKey(hexToBytes(identitySeeds[i]!))),
    })),
    ...cohort,
    graph: 'complete',
  };
  return IDS.map((id, i) => ({
    id,
    identitySeed: identitySeeds[i]!,
    randomness: digest(`randomness ${id}`),
    config,
    query,
    // Negative, halves of ring steps, and beyond the clamp.
    sum: Array.from({ length: dimension }, (_, k) => ((k - 500) * (i + 1)) / 64 + 2 ** -13),
  }));
}

export interface Played {
  /** Every message of every member, hex, in the order sent. */
  readonly messages: readonly string[];
  /** Of the survivors' contributions, modulo 2^modulusBits. */
  readonly sum: Uint32Array;
}

/** A set-up and a round: the real coordinator, and members wherever they are. */
export async function playRound(
  cast: readonly MemberScript[],
  memberOf: (script: MemberScript) => ScriptedMember,
): Promise<Played> {
  const { config, query } = cast[0]!;
  const round: RoundContext = {
    block: config.block,
    slot: 1,
    round: 'round-1',
    attempt: 1,
    queryDigest: config.charterDigest,
    modelDigest: config.charterDigest,
    dimension: query.dimension,
    modulusBits: query.encoding.modulusBits,
    expected: cast.map(({ id }) => id),
  };
  const members = cast.map((script) => ({ id: script.id, member: memberOf(script) }));
  const singing = members.filter(({ id }) => id !== LOST);
  const messages: string[] = [];
  const sent = (message: string): Uint8Array => {
    messages.push(message);
    return hexToBytes(message);
  };

  let advertising = createBlock(nodePrimitives, config);
  for (const { member } of members)
    advertising = accepted(receiveAdvert(nodePrimitives, advertising, sent(await member.advertiseKeys())));
  const adverts = closed(closeAdverts(nodePrimitives, advertising));
  let sharing = adverts.state;
  for (const { member } of members) {
    const message = await member.shareKeys(adverts.adverts.map(bytesToHex));
    sharing = accepted(receiveShares(nodePrimitives, sharing, sent(message)));
  }
  const block = closed(closeShares(nodePrimitives, sharing)).state;

  let collecting = openRound(nodePrimitives, block, round);
  for (const { id, member } of singing) {
    const message = await member.maskedInput(bytesToHex(shareBundle(nodePrimitives, block, id)), round);
    collecting = accepted(receiveMaskedInput(nodePrimitives, collecting, sent(message)));
  }
  const inputs = closed(closeMaskedInputs(collecting));
  let checking = inputs.state;
  for (const { member } of singing) {
    const message = await member.consistencyCheck(round.slot, inputs.survivors);
    checking = accepted(receiveConsistency(nodePrimitives, checking, sent(message)));
  }
  const checks = closed(closeConsistency(checking));
  let unmasking = checks.state;
  for (const { id, member } of singing) {
    const message = await member.unmasking(round.slot, checks.checksFor.get(id)!.map(bytesToHex));
    unmasking = accepted(receiveUnmasking(nodePrimitives, unmasking, sent(message)));
  }
  const outcome = await unmask(nodePrimitives, inlineMaskWork(nodePrimitives), unmasking);
  if (outcome.kind === 'aborted') throw new Error(`the round aborted: ${outcome.reason}`);
  return { messages, sum: outcome.sum };
}

function accepted<State>(received: Received<State>): State {
  expect(received.kind === 'rejected' ? received.reason : received.kind).toBe('accepted');
  return received.state;
}

function closed<T extends { kind: 'ready' }>(outcome: T | Aborted): T {
  expect(outcome.kind === 'aborted' ? outcome.reason : outcome.kind).toBe('ready');
  return outcome as T;
}
