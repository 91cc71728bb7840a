import { bytesToHex } from '@noble/hashes/utils.js';
import { describe, expect, it } from 'vitest';
import { noblePrimitives } from '../../src/crypto/noblePrimitives.js';
import { nodePrimitives } from '../../src/crypto/nodePrimitives.js';
import { play, roundOf, setUp, sumOf } from './choir.js';

describe('a whole round', () => {
  for (const modulusBits of [8, 13, 20, 31, 32])
    it(`sums exactly modulo 2^${modulusBits}`, () => {
      const choir = setUp();
      const round = roundOf(choir, { modulusBits, dimension: 37 });
      const { outcome } = play(choir, round);
      expect(outcome.kind).toBe('unmasked');
      if (outcome.kind !== 'unmasked') return;
      expect([...outcome.sum]).toEqual(sumOf(choir, round.expected, round));
      expect(outcome.survivors).toEqual(round.expected);
      expect(outcome.suspects).toEqual([]);
    });

  it('crosses pieces of the mask stream', () => {
    const choir = setUp({ n: 3 });
    const round = roundOf(choir, { dimension: 2 * 16_384 + 5, modulusBits: 27 });
    const { outcome } = play(choir, round);
    expect(outcome.kind === 'unmasked' && [...outcome.sum]).toEqual(sumOf(choir, round.expected, round));
  });

  it('gives byte-equal transcripts with both implementations of the primitives', () => {
    const run = (primitives: typeof nodePrimitives): string[] => {
      const choir = setUp({ n: 4, primitives });
      const { transcript, outcome } = play(choir, roundOf(choir), { atMaskedInput: ['member-02'] });
      expect(outcome.kind).toBe('unmasked');
      return [...choir.transcript, ...transcript].map(bytesToHex);
    };
    expect(run(noblePrimitives)).toEqual(run(nodePrimitives));
  });
});
