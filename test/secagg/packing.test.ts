import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nodePrimitives } from '../../src/crypto/nodePrimitives.js';
import { KEYSTREAM_PIECE_WORDS as PIECE } from '../../src/crypto/primitives.js';
import { ringPiece } from '../../src/crypto/ringPiece.js';
import { addMasks, reduceToRing, toRing } from '../../src/secagg/mask.js';
import { addPacked, packBits, packedBytes, unpackBits } from '../../src/secagg/packing.js';
import { MalformedMessage } from '../../src/secagg/wire.js';
import { seedOf } from './choir.js';

const bitsAndElements = fc.integer({ min: 1, max: 32 }).chain((bits) =>
  fc.record({
    bits: fc.constant(bits),
    elements: fc
      .array(fc.integer({ min: 0, max: 2 ** bits - 1 }), { minLength: 1, maxLength: 70 })
      .map((numbers) => Uint32Array.from(numbers)),
  }),
);

function inRing(vector: Int32Array | Uint32Array, modulusBits: number): Uint32Array | undefined {
  const elements = new Uint32Array(vector.length);
  if (toRing(vector, modulusBits, elements)) return elements;
  expect(elements.every((element) => element === 0)).toBe(true);
  return undefined;
}

describe('bit packing', () => {
  it('round trips for every width and length, in exactly the stated number of bytes', () => {
    fc.assert(
      fc.property(bitsAndElements, ({ bits, elements }) => {
        const packed = packBits(elements, bits);
        expect(packed.length).toBe(packedBytes(elements.length, bits));
        expect([...unpackBits(packed, elements.length, bits)]).toEqual([...elements]);
      }),
    );
  });

  it('is the little-endian bit string: element i at bits [i·b, (i+1)·b)', () => {
    fc.assert(
      fc.property(bitsAndElements, ({ bits, elements }) => {
        let whole = 0n;
        for (const [i, x] of elements.entries()) whole |= BigInt(x) << BigInt(i * bits);
        const expected = Uint8Array.from({ length: packedBytes(elements.length, bits) }, (_, i) =>
          Number((whole >> BigInt(8 * i)) & 255n),
        );
        expect([...packBits(elements, bits)]).toEqual([...expected]);
      }),
    );
  });

  it('round trips around a piece’s borders at every width, and writes nothing beside', () => {
    for (const length of [PIECE - 1, PIECE, PIECE + 1, PIECE + 3, 2 * PIECE + 7]) {
      const elements = Uint32Array.from({ length }, (_, i) => i * 2_654_435_761);
      for (let bits = 1; bits <= 32; bits++) {
        const bytes = packedBytes(length, bits);
        const around = new Uint8Array(bytes + 24).fill(0xa5);
        packBits(elements, bits, around.subarray(3, 3 + bytes));
        expect([...around.subarray(0, 3), ...around.subarray(3 + bytes)]).toEqual(Array(24).fill(0xa5));
        // Set padding bits would be refused.
        const unpacked = unpackBits(around.subarray(3, 3 + bytes), length, bits);
        const low = elements.map((x) => x & (2 ** bits - 1));
        expect(Buffer.compare(Buffer.from(unpacked.buffer), Buffer.from(low.buffer)), `${bits}`).toBe(0);
      }
    }
  });

  it('leaves nothing of the elements in the piece', () => {
    for (const length of [1, 2, 5, PIECE - 1, PIECE, PIECE + 1])
      for (const bits of [1, 20, 31]) {
        packBits(new Uint32Array(length).fill(0xffffffff), bits);
        const { sum, incoming } = ringPiece();
        expect(sum.every((word) => word === 0) && incoming.every((byte) => byte === 0)).toBe(true);
      }
  });

  it('takes the low bits only, leaves the source alone', () => {
    const elements = Uint32Array.of(0xffffffff, 0x100);
    expect([...unpackBits(packBits(elements, 8), 2, 8)]).toEqual([0xff, 0]);
    const wide = Uint32Array.of(0xffffffff, 0x100, 0xffffffff);
    packBits(wide, 8);
    expect([...wide]).toEqual([0xffffffff, 0x100, 0xffffffff]);
    const source = Uint32Array.of(1, 2);
    packBits(source, 32).fill(0);
    expect([...source]).toEqual([1, 2]);
  });

  it('folds into a sum modulo 2^32', () => {
    const sum = Uint32Array.of(0xffffffff, 5);
    addPacked(sum, packBits(Uint32Array.of(2, 7), 32), 32);
    expect([...sum]).toEqual([1, 12]);
    addPacked(sum, packBits(Uint32Array.of(9, 1), 9), 9);
    expect([...sum]).toEqual([10, 13]);
  });

  it('folds vectors longer than a piece, at every width, as element by element', () => {
    for (const length of [PIECE - 1, PIECE, PIECE + 1, 40_003])
      for (const bits of [8, 9, 20, 25, 31, 32]) {
        const elements = Uint32Array.from({ length }, (_, i) => (i * 2_654_435_761) >>> (32 - bits));
        const sum = Uint32Array.from({ length }, (_, i) => i * 40_503_000);
        const expected = sum.map((x, i) => x + elements[i]!);
        addPacked(sum, packBits(elements, bits), bits);
        expect(Buffer.compare(Buffer.from(sum.buffer), Buffer.from(expected.buffer)), `${bits}`).toBe(0);
      }
  });

  it('hazard S20: refuses a truncated or longer vector and set padding bits, before it adds anything', () => {
    const packed = packBits(Uint32Array.of(1, 2, 3), 9);
    const sum = new Uint32Array(3);
    for (const wrong of [packed.subarray(1), Uint8Array.of(...packed, 0)])
      expect(() => addPacked(sum, wrong, 9)).toThrow(MalformedMessage);
    const padded = packed.slice();
    padded[3]! |= 0x80;
    expect(() => addPacked(sum, padded, 9)).toThrow(MalformedMessage);
    expect([...sum]).toEqual([0, 0, 0]);
  });
});

