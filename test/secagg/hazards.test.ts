import { bytesToHex } from '@noble/hashes/utils.js';
import { describe, expect, it } from 'vitest';
import { nodePrimitives } from '../../src/crypto/nodePrimitives.js';
import {
  closeConsistency,
  closeMaskedInputs,
  createMaskedInput,
  handleAdverts,
  handleConsistency,
  handleShares,
  handleSurvivors,
  openRound,
  type ReadyMember,
  type RoundContext,
  receiveConsistency,
  receiveMaskedInput,
  receiveUnmasking,
  SecaggRefusal,
  unmask,
} from '../../src/secagg/index.js';
import { pairMask, selfMask } from '../../src/secagg/keys.js';
import { addMasks } from '../../src/secagg/mask.js';
import {
  decodeMaskedInput,
  decodeUnmasking,
  encodeUnmasking,
  type ShareAnswer,
} from '../../src/secagg/messages.js';
import { addPacked } from '../../src/secagg/packing.js';
import { assertRoundContext, roundTranscript } from '../../src/secagg/round.js';
import { signInPlace } from '../../src/secagg/signing.js';
import {
  accepted,
  type Choir,
  digestOf,
  expectRefusal,
  idAt,
  play,
  ready,
  roundOf,
  setUp,
  subsetsOf,
  sumOf,
  vectorOf,
} from './choir.js';

const indexOf = (choir: Choir, id: string) => choir.config.members.findIndex((member) => member.id === id);

/** The slot's secrets, which a test may see and the protocol never shows. */
function secretsOf(state: ReadyMember, slot = 0) {
  const found = state.slots[slot]!;
  if (!('pairSecrets' in found)) throw new Error('the slot has answered');
  return found;
}

const transcriptOf = (choir: Choir, round: RoundContext): Uint8Array =>
  roundTranscript(nodePrimitives, choir.block.setup, round, assertRoundContext(choir.config, round));

function maskedElements(message: Uint8Array, round: RoundContext): Uint32Array {
  const elements = new Uint32Array(round.dimension);
  addPacked(
    elements,
    decodeMaskedInput(message, round.dimension, round.modulusBits).packed,
    round.modulusBits,
  );
  return elements;
}

describe('hazard S2 and S8: different views of one round', () => {
  const choir = setUp({ n: 5 });
  const views = [{ modelDigest: digestOf('planted') }, { queryDigest: digestOf('planted') }, { attempt: 2 }];

  it.each(views)(
    'hazard S2: members shown $modelDigest$queryDigest$attempt never reach t signatures together',
    (view) => {
      const honest = roundOf(choir);
      const planted = { ...honest, ...view };
      const rounds = honest.expected.map((_, i) => (i < 2 ? planted : honest));
      const states = honest.expected.map((id, i) => {
        const input = createMaskedInput(choir.members.get(id)!, rounds[i]!, new Uint32Array(5));
        return handleSurvivors(input.state, 0, honest.expected);
      });
      const checks = states.map(({ message }) => message);
      for (const { state } of states)
        expectRefusal('TooFewChecks', () => handleConsistency(state, 0, checks));
    },
  );

  /**
   * The sum that a malicious coordinator computes when `victim` was shown another model, after it has (somehow)
   * learnt every self mask: what is left is the pairwise masks, which cancel only under one transcript.
   */
  function leftAfterSelfMasks(victimView: Partial<RoundContext>, salted: boolean): number[] {
    const honest = roundOf(choir, { modulusBits: 32 });
    const sum = new Uint32Array(honest.dimension);
    for (const [i, id] of honest.expected.entries()) {
      const round = i === 0 ? { ...honest, ...victimView } : honest;
      const transcript = salted ? transcriptOf(choir, round) : new Uint8Array(32);
      const { seedRoot, pairSecrets } = secretsOf(choir.members.get(id)!);
      const self = indexOf(choir, id);
      const y = vectorOf(choir, id, honest);
      const pairs = [...pairSecrets].map(([other, secret]) =>
        pairMask(nodePrimitives, transcript, self, other, secret),
      );
      addMasks(nodePrimitives, y, [selfMask(nodePrimitives, transcript, self, seedRoot), ...pairs]);
      if (salted) {
        const { message } = createMaskedInput(choir.members.get(id)!, round, vectorOf(choir, id, honest));
        expect([...maskedElements(message, honest)], 'the test masks as the member does').toEqual([...y]);
      }
      addMasks(nodePrimitives, y, [{ ...selfMask(nodePrimitives, transcript, self, seedRoot), sign: -1 }]);
      for (const [j, x] of y.entries()) sum[j]! += x;
    }
    return [...sum];
  }

  it('hazard S8: a victim with another model spoils the sum instead of showing itself', () => {
    const exact = sumOf(choir, roundOf(choir).expected, roundOf(choir, { modulusBits: 32 }));
    expect(leftAfterSelfMasks({}, true)).toEqual(exact);
    const attacked = leftAfterSelfMasks({ modelDigest: digestOf('planted') }, true);
    for (const [j, x] of attacked.entries()) expect(x, `coordinate ${j}`).not.toBe(exact[j]);
    // Positive control: with mask keys that don't depend on the model, the same attack gives the exact sum.
    expect(leftAfterSelfMasks({ modelDigest: digestOf('planted') }, false)).toEqual(exact);
  });
});

