import { bytesToHex } from '@noble/hashes/utils.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  advertBytes,
  COMMITMENT_BYTES,
  CONSISTENCY_CHECK_BYTES,
  dealtPartBytes,
  decodeAdvertiseKeys,
  decodeConsistencyCheck,
  decodeDealtPart,
  decodeMaskedInput,
  decodeShareKeys,
  decodeUnmasking,
  encodeAdvertiseKeys,
  encodeConsistencyCheck,
  encodeDealtPart,
  encodeShareKeys,
  encodeUnmasking,
  frameMaskedInput,
  maskedInputBytes,
  OPENING_BYTES,
  peek,
  sealedSharesBytes,
  shareKeysBytes,
  unmaskingBytes,
} from '../../src/secagg/messages.js';
import { decodeShareBundle, encodeShareBundle, type ShareBundle } from '../../src/secagg/shareBundle.js';
import { SIGNATURE_BYTES, type Signed } from '../../src/secagg/signing.js';
import { ByteReader, ByteWriter, MalformedMessage } from '../../src/secagg/wire.js';
import { idAt, play, roundOf, setUp } from './choir.js';

function encodeMaskedInput(
  sender: number,
  slot: number,
  dimension: number,
  modulusBits: number,
  packed: Uint8Array,
): Uint8Array {
  const { message, room } = frameMaskedInput(sender, slot, dimension, modulusBits);
  room.set(packed);
  return message;
}

const SLOTS = 2;
const key = (fill: number) => new Uint8Array(32).fill(fill);
const opening = (fill: number) => new Uint8Array(OPENING_BYTES).fill(fill);
const part = (recipient: number, fill: number) => ({
  recipient,
  bytes: encodeDealtPart(
    recipient,
    new Uint8Array(SLOTS * COMMITMENT_BYTES).fill(fill),
    new Uint8Array(sealedSharesBytes(SLOTS)).fill(fill + 1),
  ),
});
const BUNDLE: ShareBundle = {
  recipient: 3,
  roots: [0, 1, 3].map((member) => ({ member, root: key(10 + member) })),
  parts: [
    { dealer: 0, part: part(3, 5).bytes, path: [key(20), key(21)] },
    { dealer: 1, part: part(3, 7).bytes, path: [key(22)] },
    { dealer: 3, part: part(3, 9).bytes, path: [] },
  ],
};

const signed = (bytes: Uint8Array, { signature }: Signed): Uint8Array => {
  bytes.set(signature, bytes.length - SIGNATURE_BYTES);
  return bytes;
};

