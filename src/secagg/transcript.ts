import { utf8ToBytes } from '@noble/hashes/utils.js';
import type { Primitives } from '../crypto/primitives.js';

/** Every hash, signature and key of this protocol begins with this and its own purpose. */
const DOMAIN = 'chorale/1 secagg ';

const labels = new Map<string, Uint8Array>();

/** Purposes are literals of this folder: a handful, encoded once. */
export function label(purpose: string): Uint8Array {
  let bytes = labels.get(purpose);
  if (bytes === undefined) labels.set(purpose, (bytes = utf8ToBytes(DOMAIN + purpose)));
  return bytes;
}

/** A 32-bit little-endian field of a transcript. */
export function uint(value: number): Uint8Array {
  return Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24);
}

/** SHA-256 over length-prefixed fields: two different lists of fields never give the same bytes. */
export function hashFields(
  primitives: Primitives,
  purpose: string,
  fields: readonly Uint8Array[],
): Uint8Array {
  return primitives.sha256(...[label(purpose), ...fields].flatMap((field) => [uint(field.length), field]));
}

/** Length-prefixed fields in one array, for HKDF's `info` (RFC 5869, 3.2). */
export function joinFields(purpose: string, fields: readonly Uint8Array[]): Uint8Array {
  const parts = [label(purpose), ...fields].flatMap((field) => [uint(field.length), field]);
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/**
 * What ShareKeys is signed over: two members who were shown another roster, graph, threshold or advert have
 * different setup transcripts, hence different masks (S1, S2).
 * @param adverts the signed messages as received, in roster order.
 */
export function setupTranscript(
  primitives: Primitives,
  block: Uint8Array,
  graphDescriptor: string,
  adverts: readonly Uint8Array[],
): Uint8Array {
  return hashFields(primitives, 'setup transcript', [
    block,
    utf8ToBytes(graphDescriptor),
    uint(adverts.length),
    ...adverts,
  ]);
}
