import { hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import type { Primitives } from '../crypto/primitives.js';
import { type BlockConfig, isCount, isHex32, isId, memberIndex } from './block.js';
import { SecaggRefusal } from './refusal.js';
import { hashFields, uint } from './transcript.js';

/** 2^26 coordinates: 256 MiB of masked input at 32 bits. */
export const MAX_DIMENSION = 2 ** 26;
export const MIN_MODULUS_BITS = 8;
export const MAX_MODULUS_BITS = 32;

/** One attempt of one round, public. All of it is hashed into every mask key (S2, S8, S9). */
export interface RoundContext {
  readonly block: string;
  /** 0 ≤ slot < config.slots; a slot serves one attempt for ever. */
  readonly slot: number;
  readonly round: string;
  /** ≥ 1. */
  readonly attempt: number;
  /** SHA-256 of the canonical SumQuery, lower-case hex. */
  readonly queryDigest: string;
  /** SHA-256 naming the models of the query, lower-case hex. */
  readonly modelDigest: string;
  readonly dimension: number;
  /** The ring is the integers modulo 2^modulusBits. */
  readonly modulusBits: number;
  /** U₁ʳ: the members whose masks are in this round, sorted by id. */
  readonly expected: readonly string[];
}

/** Throws SecaggRefusal InvalidRound or BlockMismatch; gives U₁ʳ as roster indices, ascending. */
export function assertRoundContext(config: BlockConfig, round: RoundContext): number[] {
  const invalid = (what: string): never => {
    throw new SecaggRefusal('InvalidRound', `round context: ${what}`);
  };
  if (round.block !== config.block)
    throw new SecaggRefusal('BlockMismatch', `the round is of block ${round.block}, not ${config.block}`);
  if (!isCount(round.slot, 0, config.slots - 1)) invalid(`slot must be 0 to ${config.slots - 1}`);
  if (!isId(round.round)) invalid('round must have 1 to 64 characters');
  if (!isCount(round.attempt, 1, 2 ** 31)) invalid('attempt must be a positive integer');
  if (!isHex32(round.queryDigest)) invalid('queryDigest must be 64 lower-case hex digits');
  if (!isHex32(round.modelDigest)) invalid('modelDigest must be 64 lower-case hex digits');
  if (!isCount(round.dimension, 1, MAX_DIMENSION)) invalid(`dimension must be 1 to ${MAX_DIMENSION}`);
  if (!isCount(round.modulusBits, MIN_MODULUS_BITS, MAX_MODULUS_BITS))
    invalid(`modulusBits must be ${MIN_MODULUS_BITS} to ${MAX_MODULUS_BITS}`);
  return memberSet(config, round.expected, () =>
    invalid('expected must be members, sorted by id, each once'),
  );
}

/** Ids as ascending roster indices; `fail` on an unknown, repeated or unsorted one. */
export function memberSet(config: BlockConfig, ids: readonly string[], fail: () => never): number[] {
  const indices = ids.map((id) => memberIndex(config, id));
  for (const [i, index] of indices.entries()) if (index < 0 || (i > 0 && indices[i - 1]! >= index)) fail();
  return indices;
}

/** H(dealt transcript, slot, round, attempt, query, model, ring, U₁ʳ): salt of every mask key of the round. */
export function roundTranscript(
  primitives: Primitives,
  dealt: Uint8Array,
  round: RoundContext,
  expected: readonly number[],
): Uint8Array {
  return hashFields(primitives, 'round transcript', [
    dealt,
    uint(round.slot),
    utf8ToBytes(round.round),
    uint(round.attempt),
    hexToBytes(round.queryDigest),
    hexToBytes(round.modelDigest),
    uint(round.dimension),
    uint(round.modulusBits),
    uint(expected.length),
    ...expected.map(uint),
  ]);
}

/** What a ConsistencyCheck signs of U₂. */
export function survivorsDigest(primitives: Primitives, survivors: readonly number[]): Uint8Array {
  return hashFields(primitives, 'survivors', survivors.map(uint));
}

/** Equality of two ascending lists of roster indices. */
export function sameSet(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((member, i) => member === b[i]);
}