/** Each of the five, with `again`: decoded and encoded anew, signature included. */
const SIGNED_MESSAGES = [
  {
    kind: 'AdvertiseKeys',
    size: advertBytes(SLOTS),
    bytes: encodeAdvertiseKeys(3, key(1), [
      { maskKey: key(2), seedCommitment: key(3) },
      { maskKey: key(4), seedCommitment: key(5) },
    ]),
    decode: (bytes: Uint8Array) => decodeAdvertiseKeys(bytes, SLOTS),
    again: (bytes: Uint8Array) => {
      const message = decodeAdvertiseKeys(bytes, SLOTS);
      return signed(encodeAdvertiseKeys(message.sender, message.encryptionKey, message.slots), message);
    },
  },
  {
    kind: 'ShareKeys',
    size: shareKeysBytes(SLOTS, 2),
    bytes: encodeShareKeys(3, SLOTS, [part(1, 7), part(2, 8)]),
    decode: (bytes: Uint8Array) => decodeShareKeys(bytes, SLOTS),
    again: (bytes: Uint8Array) => {
      const message = decodeShareKeys(bytes, SLOTS);
      const parts = message.parts.map((dealtPart) => {
        const { recipient, commitments, sealed } = decodeDealtPart(dealtPart.bytes, SLOTS);
        expect(recipient).toBe(dealtPart.recipient);
        return { recipient, bytes: encodeDealtPart(recipient, commitments, sealed) };
      });
      return signed(encodeShareKeys(message.sender, SLOTS, parts), message);
    },
  },
  {
    kind: 'MaskedInput',
    size: maskedInputBytes(3, 9),
    bytes: encodeMaskedInput(3, 1, 3, 9, Uint8Array.of(1, 2, 3, 4)),
    decode: (bytes: Uint8Array) => decodeMaskedInput(bytes, 3, 9),
    again: (bytes: Uint8Array) => {
      const message = decodeMaskedInput(bytes, 3, 9);
      const { sender, slot, dimension, modulusBits, packed } = message;
      return signed(encodeMaskedInput(sender, slot, dimension, modulusBits, packed), message);
    },
  },
  {
    kind: 'ConsistencyCheck',
    size: CONSISTENCY_CHECK_BYTES,
    bytes: encodeConsistencyCheck(3, 1, key(6)),
    decode: decodeConsistencyCheck,
    again: (bytes: Uint8Array) => {
      const message = decodeConsistencyCheck(bytes);
      return signed(encodeConsistencyCheck(message.sender, message.slot, message.survivors), message);
    },
  },
  {
    kind: 'Unmasking',
    size: unmaskingBytes(3),
    bytes: encodeUnmasking(3, 1, [
      { member: 0, kind: 'seed', opening: opening(1) },
      { member: 2, kind: 'mask', opening: opening(2) },
      { member: 3, kind: 'none', opening: opening(0) },
    ]),
    decode: decodeUnmasking,
    again: (bytes: Uint8Array) => {
      const message = decodeUnmasking(bytes);
      return signed(encodeUnmasking(message.sender, message.slot, message.answers), message);
    },
  },
] as const;

const ENCODINGS = [
  ...SIGNED_MESSAGES,
  {
    kind: 'the relay of shares',
    bytes: encodeShareBundle(BUNDLE),
    again: (bytes: Uint8Array) => encodeShareBundle(decodeShareBundle(bytes, SLOTS)),
  },
  {
    kind: 'a dealt part',
    bytes: part(3, 1).bytes,
    again: (bytes: Uint8Array) => {
      const { recipient, commitments, sealed } = decodeDealtPart(bytes, SLOTS);
      return encodeDealtPart(recipient, commitments, sealed);
    },
  },
];

describe.each(SIGNED_MESSAGES)('the message $kind', ({ kind, size, bytes, decode }) => {
  it('has the computed size, names its kind and sender, and splits body and signature', () => {
    expect(bytes.length).toBe(size);
    expect(peek(bytes)).toEqual({ kind, sender: 3 });
    const message = decode(bytes);
    expect(message.sender).toBe(3);
    expect(message.body.length).toBe(size - SIGNATURE_BYTES);
    expect(message.signature.length).toBe(SIGNATURE_BYTES);
  });

  it('is refused under another version or kind', () => {
    for (const at of [0, 1]) {
      const other = bytes.with(at, 9);
      expect(() => decode(other)).toThrow(MalformedMessage);
      expect(() => peek(other)).toThrow(MalformedMessage);
    }
  });
});