describe('hazard S3: a server that tells different members different survivors', () => {
  /**
   * Tries every way to split the honest members between two sets of survivors, one with and one without the
   * victim; the colluder signs both. Gives the largest number of sets that anyone answered.
   */
  function setsAnswered(threshold?: number): number {
    const n = 5;
    const choir = setUp({ n, slots: 1 });
    const round = roundOf(choir);
    const victim = idAt(4);
    const [colluder, ...honest] = round.expected as [string, ...string[]];
    const masked = new Map(
      round.expected.map((id) => {
        const real = choir.members.get(id)!;
        const state = threshold === undefined ? real : { ...real, graph: { ...real.graph, threshold } };
        return [id, createMaskedInput(state, round, vectorOf(choir, id, round)).state];
      }),
    );
    const without = round.expected.filter((id) => id !== victim);
    let most = 0;
    for (const toldAlive of subsetsOf(honest)) {
      const answered = [round.expected, without].filter((survivors, which) => {
        const told = honest.filter((id) => toldAlive.includes(id) === (which === 0));
        const signed = [...told, colluder].flatMap((id) => {
          try {
            return [handleSurvivors(masked.get(id)!, 0, survivors)];
          } catch (error) {
            // The victim itself refuses a set without it.
            if (error instanceof SecaggRefusal) return [];
            throw error;
          }
        });
        const checks = signed.map(({ message }) => message);
        return signed.slice(0, -1).some(({ state }) => {
          try {
            return handleConsistency(state, 0, checks).message.length > 0;
          } catch (error) {
            if (error instanceof SecaggRefusal && error.code === 'TooFewChecks') return false;
            throw error;
          }
        });
      });
      most = Math.max(most, answered.length);
    }
    return most;
  }

  it('hazard S3: no split of the honest members, colluder included, gets two sets answered', () => {
    expect(setsAnswered()).toBe(1);
  });

  it('positive control: with t = ⌊n/2⌋ + 1, which ignores colluders, a split gets both', () => {
    expect(setsAnswered(3)).toBe(2);
  });
});

describe('hazard S4: both shares of one member', () => {
  const choir = setUp({ n: 5, slots: 1 });
  const round = roundOf(choir);
  const { members } = play(choir, round, { atMaskedInput: [idAt(3)] });

  /** How many members one answer tells both secrets of. */
  const tellsBoth = (answers: readonly ShareAnswer[]): number =>
    new Set(
      answers
        .filter(
          ({ member }) => new Set(answers.filter((a) => a.member === member).map((a) => a.kind)).size > 1,
        )
        .map(({ member }) => member),
    ).size;

  it('an answer names every expected member once, the dropped one by its key and the others by their seeds', () => {
    for (const [id, state] of members) {
      const slot = state.slots[0]!;
      if (slot.kind !== 'answered') {
        expect(id).toBe(idAt(3));
        continue;
      }
      const { answers } = decodeUnmasking(slot.answer);
      expect(answers.map(({ kind }) => kind)).toEqual(['seed', 'seed', 'seed', 'mask', 'seed']);
      expect(tellsBoth(answers)).toBe(0);
    }
  });

  it('positive control: a member that answers two lists, alive and dead, tells both', () => {
    // As a widely used system does: the server sends both lists and nobody compares them.
    const broken = (alive: number[], dead: number[]): ShareAnswer[] => {
      const { seedRoot } = secretsOf(choir.members.get(idAt(0))!);
      const share = new Uint8Array(32).fill(Number(seedRoot % 251n));
      return [
        ...alive.map((member) => ({ member, kind: 'seed' as const, share })),
        ...dead.map((member) => ({ member, kind: 'mask' as const, share })),
      ];
    };
    expect(tellsBoth(broken([0, 1, 2, 3], [3, 4]))).toBe(1);
    expect(() => decodeUnmasking(encodeUnmasking(0, 0, broken([0, 1, 2, 3], [3, 4])))).toThrow();
  });
});

