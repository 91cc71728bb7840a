import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  advertBytes,
  consistencyCheckBytes,
  decodeAdvertiseKeys,
  decodeConsistencyCheck,
  decodeMaskedInput,
  decodeShareKeys,
  decodeUnmasking,
  encodeAdvertiseKeys,
  encodeConsistencyCheck,
  encodeMaskedInput,
  encodeShareKeys,
  encodeUnmasking,
  maskedInputBytes,
  peek,
  sealedSharesBytes,
  shareKeysBytes,
  unmaskingBytes,
} from '../../src/secagg/messages.js';
import { ByteReader, ByteWriter, MalformedMessage } from '../../src/secagg/wire.js';

const key = (fill: number) => new Uint8Array(32).fill(fill);
const sealed = (fill: number) => new Uint8Array(sealedSharesBytes(2)).fill(fill);

/** Each message with its decoder: everything below is asked of all five. */
const MESSAGES = [
  {
    kind: 'AdvertiseKeys',
    size: advertBytes(2),
    bytes: encodeAdvertiseKeys(3, key(1), [
      { maskKey: key(2), seedCommitment: key(3) },
      { maskKey: key(4), seedCommitment: key(5) },
    ]),
    decode: (bytes: Uint8Array) => decodeAdvertiseKeys(bytes, 2),
  },
  {
    kind: 'ShareKeys',
    size: shareKeysBytes(2, 2),
    bytes: encodeShareKeys(3, 2, [
      { recipient: 1, sealed: sealed(7) },
      { recipient: 2, sealed: sealed(8) },
    ]),
    decode: (bytes: Uint8Array) => decodeShareKeys(bytes, 2),
  },
  {
    kind: 'MaskedInput',
    size: maskedInputBytes(3, 9),
    bytes: encodeMaskedInput(3, 1, 3, 9, Uint8Array.of(1, 2, 3, 4)),
    decode: (bytes: Uint8Array) => decodeMaskedInput(bytes, 3, 9),
  },
  {
    kind: 'ConsistencyCheck',
    size: consistencyCheckBytes(3),
    bytes: encodeConsistencyCheck(3, 1, [0, 2, 3]),
    decode: decodeConsistencyCheck,
  },
  {
    kind: 'Unmasking',
    size: unmaskingBytes(3),
    bytes: encodeUnmasking(3, 1, [
      { member: 0, kind: 'seed', share: key(1) },
      { member: 2, kind: 'mask', share: key(2) },
      { member: 3, kind: 'none', share: key(0) },
    ]),
    decode: decodeUnmasking,
  },
] as const;

describe.each(MESSAGES)('the codec of $kind', ({ kind, size, bytes, decode }) => {
  it('has the computed size, names its kind and sender, and splits body and signature', () => {
    expect(bytes.length).toBe(size);
    expect(peek(bytes)).toEqual({ kind, sender: 3 });
    const message = decode(bytes);
    expect(message.sender).toBe(3);
    expect(message.body.length).toBe(size - 64);
    expect(message.signature.length).toBe(64);
  });

  it('hazard S20: is refused when truncated anywhere or a byte too long', () => {
    for (let length = 0; length < bytes.length; length++)
      expect(() => decode(bytes.subarray(0, length)), `${length} bytes`).toThrow(MalformedMessage);
    expect(() => decode(Uint8Array.of(...bytes, 0))).toThrow(MalformedMessage);
  });

  it('is refused under another version or kind', () => {
    for (const at of [0, 1]) {
      const other = bytes.slice();
      other[at] = 9;
      expect(() => decode(other)).toThrow(MalformedMessage);
      expect(() => peek(other)).toThrow(MalformedMessage);
    }
  });

  it('never throws anything but MalformedMessage, whatever it is fed', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { maxLength: 5 }),
        (noise, edits) => {
          const edited = bytes.slice();
          for (const [at, value] of edits) edited[at] = value;
          for (const input of [noise, edited])
            try {
              decode(input);
            } catch (error) {
              expect(error).toBeInstanceOf(MalformedMessage);
            }
        },
      ),
    );
  });
});

describe('one encoding for one message', () => {
  it('indices must ascend: none twice, none out of order', () => {
    for (const survivors of [
      [2, 1],
      [1, 1],
    ])
      expect(() => decodeConsistencyCheck(encodeConsistencyCheck(0, 0, survivors))).toThrow(MalformedMessage);
    const answer = { kind: 'seed', share: key(1) } as const;
    expect(() =>
      decodeUnmasking(
        encodeUnmasking(0, 0, [
          { member: 1, ...answer },
          { member: 1, ...answer },
        ]),
      ),
    ).toThrow(MalformedMessage);
    const share = { recipient: 1, sealed: sealed(1) };
    expect(() => decodeShareKeys(encodeShareKeys(0, 2, [share, share]), 2)).toThrow(MalformedMessage);
  });

  it('an absent share is zeros; an unknown share kind is refused', () => {
    expect(() =>
      decodeUnmasking(encodeUnmasking(0, 0, [{ member: 1, kind: 'none', share: key(1) }])),
    ).toThrow(MalformedMessage);
    const bytes = encodeUnmasking(0, 0, [{ member: 1, kind: 'seed', share: key(1) }]);
    bytes[9] = 3;
    expect(() => decodeUnmasking(bytes)).toThrow(MalformedMessage);
  });

  it('a masked input of another dimension or ring is malformed', () => {
    const bytes = encodeMaskedInput(0, 0, 4, 8, new Uint8Array(4));
    expect(() => decodeMaskedInput(bytes, 4, 9)).toThrow(MalformedMessage);
    expect(() => decodeMaskedInput(bytes, 3, 8)).toThrow(MalformedMessage);
    expect(() => decodeAdvertiseKeys(encodeAdvertiseKeys(0, key(1), []), 1)).toThrow(MalformedMessage);
  });

  it('hazard S26: sizes follow from public numbers alone', () => {
    const masked = (fill: number) => encodeMaskedInput(0, 0, 8, 8, new Uint8Array(8).fill(fill)).length;
    expect(masked(0)).toBe(masked(255));
    const answers = (kind: 'seed' | 'mask' | 'none') =>
      encodeUnmasking(0, 0, [{ member: 1, kind, share: key(0) }]).length;
    expect(new Set([answers('seed'), answers('mask'), answers('none')]).size).toBe(1);
  });
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
