import { bytesToHex, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { littleEndianBytes, littleEndianWords } from '../../src/crypto/littleEndian.js';
import { noblePrimitives } from '../../src/crypto/noblePrimitives.js';
import { nodePrimitives } from '../../src/crypto/nodePrimitives.js';
import { KEYSTREAM_PIECE_WORDS } from '../../src/crypto/primitives.js';
import { isAcceptableX25519PublicKey } from '../../src/crypto/x25519Point.js';

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const code = (expected: string) => expect.objectContaining({ code: expected });

describe.each([nodePrimitives, noblePrimitives])('$name primitives', (primitives) => {
  it('X25519: RFC 7748, 6.1', () => {
    const aPrivate = hexToBytes('77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a');
    const bPrivate = hexToBytes('5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb');
    const aPublic = '8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a';
    const bPublic = 'de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f';
    const shared = '4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742';
    expect(bytesToHex(primitives.x25519PublicKey(aPrivate))).toBe(aPublic);
    expect(bytesToHex(primitives.x25519PublicKey(bPrivate))).toBe(bPublic);
    expect(bytesToHex(primitives.x25519SharedSecret(aPrivate, hexToBytes(bPublic)))).toBe(shared);
    expect(bytesToHex(primitives.x25519SharedSecret(bPrivate, hexToBytes(aPublic)))).toBe(shared);
  });

  it('Ed25519: RFC 8032, 7.1, tests 1 to 3', () => {
    const cases = [
      [
        '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
        'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
        '',
        'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
      ],
      [
        '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
        '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
        '72',
        '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
      ],
      [
        'c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7',
        'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
        'af82',
        '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
      ],
    ] as const;
    for (const [seed, publicKey, message, signature] of cases) {
      expect(bytesToHex(primitives.ed25519PublicKey(hexToBytes(seed)))).toBe(publicKey);
      expect(bytesToHex(primitives.ed25519Sign(hexToBytes(seed), hexToBytes(message)))).toBe(signature);
      expect(
        primitives.ed25519Verify(hexToBytes(publicKey), hexToBytes(message), hexToBytes(signature)),
      ).toBe(true);
      expect(
        primitives.ed25519Verify(hexToBytes(publicKey), hexToBytes(`${message}00`), hexToBytes(signature)),
      ).toBe(false);
    }
  });

  it('HKDF-SHA-256: RFC 5869, A.1 to A.3', () => {
    const run = (ikm: string, salt: string, info: string, length: number): string =>
      bytesToHex(primitives.hkdfSha256(hexToBytes(ikm), hexToBytes(salt), hexToBytes(info), length));
    const range = (from: number, to: number): string =>
      bytesToHex(Uint8Array.from({ length: to - from + 1 }, (_, i) => from + i));
    expect(run('0b'.repeat(22), range(0, 12), range(0xf0, 0xf9), 42)).toBe(
      '3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865',
    );
    expect(run(range(0, 0x4f), range(0x60, 0xaf), range(0xb0, 0xff), 82)).toBe(
      'b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87',
    );
    expect(run('0b'.repeat(22), '', '', 42)).toBe(
      '8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8',
    );
  });

  it('SHA-256: FIPS 180-4 "abc", in one part and in three', () => {
    const abc = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
    expect(bytesToHex(primitives.sha256(utf8ToBytes('abc')))).toBe(abc);
    expect(bytesToHex(primitives.sha256(utf8ToBytes('a'), utf8ToBytes(''), utf8ToBytes('bc')))).toBe(abc);
  });

  it('keystream: AES-256 of counters 0 and 1 under the zero key, little-endian (FIPS 197 block function)', () => {
    const words = primitives.keystream(new Uint8Array(32)).next(8);
    // AES-256(0^32, 0^16), the GCM specification's hash key H of test case 13, and the block of counter 1, whose
    // value is that specification's E(K, Y0) for a zero nonce.
    expect(bytesToHex(littleEndianBytes(words.slice()))).toBe(
      'dc95c078a2408989ad48a21492842087530f8afbc74536b9a963b4f1c4cb738b',
    );
  });

  it('keystream: the words do not depend on the pieces, also beyond one piece', () => {
    const key = primitives.sha256(utf8ToBytes('key'));
    const total = KEYSTREAM_PIECE_WORDS + 4096 + 3;
    const whole = primitives.keystream(key).next(total).slice();
    const stream = primitives.keystream(key);
    const pieces = [4, 16_380, 4096, 3].flatMap((words) => [...stream.next(words)]);
    expect(pieces).toEqual([...whole]);
    expect(() => stream.next(4)).toThrow(RangeError);
  });

  it('refuses keys, seeds and nonces of a wrong length with a code', () => {
    const short = new Uint8Array(31);
    const good = new Uint8Array(32).fill(9);
    const none = new Uint8Array(0);
    expect(() => primitives.x25519PublicKey(short)).toThrow(code('InvalidKey'));
    expect(() => primitives.x25519SharedSecret(good, short)).toThrow(code('InvalidKey'));
    expect(() => primitives.ed25519PublicKey(short)).toThrow(code('InvalidKey'));
    expect(() => primitives.ed25519Sign(short, none)).toThrow(code('InvalidKey'));
    expect(() => primitives.keystream(short)).toThrow(code('InvalidKey'));
    expect(() => primitives.aes256GcmSeal(good, new Uint8Array(16), none, none)).toThrow(code('InvalidKey'));
    expect(() => primitives.aes256GcmOpen(good, new Uint8Array(12), new Uint8Array(15), none)).toThrow(
      code('AuthenticationFailed'),
    );
    expect(primitives.ed25519Verify(short, none, new Uint8Array(64))).toBe(false);
    expect(primitives.ed25519Verify(good, none, new Uint8Array(63))).toBe(false);
  });

  it('does not use a cached key after its array was overwritten', () => {
    const key = new Uint8Array(32).fill(1);
    const first = bytesToHex(primitives.x25519PublicKey(key));
    key.fill(2);
    expect(bytesToHex(primitives.x25519PublicKey(key))).not.toBe(first);
    expect(bytesToHex(primitives.x25519PublicKey(new Uint8Array(32).fill(1)))).toBe(first);
  });
});

describe('node and noble agree', () => {
  it('on random X25519, Ed25519, HKDF, AES-GCM and mask streams', () => {
    fc.assert(
      fc.property(bytes(32), bytes(32), fc.uint8Array({ maxLength: 100 }), bytes(12), (a, b, text, nonce) => {
        const run = (p: typeof nodePrimitives): string[] => {
          const sealed = p.aes256GcmSeal(a, nonce, text, b);
          expect([...p.aes256GcmOpen(a, nonce, sealed, b)]).toEqual([...text]);
          return [
            p.x25519SharedSecret(a, p.x25519PublicKey(b)),
            p.ed25519PublicKey(a),
            p.ed25519Sign(a, text),
            p.hkdfSha256(a, b, text, 77),
            p.sha256(a, text),
            sealed,
            littleEndianBytes(p.keystream(a).next(21).slice()),
          ].map(bytesToHex);
        };
        expect(run(noblePrimitives)).toEqual(run(nodePrimitives));
      }),
      { numRuns: 15 },
    );
  });
});

describe('x25519 public keys', () => {
  it('hazard S16: low-order and non-canonical encodings are not acceptable; ordinary keys are', () => {
    const lowOrder = [
      '0000000000000000000000000000000000000000000000000000000000000000',
      '0100000000000000000000000000000000000000000000000000000000000000',
      'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
      '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
      'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    ];
    for (const hex of lowOrder) {
      expect(isAcceptableX25519PublicKey(hexToBytes(hex)), hex).toBe(false);
      const key = new Uint8Array(32).fill(7);
      for (const primitives of [nodePrimitives, noblePrimitives])
        expect(() => primitives.x25519SharedSecret(key, hexToBytes(hex)), hex).toThrow(code('LowOrderPoint'));
    }
    // p, p + 9 and an ordinary point with bit 255 set.
    for (const hex of ['ed', 'f6']
      .map((low) => `${low}${'ff'.repeat(30)}7f`)
      .concat(`09${'00'.repeat(30)}80`))
      expect(isAcceptableX25519PublicKey(hexToBytes(hex)), hex).toBe(false);
    expect(isAcceptableX25519PublicKey(hexToBytes(`09${'00'.repeat(31)}`))).toBe(true);
    expect(isAcceptableX25519PublicKey(new Uint8Array(31).fill(9))).toBe(false);
  });
});

describe('little-endian words', () => {
  it('reads unaligned bytes and round trips', () => {
    const buffer = Uint8Array.from([99, 1, 0, 0, 0, 0, 0, 0, 0x80]);
    expect([...littleEndianWords(buffer.subarray(1))]).toEqual([1, 0x80000000]);
    expect([...littleEndianBytes(Uint32Array.of(0x04030201))]).toEqual([1, 2, 3, 4]);
  });
});
