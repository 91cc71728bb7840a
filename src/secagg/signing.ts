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
  if (transcript.length !== 32 || bodyDigest.length !== 32)
    throw new RangeError('signedBytes: transcript and digest must have 32 bytes each');
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
  digest: Uint8Array = primitives.sha256(bodyOf(message)),
): Uint8Array {
  const signature = primitives.ed25519Sign(seed, signedBytes(kind, transcript, digest));
  message.set(signature, message.length - SIGNATURE_BYTES);
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
  return verifyDigest(primitives, publicKey, kind, transcript, digest, message.signature)
    ? digest
    : undefined;
}

/** For ShareKeys, whose digest is the Merkle root of what was dealt and not the hash of its body. */
export function verifyDigest(
  primitives: Primitives,
  publicKey: Uint8Array,
  kind: MessageKind,
  transcript: Uint8Array,
  digest: Uint8Array,
  signature: Uint8Array,
): boolean {
  return primitives.ed25519Verify(publicKey, signedBytes(kind, transcript, digest), signature);
}

function bodyOf(message: Uint8Array): Uint8Array {
  return message.subarray(0, message.length - SIGNATURE_BYTES);
}
