import type { Primitives } from '../crypto/primitives.js';
import { label } from './transcript.js';

export const SIGNATURE_BYTES = 64;

/** The five messages; the value is the kind byte on the wire (DESIGN §4). */
export const MESSAGE_KINDS = {
  AdvertiseKeys: 0,
  ShareKeys: 1,
  MaskedInput: 2,
  ConsistencyCheck: 3,
  Unmasking: 4,
} as const;
export type MessageKind = keyof typeof MESSAGE_KINDS;

/**
 * Ed25519 over label ‖ 0 ‖ transcript ‖ SHA-256(body): a fixed length behind the label, so no two kinds or
 * transcripts can be confused, and a vector of megabytes is hashed once (Ed25519 itself would read it twice).
 */
function signedBytes(kind: MessageKind, transcript: Uint8Array, bodyDigest: Uint8Array): Uint8Array {
  const purpose = label(`signature ${kind}`);
  const bytes = new Uint8Array(purpose.length + 1 + 64);
  bytes.set(purpose);
  bytes.set(transcript, purpose.length + 1);
  bytes.set(bodyDigest, purpose.length + 33);
  return bytes;
}

/** Writes the signature behind the body, in place: `message` is the body and 64 bytes of room. Gives the body's digest. */
export function signInPlace(
  primitives: Primitives,
  seed: Uint8Array,
  kind: MessageKind,
  transcript: Uint8Array,
  message: Uint8Array,
): Uint8Array {
  const body = message.subarray(0, message.length - SIGNATURE_BYTES);
  const digest = primitives.sha256(body);
  message.set(primitives.ed25519Sign(seed, signedBytes(kind, transcript, digest)), body.length);
  return digest;
}

export interface Signed {
  /** Everything before the signature. */
  readonly body: Uint8Array;
  readonly signature: Uint8Array;
}

/** The body's SHA-256 if the signature is `publicKey`'s over this transcript, else undefined. */
export function verifySigned(
  primitives: Primitives,
  publicKey: Uint8Array,
  kind: MessageKind,
  transcript: Uint8Array,
  message: Signed,
): Uint8Array | undefined {
  const digest = primitives.sha256(message.body);
  const valid = primitives.ed25519Verify(publicKey, signedBytes(kind, transcript, digest), message.signature);
  return valid ? digest : undefined;
}
