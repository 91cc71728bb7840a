import { createCipheriv, createDecipheriv } from 'node:crypto';
import { chacha20, chacha20poly1305 } from '@noble/ciphers/chacha.js';
import { bytesToHex, concatBytes, hexToBytes } from '@noble/hashes/utils.js';
import { describe, expect, it } from 'vitest';
import { noblePrimitives } from '../../src/crypto/noblePrimitives.js';
import { nodePrimitives } from '../../src/crypto/nodePrimitives.js';
import { isAcceptableX25519PublicKey } from '../../src/crypto/x25519Point.js';
import { golden } from './golden.js';

interface Vectors<Group, Test> {
  readonly testGroups: readonly (Group & { readonly tests: readonly (Test & Common)[] })[];
}
interface Common {
  readonly tcId: number;
  readonly flags: readonly string[];
  readonly result: 'valid' | 'invalid' | 'acceptable';
}

const x25519 =
  golden<Vectors<unknown, { public: string; private: string; shared: string }>>('x25519_test.json');
const ed25519 =
  golden<Vectors<{ publicKey: { pk: string } }, { msg: string; sig: string }>>('ed25519_test.json');
const hkdf =
  golden<Vectors<unknown, { ikm: string; salt: string; info: string; size: number; okm: string }>>(
    'hkdf_sha256_test.json',
  );
type AeadVectors = Vectors<
  { ivSize: number; keySize: number; tagSize: number },
  { key: string; iv: string; aad: string; msg: string; ct: string; tag: string }
>;
const gcm = golden<AeadVectors>('aes_gcm_test.json');
const chacha = golden<AeadVectors>('chacha20_poly1305_test.json');

describe.each([nodePrimitives, noblePrimitives])('Wycheproof with $name', (primitives) => {
  it.skipIf(x25519 === undefined)(
    'X25519: every shared secret, and zero ones refused (RFC 7748, 6.1)',
    () => {
      let zero = 0;
      for (const { tests } of x25519!.testGroups)
        for (const test of tests) {
          const shared = () =>
            primitives.x25519SharedSecret(hexToBytes(test.private), hexToBytes(test.public));
          if (/^0+$/.test(test.shared)) {
            zero++;
            expect(shared, `tcId ${test.tcId}`).toThrow(expect.objectContaining({ code: 'LowOrderPoint' }));
            expect(isAcceptableX25519PublicKey(hexToBytes(test.public)), `tcId ${test.tcId}`).toBe(false);
          } else expect(bytesToHex(shared()), `tcId ${test.tcId}`).toBe(test.shared);
        }
      expect(zero).toBeGreaterThan(10);
      expect(x25519!.testGroups.flatMap(({ tests }) => tests).length).toBe(518);
    },
  );

  it.skipIf(x25519 === undefined)('X25519: an advertised key is canonical and of high order', () => {
    const refused = x25519!.testGroups
      .flatMap(({ tests }) => tests)
      .filter((test) => !isAcceptableX25519PublicKey(hexToBytes(test.public)));
    for (const { flags, tcId } of refused)
      expect(
        flags.some((flag) => ['NonCanonicalPublic', 'LowOrderPublic', 'ZeroSharedSecret'].includes(flag)),
        `tcId ${tcId} ${flags}`,
      ).toBe(true);
    const nonCanonical = x25519!.testGroups
      .flatMap(({ tests }) => tests)
      .filter(({ flags }) => flags.includes('NonCanonicalPublic'));
    expect(nonCanonical.length).toBeGreaterThan(5);
    for (const test of nonCanonical)
      expect(isAcceptableX25519PublicKey(hexToBytes(test.public)), `tcId ${test.tcId}`).toBe(false);
  });

  it.skipIf(ed25519 === undefined)('Ed25519: verification', () => {
    let checked = 0;
    for (const { publicKey, tests } of ed25519!.testGroups)
      for (const test of tests) {
        const valid = primitives.ed25519Verify(
          hexToBytes(publicKey.pk),
          hexToBytes(test.msg),
          hexToBytes(test.sig),
        );
        expect(valid, `tcId ${test.tcId}`).toBe(test.result === 'valid');
        checked++;
      }
    expect(checked).toBe(151);
  });

  it.skipIf(hkdf === undefined)('HKDF-SHA-256', () => {
    expect(hkdf!.testGroups.flatMap(({ tests }) => tests).length).toBe(86);
    for (const { tests } of hkdf!.testGroups)
      for (const test of tests) {
        const derive = () =>
          primitives.hkdfSha256(
            hexToBytes(test.ikm),
            hexToBytes(test.salt),
            hexToBytes(test.info),
            test.size,
          );
        if (test.result === 'valid') expect(bytesToHex(derive()), `tcId ${test.tcId}`).toBe(test.okm);
        else expect(derive, `tcId ${test.tcId}`).toThrow(expect.objectContaining({ code: 'InvalidLength' }));
      }
  });

  it.skipIf(gcm === undefined)('AES-256-GCM: seal, open, and every altered ciphertext refused', () => {
    let checked = 0;
    for (const { ivSize, keySize, tagSize, tests } of gcm!.testGroups) {
      if (ivSize !== 96 || keySize !== 256 || tagSize !== 128) continue;
      for (const test of tests) {
        const [key, iv, aad, msg] = [test.key, test.iv, test.aad, test.msg].map(hexToBytes) as [
          Uint8Array,
          Uint8Array,
          Uint8Array,
          Uint8Array,
        ];
        const sealed = concatBytes(hexToBytes(test.ct), hexToBytes(test.tag));
        const open = () => primitives.aes256GcmOpen(key, iv, sealed, aad);
        checked++;
        if (test.result !== 'valid') {
          expect(open, `tcId ${test.tcId}`).toThrow(
            expect.objectContaining({ code: 'AuthenticationFailed' }),
          );
          continue;
        }
        expect(bytesToHex(open()), `tcId ${test.tcId}`).toBe(test.msg);
        expect(bytesToHex(primitives.aes256GcmSeal(key, iv, msg, aad)), `tcId ${test.tcId}`).toBe(
          bytesToHex(sealed),
        );
      }
    }
    expect(checked).toBeGreaterThan(40);
  });
});

