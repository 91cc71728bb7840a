/**
 * The cryptographic primitives as an argument. Two independent implementations exist, node:crypto (fast) and
 * @noble (portable reference), checked against each other and against RFC and Wycheproof vectors.
 *
 * Keys are raw bytes: Ed25519 private keys are 32-byte seeds (RFC 8032, 5.1.5), X25519 private keys 32 bytes
 * before clamping (RFC 7748, 5). Implementations may cache a parsed key by the identity of its array.
 */
export interface Primitives {
  readonly name: 'node' | 'noble';
  /** SHA-256 of the parts, one after the other. */
  sha256(...parts: readonly Uint8Array[]): Uint8Array;
  /** RFC 5869. Throws CryptoError InvalidLength above 255 · 32 bytes. */
  hkdfSha256(ikm: Uint8Array, salt: Uint8Array, info: Uint8Array, length: number): Uint8Array;
  x25519PublicKey(privateKey: Uint8Array): Uint8Array;
  /** Throws CryptoError LowOrderPoint when the shared secret is all zero (RFC 7748, 6.1). */
  x25519SharedSecret(privateKey: Uint8Array, publicKey: Uint8Array): Uint8Array;
  ed25519PublicKey(seed: Uint8Array): Uint8Array;
  ed25519Sign(seed: Uint8Array, message: Uint8Array): Uint8Array;
  /** False, never an exception, for a malformed key or signature. */
  ed25519Verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
  /** Ciphertext with the 16-byte tag behind it; `nonce` has 12 bytes and is used once for a key. */
  aes256GcmSeal(key: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array, aad: Uint8Array): Uint8Array;
  /** Throws CryptoError AuthenticationFailed. */
  aes256GcmOpen(key: Uint8Array, nonce: Uint8Array, sealed: Uint8Array, aad: Uint8Array): Uint8Array;
  /**
   * The mask stream: AES-256-CTR of zeros from counter block `firstBlock` (default 0, of 16 bytes each), read as
   * little-endian 32-bit words.
   */
  keystream(key: Uint8Array, firstBlock?: number): Keystream;
}

export interface Keystream {
  /** The next `words` words; a multiple of 4 in every call but the last. Valid until the next call. */
  next(words: number): Uint32Array;
  /** The next `into.length` bytes; a multiple of 16 in every call but the last. */
  fill(into: Uint8Array): void;
}

/**
 * Words a piece of the mask stream: 62 KiB, which stays in the L2 cache. Not a multiple of a page (4 KiB): Node's cipher
 * copies what it gives once more, and between two buffers that lie alike in their pages AMD's `rep movsb` copies at a
 * tenth of its speed (glibc bug 30994): 64 KiB a piece took 3.4 ms a million words where 62 KiB take 1.2.
 */
export const KEYSTREAM_PIECE_WORDS = 15_872;

export type CryptoErrorCode = 'LowOrderPoint' | 'AuthenticationFailed' | 'InvalidKey' | 'InvalidLength';

export class CryptoError extends Error {
  override readonly name = 'CryptoError';
  constructor(
    readonly code: CryptoErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

export function assertBytes(what: string, bytes: Uint8Array, length: number): void {
  if (bytes.length !== length)
    throw new CryptoError('InvalidKey', `${what} must have ${length} bytes, not ${bytes.length}`);
}
