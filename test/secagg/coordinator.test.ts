import { describe, expect, it } from 'vitest';
import { nodePrimitives } from '../../src/crypto/nodePrimitives.js';
import {
  closeAdverts,
  closeConsistency,
  closeMaskedInputs,
  closeShares,
  createBlock,
  createMaskedInput,
  handleAdverts,
  handleConsistency,
  handleSurvivors,
  openRound,
  type Received,
  type RejectReason,
  receiveAdvert,
  receiveConsistency,
  receiveMaskedInput,
  receiveShares,
  receiveUnmasking,
  restoreRound,
  unmask,
} from '../../src/secagg/index.js';
import { encodeConsistencyCheck, encodeUnmasking } from '../../src/secagg/messages.js';
import { type MessageKind, signInPlace } from '../../src/secagg/signing.js';
import { accepted, advertise, expectRefusal, idAt, ready, roundOf, setUp, sumOf, vectorOf } from './choir.js';

function expectRejected(reason: RejectReason, received: Received<unknown>): void {
  expect(received.kind === 'rejected' ? received.reason : received.kind).toBe(reason);
}

const flipped = (bytes: Uint8Array, at: number): Uint8Array => bytes.with(at, bytes.at(at)! ^ 1);

describe('a block', () => {
  const { config, states, adverts } = advertise({ n: 5 });
  const [first, second] = [...adverts.values()] as [Uint8Array, Uint8Array];
  let open = createBlock(config, nodePrimitives);
  for (const advert of adverts.values()) open = accepted(receiveAdvert(open, advert));
  const advertised = ready(closeAdverts(open));
  const shares = [...states.values()].map((state) => handleAdverts(state, advertised.adverts).message);

  it('rejects adverts: malformed, of a stranger, wrongly signed, a second one, late', () => {
    const empty = createBlock(config, nodePrimitives);
    expectRejected('Malformed', receiveAdvert(empty, first.subarray(1)));
    expectRejected('UnknownSender', receiveAdvert(empty, first.with(2, 9)));
    expectRejected('BadSignature', receiveAdvert(empty, first.with(2, 1)));
    expectRejected('BadSignature', receiveAdvert(empty, flipped(first, 6)));
    const one = accepted(receiveAdvert(empty, first));
    const other = advertise({ n: 5 }).seeds.get(idAt(0))!;
    const changed = flipped(first, 6);
    signInPlace(nodePrimitives, other, 'AdvertiseKeys', empty.digest, changed);
    expectRejected('Conflict', receiveAdvert(one, changed));
    expect(receiveAdvert(one, first).kind).toBe('duplicate');
    const three = [...adverts.values()].slice(0, 3).reduce((s, m) => accepted(receiveAdvert(s, m)), empty);
    const closed = ready(closeAdverts(three));
    expectRejected('PhaseClosed', receiveAdvert(closed.state, [...adverts.values()][4]!));
    expect(receiveAdvert(closed.state, second).kind).toBe('duplicate');
  });

  it('aborts with too few adverts, and computes the threshold from those that came', () => {
    const two = [first, second].reduce(
      (state, message) => accepted(receiveAdvert(state, message)),
      createBlock(config, nodePrimitives),
    );
    expect(closeAdverts(two)).toEqual({
      kind: 'aborted',
      reason: 'TooFewAdverts',
      have: 2,
      need: 3,
      members: [],
    });
    expect(advertised.threshold).toBe(4);
  });

  it('relays adverts in roster order, in whatever order they came (S20)', () => {
    let reversed = createBlock(config, nodePrimitives);
    for (const advert of [...adverts.values()].reverse())
      reversed = accepted(receiveAdvert(reversed, advert));
    expect(ready(closeAdverts(reversed)).adverts).toEqual(advertised.adverts);
    expect(ready(closeAdverts(reversed)).state.setup).toEqual(advertised.state.setup);
  });

  it('rejects ShareKeys: malformed, early, of a stranger, wrongly signed, wrong recipients, a second, late', () => {
    const state = advertised.state;
    const [mine] = shares as [Uint8Array];
    expectRejected('Malformed', receiveShares(state, mine.subarray(2)));
    expectRejected('NotExpected', receiveShares(open, mine));
    expectRejected('UnknownSender', receiveShares(state, mine.with(2, 9)));
    expectRejected('BadSignature', receiveShares(state, flipped(mine, 20)));
    const misdirected = mine.with(6, 0);
    signInPlace(nodePrimitives, states.get(idAt(0))!.identity.seed, 'ShareKeys', state.setup, misdirected);
    expectRejected('WrongRecipients', receiveShares(state, misdirected));
    const one = accepted(receiveShares(state, mine));
    expect(receiveShares(one, mine).kind).toBe('duplicate');
    const changed = flipped(mine, 40);
    signInPlace(nodePrimitives, states.get(idAt(0))!.identity.seed, 'ShareKeys', state.setup, changed);
    expectRejected('Conflict', receiveShares(one, changed));
    const four = shares.slice(0, 4).reduce((s, m) => accepted(receiveShares(s, m)), state);
    expectRejected('PhaseClosed', receiveShares(ready(closeShares(four)).state, shares[4]!));
  });

  it('aborts with too few ShareKeys, and bundles shares for those in U₁ only', () => {
    const three = shares.slice(0, 3).reduce((s, m) => accepted(receiveShares(s, m)), advertised.state);
    const aborted = closeShares(three);
    expect(aborted.kind === 'aborted' && aborted.reason).toBe('TooFewShareKeys');
    const four = shares.slice(0, 4).reduce((s, m) => accepted(receiveShares(s, m)), advertised.state);
    const { bundles, members } = ready(closeShares(four));
    expect(members).toEqual([0, 1, 2, 3].map(idAt));
    expect([...bundles.keys()]).toEqual(members);
    for (const [id, bundle] of bundles)
      expect(bundle.map(({ from }) => from)).toEqual(members.filter((other) => other !== id));
  });

  it('hazard S16: a low-order or non-canonical key, one’s own key twice, and another’s key are rejected', () => {
    const empty = createBlock(config, nodePrimitives);
    const forge = (id: string, edit: (message: Uint8Array) => void): Uint8Array => {
      const message = adverts.get(id)!.slice();
      edit(message);
      signInPlace(nodePrimitives, states.get(id)!.identity.seed, 'AdvertiseKeys', empty.digest, message);
      return message;
    };
    // Behind the header of 5 bytes: the encryption key, then slots of mask key and commitment.
    const zero = forge(idAt(1), (m) => m.fill(0, 5, 37));
    const aboveP = forge(idAt(1), (m) => m.fill(255, 37, 69));
    const twice = forge(idAt(1), (m) => m.copyWithin(37, 5, 37));
    const copied = forge(idAt(1), (m) => m.set(adverts.get(idAt(0))!.subarray(37, 69), 37));
    expectRejected('LowOrderKey', receiveAdvert(empty, zero));
    expectRejected('LowOrderKey', receiveAdvert(empty, aboveP));
    expectRejected('KeyReused', receiveAdvert(empty, twice));
    expectRejected('KeyReused', receiveAdvert(accepted(receiveAdvert(empty, first)), copied));
    const all = (bad: Uint8Array) => [...adverts.values()].map((advert, i) => (i === 1 ? bad : advert));
    const me = states.get(idAt(0))!;
    expectRefusal('LowOrderKey', () => handleAdverts(me, all(zero)));
    expectRefusal('LowOrderKey', () => handleAdverts(me, all(aboveP)));
    expectRefusal('KeyReused', () => handleAdverts(me, all(twice)));
    expectRefusal('KeyReused', () => handleAdverts(me, all(copied)));
  });
});

