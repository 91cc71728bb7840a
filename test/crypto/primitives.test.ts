import { createCipheriv } from 'node:crypto';
import { ctr } from '@noble/ciphers/aes.js';
import { concatBytes } from '@noble/ciphers/utils.js';
import { sha512 } from '@noble/hashes/sha2.js';
import { bytesToHex, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { littleEndianBytes, littleEndianWords } from '../../src/crypto/littleEndian.js';
import { noblePrimitives } from '../../src/crypto/noblePrimitives.js';
import { nodePrimitives } from '../../src/crypto/nodePrimitives.js';
import { KEYSTREAM_PIECE_WORDS } from '../../src/crypto/primitives.js';
import { seededRng } from '../../src/crypto/rng.js';
import { isAcceptableX25519PublicKey } from '../../src/crypto/x25519Point.js';

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const code = (expected: string) => expect.objectContaining({ code: expected });

describe.each([nodePrimitives, noblePrimitives])('$name primitives', (primitives) => {
  it('X25519: RFC 7748, 5.2, two single vectors; the second has bit 255 set, which is ignored', () => {
    const cases = [
      [
        'a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4',
        'e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c',
        'c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552',
      ],
      [
        '4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d',
        'e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493',
        '95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957',
      ],
    ] as const;
    for (const [k, u, out] of cases)
      expect(bytesToHex(primitives.x25519SharedSecret(hexToBytes(k), hexToBytes(u)))).toBe(out);
  });

  it('X25519: RFC 7748, 5.2, after 1 and after 1,000 iterations', () => {
    let k: Uint8Array = Uint8Array.from({ length: 32 }, (_, i) => (i === 0 ? 9 : 0));
    let u = k;
    for (let i = 1; i <= 1000; i++) {
      [k, u] = [primitives.x25519SharedSecret(k, u), k];
      if (i === 1)
        expect(bytesToHex(k)).toBe('422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079');
    }
    expect(bytesToHex(k)).toBe('684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51');
  });

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

  it('Ed25519: RFC 8032, 7.1, all five: tests 1 to 3, 1024, SHA(abc)', () => {
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
      [
        'f5e5767cf153319517630f226876b86c8160cc583bc013744c6bf255f5cc0ee5',
        '278117fc144c72340f67d0f2316e8386ceffbf2b2428c9c51fef7c597f1d426e',
        '08b8b2b733424243760fe426a4b54908632110a66c2f6591eabd3345e3e4eb98fa6e264bf09efe12ee50f8f5' +
          '4e9f77b1e355f6c50544e23fb1433ddf73be84d879de7c0046dc4996d9e773f4bc9efe5738829adb26c81b37' +
          'c93a1b270b20329d658675fc6ea534e0810a4432826bf58c941efb65d57a338bbd2e26640f89ffbc1a858efc' +
          'b8550ee3a5e1998bd177e93a7363c344fe6b199ee5d02e82d522c4feba15452f80288a821a579116ec6dad2b' +
          '3b310da903401aa62100ab5d1a36553e06203b33890cc9b832f79ef80560ccb9a39ce767967ed628c6ad573c' +
          'b116dbefefd75499da96bd68a8a97b928a8bbc103b6621fcde2beca1231d206be6cd9ec7aff6f6c94fcd7204' +
          'ed3455c68c83f4a41da4af2b74ef5c53f1d8ac70bdcb7ed185ce81bd84359d44254d95629e9855a94a7c1958' +
          'd1f8ada5d0532ed8a5aa3fb2d17ba70eb6248e594e1a2297acbbb39d502f1a8c6eb6f1ce22b3de1a1f40cc24' +
          '554119a831a9aad6079cad88425de6bde1a9187ebb6092cf67bf2b13fd65f27088d78b7e883c8759d2c4f5c6' +
          '5adb7553878ad575f9fad878e80a0c9ba63bcbcc2732e69485bbc9c90bfbd62481d9089beccf80cfe2df16a2' +
          'cf65bd92dd597b0707e0917af48bbb75fed413d238f5555a7a569d80c3414a8d0859dc65a46128bab27af87a' +
          '71314f318c782b23ebfe808b82b0ce26401d2e22f04d83d1255dc51addd3b75a2b1ae0784504df543af8969b' +
          'e3ea7082ff7fc9888c144da2af58429ec96031dbcad3dad9af0dcbaaaf268cb8fcffead94f3c7ca495e056a9' +
          'b47acdb751fb73e666c6c655ade8297297d07ad1ba5e43f1bca32301651339e22904cc8c42f58c30c04aafdb' +
          '038dda0847dd988dcda6f3bfd15c4b4c4525004aa06eeff8ca61783aacec57fb3d1f92b0fe2fd1a85f672451' +
          '7b65e614ad6808d6f6ee34dff7310fdc82aebfd904b01e1dc54b2927094b2db68d6f903b68401adebf5a7e08' +
          'd78ff4ef5d63653a65040cf9bfd4aca7984a74d37145986780fc0b16ac451649de6188a7dbdf191f64b5fc5e' +
          '2ab47b57f7f7276cd419c17a3ca8e1b939ae49e488acba6b965610b5480109c8b17b80e1b7b750dfc7598d5d' +
          '5011fd2dcc5600a32ef5b52a1ecc820e308aa342721aac0943bf6686b64b2579376504ccc493d97e6aed3fb0' +
          'f9cd71a43dd497f01f17c0e2cb3797aa2a2f256656168e6c496afc5fb93246f6b1116398a346f1a641f3b041' +
          'e989f7914f90cc2c7fff357876e506b50d334ba77c225bc307ba537152f3f1610e4eafe595f6d9d90d11faa9' +
          '33a15ef1369546868a7f3a45a96768d40fd9d03412c091c6315cf4fde7cb68606937380db2eaaa707b4c4185' +
          'c32eddcdd306705e4dc1ffc872eeee475a64dfac86aba41c0618983f8741c5ef68d3a101e8a3b8cac60c905c' +
          '15fc910840b94c00a0b9d0',
        '0aab4c900501b3e24d7cdf4663326a3a87df5e4843b2cbdb67cbf6e460fec350aa5371b1508f9f4528ecea23c436d94b5e8fcd4f681e30a6ac00a9704a188a03',
      ],
      [
        '833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42',
        'ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf',
        bytesToHex(sha512(utf8ToBytes('abc'))),
        'dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704',
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

  it('SHA-256: FIPS 180-4 messages of none, 448 and 896 bits, and a million bytes', () => {
    const digests = [
      ['', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
      [
        'abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq',
        '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1',
      ],
      [
        'abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu',
        'cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1',
      ],
      ['a'.repeat(1_000_000), 'cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0'],
    ] as const;
    for (const [message, digest] of digests)
      expect(bytesToHex(primitives.sha256(utf8ToBytes(message)))).toBe(digest);
  });

  it('AES-256-GCM: test cases 13 to 16 of the GCM specification (McGrew & Viega 2005, Appendix B)', () => {
    const key = 'feffe9928665731c6d6a8f9467308308'.repeat(2);
    const nonce = 'cafebabefacedbaddecaf888';
    const text =
      'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255';
    const sealed =
      '522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad';
    const [zeroKey, zeroNonce] = ['00'.repeat(32), '00'.repeat(12)];
    const cases = [
      [zeroKey, zeroNonce, '', '', '530f8afbc74536b9a963b4f1c4cb738b'],
      [
        zeroKey,
        zeroNonce,
        '00'.repeat(16),
        '',
        'cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919',
      ],
      [key, nonce, text, '', `${sealed}b094dac5d93471bdec1a502270e3cc6c`],
      [
        key,
        nonce,
        text.slice(0, 120),
        'feedfacedeadbeeffeedfacedeadbeefabaddad2',
        `${sealed.slice(0, 120)}76fc6ece0f4e1768cddf8853bb2d551b`,
      ],
    ] as const;
    for (const [key, nonce, text, aad, sealed] of cases) {
      const [k, n, a] = [hexToBytes(key), hexToBytes(nonce), hexToBytes(aad)];
      expect(bytesToHex(primitives.aes256GcmSeal(k, n, hexToBytes(text), a))).toBe(sealed);
      expect(bytesToHex(primitives.aes256GcmOpen(k, n, hexToBytes(sealed), a))).toBe(text);
    }
  });

  it('AES-256-CTR: the mode below the keystream gives NIST SP 800-38A, F.5.5', () => {
    const key = hexToBytes('603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4');
    const counter = hexToBytes('f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff');
    const text = hexToBytes(
      '6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710',
    );
    const encrypt = (key: Uint8Array, counter: Uint8Array, text: Uint8Array): Uint8Array =>
      primitives.name === 'node'
        ? createCipheriv('aes-256-ctr', key, counter).update(text)
        : ctr(key, counter).encrypt(text);
    expect(bytesToHex(encrypt(key, counter, text))).toBe(
      '601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c52b0930daa23de94ce87017ba2d84988ddfc9c58db67aada613c2dd08457941a6',
    );
    // The keystream is that mode from counter block 0 over zeros.
    const zeros = encrypt(key, new Uint8Array(16), new Uint8Array(400));
    expect(bytesToHex(littleEndianBytes(primitives.keystream(key).next(100).slice()))).toBe(
      bytesToHex(zeros),
    );
  });

  it('keystream: its first block is AES-256 of zeros (NIST AESAVS, Appendices C.3 and E.3)', () => {
    const cases = [
      [
        'c47b0294dbbbee0fec4757f22ffeee3587ca4730c3d33b691df38bab076bc558',
        '46f2fb342d6f0ab477476fc501242c5f',
      ],
      [
        '28d46cffa158533194214a91e712fc2b45b518076675affd910edeca5f41ac64',
        '4bf3b0a69aeb6657794f2901b1440ad4',
      ],
      [
        'c1cc358b449909a19436cfbb3f852ef8bcb5ed12ac7058325f56e6099aab1a1c',
        '352065272169abf9856843927d0674fd',
      ],
      [`80${'00'.repeat(31)}`, 'e35a6dcb19b201a01ebcfa8aa22b5759'],
    ] as const;
    for (const [key, block] of cases)
      expect(bytesToHex(littleEndianBytes(primitives.keystream(hexToBytes(key)).next(4).slice()))).toBe(
        block,
      );
  });

  it('keystream: from counter 2 on it is what AES-GCM adds under the zero nonce (NIST SP 800-38D, 7.1)', () => {
    const key = primitives.sha256(utf8ToBytes('counter'));
    const [nonce, none] = [new Uint8Array(12), new Uint8Array(0)];
    // 300 blocks: the counter carries into its second byte.
    const sealed = primitives.aes256GcmSeal(key, nonce, new Uint8Array(300 * 16), none);
    const stream = littleEndianBytes(
      primitives
        .keystream(key)
        .next(302 * 4)
        .slice(),
    );
    expect(bytesToHex(stream.subarray(32))).toBe(bytesToHex(sealed.subarray(0, 300 * 16)));
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
    const pieces = [4, KEYSTREAM_PIECE_WORDS - 4, 4096, 3].flatMap((words) => [...stream.next(words)]);
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

describe('seededRng', () => {
  it('is the ChaCha20 key stream of RFC 8439, A.1, test vectors 1 to 4 (zero nonce)', () => {
    const cases = [
      [
        '00'.repeat(32),
        0,
        '76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586',
      ],
      [
        '00'.repeat(32),
        1,
        '9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f',
      ],
      [
        `${'00'.repeat(31)}01`,
        1,
        '3aeb5224ecf849929b9d828db1ced4dd832025e8018b8160b82284f3c949aa5a8eca00bbb4a73bdad192b5c42f73f2fd4e273644c8b36125a64addeb006c13a0',
      ],
      [
        `00ff${'00'.repeat(30)}`,
        2,
        '72d54dfbf12ec44b362692df94137f328fea8da73990265ec1bbbea1ae9af0ca13b25aa26cb4a648cb9b9d1be65b2c0924a66c54d545ec1b7374f4872e99f096',
      ],
    ] as const;
    for (const [seed, block, stream] of cases) {
      const bytes = seededRng(hexToBytes(seed))(64 * (block + 1));
      expect(bytesToHex(bytes.subarray(64 * block))).toBe(stream);
    }
  });

  it('is OpenSSL’s ChaCha20 too, over more blocks than it makes at a time', () => {
    const seed = nodePrimitives.sha256(utf8ToBytes('seed'));
    const openssl = createCipheriv('chacha20', seed, new Uint8Array(16)).update(new Uint8Array(20_000));
    const rng = seededRng(seed);
    expect(bytesToHex(concatBytes(rng(1), rng(4_999), rng(15_000)))).toBe(bytesToHex(openssl));
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