describe.each(ENCODINGS)('the encoding of $kind', ({ bytes, again }) => {
  /** Refused as malformed, or understood as exactly these bytes: never as something that is encoded otherwise. */
  const isOneEncoding = (input: Uint8Array): 'malformed' | 'same' => {
    let encoded: Uint8Array;
    try {
      encoded = again(input);
    } catch (error) {
      expect(error).toBeInstanceOf(MalformedMessage);
      return 'malformed';
    }
    expect(bytesToHex(encoded)).toBe(bytesToHex(input));
    return 'same';
  };

  it('comes back from the decoder as it was', () => {
    expect(isOneEncoding(bytes)).toBe('same');
  });

  it('hazard S20: is refused when truncated anywhere or a byte too long', () => {
    for (let length = 0; length < bytes.length; length++)
      expect(isOneEncoding(bytes.subarray(0, length)), `${length} bytes`).toBe('malformed');
    for (const extra of [0, 1, 255]) expect(isOneEncoding(Uint8Array.of(...bytes, extra))).toBe('malformed');
  });

  it('is the only one of its message: any bit flipped anywhere is malformed or another message', () => {
    for (let at = 0; at < bytes.length; at++)
      for (let bit = 0; bit < 8; bit++) isOneEncoding(bytes.with(at, bytes[at]! ^ (1 << bit)));
  });

  it('never makes the decoder throw anything but MalformedMessage, whatever it is fed', () => {
    const edit = fc.tuple(fc.nat(bytes.length - 1), fc.nat(255));
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.array(edit, { maxLength: 5 }),
        fc.nat(bytes.length),
        (noise, edits, cut) => {
          const edited = bytes.slice();
          for (const [at, value] of edits) edited[at] = value;
          // Noise behind a good beginning gets further than noise alone.
          const spliced = Uint8Array.of(...bytes.subarray(0, cut), ...noise);
          for (const input of [noise, edited, spliced]) isOneEncoding(input);
        },
      ),
    );
  });

  it('may lie anywhere in a larger buffer', () => {
    const within = new Uint8Array(bytes.length + 16);
    within.set(bytes, 7);
    expect(isOneEncoding(within.subarray(7, 7 + bytes.length))).toBe('same');
  });
});

describe('one encoding for one message', () => {
  it('indices must ascend: none twice, none out of order', () => {
    const answer = { kind: 'seed', opening: opening(1) } as const;
    const [root, other] = BUNDLE.roots as [ShareBundle['roots'][0], ShareBundle['roots'][0]];
    const [relayed, next] = BUNDLE.parts as [ShareBundle['parts'][0], ShareBundle['parts'][0]];
    for (const [a, b] of [
      [1, 1],
      [2, 1],
    ] as const) {
      const answers = [a, b].map((member) => ({ member, ...answer }));
      expect(() => decodeUnmasking(encodeUnmasking(0, 0, answers))).toThrow(MalformedMessage);
      const parts = [part(a, 1), part(b, 1)];
      expect(() => decodeShareKeys(encodeShareKeys(0, SLOTS, parts), SLOTS)).toThrow(MalformedMessage);
    }
    for (const altered of [
      { ...BUNDLE, roots: [root, root] },
      { ...BUNDLE, roots: [other, root] },
      { ...BUNDLE, parts: [relayed, relayed] },
      { ...BUNDLE, parts: [next, relayed] },
    ])
      expect(() => decodeShareBundle(encodeShareBundle(altered), SLOTS)).toThrow(MalformedMessage);
  });

  it('an absent share is zeros; an unknown share kind is refused', () => {
    const none = [{ member: 1, kind: 'none', opening: opening(1) }] as const;
    expect(() => decodeUnmasking(encodeUnmasking(0, 0, none))).toThrow(MalformedMessage);
    const bytes = encodeUnmasking(0, 0, [{ member: 1, kind: 'seed', opening: opening(1) }]);
    bytes[9] = 3;
    expect(() => decodeUnmasking(bytes)).toThrow(MalformedMessage);
  });

  it('a masked input of another dimension or ring, an advert of other slots is malformed', () => {
    const bytes = encodeMaskedInput(0, 0, 4, 8, new Uint8Array(4));
    expect(() => decodeMaskedInput(bytes, 4, 9)).toThrow(MalformedMessage);
    expect(() => decodeMaskedInput(bytes, 3, 8)).toThrow(MalformedMessage);
    expect(() => decodeAdvertiseKeys(encodeAdvertiseKeys(0, key(1), []), 1)).toThrow(MalformedMessage);
  });

  it('shares dealt for another number of slots are malformed', () => {
    expect(() => decodeShareKeys(SIGNED_MESSAGES[1].bytes, SLOTS + 1)).toThrow(MalformedMessage);
    expect(() => decodeShareBundle(encodeShareBundle(BUNDLE), SLOTS - 1)).toThrow(MalformedMessage);
    expect(() => decodeDealtPart(part(1, 1).bytes, SLOTS - 1)).toThrow(MalformedMessage);
  });

  it('a path longer than a tree of 2^16 recipients has is malformed', () => {
    const deep = (levels: number) => {
      const path = Array.from({ length: levels }, () => key(1));
      return encodeShareBundle({ ...BUNDLE, parts: [{ ...BUNDLE.parts[0]!, path }] });
    };
    expect(decodeShareBundle(deep(16), SLOTS).parts[0]!.path.length).toBe(16);
    expect(() => decodeShareBundle(deep(17), SLOTS)).toThrow(MalformedMessage);
  });
});