describe('replays', () => {
  it('hazard S9: messages of another round, attempt, slot or block are rejected by both sides', () => {
    const choir = setUp({ n: 4, slots: 2 });
    const round = roundOf(choir);
    const old = play(choir, round).transcript;
    const others = [
      { ...round, attempt: 2 },
      { ...round, round: 'round-2' },
      { ...round, queryDigest: digestOf('other') },
      { ...round, slot: 1 },
    ];
    for (const other of others) {
      let state = openRound(choir.block, other);
      for (const message of old.slice(0, 4)) {
        const received = receiveMaskedInput(state, message);
        expect(received.kind === 'rejected' && received.reason).toBe(
          other.slot === 1 ? 'WrongSlot' : 'BadSignature',
        );
      }
      for (const id of other.expected)
        state = accepted(
          receiveMaskedInput(
            state,
            createMaskedInput(choir.members.get(id)!, other, new Uint32Array(5)).message,
          ),
        );
      const checking = ready(closeMaskedInputs(state)).state;
      for (const message of old.slice(4, 8))
        expect(receiveConsistency(checking, message).kind).toBe('rejected');
      const member = createMaskedInput(choir.members.get(idAt(0))!, other, new Uint32Array(5)).state;
      const signed = handleSurvivors(member, other.slot, other.expected).state;
      expectRefusal('TooFewChecks', () => handleConsistency(signed, other.slot, old.slice(4, 8)));
    }
    const elsewhere = setUp({ n: 4, block: 'block-2' });
    const there = openRound(elsewhere.block, roundOf(elsewhere));
    expect(receiveMaskedInput(there, old[0]!)).toMatchObject({ kind: 'rejected', reason: 'BadSignature' });
  });

  it('hazard S10: a kept input whose sender is declared dropped stays covered by its self mask', () => {
    const choir = setUp({ n: 4 });
    const round = roundOf(choir, { modulusBits: 32 });
    const [victim] = round.expected as [string];
    const state = choir.members.get(victim)!;
    const x = vectorOf(choir, victim, round);
    const y = maskedElements(createMaskedInput(state, round, x).message, round);
    const { seedRoot, pairSecrets } = secretsOf(state);
    const transcript = transcriptOf(choir, round);
    // The server opened the victim's key: it can remove every pairwise mask.
    for (const [other, secret] of pairSecrets) {
      const mask = pairMask(nodePrimitives, transcript, 0, other, secret);
      addMasks(nodePrimitives, y, [{ ...mask, sign: mask.sign === 1 ? -1 : 1 }]);
    }
    for (const [j, covered] of y.entries()) expect(covered).not.toBe(x[j]);
    // Control: it is the self mask and nothing else that covers it.
    addMasks(nodePrimitives, y, [{ ...selfMask(nodePrimitives, transcript, 0, seedRoot), sign: -1 }]);
    expect([...y]).toEqual([...x]);
  });
});

