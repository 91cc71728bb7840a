import { hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import type { Primitives } from '../crypto/primitives.js';
import { memoize } from './memo.js';
import { type RefusalCode, SecaggRefusal } from './refusal.js';
import { hashFields, uint } from './transcript.js';

export const PROTOCOL_VERSION = 2;
/** Key slots a block; a slot serves one attempt of one round. */
export const MAX_SLOTS = 64;
/** Roster indices are 16 bits on the wire; the parameter search and the set-up messages are tried up to here. */
export const MAX_MEMBERS = 1024;
/** The complete graph costs n² shares: 64 is where DESIGN §4 changes to the Harary graph, this is where it must. */
export const MAX_COMPLETE_MEMBERS = 512;
/** Two members could each subtract themselves (S25); three is the least cohort. */
export const MIN_COHORT = 3;
const MAX_ID_CHARS = 64;

/** A block of key slots: public, and equal for all of its members by its digest. */
export interface BlockConfig {
  readonly protocolVersion: 2;
  readonly federation: string;
  /** SHA-256, lower-case hex. */
  readonly charterDigest: string;
  readonly block: string;
  readonly slots: number;
  /** Sorted by id (UTF-16 code units); a member's position is its index on the wire. */
  readonly members: readonly BlockMember[];
  readonly minSurvivors: number;
  readonly maxColluders: number;
  /**
   * Who shares masks with whom. Degree and threshold are not chosen: each member computes them from the members
   * that advertised and the two numbers above, so with either graph the charter's numbers hold.
   */
  readonly graph: 'complete' | 'harary';
}

export interface BlockMember {
  /** 1 to 64 characters. */
  readonly id: string;
  /** Ed25519, lower-case hex. */
  readonly publicKey: string;
}

/** What the member's own copy of the charter says; it comes from the member's disk, never from the server. */
export interface CharterFloors {
  readonly federation: string;
  readonly charterDigest: string;
  /** Member id → Ed25519 public key, lower-case hex. */
  readonly roster: ReadonlyMap<string, string>;
  readonly minSurvivors: number;
  readonly maxColluders: number;
}

/** Throws SecaggRefusal InvalidConfig unless the configuration is well formed by itself. */
export function assertBlockConfig(config: BlockConfig): void {
  const invalid = (what: string): never => {
    throw new SecaggRefusal('InvalidConfig', `block configuration: ${what}`);
  };
  if (config.protocolVersion !== PROTOCOL_VERSION)
    invalid(`protocolVersion must be ${PROTOCOL_VERSION}, not ${config.protocolVersion}`);
  if (!isId(config.federation)) invalid('federation must have 1 to 64 characters');
  if (!isId(config.block)) invalid('block must have 1 to 64 characters');
  if (!isHex32(config.charterDigest)) invalid('charterDigest must be 64 lower-case hex digits');
  if (!isCount(config.slots, 1, MAX_SLOTS)) invalid(`slots must be 1 to ${MAX_SLOTS}`);
  const n = config.members.length;
  if (n > MAX_MEMBERS) invalid(`${n} members; at most ${MAX_MEMBERS} are taken`);
  if (config.graph !== 'complete' && config.graph !== 'harary')
    invalid('graph must be "complete" or "harary"');
  if (config.graph === 'complete' && n > MAX_COMPLETE_MEMBERS)
    invalid(`${n} members on the complete graph; above ${MAX_COMPLETE_MEMBERS} the graph must be "harary"`);
  if (!isCount(config.minSurvivors, MIN_COHORT, MAX_MEMBERS))
    invalid(`minSurvivors must be at least ${MIN_COHORT}: of two, each can subtract itself`);
  if (!isCount(config.maxColluders, 1, MAX_MEMBERS)) invalid('maxColluders must be at least 1');
  if (config.minSurvivors <= config.maxColluders + 1) invalid('minSurvivors must exceed maxColluders + 1');
  const keys = new Set<string>();
  for (const [i, { id, publicKey }] of config.members.entries()) {
    if (!isId(id)) invalid('a member id must have 1 to 64 characters');
    if (!isHex32(publicKey)) invalid(`publicKey of ${id} must be 64 lower-case hex digits`);
    if (keys.has(publicKey)) invalid(`publicKey of ${id} belongs to another member too`);
    keys.add(publicKey);
    if (i > 0 && config.members[i - 1]!.id >= id) invalid('members must be sorted by id, each once');
  }
  if (n < config.minSurvivors)
    throw new SecaggRefusal(
      'CohortTooSmall',
      `${n} members are invited, the charter wants ${config.minSurvivors}`,
    );
}

/**
 * Throws SecaggRefusal unless the member's own charter covers the block. The server may be stricter than the
 * charter, never laxer: this, not the server, stops Sybils, key swaps and quorum lowering (S6, S7, S25).
 */
export function assertCovered(config: BlockConfig, floors: CharterFloors): void {
  const refuse = (code: RefusalCode, message: string): never => {
    throw new SecaggRefusal(code, message);
  };
  if (config.federation !== floors.federation)
    refuse(
      'FederationMismatch',
      `the block is for ${config.federation}, the charter for ${floors.federation}`,
    );
  if (config.charterDigest !== floors.charterDigest)
    refuse('CharterMismatch', 'the block names another charter than the one that was signed');
  if (config.minSurvivors < floors.minSurvivors)
    refuse('SurvivorFloorLowered', `minSurvivors ${config.minSurvivors}, charter ${floors.minSurvivors}`);
  if (config.maxColluders < floors.maxColluders)
    refuse('ColluderFloorLowered', `maxColluders ${config.maxColluders}, charter ${floors.maxColluders}`);
  for (const { id, publicKey } of config.members) {
    const known = floors.roster.get(id);
    if (known === undefined) refuse('UnknownMember', `${id} is not in the charter's roster`);
    if (known !== publicKey) refuse('KeyMismatch', `${id} has another identity key in the charter`);
  }
}

/** What the adverts are signed over, before a setup transcript exists. */
export function blockDigest(primitives: Primitives, config: BlockConfig): Uint8Array {
  return hashFields(primitives, 'block', [
    uint(config.protocolVersion),
    utf8ToBytes(config.federation),
    hexToBytes(config.charterDigest),
    utf8ToBytes(config.block),
    uint(config.slots),
    uint(config.minSurvivors),
    uint(config.maxColluders),
    utf8ToBytes(config.graph),
    uint(config.members.length),
    ...config.members.flatMap(({ id, publicKey }) => [utf8ToBytes(id), hexToBytes(publicKey)]),
  ]);
}

/** The members' identity keys by roster index; the arrays keep their identity, so that parsed keys can be cached. */
export const identityKeys = memoize((config: BlockConfig): readonly Uint8Array[] =>
  config.members.map(({ publicKey }) => hexToBytes(publicKey)),
);

const indices = memoize(
  (config: BlockConfig): ReadonlyMap<string, number> => new Map(config.members.map(({ id }, i) => [id, i])),
);

/** The roster index, or −1. */
export function memberIndex(config: BlockConfig, id: string): number {
  return indices(config).get(id) ?? -1;
}

export function memberIds(config: BlockConfig, indices: readonly number[]): string[] {
  return indices.map((index) => config.members[index]!.id);
}

export function isHex32(text: unknown): text is string {
  return typeof text === 'string' && /^[0-9a-f]{64}$/.test(text);
}

export function isId(text: unknown): text is string {
  // A lone surrogate would be encoded as U+FFFD, and two ids would hash alike.
  return (
    typeof text === 'string' &&
    text.length >= 1 &&
    text.length <= MAX_ID_CHARS &&
    !/\p{Surrogate}/u.test(text)
  );
}

export function isCount(value: unknown, min: number, max: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max;
}