describe('hazard S26: sizes follow from public numbers alone', () => {
  it('of a masked input for any data, of an answer for any fate', () => {
    const masked = (fill: number) => encodeMaskedInput(0, 0, 8, 8, new Uint8Array(8).fill(fill)).length;
    expect(masked(0)).toBe(masked(255));
    const answers = (kind: 'seed' | 'mask' | 'none') =>
      encodeUnmasking(0, 0, [{ member: 1, kind, opening: opening(0) }]).length;
    expect(new Set([answers('seed'), answers('mask'), answers('none')]).size).toBe(1);
  });

  it.each([
    { graph: 'complete', n: 6, minSurvivors: 4, shareholders: 6 },
    { graph: 'harary', n: 9, minSurvivors: 8, shareholders: 4 },
  ] as const)(
    'what is sent on a $graph graph has the computed sizes',
    async ({ graph, n, minSurvivors, shareholders }) => {
      const slots = 3;
      const choir = setUp({ n, slots, minSurvivors, graph });
      expect(choir.block.graph).toMatchObject({ kind: graph, shareholders });
      const round = roundOf(choir, { dimension: 11, modulusBits: 13 });
      const played = await play(choir, round, { atMaskedInput: [idAt(1)] });
      expect(played.outcome.kind).toBe('unmasked');
      const computed = {
        AdvertiseKeys: advertBytes(slots),
        ShareKeys: shareKeysBytes(slots, shareholders),
        MaskedInput: maskedInputBytes(round.dimension, round.modulusBits),
        ConsistencyCheck: CONSISTENCY_CHECK_BYTES,
        // Everybody in U₁ʳ of whom one holds shares is answered for, alive or lost.
        Unmasking: unmaskingBytes(shareholders),
      };
      const sent = new Set<string>();
      for (const message of [...choir.transcript, ...played.transcript]) {
        const { kind } = peek(message);
        sent.add(kind);
        expect(message.length, kind).toBe(computed[kind]);
      }
      expect([...sent].sort()).toEqual(Object.keys(computed).sort());
      for (const { bytes } of decodeShareKeys(choir.transcript.at(-1)!, slots).parts)
        expect(bytes.length).toBe(dealtPartBytes(slots));
    },
  );
});

describe('the byte reader and writer', () => {
  it('a writer whose size was computed wrong says so', () => {
    expect(() => new ByteWriter(3).u16(1).done()).toThrow(RangeError);
    expect(() => new ByteWriter(1).u16(1)).toThrow(RangeError);
  });

  it('is little-endian', () => {
    const bytes = new ByteWriter(7).u8(1).u16(0x0203).u32(0x04050607).done();
    expect([...bytes]).toEqual([1, 3, 2, 7, 6, 5, 4]);
    const reader = new ByteReader(bytes);
    expect([reader.u8(), reader.u16(), reader.u32()]).toEqual([1, 0x0203, 0x04050607]);
    expect(() => reader.u8()).toThrow(MalformedMessage);
    reader.end();
  });
});