describe('hazard S13: wrong shares', () => {
  function unmasking(choir: Choir, liars: readonly number[], answering: number, dropped: string[] = []) {
    const round = roundOf(choir);
    const live = round.expected.filter((id) => !dropped.includes(id));
    const states = live.map((id) =>
      createMaskedInput(choir.members.get(id)!, round, vectorOf(choir, id, round)),
    );
    let collecting = openRound(choir.block, round);
    for (const { message } of states) collecting = accepted(receiveMaskedInput(collecting, message));
    const closed = ready(closeMaskedInputs(collecting));
    const signed = states.map(({ state }) => handleSurvivors(state, 0, closed.survivors));
    let checking = closed.state;
    for (const { message } of signed) checking = accepted(receiveConsistency(checking, message));
    const consistent = ready(closeConsistency(checking));
    let state = consistent.state;
    for (const { state: member } of signed.slice(0, answering)) {
      let { message } = handleConsistency(member, 0, consistent.checks);
      if (liars.includes(member.self)) {
        const answers = decodeUnmasking(message).answers.map((answer) => ({
          ...answer,
          share: answer.share.with(0, answer.share[0]! ^ 1),
        }));
        message = encodeUnmasking(member.self, 0, answers);
        signInPlace(nodePrimitives, member.identity.seed, 'Unmasking', state.transcript, message);
      }
      state = accepted(receiveUnmasking(state, message));
    }
    return { outcome: unmask(state), round, survivors: closed.survivors };
  }

  it('with an answer to spare the good shares decode around a liar, who is named', () => {
    const choir = setUp({ n: 6 });
    for (const liar of [0, 3, 5])
      for (const dropped of [[], [idAt(1)]]) {
        const { outcome, round, survivors } = unmasking(choir, [liar], 6, dropped);
        if (outcome.kind === 'aborted') throw new Error(outcome.reason);
        expect([...outcome.sum]).toEqual(sumOf(choir, survivors, round));
        // Nobody looks at a share that was not needed.
        expect(outcome.suspects).toEqual(liar === 5 ? [] : [idAt(liar)]);
      }
  });

  it('with exactly t answers a wrong share is detected: a clean abort, never a wrong sum', () => {
    const { outcome } = unmasking(setUp({ n: 6 }), [2], 4);
    expect(outcome).toMatchObject({ kind: 'aborted', reason: 'SecretNotReconstructed', have: 4, need: 4 });
  });

  it('a dealer whose shares don’t give what it advertised is named', () => {
    const cheat = idAt(2);
    const honest = setUp({ n: 5 });
    const cheated = setUp({
      n: 5,
      alterShareKeys: (id, message, state) => {
        if (id !== cheat) return message;
        // It deals shares of other roots than those behind its advert: replay its step from altered secrets.
        const { adverts, graph: _g, setup: _s, shareKeys: _k, ownShares: _o, ...member } = state;
        const secrets = state.secrets.map((s) => ({
          ...s,
          seedRoot: s.seedRoot ^ 1n,
          maskRoot: s.maskRoot ^ 1n,
        }));
        const all = [...adverts.values()].map(({ bytes }) => bytes);
        const advert = adverts.get(state.self)!.bytes;
        return handleAdverts({ ...member, kind: 'advertised', secrets, advert }, all).message;
      },
    });
    expect(unmasking(honest, [], 5).outcome.kind).toBe('unmasked');
    for (const dropped of [[], [cheat]])
      expect(unmasking(cheated, [], 5, dropped).outcome).toMatchObject({
        reason: 'SecretNotReconstructed',
        members: [cheat],
      });
  });
});

