import { describe, expect, it } from 'vitest';
import { nodePrimitives } from '../../../src/crypto/nodePrimitives.js';
import {
  closeMaskedInputs,
  createMaskedInput,
  handleConsistency,
  handleSurvivors,
  openRound,
  type RoundContext,
  receiveConsistency,
  receiveMaskedInput,
  SecaggRefusal,
} from '../../../src/secagg/index.js';
import { pairMask, selfMask } from '../../../src/secagg/keys.js';
import { addMasks } from '../../../src/secagg/mask.js';
import {
  decodeUnmasking,
  encodeUnmasking,
  OPENING_BYTES,
  type ShareAnswer,
} from '../../../src/secagg/messages.js';
import {
  accepted,
  answered,
  type Choir,
  digestOf,
  expectRefusal,
  idAt,
  maskedElements,
  play,
  ready,
  roundOf,
  setUp,
  slotSecrets,
  subsetsOf,
  sumOf,
  transcriptOf,
  vectorOf,
} from '../choir.js';

/** Servers that tell members what is not so. The members are real; the server is scripted. */

const memberOf = (choir: Choir, id: string) => ({
  party: choir.parties.get(id)!,
  state: choir.members.get(id)!,
});

async function masked(choir: Choir, id: string, round: RoundContext) {
  const { party, state } = memberOf(choir, id);
  const next = await createMaskedInput(party, state, round, vectorOf(choir, id, round));
  return { party, state: next.state, message: next.outbound.release('restart-abandons') };
}

describe('different views of one round', () => {
  const choir = setUp();
  const views: [string, Partial<RoundContext>][] = [
    ['model', { modelDigest: digestOf('planted') }],
    ['query', { queryDigest: digestOf('planted') }],
    ['attempt', { attempt: 2 }],
  ];

  it.each(views)(
    'hazard S2: members shown another %s never reach t signatures together',
    async (_what, view) => {
      const honest = roundOf(choir);
      const planted = { ...honest, ...view };
      const signed = await Promise.all(
        honest.expected.map(async (id, i) => {
          const { party, state } = await masked(choir, id, i < 2 ? planted : honest);
          return { party, ...handleSurvivors(party, state, 0, honest.expected) };
        }),
      );
      const checks = signed.map(({ outbound }) => outbound.release('restart-abandons'));
      for (const { party, state } of signed)
        expectRefusal('TooFewChecks', () => handleConsistency(party, state, 0, checks));
    },
  );

  /**
   * The sum that a malicious coordinator computes when the first member was shown another model, after it has
   * (somehow) learnt every self mask: what is left is the pairwise masks, which cancel only under one transcript.
   */
  async function leftAfterSelfMasks(victimView: Partial<RoundContext>, salted: boolean): Promise<number[]> {
    const honest = roundOf(choir, { modulusBits: 32 });
    const sum = new Uint32Array(honest.dimension);
    for (const [i, id] of honest.expected.entries()) {
      const round = i === 0 ? { ...honest, ...victimView } : honest;
      const transcript = salted ? transcriptOf(choir, round) : new Uint8Array(32);
      const { seedRoot, pairSecrets } = slotSecrets(choir.members.get(id)!);
      const self = selfMask(nodePrimitives, transcript, i, seedRoot);
      const pairs = pairSecrets.map(({ member, secret }) =>
        pairMask(nodePrimitives, transcript, i, member, secret),
      );
      const y = vectorOf(choir, id, honest);
      addMasks(nodePrimitives, y, [self, ...pairs]);
      if (salted) {
        const { message } = await masked(choir, id, round);
        expect([...maskedElements(message, honest)], 'the test masks as the member does').toEqual([...y]);
      }
      addMasks(nodePrimitives, y, [{ ...self, sign: -1 }]);
      for (const [j, x] of y.entries()) sum[j]! += x;
    }
    return [...sum];
  }

  it('hazard S8: a victim with another model spoils the sum instead of showing itself', async () => {
    const exact = sumOf(choir, roundOf(choir).expected, roundOf(choir, { modulusBits: 32 }));
    expect(await leftAfterSelfMasks({}, true)).toEqual(exact);
    const attacked = await leftAfterSelfMasks({ modelDigest: digestOf('planted') }, true);
    for (const [j, x] of attacked.entries()) expect(x, `coordinate ${j}`).not.toBe(exact[j]);
  });

  it('positive control: with mask keys that don’t depend on the model, the same attack gives the exact sum', async () => {
    const exact = sumOf(choir, roundOf(choir).expected, roundOf(choir, { modulusBits: 32 }));
    expect(await leftAfterSelfMasks({ modelDigest: digestOf('planted') }, false)).toEqual(exact);
  });
});

