import { bytesToHex } from '@noble/hashes/utils.js';
import { describe, expect, it } from 'vitest';
import { inlineMaskWork } from '../../../src/crypto/maskWork.js';
import { nodePrimitives } from '../../../src/crypto/nodePrimitives.js';
import {
  createMaskedInput,
  openRound,
  receiveMaskedInput,
  type UnmaskingRound,
  unmask,
} from '../../../src/secagg/index.js';
import { pairMask, selfMask } from '../../../src/secagg/keys.js';
import { addMasks } from '../../../src/secagg/mask.js';
import {
  accepted,
  answered,
  digestOf,
  idAt,
  maskedElements,
  roundOf,
  setUp,
  slotSecrets,
  transcriptOf,
} from '../choir.js';

describe('mask keys and uploads', () => {
  const choir = setUp({ n: 4, slots: 4 });
  const contexts = [
    roundOf(choir),
    roundOf(choir, { attempt: 2 }),
    roundOf(choir, { round: 'round-2' }),
    roundOf(choir, { slot: 1 }),
    roundOf(choir, { queryDigest: digestOf('other') }),
    roundOf(choir, { modelDigest: digestOf('other') }),
    roundOf(choir, { dimension: 6 }),
    roundOf(choir, { modulusBits: 21 }),
    roundOf(choir, { expected: [0, 1, 3].map(idAt) }),
  ];

  /** Every mask key of every context, member and pair, each pair once; `salted: false` is the broken variant. */
  function keys(salted: boolean): string[] {
    return contexts.flatMap((round) => {
      const salt = salted ? transcriptOf(choir, round) : new Uint8Array(32);
      return round.expected.flatMap((id) => {
        const { self } = choir.members.get(id)!;
        const { seedRoot, pairSecrets } = slotSecrets(choir.members.get(id)!, round.slot);
        const pairs = pairSecrets
          .filter(({ member }) => member > self && round.expected.includes(idAt(member)))
          .map(({ member, secret }) => pairMask(nodePrimitives, salt, self, member, secret));
        return [selfMask(nodePrimitives, salt, self, seedRoot), ...pairs].map(({ key }) => bytesToHex(key));
      });
    });
  }

  it('hazard S23: 256-bit keys that differ by pair, self, slot, round, attempt, query, model, ring and cohort', () => {
    const all = keys(true);
    expect(new Set(all).size).toBe(all.length);
    expect(all.every((key) => key.length === 64)).toBe(true);
  });

  it('positive control: without the transcript as salt they repeat in every round on a slot', () => {
    const broken = keys(false);
    expect(new Set(broken).size).toBeLessThan(broken.length);
  });

  it('hazard S23: a pair’s two sides agree on the key and take opposite signs', () => {
    const transcript = transcriptOf(choir, contexts[0]!);
    for (const state of choir.members.values())
      for (const { member, secret } of slotSecrets(state).pairSecrets) {
        const theirs = slotSecrets(choir.members.get(idAt(member))!).pairSecrets;
        const back = theirs.find((pair) => pair.member === state.self)!.secret;
        const mine = pairMask(nodePrimitives, transcript, state.self, member, secret);
        const yours = pairMask(nodePrimitives, transcript, member, state.self, back);
        expect(bytesToHex(mine.key)).toBe(bytesToHex(yours.key));
        expect(mine.sign + yours.sign).toBe(0);
      }
  });

  /** Pearson's statistic of the bytes against uniform: mean 255, standard deviation 22.6. */
  function chiSquare(words: Uint32Array): number {
    const counts = new Float64Array(256);
    const bytes = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
    for (const byte of bytes) counts[byte]! += 1;
    const expected = bytes.length / 256;
    return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
  }
  /** 255 + 8 standard deviations: a false alarm below 1e-10 a comparison. */
  const ALARM = 440;
  const difference = (a: Uint32Array, b: Uint32Array): Uint32Array => a.map((x, i) => x - b[i]!);

  it('hazard S24: the difference of any two uploads of one member looks uniform, across slots, rounds and retries', async () => {
    const rounds = [
      { slot: 0 },
      { slot: 1, round: 'round-2' },
      { slot: 2, attempt: 2 },
      // What a member that was rolled back would send: even then no mask repeats.
      { slot: 0, attempt: 3 },
    ].map((own) => roundOf(choir, { ...own, dimension: 4096, modulusBits: 32 }));
    const x = Uint32Array.from({ length: 4096 }, (_, i) => i % 17);
    const party = choir.parties.get(idAt(1))!;
    const uploads = await Promise.all(
      rounds.map(async (round) => {
        const { outbound } = await createMaskedInput(party, choir.members.get(idAt(1))!, round, x);
        return maskedElements(outbound.release('restart-abandons'), round);
      }),
    );
    for (const [i, a] of uploads.entries()) {
      expect(chiSquare(a), `upload ${i}`).toBeLessThan(ALARM);
      for (const [j, b] of uploads.entries())
        if (i < j) expect(chiSquare(difference(a, b)), `uploads ${i} and ${j}`).toBeLessThan(ALARM);
    }
  });

  it('positive control: one mask for two uploads, as three published systems have it, leaves x − x′ in clear', () => {
    const x = Uint32Array.from({ length: 4096 }, (_, i) => i % 17);
    const [one, other] = [x, x.map((v) => v + 3)].map((v) => {
      const y = v.slice();
      addMasks(nodePrimitives, y, [{ key: new Uint8Array(32).fill(5), sign: 1 }]);
      return y;
    }) as [Uint32Array, Uint32Array];
    expect(chiSquare(one)).toBeLessThan(ALARM);
    expect(chiSquare(difference(one, other))).toBeGreaterThan(ALARM);
  });
});

describe('the edges of the ring', () => {
  /** The sum of a round whose members hold these vectors: the answers don't depend on what was masked. */
  async function summed(modulusBits: number, vectors: readonly Int32Array[]): Promise<readonly number[]> {
    const choir = setUp({ n: vectors.length, slots: 1 });
    const round = roundOf(choir, { modulusBits });
    const state: UnmaskingRound = await answered(choir, round);
    let own = openRound(nodePrimitives, choir.block, round);
    for (const [i, id] of round.expected.entries()) {
      const party = choir.parties.get(id)!;
      const input = await createMaskedInput(party, choir.members.get(id)!, round, vectors[i]!);
      own = accepted(receiveMaskedInput(nodePrimitives, own, input.outbound.release('restart-abandons')));
    }
    const outcome = await unmask(nodePrimitives, inlineMaskWork(nodePrimitives), {
      ...state,
      running: own.running,
    });
    if (outcome.kind !== 'unmasked') throw new Error(outcome.reason);
    return [...outcome.sum];
  }

  it.each([8, 16, 31, 32])(
    'hazard S21: the largest and smallest elements of all members sum exactly modulo 2^%i',
    async (modulusBits) => {
      const lowest = -(2 ** (modulusBits - 1));
      const vectors = [lowest, -lowest - 1, -1, 0].map((x) => Int32Array.from({ length: 5 }, () => x));
      // lowest + highest − 1 + 0 = −2 modulo the ring.
      expect(await summed(modulusBits, vectors)).toEqual(new Array(5).fill(2 ** modulusBits - 2));
    },
  );
});