describe('hazard S14: sealed shares', () => {
  it('tampered, swapped, for another recipient or of another block: counted as missing, the round goes on', () => {
    const choir = setUp({ n: 5, slots: 1 });
    const elsewhere = setUp({ n: 5, slots: 1, block: 'block-2' });
    const bundleOf = (from: Choir, to: number) =>
      [...from.block.shareKeys]
        .filter(([sender]) => sender !== to)
        .map(([sender, { message }]) => ({
          from: idAt(sender),
          sealed: message.shares.find(({ recipient }) => recipient === to)!.sealed,
        }));
    const good = bundleOf(choir, 0);
    const member = choir.members.get(idAt(0))!;
    // Back to the state before the shares came, from the same seeds.
    const shared = replayShared(choir);
    const held = (bundle: typeof good): number => {
      const slot = handleShares(shared, bundle).state.slots[0]!;
      return slot.kind === 'fresh' ? slot.shares.size : -1;
    };
    expect(held(good)).toBe(5);
    expect(secretsOf(member).shares.size).toBe(5);
    const replaced = (sealed: Uint8Array) => [{ ...good[0]!, sealed }, ...good.slice(1)];
    const { sealed } = good[0]!;
    for (let at = 0; at < sealed.length; at += 7)
      expect(held(replaced(sealed.with(at, sealed[at]! ^ 1))), `byte ${at}`).toBe(4);
    expect(held(replaced(sealed.subarray(1)))).toBe(4);
    expect(held(replaced(new Uint8Array(0)))).toBe(4);
    expect(held(replaced(good[1]!.sealed)), 'another dealer’s').toBe(4);
    expect(held(replaced(bundleOf(choir, 2)[1]!.sealed)), 'for another recipient').toBe(4);
    expect(held(replaced(bundleOf(elsewhere, 0)[0]!.sealed)), 'of another block').toBe(4);

    const crippled = handleShares(shared, replaced(new Uint8Array(0))).state;
    const members = new Map(choir.members).set(idAt(0), crippled);
    const { outcome } = play({ ...choir, members }, roundOf(choir));
    expect(outcome.kind).toBe('unmasked');
  });

  function replayShared(choir: Choir) {
    let captured: Parameters<typeof handleShares>[0] | undefined;
    setUp({
      n: 5,
      slots: 1,
      block: choir.config.block,
      alterShareKeys: (id, message, state) => {
        if (id === idAt(0)) captured = state;
        return message;
      },
    });
    return captured!;
  }
});

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

  /** Every mask key of every context, member and pair; `salted: false` is the broken variant. */
  function keys(salted: boolean): string[] {
    return contexts.flatMap((round) =>
      round.expected.flatMap((id) => {
        const self = indexOf(choir, id);
        const { seedRoot, pairSecrets } = secretsOf(choir.members.get(id)!, round.slot);
        const salt = salted ? transcriptOf(choir, round) : new Uint8Array(32);
        return [
          selfMask(nodePrimitives, salt, self, seedRoot),
          // Each pair once, from its lower side.
          ...[...pairSecrets]
            .filter(([other]) => other > self && round.expected.includes(idAt(other)))
            .map(([other, secret]) => pairMask(nodePrimitives, salt, self, other, secret)),
        ].map(({ key }) => bytesToHex(key));
      }),
    );
  }

  it('hazard S23: 256-bit keys that differ by pair, self, slot, round, attempt, query, model, ring and cohort', () => {
    const all = keys(true);
    expect(new Set(all).size).toBe(all.length);
    expect(all.every((key) => key.length === 64)).toBe(true);
    // Positive control: without the transcript as salt they repeat in every round on a slot.
    const broken = keys(false);
    expect(new Set(broken).size).toBeLessThan(broken.length);
  });

  it('hazard S23: a pair’s two sides agree on the key and take opposite signs', () => {
    const transcript = transcriptOf(choir, contexts[0]!);
    for (const [id, state] of choir.members) {
      const self = indexOf(choir, id);
      for (const [other, secret] of secretsOf(state).pairSecrets) {
        const theirs = secretsOf(choir.members.get(idAt(other))!).pairSecrets.get(self)!;
        const mine = pairMask(nodePrimitives, transcript, self, other, secret);
        const yours = pairMask(nodePrimitives, transcript, other, self, theirs);
        expect(bytesToHex(mine.key)).toBe(bytesToHex(yours.key));
        expect(mine.sign + yours.sign).toBe(0);
      }
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

  it('hazard S24: the difference of any two uploads of a member looks uniform; unmasked data would not', () => {
    const rounds = [
      { slot: 0 },
      { slot: 1, round: 'round-2' },
      { slot: 2, attempt: 2 },
      { slot: 0, attempt: 3 },
    ].map((own) => roundOf(choir, { ...own, dimension: 4096, modulusBits: 32 }));
    const x = Uint32Array.from({ length: 4096 }, (_, i) => i % 17);
    const uploads = rounds.map((round) =>
      maskedElements(createMaskedInput(choir.members.get(idAt(1))!, round, x).message, round),
    );
    for (const [i, a] of uploads.entries()) {
      expect(chiSquare(a), `upload ${i}`).toBeLessThan(ALARM);
      for (const [j, b] of uploads.entries())
        if (i < j) expect(chiSquare(difference(a, b)), `uploads ${i} and ${j}`).toBeLessThan(ALARM);
    }
    // Positive control: one mask for two uploads, as three published systems have it, leaves x − x′ in clear.
    const reused = [x, x.map((v) => v + 3)].map((v) => {
      const y = v.slice();
      addMasks(nodePrimitives, y, [{ key: new Uint8Array(32).fill(5), sign: 1 }]);
      return y;
    });
    expect(chiSquare(reused[0]!)).toBeLessThan(ALARM);
    expect(chiSquare(difference(reused[0]!, reused[1]!))).toBeGreaterThan(ALARM);
  });
});

describe('hazard S21: the edges of the ring', () => {
  it.each([8, 16, 31, 32])(
    'the largest and smallest elements of all members sum modulo 2^%i',
    (modulusBits) => {
      const choir = setUp({ n: 4 });
      const round = roundOf(choir, { modulusBits });
      const lowest = -(2 ** (modulusBits - 1));
      const vectors = [lowest, -lowest - 1, -1, 0].map((x) => Int32Array.from({ length: 5 }, () => x));
      let collecting = openRound(choir.block, round);
      const states = round.expected.map((id, i) =>
        createMaskedInput(choir.members.get(id)!, round, vectors[i]!),
      );
      for (const { message } of states) collecting = accepted(receiveMaskedInput(collecting, message));
      const closed = ready(closeMaskedInputs(collecting));
      const signed = states.map(({ state }) => handleSurvivors(state, 0, closed.survivors));
      let checking = closed.state;
      for (const { message } of signed) checking = accepted(receiveConsistency(checking, message));
      const consistent = ready(closeConsistency(checking));
      let state = consistent.state;
      for (const { state: member } of signed)
        state = accepted(receiveUnmasking(state, handleConsistency(member, 0, consistent.checks).message));
      const outcome = unmask(state);
      // lowest + highest − 1 + 0 = −2 modulo the ring.
      expect(outcome.kind === 'unmasked' && [...outcome.sum]).toEqual(
        new Array(5).fill(2 ** modulusBits - 2),
      );
    },
  );
});