describe('ring elements', () => {
  it('hazard S21: signed and unsigned edges of the ring pass, one beyond is refused', () => {
    for (const bits of [8, 20, 31]) {
      const half = 2 ** (bits - 1);
      expect([...inRing(Int32Array.of(-half, half - 1, -1, 0), bits)!]).toEqual([
        half,
        half - 1,
        2 * half - 1,
        0,
      ]);
      expect(inRing(Int32Array.of(half), bits)).toBeUndefined();
      expect(inRing(Int32Array.of(-half - 1), bits)).toBeUndefined();
      expect([...inRing(Uint32Array.of(2 * half - 1), bits)!]).toEqual([2 * half - 1]);
      expect(inRing(Uint32Array.of(0, 2 * half), bits)).toBeUndefined();
    }
    expect([...inRing(Int32Array.of(-(2 ** 31), -1), 32)!]).toEqual([2 ** 31, 2 ** 32 - 1]);
    expect([...inRing(Uint32Array.of(2 ** 32 - 1), 32)!]).toEqual([2 ** 32 - 1]);
  });

  it('copies: masking never touches the caller’s vector', () => {
    const vector = Uint32Array.of(1, 2, 3);
    const elements = inRing(vector, 16)!;
    addMasks(nodePrimitives, elements, [{ key: seedOf('key'), sign: 1 }]);
    expect([...vector]).toEqual([1, 2, 3]);
  });

  it('adding and subtracting one mask is nothing, beyond a piece and at odd lengths', () => {
    for (const length of [1, 3, PIECE, PIECE + 1, 40_003]) {
      const target = Uint32Array.from({ length }, (_, i) => i * 2_654_435_761);
      const before = target.slice();
      const mask = { key: seedOf('mask'), sign: 1 as const };
      addMasks(nodePrimitives, target, [mask]);
      expect(target.some((x, i) => x !== before[i])).toBe(true);
      addMasks(nodePrimitives, target, [{ ...mask, sign: -1 }]);
      expect(Buffer.compare(Buffer.from(target.buffer), Buffer.from(before.buffer))).toBe(0);
    }
  });

  it('reduces modulo 2^b', () => {
    const elements = Uint32Array.of(0x1ff, 0xffffffff);
    reduceToRing(elements, 8);
    expect([...elements]).toEqual([0xff, 0xff]);
  });
});
