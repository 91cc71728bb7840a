import { ctr, gcm } from '@noble/ciphers/aes.js';
import { ed25519, x25519 } from '@noble/curves/ed25519.js';
import { expand, extract } from '@noble/hashes/hkdf.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { littleEndianWords } from './littleEndian.js';
import { assertBytes, CryptoError, type Keystream, type Primitives } from './primitives.js';

/** The portable reference: @noble, audited, no native code; 8 to 40 times slower than node:crypto. */
export const noblePrimitives: Primitives = {
  name: 'noble',
  sha256(...parts) {
    const hash = sha256.create();
    for (const part of parts) hash.update(part);
    return hash.digest();
  },
  hkdfSha256(ikm, salt, info, length) {
    if (length > 255 * 32)
      throw new CryptoError('InvalidLength', 'HKDF-SHA-256 gives at most 8160 bytes (RFC 5869, 2.3)');
    return expand(sha256, extract(sha256, ikm, salt), info, length);
  },
  x25519PublicKey(privateKey) {
    assertBytes('an X25519 private key', privateKey, 32);
    return x25519.getPublicKey(privateKey);
  },
  x25519SharedSecret(privateKey, publicKey) {
    assertBytes('an X25519 private key', privateKey, 32);
    assertBytes('an X25519 public key', publicKey, 32);
    try {
      return x25519.getSharedSecret(privateKey, publicKey);
    } catch (cause) {
      throw new CryptoError('LowOrderPoint', 'X25519: the shared secret is zero', { cause });
    }
  },
  ed25519PublicKey(seed) {
    assertBytes('an Ed25519 seed', seed, 32);
    return ed25519.getPublicKey(seed);
  },
  ed25519Sign(seed, message) {
    assertBytes('an Ed25519 seed', seed, 32);
    return ed25519.sign(message, seed);
  },
  ed25519Verify(publicKey, message, signature) {
    if (publicKey.length !== 32 || signature.length !== 64) return false;
    // zip215: false is RFC 8032's own rule (canonical encodings), which is what OpenSSL applies.
    return ed25519.verify(signature, message, publicKey, { zip215: false });
  },
  aes256GcmSeal(key, nonce, plaintext, aad) {
    assertGcm(key, nonce);
    return gcm(key, nonce, aad).encrypt(plaintext);
  },
  aes256GcmOpen(key, nonce, sealed, aad) {
    assertGcm(key, nonce);
    try {
      return gcm(key, nonce, aad).decrypt(sealed);
    } catch (cause) {
      throw new CryptoError('AuthenticationFailed', 'AES-256-GCM: the tag does not match', { cause });
    }
  },
  keystream(key, firstBlock = 0): Keystream {
    assertBytes('a keystream key', key, 32);
    const counter = new DataView(new ArrayBuffer(16));
    let block = firstBlock;
    let ended = false;
    const read = (length: number): Uint8Array => {
      if (ended) throw new RangeError('keystream: only the last piece may end inside a 16-byte block');
      ended = length % 16 !== 0;
      counter.setBigUint64(8, BigInt(block));
      block += Math.ceil(length / 16);
      return ctr(key, new Uint8Array(counter.buffer.slice(0))).encrypt(new Uint8Array(length));
    };
    return {
      next: (words) => littleEndianWords(read(words * 4)),
      fill: (into) => into.set(read(into.length)),
    };
  },
};

function assertGcm(key: Uint8Array, nonce: Uint8Array): void {
  assertBytes('an AES-256-GCM key', key, 32);
  assertBytes('an AES-256-GCM nonce', nonce, 12);
}
