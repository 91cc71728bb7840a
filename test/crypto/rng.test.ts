import { chacha20 } from '@noble/ciphers/chacha.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { describe, expect, it } from 'vitest';
import { seededRng, systemRng } from '../../src/crypto/rng.js';

describe('systemRng', () => {
  it('gives the lengths asked for, across and above its pool, and never the same bytes', () => {
    const rng = systemRng();
    const seen = new Set<string>();
    for (let i = 0; i < 5000; i++) seen.add(bytesToHex(rng(32)));
    expect(seen.size).toBe(5000);
    expect(rng(0).length).toBe(0);
    const long = rng(200_000);
    expect(long.length).toBe(200_000);
    // getRandomValues gives 64 KiB at a time: every piece is filled, to its last bytes.
    for (const end of [65_536, 131_072, 196_608, 200_000])
      expect(long.subarray(end - 32, end).some((byte) => byte !== 0)).toBe(true);
  });

  it('hands out bytes of its own: a caller that overwrites them changes nothing later', () => {
    const rng = systemRng();
    rng(64).fill(0);
    expect(rng(64).some((byte) => byte !== 0)).toBe(true);
  });

  it('refuses what is not a length', () => {
    for (const length of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])
      expect(() => systemRng()(length)).toThrow(RangeError);
  });
});

describe('seededRng', () => {
  const seed = new Uint8Array(32).fill(3);

  it('is ChaCha20 of zeros (RFC 8439), however it is read', () => {
    const expected = chacha20(seed, new Uint8Array(12), new Uint8Array(10_000));
    expect(bytesToHex(seededRng(seed)(10_000))).toBe(bytesToHex(expected));
    const rng = seededRng(seed);
    const pieces = [1, 31, 64, 4000, 5904].map((length) => bytesToHex(rng(length)));
    expect(pieces.join('')).toBe(bytesToHex(expected));
  });

  it('differs by seed and wants 32 bytes of it', () => {
    const other = new Uint8Array(32).fill(4);
    expect(bytesToHex(seededRng(other)(32))).not.toBe(bytesToHex(seededRng(seed)(32)));
    expect(() => seededRng(new Uint8Array(16))).toThrow(RangeError);
    expect(() => seededRng(seed)(-1)).toThrow(RangeError);
  });
});
