import { equalBytes } from '@noble/ciphers/utils.js';
import { bytesToHex, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import type { Primitives } from '../crypto/primitives.js';
import type { Evidence } from './blame.js';
import type { MemberState } from './client/state.js';
import type { BlockState, RoundState } from './server/state.js';

const STATE = 'chorale secagg state 2';
const EVIDENCE = 'chorale secagg evidence 2';
const NEWLINE = 0x0a;

/** A state that can't be read back: torn, altered, or of another version. Abandon the block. */
export class UnreadableState extends Error {
  override readonly name = 'UnreadableState';
}

/**
 * Any state of this protocol as bytes: canonical enough to compare, with a checksum against torn writes. A member's
 * states hold its secrets: write them where only the member can read, in place of the older one.
 */
export function encodeState(
  primitives: Primitives,
  state: MemberState | BlockState | RoundState,
): Uint8Array {
  return seal(primitives, STATE, state);
}

function seal(primitives: Primitives, format: string, value: unknown): Uint8Array {
  const body = JSON.stringify(value, (_key, value: unknown) => {
    // In a list, so that no member called "bytes" is taken for it: what is kept under members' ids are texts.
    if (value instanceof Uint8Array) return { bytes: [bytesToHex(value)] };
    if (value instanceof Uint32Array) return { words: [...value] };
    return value;
  });
  const digest = bytesToHex(primitives.sha256(utf8ToBytes(body)));
  return utf8ToBytes(`${format} ${digest}\n${body}`);
}

/** Throws UnreadableState. The kind says which state it is. */
export function decodeState<State extends MemberState | BlockState | RoundState>(
  primitives: Primitives,
  encoded: Uint8Array,
  kinds: readonly State['kind'][],
): State {
  const state = unseal(primitives, STATE, encoded) as State;
  if (!kinds.includes(state.kind))
    throw new UnreadableState(`the saved state is "${state.kind}", expected ${kinds.join(' or ')}`);
  return state;
}

/** A proof as a file, to be handed to whoever is to judge it. */
export function encodeEvidence(primitives: Primitives, evidence: Evidence): Uint8Array {
  return seal(primitives, EVIDENCE, evidence);
}

/** Throws UnreadableState. What it says is believed by nobody before verifyEvidence. */
export function decodeEvidence(primitives: Primitives, encoded: Uint8Array): Evidence {
  return unseal(primitives, EVIDENCE, encoded) as Evidence;
}

function unseal(primitives: Primitives, format: string, encoded: Uint8Array): unknown {
  // Bytes are compared, not text: a decoder would forgive some of what was altered (a byte order mark, U+FFFD).
  const end = encoded.indexOf(NEWLINE);
  const body = encoded.subarray(end + 1);
  const head = utf8ToBytes(`${format} ${bytesToHex(primitives.sha256(body))}`);
  if (end < 0 || !equalBytes(encoded.subarray(0, end), head))
    throw new UnreadableState(`not a "${format}", or torn or altered`);
  return JSON.parse(new TextDecoder().decode(body), (_key, value: unknown) => {
    if (typeof value !== 'object' || value === null) return value;
    if ('bytes' in value && Array.isArray(value.bytes)) return hexToBytes(value.bytes[0] as string);
    if ('words' in value && Array.isArray(value.words)) return Uint32Array.from(value.words as number[]);
    return value;
  });
}
