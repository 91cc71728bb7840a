import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto';
import { littleEndianWords } from './littleEndian.js';
import {
  assertBytes,
  CryptoError,
  KEYSTREAM_PIECE_WORDS,
  type Keystream,
  type Primitives,
} from './primitives.js';

type Curve = 'X25519' | 'Ed25519';

const GCM_TAG_BYTES = 16;
const zeros = new Uint8Array(KEYSTREAM_PIECE_WORDS * 4);
const zeroCounter = new Uint8Array(16);

/** node:crypto (OpenSSL). */
export const nodePrimitives: Primitives = {
  name: 'node',
  sha256(...parts) {
    const hash = createHash('sha256');
    for (const part of parts) hash.update(part);
    return plain(hash.digest());
  },
  hkdfSha256(ikm, salt, info, length) {
    if (length > 255 * 32)
      throw new CryptoError('InvalidLength', 'HKDF-SHA-256 gives at most 8160 bytes (RFC 5869, 2.3)');
    // RFC 5869, 2.2 and 2.3 with HMAC directly: half the time of hkdfSync, which makes a key object of `ikm`.
    const prk = hmac(salt, [ikm]);
    const okm = new Uint8Array(length);
    let block: Uint8Array = new Uint8Array(0);
    for (let at = 0, counter = 1; at < length; at += 32, counter++) {
      block = hmac(prk, [block, info, Uint8Array.of(counter)]);
      okm.set(block.subarray(0, length - at), at);
    }
    return okm;
  },
  x25519PublicKey(privateKey) {
    return publicBytes(privateKeyOf('X25519', privateKey));
  },
  x25519SharedSecret(privateKey, publicKey) {
    const ours = privateKeyOf('X25519', privateKey);
    const theirs = publicKeyOf('X25519', publicKey);
    let secret: Uint8Array;
    try {
      secret = plain(diffieHellman({ privateKey: ours, publicKey: theirs }));
    } catch (cause) {
      // OpenSSL itself refuses an all-zero result ("failed during derivation").
      throw new CryptoError('LowOrderPoint', 'X25519: the shared secret is zero', { cause });
    }
    if (secret.every((byte) => byte === 0))
      throw new CryptoError('LowOrderPoint', 'X25519: the shared secret is zero');
    return secret;
  },
  ed25519PublicKey(seed) {
    return publicBytes(privateKeyOf('Ed25519', seed));
  },
  ed25519Sign(seed, message) {
    return plain(sign(null, message, privateKeyOf('Ed25519', seed)));
  },
  ed25519Verify(publicKey, message, signature) {
    if (publicKey.length !== 32 || signature.length !== 64) return false;
    try {
      return verify(null, message, publicKeyOf('Ed25519', publicKey), signature);
    } catch {
      return false;
    }
  },
  aes256GcmSeal(key, nonce, plaintext, aad) {
    assertGcm(key, nonce);
    const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(aad);
    return plain(Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]));
  },
  aes256GcmOpen(key, nonce, sealed, aad) {
    assertGcm(key, nonce);
    const split = sealed.length - GCM_TAG_BYTES;
    if (split < 0) throw new CryptoError('AuthenticationFailed', 'AES-256-GCM: shorter than its 16-byte tag');
    const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: GCM_TAG_BYTES });
    decipher.setAAD(aad).setAuthTag(sealed.subarray(split));
    try {
      return plain(Buffer.concat([decipher.update(sealed.subarray(0, split)), decipher.final()]));
    } catch (cause) {
      throw new CryptoError('AuthenticationFailed', 'AES-256-GCM: the tag does not match', { cause });
    }
  },
  keystream(key): Keystream {
    assertBytes('a keystream key', key, 32);
    const cipher = createCipheriv('aes-256-ctr', key, zeroCounter);
    let ended = false;
    return {
      next(words) {
        if (ended) throw new RangeError('keystream: only the last piece may end inside a 16-byte block');
        ended = words % 4 !== 0;
        const length = words * 4;
        const input = length <= zeros.length ? zeros.subarray(0, length) : new Uint8Array(length);
        return littleEndianWords(cipher.update(input));
      },
    };
  },
};

/**
 * Parsing a key costs more than using it, so a parsed key lives as long as the array it came from. The copy of
 * the bytes guards against an array that was overwritten meanwhile.
 */
interface Parsed {
  readonly bytes: Uint8Array;
  readonly key: KeyObject;
}
const newCache = (): Record<Curve, WeakMap<Uint8Array, Parsed>> => ({
  X25519: new WeakMap(),
  Ed25519: new WeakMap(),
});
const privateKeys = newCache();
const publicKeys = newCache();

function parsed(
  cache: WeakMap<Uint8Array, Parsed>,
  bytes: Uint8Array,
  parse: (bytes: Uint8Array) => KeyObject,
): KeyObject {
  const found = cache.get(bytes);
  if (found !== undefined && Buffer.compare(found.bytes, bytes) === 0) return found.key;
  const key = parse(bytes);
  cache.set(bytes, { bytes: bytes.slice(), key });
  return key;
}

function privateKeyOf(curve: Curve, bytes: Uint8Array): KeyObject {
  assertBytes(`an ${curve} private key`, bytes, 32);
  return parsed(privateKeys[curve], bytes, (raw) => {
    const d = Buffer.from(raw).toString('base64url');
    // Node takes the key from `d` alone and derives the public half; `x` must only be there. Ten times faster
    // than PKCS #8, and tested against RFC 8032 and RFC 7748 vectors.
    return createPrivateKey({ key: { kty: 'OKP', crv: curve, d, x: d }, format: 'jwk' });
  });
}

function publicKeyOf(curve: Curve, bytes: Uint8Array): KeyObject {
  assertBytes(`an ${curve} public key`, bytes, 32);
  return parsed(publicKeys[curve], bytes, (raw) => {
    const x = Buffer.from(raw).toString('base64url');
    return createPublicKey({ key: { kty: 'OKP', crv: curve, x }, format: 'jwk' });
  });
}

function publicBytes(key: KeyObject): Uint8Array {
  return new Uint8Array(Buffer.from(key.export({ format: 'jwk' }).x ?? '', 'base64url'));
}

function hmac(key: Uint8Array, parts: readonly Uint8Array[]): Uint8Array {
  const mac = createHmac('sha256', key);
  for (const part of parts) mac.update(part);
  return mac.digest();
}

function assertGcm(key: Uint8Array, nonce: Uint8Array): void {
  assertBytes('an AES-256-GCM key', key, 32);
  assertBytes('an AES-256-GCM nonce', nonce, 12);
}

/** A Buffer as the plain Uint8Array that it is, so that callers never meet Buffer's own `slice`. */
function plain(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);
}
