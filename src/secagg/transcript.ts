import { utf8ToBytes } from '@noble/hashes/utils.js';
import type { Primitives } from '../crypto/primitives.js';

/** Every hash, signature and key of this protocol begins with this and its own purpose. */
const DOMAIN = 'chorale/2 secagg ';

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
  return primitives.sha256(joinFields(purpose, fields));
}

/** The label and the fields, each behind its length (32 bits, little-endian); HKDF's `info` (RFC 5869, 3.2) too. */
export function joinFields(purpose: string, fields: readonly Uint8Array[]): Uint8Array {
  const parts = [label(purpose), ...fields];
  let size = 0;
  for (const part of parts) size += 4 + part.length;
  const joined = new Uint8Array(size);
  const view = new DataView(joined.buffer);
  let at = 0;
  for (const part of parts) {
    view.setUint32(at, part.length, true);
    joined.set(part, at + 4);
    at += 4 + part.length;
  }
  return joined;
}

/**
 * All signed adverts of the block. The graph's permutation is drawn from it, so nobody who has signed an advert
 * can still choose its neighbours (Bell et al. 2020, section 4; DESIGN §4 on who advertises last).
 * @param adverts the signed messages as received, in roster order.
 */
export function advertsDigest(
  primitives: Primitives,
  block: Uint8Array,
  adverts: readonly Uint8Array[],
): Uint8Array {
  return hashFields(primitives, 'adverts', [block, uint(adverts.length), ...adverts]);
}

/** The key under which the ring's permutation is drawn (graph.ts). */
export function permutationSeed(primitives: Primitives, adverts: Uint8Array): Uint8Array {
  return hashFields(primitives, 'graph permutation', [adverts]);
}

/**
 * What ShareKeys is signed over: two members who were shown another roster, graph, threshold or advert have
 * different setup transcripts, hence different masks (S1, S2).
 */
export function setupTranscript(
  primitives: Primitives,
  adverts: Uint8Array,
  graphDescriptor: string,
): Uint8Array {
  return hashFields(primitives, 'setup transcript', [adverts, utf8ToBytes(graphDescriptor)]);
}

/** One member of U₁ and the Merkle root of the shares that it dealt: what its ShareKeys is a signature of. */
export interface DealtRoot {
  readonly member: number;
  /** 32 bytes. */
  readonly root: Uint8Array;
}

/**
 * The setup transcript once ShareKeys has grown it: who is in U₁ and which commitments each of them dealt. A dealer
 * that signed two sets of commitments has two transcripts, so it can never use the one to frame a shareholder that
 * was given the other (blame.ts).
 */
export function dealtTranscript(
  primitives: Primitives,
  setup: Uint8Array,
  roots: readonly DealtRoot[],
): Uint8Array {
  return hashFields(primitives, 'dealt transcript', [
    setup,
    uint(roots.length),
    ...roots.flatMap(({ member, root }) => [uint(member), root]),
  ]);
}
