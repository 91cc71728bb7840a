import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';
import { inlineMaskWork } from '../../src/crypto/maskWork.js';
import { noblePrimitives } from '../../src/crypto/noblePrimitives.js';
import type { Primitives } from '../../src/crypto/primitives.js';
import { seededRng, systemRng } from '../../src/crypto/rng.js';
import { sampleDiscreteGaussian } from '../../src/privacy/noise/discreteGaussian.js';
import { addShare, quantize } from '../../src/privacy/quantization.js';
import { checkQuery } from '../../src/privacy/queryCheck.js';
import type { SumQuery } from '../../src/privacy/sumQuery.js';
import type { BlockConfig } from '../../src/secagg/block.js';
import { createMaskedInput, handleConsistency, handleSurvivors } from '../../src/secagg/client/round.js';
import { createAdvert, handleAdverts, handleShares } from '../../src/secagg/client/setup.js';
import type { AdvertisedMember, Party, ReadyMember, SharedMember } from '../../src/secagg/client/state.js';
import type { RoundContext } from '../../src/secagg/round.js';

/**
 * A member with nothing of Node's: query check, clamp, noise and the member's half of secure aggregation. This file
 * is bundled and played in a browser (portable.test.ts), so what goes in and out is JSON, with bytes in hex.
 */
export interface MemberScript {
  readonly id: string;
  /** Ed25519, 32 bytes. */
  readonly identitySeed: string;
  /** Of every random byte that the member uses, 32 bytes. */
  readonly randomness: string;
  readonly config: BlockConfig;
  readonly query: SumQuery;
  /** The member's summed vector, real units. */
  readonly sum: readonly number[];
}

/** Each step takes what a coordinator relays and gives the member's message. */
export interface ScriptedMember {
  advertiseKeys(): Promise<string>;
  shareKeys(adverts: readonly string[]): Promise<string>;
  maskedInput(bundle: string, round: RoundContext): Promise<string>;
  consistencyCheck(slot: number, survivors: readonly string[]): Promise<string>;
  unmasking(slot: number, checks: readonly string[]): Promise<string>;
}

/** What is masked: the clamped, rounded sum with the member's noise. Noise is drawn first (hazard P11). */
export function contribution({ config, query, randomness, sum }: MemberScript): Uint32Array {
  checkQuery(query, config, config.members.length);
  const noise = sampleDiscreteGaussian(
    query.encoding.shareVariance,
    query.dimension,
    seededRng(hexToBytes(randomness)),
  );
  return addShare(query, quantize(query, Float64Array.from(sum)), noise);
}

export function createMember(primitives: Primitives, script: MemberScript): ScriptedMember {
  const party: Party = {
    identity: { id: script.id, seed: hexToBytes(script.identitySeed) },
    primitives,
    masks: inlineMaskWork(primitives),
  };
  const rng = seededRng(primitives.sha256(hexToBytes(script.randomness)));
  const { config } = script;
  const roster = new Map(config.members.map(({ id, publicKey }) => [id, publicKey]));
  let advertised: AdvertisedMember;
  let shared: SharedMember;
  let ready: ReadyMember;
  return {
    async advertiseKeys() {
      const { state, outbound } = createAdvert(party, config, { ...config, roster }, rng);
      advertised = state;
      return bytesToHex(outbound.release('restart-abandons'));
    },
    async shareKeys(adverts) {
      const { state, outbound } = handleAdverts(party, advertised, adverts.map(hexToBytes), rng);
      shared = state;
      return bytesToHex(outbound.release('restart-abandons'));
    },
    async maskedInput(bundle, round) {
      ready = handleShares(party, shared, hexToBytes(bundle)).state;
      const { state, outbound } = await createMaskedInput(party, ready, round, contribution(script));
      ready = state;
      return bytesToHex(outbound.release('restart-abandons'));
    },
    async consistencyCheck(slot, survivors) {
      const { state, outbound } = handleSurvivors(party, ready, slot, survivors);
      ready = state;
      return bytesToHex(outbound.release('restart-abandons'));
    },
    async unmasking(slot, checks) {
      const { state, outbound } = handleConsistency(party, ready, slot, checks.map(hexToBytes));
      ready = state;
      return bytesToHex(outbound.release('restart-abandons'));
    },
  };
}

/** The members of this page, by id. */
export const members = new Map<string, ScriptedMember>();

export function join(script: MemberScript): void {
  members.set(script.id, createMember(noblePrimitives, script));
}

/** Fresh randomness of the platform, hex. */
export const freshBytes = (length: number): string => bytesToHex(systemRng()(length));