describe('a server that tells different members different survivors', () => {
  /**
   * Tries every way to split the honest members between two sets of survivors, one with and one without the
   * victim; the colluder signs both. Gives the largest number of sets that anyone answered.
   */
  async function setsAnswered(threshold?: number): Promise<number> {
    const choir = setUp({ slots: 1 });
    const round = roundOf(choir);
    const victim = idAt(4);
    const [colluder, ...honest] = round.expected as [string, ...string[]];
    const states = new Map(
      await Promise.all(
        round.expected.map(async (id) => {
          const { party, state } = memberOf(choir, id);
          // The control's quorum ignores colluders too.
          const config = threshold === undefined ? state.config : { ...state.config, maxColluders: 0 };
          const graph = threshold === undefined ? state.graph : { ...state.graph, threshold };
          const vector = vectorOf(choir, id, round);
          const next = await createMaskedInput(party, { ...state, config, graph }, round, vector);
          return [id, { party, state: next.state }] as const;
        }),
      ),
    );
    const without = round.expected.filter((id) => id !== victim);
    const orRefused = <T>(act: () => T): T[] => {
      try {
        return [act()];
      } catch (error) {
        if (error instanceof SecaggRefusal) return [];
        throw error;
      }
    };
    let most = 0;
    for (const toldAlive of subsetsOf(honest)) {
      const sets = [round.expected, without].filter((survivors, which) => {
        const told = honest.filter((id) => toldAlive.includes(id) === (which === 0));
        const signed = [...told, colluder].flatMap((id) => {
          const { party, state } = states.get(id)!;
          // The victim itself refuses a set without it.
          return orRefused(() => ({ id, party, ...handleSurvivors(party, state, 0, survivors) }));
        });
        const checks = signed.map(({ outbound }) => outbound.release('restart-abandons'));
        return signed
          .filter(({ id }) => id !== colluder)
          .some(({ party, state }) => orRefused(() => handleConsistency(party, state, 0, checks)).length > 0);
      });
      most = Math.max(most, sets.length);
    }
    return most;
  }

  it('hazard S3: no split of the honest members, colluder included, gets two sets answered', async () => {
    expect(await setsAnswered()).toBe(1);
  });

  it('positive control: with t = ⌊n/2⌋ + 1, which ignores colluders, a split gets both', async () => {
    expect(await setsAnswered(3)).toBe(2);
  });
});

describe('both shares of one member', () => {
  const choir = setUp({ slots: 1 });
  const round = roundOf(choir);

  /** How many members an answer tells both secrets of. */
  const tellsBoth = (answers: readonly ShareAnswer[]): number =>
    new Set(
      answers
        .filter(
          ({ member }) => new Set(answers.filter((a) => a.member === member).map((a) => a.kind)).size > 1,
        )
        .map(({ member }) => member),
    ).size;

  it('hazard S4: an answer names every expected member once, the dropped one by its key, the others by their seeds', async () => {
    const { members } = await play(choir, round, { atMaskedInput: [idAt(3)] });
    for (const [id, { slots }] of members) {
      const slot = slots[0]!;
      expect(slot.kind).toBe(id === idAt(3) ? 'fresh' : 'answered');
      if (slot.kind !== 'answered') continue;
      const { answers } = decodeUnmasking(slot.answer);
      expect(answers.map(({ kind }) => kind)).toEqual(['seed', 'seed', 'seed', 'mask', 'seed']);
      expect(tellsBoth(answers)).toBe(0);
    }
  });

  it('positive control: a member that answers two lists, alive and dead, tells both; no such answer has an encoding', () => {
    // As a widely used system does: the server sends both lists and nobody compares them.
    const opening = new Uint8Array(OPENING_BYTES);
    const broken = (alive: number[], dead: number[]): ShareAnswer[] => [
      ...alive.map((member) => ({ member, kind: 'seed' as const, opening })),
      ...dead.map((member) => ({ member, kind: 'mask' as const, opening })),
    ];
    expect(tellsBoth(broken([0, 1, 2, 3], [3, 4]))).toBe(1);
    expect(() => decodeUnmasking(encodeUnmasking(0, 0, broken([0, 1, 2, 3], [3, 4])))).toThrow();
  });
});

