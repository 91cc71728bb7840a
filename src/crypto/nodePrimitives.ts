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
import { MessageChannel } from 'node:worker_threads';
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
  keystream(key, firstBlock = 0): Keystream {
    assertBytes('a keystream key', key, 32);
    const counter = new DataView(new ArrayBuffer(16));
    counter.setBigUint64(8, BigInt(firstBlock));
    const cipher = createCipheriv('aes-256-ctr', key, counter);
    let ended = false;
    const read = (length: number): Buffer => {
      if (ended) throw new RangeError('keystream: only the last piece may end inside a 16-byte block');
      ended = length % 16 !== 0;
      return cipher.update(length <= zeros.length ? zeros.subarray(0, length) : new Uint8Array(length));
    };
    return {
      next: (words) => littleEndianWords(read(words * 4)),
      fill(into) {
        const bytes = read(into.length);
        into.set(bytes);
        release(bytes);
      },
    };
  },
};

/** Transferring to a closed port detaches all the same (HTML, 9.4.3: postMessage serialises before it looks). */
const nowhere = new MessageChannel().port1;
nowhere.close();

/**
 * Frees a buffer now instead of at some later garbage collection, which would hand tens of megabytes back to the
 * system at once for the next pieces to fault in again, page by page: up to half of the time of a mask.
 */
function release(bytes: Buffer): void {
  const buffer = bytes.buffer as ArrayBuffer & { transfer?(length: number): ArrayBuffer };
  // Only what is wholly ours: never Buffer's common pool.
  if (bytes.length !== buffer.byteLength) return;
  // ArrayBuffer.prototype.transfer came with Node 22.
  if (buffer.transfer) buffer.transfer(0);
  else nowhere.postMessage(undefined, [buffer]);
}

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