describe('a round', () => {
  const choir = setUp({ n: 5, slots: 2 });
  const round = roundOf(choir);
  const ids = round.expected;
  const masked = ids.map((id) =>
    createMaskedInput(choir.members.get(id)!, round, vectorOf(choir, id, round)),
  );
  const inputs = masked.map(({ message }) => message);
  const collected = () =>
    inputs.reduce(
      (state, message) => accepted(receiveMaskedInput(state, message)),
      openRound(choir.block, round),
    );
  const signed = masked.map(({ state }) => handleSurvivors(state, 0, ids));
  const closed = ready(closeMaskedInputs(collected()));
  const checked = signed.reduce(
    (state, { message }) => accepted(receiveConsistency(state, message)),
    closed.state,
  );
  const consistent = ready(closeConsistency(checked));
  const answers = signed.map(({ state }) => handleConsistency(state, 0, consistent.checks).message);
  const sign = (i: number, kind: MessageKind, message: Uint8Array): Uint8Array => {
    signInPlace(nodePrimitives, choir.seeds.get(idAt(i))!, kind, closed.state.transcript, message);
    return message;
  };

  it('opens only for members of U₁, at least as many as the floor', () => {
    expectRefusal('InvalidRound', () => openRound(choir.block, { ...round, expected: [...ids, 'zz'] }));
    expectRefusal('CohortTooSmall', () => openRound(choir.block, { ...round, expected: ids.slice(0, 3) }));
    const smaller = setUp({ n: 6, silentAtShares: [idAt(5)] });
    expectRefusal('InvalidRound', () => openRound(smaller.block, { ...round, expected: [...ids, idAt(5)] }));
  });

  it('rejects masked inputs: wrong length, malformed, stranger, slot, unexpected, signature', () => {
    const state = openRound(choir.block, { ...round, expected: ids.slice(0, 4) });
    const [input] = inputs as [Uint8Array];
    expectRejected('WrongLength', receiveMaskedInput(state, input.subarray(1)));
    expectRejected('Malformed', receiveMaskedInput(state, input.with(6, 21)));
    expectRejected('UnknownSender', receiveMaskedInput(state, input.with(2, 9)));
    expectRejected('WrongSlot', receiveMaskedInput(state, input.with(4, 1)));
    expectRejected('NotExpected', receiveMaskedInput(state, inputs[4]!));
    // Right in itself, but signed over another U₁ʳ.
    expectRejected('BadSignature', receiveMaskedInput(state, input));
    expectRejected('BadSignature', receiveMaskedInput(openRound(choir.block, round), flipped(input, 13)));
    expect(state.running.sum.every((x) => x === 0)).toBe(true);
  });

  it('rejects set padding bits, however well signed, and adds nothing', () => {
    const state = openRound(choir.block, { ...round, modulusBits: 9 });
    const input = createMaskedInput(
      choir.members.get(idAt(0))!,
      state.context,
      new Uint32Array(5).fill(1),
    ).message;
    const padded = input.with(input.length - 65, input.at(-65)! | 0x80);
    signInPlace(nodePrimitives, choir.seeds.get(idAt(0))!, 'MaskedInput', state.transcript, padded);
    expectRejected('Malformed', receiveMaskedInput(state, padded));
    expect(state.running.sum.every((x) => x === 0)).toBe(true);
  });

  it('hazard S17: a duplicate is harmless, a second different input or a late one is refused', () => {
    const one = accepted(receiveMaskedInput(openRound(choir.block, round), inputs[0]!));
    const before = [...one.running.sum];
    expect(receiveMaskedInput(one, inputs[0]!).kind).toBe('duplicate');
    const other = createMaskedInput(choir.members.get(idAt(0))!, round, new Uint32Array(5)).message;
    expectRejected('Conflict', receiveMaskedInput(one, other));
    expect([...one.running.sum]).toEqual(before);

    const four = inputs
      .slice(0, 4)
      .reduce((s, m) => accepted(receiveMaskedInput(s, m)), openRound(choir.block, round));
    const cut = ready(closeMaskedInputs(four)).state;
    expectRejected('PhaseClosed', receiveMaskedInput(cut, inputs[4]!));
    expect(receiveMaskedInput(cut, inputs[1]!).kind).toBe('duplicate');
    expectRejected('Conflict', receiveMaskedInput(cut, other));
  });

  it('an old state that is used again cannot fold an input twice', () => {
    const stale = openRound(choir.block, round);
    accepted(receiveMaskedInput(stale, inputs[0]!));
    expect(receiveMaskedInput(stale, inputs[0]!).kind).toBe('duplicate');
  });

  it('aborts with too few masked inputs', () => {
    const three = inputs
      .slice(0, 3)
      .reduce((s, m) => accepted(receiveMaskedInput(s, m)), openRound(choir.block, round));
    expect(closeMaskedInputs(three)).toMatchObject({
      kind: 'aborted',
      reason: 'TooFewMaskedInputs',
      have: 3,
    });
  });

  it('rejects checks: early, malformed, other survivors, a second one, late; aborts below the threshold', () => {
    const [check] = signed.map(({ message }) => message) as [Uint8Array];
    expectRejected('NotExpected', receiveConsistency(openRound(choir.block, round), check));
    expectRejected('Malformed', receiveConsistency(closed.state, check.subarray(3)));
    expectRejected('BadSignature', receiveConsistency(closed.state, flipped(check, -1)));
    const fewer = sign(0, 'ConsistencyCheck', encodeConsistencyCheck(0, 0, [0, 1, 2, 3]));
    expectRejected('WrongSurvivors', receiveConsistency(closed.state, fewer));
    const one = accepted(receiveConsistency(closed.state, check));
    expect(receiveConsistency(one, check).kind).toBe('duplicate');
    expect(closeConsistency(one)).toMatchObject({
      kind: 'aborted',
      reason: 'TooFewChecks',
      have: 1,
      need: 4,
    });
    const four = signed
      .slice(0, 4)
      .reduce((s, { message }) => accepted(receiveConsistency(s, message)), closed.state);
    expectRejected(
      'PhaseClosed',
      receiveConsistency(ready(closeConsistency(four)).state, signed[4]!.message),
    );
  });

  it('hazard S4: an answer with the wrong kind, a missing, extra or non-canonical share is refused', () => {
    const share = new Uint8Array(32).fill(1);
    const seeds = [0, 1, 2, 3, 4].map((member) => ({ member, kind: 'seed', share }) as const);
    const answer = (list: Parameters<typeof encodeUnmasking>[2]) =>
      receiveUnmasking(consistent.state, sign(0, 'Unmasking', encodeUnmasking(0, 0, list)));
    expect(answer(seeds).kind).toBe('accepted');
    expectRejected('WrongAnswer', answer(seeds.map((s, i) => (i === 2 ? { ...s, kind: 'mask' } : s))));
    expectRejected('WrongAnswer', answer(seeds.slice(1)));
    expectRejected('WrongAnswer', answer([...seeds, { member: 5, kind: 'seed', share }]));
    expectRejected('WrongAnswer', answer(seeds.map((s) => ({ ...s, share: new Uint8Array(32).fill(255) }))));
    expectRejected('Malformed', answer([...seeds, { member: 4, kind: 'mask', share }]));
    expectRejected('NotExpected', receiveUnmasking(checked, answers[0]!));
  });

  it('counts the answers held; a duplicate is not counted, a second different one is refused', () => {
    let state = consistent.state;
    for (const [i, answer] of answers.entries()) {
      expect(unmask(state).kind).toBe(i < 4 ? 'aborted' : 'unmasked');
      expect(state.answersHeld < state.threshold).toBe(i < 4);
      state = accepted(receiveUnmasking(state, answer));
      expect(receiveUnmasking(state, answer).kind).toBe('duplicate');
      expect(state.answersHeld).toBe(i + 1);
    }
    const share = new Uint8Array(32).fill(1);
    const list = [0, 1, 2, 3, 4].map((member) => ({ member, kind: 'seed', share }) as const);
    expectRejected('Conflict', receiveUnmasking(state, sign(0, 'Unmasking', encodeUnmasking(0, 0, list))));
    for (const earlier of [openRound(choir.block, round), closed.state, consistent.state])
      expect(earlier.answersHeld).toBe(0);
  });

  it('aborts, naming the member, when it is not the answers but one secret that lacks shares', () => {
    const state = answers.slice(0, 4).reduce((s, m) => accepted(receiveUnmasking(s, m)), consistent.state);
    const { message, bytes } = state.answers.get(0)!;
    const without = message.answers.map((given) =>
      given.member === 3 ? { member: 3, kind: 'none' as const, share: new Uint8Array(32) } : given,
    );
    const answersWithout = new Map(state.answers).set(0, {
      bytes,
      message: { ...message, answers: without },
    });
    expect(unmask({ ...state, answers: answersWithout })).toEqual({
      kind: 'aborted',
      reason: 'SecretNotReconstructed',
      have: 3,
      need: 4,
      members: [idAt(3)],
    });
  });

  it('hazard S20: reordered messages of a phase give the same sum, and unmasking may be asked again', () => {
    const backwards = [...inputs]
      .reverse()
      .reduce((s, m) => accepted(receiveMaskedInput(s, m)), openRound(choir.block, round));
    const again = [...signed]
      .reverse()
      .reduce(
        (s, { message }) => accepted(receiveConsistency(s, message)),
        ready(closeMaskedInputs(backwards)).state,
      );
    const full = [...answers]
      .reverse()
      .reduce((s, m) => accepted(receiveUnmasking(s, m)), ready(closeConsistency(again)).state);
    for (const outcome of [unmask(full), unmask(full)])
      expect(outcome.kind === 'unmasked' && [...outcome.sum]).toEqual(sumOf(choir, ids, round));
  });

  it('hazard S19: a coordinator restarted from its running sum ends with the same sum', () => {
    for (let done = 0; done <= 5; done++) {
      const before = inputs
        .slice(0, done)
        .reduce((s, m) => accepted(receiveMaskedInput(s, m)), openRound(choir.block, round));
      let after = restoreRound(choir.block, round, structuredClone(before.running));
      for (const [i, input] of inputs.entries()) {
        const received = receiveMaskedInput(after, input);
        expect(received.kind).toBe(i < done ? 'duplicate' : 'accepted');
        after = received.state;
      }
      expect([...after.running.sum]).toEqual([...closed.state.running.sum]);
    }
  });

  it('a running sum of another dimension or with a stranger in it is refused', () => {
    const running = { sum: new Uint32Array(4), members: new Map<string, string>() };
    expectRefusal('InvalidRound', () => restoreRound(choir.block, round, running));
    const stranger = { sum: new Uint32Array(5), members: new Map([['zz', '00']]) };
    expectRefusal('InvalidRound', () => restoreRound(choir.block, round, stranger));
  });

  it('hazard S27: what the state keeps of an input is its digest and the sum', () => {
    const state = accepted(receiveMaskedInput(openRound(choir.block, round), inputs[0]!));
    expect(Object.keys(state.running).sort()).toEqual(['members', 'sum']);
    expect(state.running.members.get(idAt(0))).toMatch(/^[0-9a-f]{64}$/);
    accepted(receiveMaskedInput(state, inputs[1]!));
    const kept = new Set(Object.keys(state));
    expect(kept).toEqual(
      new Set(['kind', 'block', 'context', 'transcript', 'expected', 'threshold', 'answersHeld', 'running']),
    );
  });
});