describe('replays and kept inputs', () => {
  it('hazard S9: messages of another round, attempt, slot or block are rejected by both sides', async () => {
    const choir = setUp({ n: 4 });
    const round = roundOf(choir);
    const old = (await play(choir, round)).transcript;
    for (const other of [
      { ...round, attempt: 2 },
      { ...round, round: 'round-2' },
      { ...round, queryDigest: digestOf('other') },
      { ...round, slot: 1 },
    ]) {
      let state = openRound(nodePrimitives, choir.block, other);
      for (const message of old.slice(0, 4))
        expect(receiveMaskedInput(nodePrimitives, state, message)).toMatchObject({
          kind: 'rejected',
          reason: other.slot === 1 ? 'WrongSlot' : 'BadSignature',
        });
      for (const id of other.expected)
        state = accepted(receiveMaskedInput(nodePrimitives, state, (await masked(choir, id, other)).message));
      const checking = ready(closeMaskedInputs(state)).state;
      for (const message of old.slice(4, 8))
        expect(receiveConsistency(nodePrimitives, checking, message).kind).toBe('rejected');
      const member = await masked(choir, idAt(0), other);
      const signed = handleSurvivors(member.party, member.state, other.slot, other.expected).state;
      expectRefusal('TooFewChecks', () =>
        handleConsistency(member.party, signed, other.slot, old.slice(4, 8)),
      );
    }
    const elsewhere = setUp({ n: 4, block: 'block-2' });
    const there = openRound(nodePrimitives, elsewhere.block, roundOf(elsewhere));
    expect(receiveMaskedInput(nodePrimitives, there, old[0]!)).toMatchObject({
      kind: 'rejected',
      reason: 'BadSignature',
    });
  });

  it('hazard S10: a kept input whose sender is declared dropped stays covered by its self mask', async () => {
    const choir = setUp({ n: 4 });
    const round = roundOf(choir, { modulusBits: 32 });
    const victim = idAt(0);
    const x = vectorOf(choir, victim, round);
    const y = maskedElements((await masked(choir, victim, round)).message, round);
    const { seedRoot, pairSecrets } = slotSecrets(choir.members.get(victim)!);
    const transcript = transcriptOf(choir, round);
    // The server opened the victim's key: it can remove every pairwise mask.
    for (const { member, secret } of pairSecrets) {
      const mask = pairMask(nodePrimitives, transcript, 0, member, secret);
      addMasks(nodePrimitives, y, [{ ...mask, sign: mask.sign === 1 ? -1 : 1 }]);
    }
    for (const [j, covered] of y.entries()) expect(covered).not.toBe(x[j]);
    // Control: it is the self mask and nothing else that covers it.
    addMasks(nodePrimitives, y, [{ ...selfMask(nodePrimitives, transcript, 0, seedRoot), sign: -1 }]);
    expect([...y]).toEqual([...x]);
  });

  it('hazard S10: and the round that dropped it opens its key only, never its seed', async () => {
    const choir = setUp({ n: 4, slots: 1 });
    const victim = 1;
    const { answers } = await answered(choir, roundOf(choir), { dropped: [idAt(victim)] });
    const kinds = answers.flatMap((answer) =>
      answer === null
        ? []
        : decodeUnmasking(answer).answers.flatMap(({ member, kind }) => (member === victim ? [kind] : [])),
    );
    expect(kinds).toEqual(['mask', 'mask', 'mask']);
  });
});
