import { bytesToHex } from '@noble/hashes/utils.js';
import type { Primitives } from '../../src/crypto/primitives.js';
import type { Graph } from '../../src/secagg/graph.js';
import type { BlockConfig, CharterFloors, Evidence, RoundContext } from '../../src/secagg/index.js';

/** The form of test/vectors/secagg/*.json; docs/vectors.md says what every field is. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

export type Deviation =
  | {
      readonly kind: 'wrong-dealing';
      readonly member: number;
      readonly slot: number;
      readonly secret: 'mask' | 'seed';
      readonly holders: readonly number[];
      /** A scalar, hex. */
      readonly add: string;
    }
  | { readonly kind: 'spoiled-part'; readonly member: number; readonly holder: number }
  | {
      readonly kind: 'wrong-opening';
      readonly member: number;
      readonly slot: number;
      readonly dealer: number;
      /** 48 bytes, hex. */
      readonly xor: string;
    };

export interface RoundInputs {
  readonly context: RoundContext;
  /** By member id: of all that send a masked input. */
  readonly vectors: Readonly<Record<string, readonly number[]>>;
  /** Who sends nothing from this message of the round on. */
  readonly silentFrom: {
    readonly MaskedInput: readonly string[];
    readonly ConsistencyCheck: readonly string[];
    readonly Unmasking: readonly string[];
  };
}

export interface VectorInputs {
  readonly name: string;
  readonly description: string;
  /** Long messages by their digest, no secrets among the outputs: for large cohorts. */
  readonly compact: boolean;
  readonly config: BlockConfig;
  readonly floors: CharterFloors;
  /** By id: Ed25519 seed, and the seed of the stream of randomness, hex. */
  readonly seeds: Readonly<Record<string, { readonly identity: string; readonly randomness: string }>>;
  readonly silentFrom: { readonly AdvertiseKeys: readonly string[]; readonly ShareKeys: readonly string[] };
  readonly rounds: (members: readonly string[], graph: Graph) => readonly RoundInputs[];
  readonly deviations: readonly Deviation[];
  /** Which alterations of the first round's evidence are judged too. */
  readonly judgements: (evidence: readonly Evidence[], state: JudgedRound) => readonly Judgement[];
}

/** What an alteration may be made from. */
export interface JudgedRound {
  /** Evidence of a lie that was not told. */
  readonly pretend: (lie: Evidence['lie'], dealer: number, responders: readonly number[]) => Evidence;
}

export interface Judgement {
  readonly description: string;
  /** Which item of the evidence, and the fields of it that are replaced. */
  readonly of: number;
  readonly changed: Partial<Evidence>;
}

export const hex = bytesToHex;

export interface Sent {
  readonly member: number;
  readonly message: Uint8Array;
  readonly shown: { readonly [key: string]: Json };
}

export function spelled(_primitives: Primitives, sent: readonly Sent[]): Json {
  return sent.map(({ member, message, shown }) => ({ member, ...shown, message: hex(message) }));
}

/** All messages of a phase by one digest. */
export function digested(primitives: Primitives, sent: readonly Sent[]): Json {
  return {
    members: sent.map(({ member }) => member),
    length: sent.reduce((sum, { message }) => sum + message.length, 0),
    sha256: hex(primitives.sha256(...sent.map(({ message }) => message))),
  };
}

/** Bytes as hex. */
export function plain(value: unknown): Json {
  if (value instanceof Uint8Array) return hex(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
  return value as Json;
}

/** JSON text of a vector: two spaces; what is flat and short stays on one line. */
export function vectorText(value: Json): string {
  return `${text(value, '')}\n`;
}

function text(value: Json, indent: string): string {
  const flat = JSON.stringify(value);
  if (typeof value !== 'object' || value === null || flat.length + indent.length <= 110) return flat;
  const inner = `${indent} `;
  if (Array.isArray(value)) {
    const items = value as readonly Json[];
    // Long lists of numbers on one line.
    if (items.every((item) => typeof item === 'number')) return flat;
    return `[\n${items.map((item) => inner + text(item, inner)).join(',\n')}\n${indent}]`;
  }
  const fields = Object.entries(value).map(
    ([key, item]) => `${inner}${JSON.stringify(key)}: ${text(item as Json, inner)}`,
  );
  return `{\n${fields.join(',\n')}\n${indent}}`;
}