/** ChaCha20 stands below seededRng alone, by @noble; OpenSSL is its second implementation here. */
describe.each([
  {
    name: 'node',
    // OpenSSL's IV is the block counter, little-endian, and then the nonce (RFC 8439, 2.3).
    stream: (key: Uint8Array, nonce: Uint8Array, text: Uint8Array): Uint8Array =>
      createCipheriv('chacha20', key, concatBytes(Uint8Array.of(1, 0, 0, 0), nonce)).update(text),
    open(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Uint8Array {
      const decipher = createDecipheriv('chacha20-poly1305', key, nonce, { authTagLength: 16 });
      decipher.setAAD(aad, { plaintextLength: sealed.length - 16 }).setAuthTag(sealed.subarray(-16));
      return concatBytes(decipher.update(sealed.subarray(0, -16)), decipher.final());
    },
  },
  {
    name: 'noble',
    stream: (key: Uint8Array, nonce: Uint8Array, text: Uint8Array): Uint8Array =>
      chacha20(key, nonce, text, undefined, 1),
    open: (key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Uint8Array =>
      chacha20poly1305(key, nonce, aad).decrypt(sealed),
  },
])('Wycheproof with ChaCha20 of $name', ({ stream, open }) => {
  it.skipIf(chacha === undefined)('ChaCha20-Poly1305: the stream, opened, and altered ones refused', () => {
    let valid = 0;
    let invalid = 0;
    for (const { ivSize, keySize, tagSize, tests } of chacha!.testGroups) {
      if (ivSize !== 96 || keySize !== 256 || tagSize !== 128) continue;
      for (const test of tests) {
        const [key, iv, aad, msg, ct] = [test.key, test.iv, test.aad, test.msg, test.ct].map((hex) =>
          hexToBytes(hex),
        ) as [Uint8Array, Uint8Array, Uint8Array, Uint8Array, Uint8Array];
        const opened = () => open(key, iv, aad, concatBytes(ct, hexToBytes(test.tag)));
        if (test.result === 'valid') {
          valid++;
          // RFC 8439, 2.8: the text is encrypted from block 1 on.
          expect(bytesToHex(stream(key, iv, msg)), `tcId ${test.tcId}`).toBe(test.ct);
          expect(bytesToHex(opened()), `tcId ${test.tcId}`).toBe(test.msg);
        } else {
          invalid++;
          expect(opened, `tcId ${test.tcId}`).toThrow();
        }
      }
    }
    expect(valid).toBeGreaterThan(200);
    expect(invalid).toBeGreaterThan(30);
  });
});
