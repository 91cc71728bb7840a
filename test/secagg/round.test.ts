import { bytesToHex } from '@noble/hashes/utils.js';
import { describe, expect, it } from 'vitest';
import { noblePrimitives } from '../../src/crypto/noblePrimitives.js';
import { nodePrimitives } from '../../src/crypto/nodePrimitives.js';
import { KEYSTREAM_PIECE_WORDS } from '../../src/crypto/primitives.js';
import { idAt, play, roundOf, setUp, sumOf } from './choir.js';

describe('a whole round', () => {
  for (const modulusBits of [8, 13, 20, 31, 32])
    it(`sums exactly modulo 2^${modulusBits}`, async () => {
      const choir = setUp();
      const round = roundOf(choir, { modulusBits, dimension: 37 });
      const { outcome } = await play(choir, round);
      expect(outcome.kind).toBe('unmasked');
      if (outcome.kind !== 'unmasked') return;
      expect([...outcome.sum]).toEqual(sumOf(choir, round.expected, round));
      expect(outcome.survivors).toEqual(round.expected);
      expect(outcome.evidence).toEqual([]);
    });

  it('crosses pieces of the mask stream', async () => {
    const choir = setUp({ n: 3 });
    const round = roundOf(choir, { dimension: 2 * KEYSTREAM_PIECE_WORDS + 5, modulusBits: 27 });
    const { outcome } = await play(choir, round);
    expect(outcome.kind === 'unmasked' && [...outcome.sum]).toEqual(sumOf(choir, round.expected, round));
  });

  it('on a Harary graph above 64 members, with drop-outs: masks with neighbours only, the same exact sum', async () => {
    const choir = setUp({ n: 80, minSurvivors: 72, maxColluders: 3, graph: 'harary', slots: 1 });
    expect(choir.block.graph.kind).toBe('harary');
    expect(choir.block.graph.shareholders).toBeLessThan(79);
    const round = roundOf(choir, { dimension: 3 });
    const lost = [3, 17, 44].map(idAt);
    const { outcome } = await play(choir, round, { atMaskedInput: lost, atUnmasking: [idAt(5)] });
    const alive = round.expected.filter((id) => !lost.includes(id));
    expect(outcome.kind === 'unmasked' && [...outcome.sum]).toEqual(sumOf(choir, alive, round));
  });

  for (const graph of ['complete', 'harary'] as const)
    it(`gives byte-equal transcripts with both implementations of the primitives, ${graph} graph`, async () => {
      const run = async (primitives: typeof nodePrimitives): Promise<string[]> => {
        const choir = setUp({ n: 7, minSurvivors: 6, primitives, graph, slots: 1 });
        const { transcript, outcome } = await play(choir, roundOf(choir), { atMaskedInput: ['member-02'] });
        expect(outcome.kind).toBe('unmasked');
        return [...choir.transcript, ...transcript].map(bytesToHex);
      };
      expect(await run(noblePrimitives)).toEqual(await run(nodePrimitives));
    });
});
