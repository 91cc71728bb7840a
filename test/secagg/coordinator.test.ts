import { bytesToHex } from '@noble/hashes/utils.js';
import { describe, expect, it } from 'vitest';
import { inlineMaskWork } from '../../src/crypto/maskWork.js';
import { nodePrimitives } from '../../src/crypto/nodePrimitives.js';
import { shareholders, survivorQuorum } from '../../src/secagg/graph.js';
import {
  type CollectingRound,
  closeAdverts,
  closeConsistency,
  closeMaskedInputs,
  closeShares,
  createBlock,
  createMaskedInput,
  decodeState,
  encodeState,
  handleAdverts,
  handleConsistency,
  handleSurvivors,
  type Outbound,
  openRound,
  type Received,
  type RejectReason,
  type RoundState,
  receiveAdvert,
  receiveConsistency,
  receiveMaskedInput,
  receiveShares,
  receiveUnmasking,
  restoreRound,
  shareBundle,
  type UnmaskingRound,
  unmask,
} from '../../src/secagg/index.js';
import {
  decodeShareKeys,
  decodeUnmasking,
  encodeConsistencyCheck,
  encodeDealtPart,
  encodeShareKeys,
  encodeUnmasking,
  OPENING_BYTES,
  type ShareAnswer,
} from '../../src/secagg/messages.js';
import { survivorsDigest } from '../../src/secagg/round.js';
import { dealtRoot } from '../../src/secagg/setUp.js';
import { decodeShareBundle } from '../../src/secagg/shareBundle.js';
import { type MessageKind, signInPlace } from '../../src/secagg/signing.js';
import {
  accepted,
  advertise,
  type Choir,
  expectRefusal,
  idAt,
  play,
  ready,
  roundOf,
  setUp,
  sumOf,
  vectorOf,
} from './choir.js';

const bytesOf = ({ outbound }: { outbound: Outbound }): Uint8Array => outbound.release('state-durable');

function expectRejected(reason: RejectReason, received: Received<unknown>): void {
  expect(received.kind === 'rejected' ? received.reason : received.kind).toBe(reason);
}

const flipped = (bytes: Uint8Array, at: number): Uint8Array =>
  bytes.with(at < 0 ? bytes.length + at : at, bytes.at(at)! ^ 1);

/** Every message received and accepted, in this order. */
function receiveAll<State>(
  state: State,
  receive: (primitives: typeof nodePrimitives, state: State, bytes: Uint8Array) => Received<State>,
  messages: Iterable<Uint8Array>,
): State {
  let next = state;
  for (const message of messages) next = accepted(receive(nodePrimitives, next, message));
  return next;
}

describe('a block', () => {
  const { config, states, adverts, parties, rngs, seeds } = advertise({ n: 5 });
  const [first, second, third, fourth, fifth] = [...adverts.values()] as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ];
  const empty = createBlock(nodePrimitives, config);
  const take = (bytes: Uint8Array, state = empty) => receiveAdvert(nodePrimitives, state, bytes);
  const open = receiveAll(empty, receiveAdvert, adverts.values());
  const advertised = ready(closeAdverts(nodePrimitives, open));
  const shares = [...states].map(([id, state]) =>
    bytesOf(handleAdverts(parties.get(id)!, state, advertised.adverts, rngs.get(id)!)),
  );
  const sharing = advertised.state;
  const signShares = (id: string, setup: Uint8Array, message: Uint8Array): Uint8Array => {
    const root = dealtRoot(nodePrimitives, decodeShareKeys(message, config.slots).parts);
    signInPlace(nodePrimitives, seeds.get(id)!, 'ShareKeys', setup, message, root);
    return message;
  };

  it('rejects adverts: malformed, of a stranger, wrongly signed, a second one, late', () => {
    expectRejected('Malformed', take(first.subarray(1)));
    expectRejected('UnknownSender', take(first.with(2, 9)));
    expectRejected('BadSignature', take(first.with(2, 1)));
    expectRejected('BadSignature', take(flipped(first, 6)));
    const one = accepted(take(first));
    const changed = flipped(first, 6);
    signInPlace(nodePrimitives, seeds.get(idAt(0))!, 'AdvertiseKeys', empty.digest, changed);
    expectRejected('Conflict', take(changed, one));
    expect(take(first, one).kind).toBe('duplicate');
    const three = receiveAll(empty, receiveAdvert, [first, second, third]);
    const closed = ready(closeAdverts(nodePrimitives, three)).state;
    expectRejected('PhaseClosed', receiveAdvert(nodePrimitives, closed, fifth));
    expect(receiveAdvert(nodePrimitives, closed, second).kind).toBe('duplicate');
  });

  it('aborts with too few adverts, and computes the threshold from those that came', () => {
    const two = receiveAll(empty, receiveAdvert, [first, second]);
    const aborted = { kind: 'aborted', reason: 'TooFewAdverts', have: 2, need: 3, members: [] };
    expect(closeAdverts(nodePrimitives, two)).toEqual(aborted);
    expect(advertised.threshold).toBe(4);
    const four = receiveAll(two, receiveAdvert, [third, fourth]);
    expect(ready(closeAdverts(nodePrimitives, four)).threshold).toBe(3);
  });

  it('hazard S20: relays adverts in roster order, in whatever order they came', () => {
    const reversed = receiveAll(empty, receiveAdvert, [...adverts.values()].reverse());
    const closed = ready(closeAdverts(nodePrimitives, reversed));
    expect(closed.adverts).toEqual(advertised.adverts);
    expect(closed.state.setup).toEqual(sharing.setup);
  });

  it('keeps its own copy of what it received', () => {
    const lent = first.slice();
    const state = accepted(take(lent));
    lent.fill(0);
    expect(take(first, state).kind).toBe('duplicate');
    const lentShares = shares[0]!.slice();
    const shared = accepted(receiveShares(nodePrimitives, sharing, lentShares));
    lentShares.fill(0);
    expect(receiveShares(nodePrimitives, shared, shares[0]!).kind).toBe('duplicate');
  });

  it('rejects ShareKeys: malformed, early, of a stranger, wrongly signed, a second, late', () => {
    const give = (bytes: Uint8Array, state = sharing) => receiveShares(nodePrimitives, state, bytes);
    const mine = shares[0]!;
    expectRejected('Malformed', give(mine.subarray(2)));
    expectRejected('NotExpected', receiveShares(nodePrimitives, open, mine));
    expectRejected('UnknownSender', give(mine.with(2, 9)));
    expectRejected('BadSignature', give(mine.with(2, 1)));
    expectRejected('BadSignature', give(flipped(mine, 20)));
    expectRejected('BadSignature', give(flipped(mine, -1)));
    expectRejected('BadSignature', give(signShares(idAt(0), empty.digest, mine.slice())));
    const one = accepted(give(mine));
    expect(give(mine, one).kind).toBe('duplicate');
    expectRejected('Conflict', give(signShares(idAt(0), sharing.setup, flipped(mine, 40)), one));
    const four = receiveAll(sharing, receiveShares, shares.slice(0, 4));
    const closed = ready(closeShares(nodePrimitives, four)).state;
    expectRejected('PhaseClosed', receiveShares(nodePrimitives, closed, shares[4]!));
    expect(receiveShares(nodePrimitives, closed, mine).kind).toBe('duplicate');
  });

  it('rejects ShareKeys of somebody who did not advertise', () => {
    const three = receiveAll(empty, receiveAdvert, [first, second, third]);
    const { state } = ready(closeAdverts(nodePrimitives, three));
    const uninvited = signShares(idAt(4), state.setup, shares[4]!.slice());
    expectRejected('NotExpected', receiveShares(nodePrimitives, state, uninvited));
  });

  it('rejects ShareKeys for the wrong recipients, on both graphs', () => {
    const ring = advertise({ n: 8, minSurvivors: 7, graph: 'harary' });
    const ringAdverts = [...ring.adverts.values()];
    const all = receiveAll(createBlock(nodePrimitives, ring.config), receiveAdvert, ringAdverts);
    const onRing = ready(closeAdverts(nodePrimitives, all)).state;
    expect(onRing.graph.shareholders).toBe(4);
    for (const [graph, state] of [
      ['complete', sharing],
      ['harary', onRing],
    ] as const) {
      const party = (graph === 'harary' ? ring : { parties }).parties.get(idAt(0))!;
      const from = (graph === 'harary' ? ring : { states }).states.get(idAt(0))!;
      const closed = graph === 'harary' ? ringAdverts : advertised.adverts;
      const mine = bytesOf(handleAdverts(party, from, closed, ring.rngs.get(idAt(0))!));
      const { parts } = decodeShareKeys(mine, config.slots);
      const dealTo = (recipients: readonly number[]) => {
        const misdirected = recipients.map((recipient, i) => {
          const bytes = parts[i % parts.length]!.bytes.slice();
          bytes.set(encodeDealtPart(recipient, new Uint8Array(0), new Uint8Array(0)));
          return { recipient, bytes };
        });
        const message = encodeShareKeys(0, config.slots, misdirected);
        const root = dealtRoot(nodePrimitives, misdirected);
        signInPlace(nodePrimitives, party.identity.seed, 'ShareKeys', state.setup, message, root);
        return receiveShares(nodePrimitives, state, message);
      };
      const right = parts.map(({ recipient }) => recipient);
      expect(dealTo(right).kind, graph).toBe('accepted');
      const stranger = state.config.members.findIndex((_, i) => i > 0 && !right.includes(i));
      expectRejected('WrongRecipients', dealTo(right.slice(1)));
      expectRejected('WrongRecipients', dealTo([...right, 77]));
      expectRejected('WrongRecipients', dealTo([]));
      if (graph === 'complete') continue;
      // One too many, another neighbour, oneself: nobody but the ring's neighbours holds shares.
      const ascending = (list: number[]) => list.sort((a, b) => a - b);
      expectRejected('WrongRecipients', dealTo(ascending([...right, stranger])));
      expectRejected('WrongRecipients', dealTo(ascending([...right.slice(1), stranger])));
      expectRejected('WrongRecipients', dealTo([0, ...right.slice(1)]));
    }
  });

  it('aborts with too few ShareKeys, and relays the roots of U₁ and each member’s own parts', () => {
    const three = receiveAll(sharing, receiveShares, shares.slice(0, 3));
    const aborted = { kind: 'aborted', reason: 'TooFewShareKeys', have: 3, need: 4, members: [] };
    expect(closeShares(nodePrimitives, three)).toEqual(aborted);
    const four = receiveAll(sharing, receiveShares, shares.slice(0, 4));
    const { state, members } = ready(closeShares(nodePrimitives, four));
    expect(members).toEqual([0, 1, 2, 3].map(idAt));
    expect(state.members).toEqual([0, 1, 2, 3]);
    for (const [recipient, id] of members.entries()) {
      const bundle = decodeShareBundle(shareBundle(nodePrimitives, state, id), config.slots);
      expect(bundle.recipient).toBe(recipient);
      expect(bundle.roots.map(({ member }) => member)).toEqual(state.members);
      expect(bundle.parts.map(({ dealer }) => dealer)).toEqual(state.members);
      for (const { dealer, part } of bundle.parts) {
        const { parts } = decodeShareKeys(shares[dealer]!, config.slots);
        expect(bytesToHex(part)).toBe(bytesToHex(parts[recipient]!.bytes));
      }
    }
  });

  it('hazard S20: the order of ShareKeys changes nothing of what is relayed', () => {
    const close = (messages: Uint8Array[]) =>
      ready(closeShares(nodePrimitives, receiveAll(sharing, receiveShares, messages))).state;
    const [there, back] = [close(shares), close([...shares].reverse())];
    expect(there.transcript).toEqual(back.transcript);
    for (const id of states.keys())
      expect(shareBundle(nodePrimitives, there, id)).toEqual(shareBundle(nodePrimitives, back, id));
  });

  it('hazard S16: a low-order or non-canonical key, one’s own key twice, and another’s key are rejected', () => {
    const forge = (id: string, edit: (message: Uint8Array) => void): Uint8Array => {
      const message = adverts.get(id)!.slice();
      edit(message);
      signInPlace(nodePrimitives, seeds.get(id)!, 'AdvertiseKeys', empty.digest, message);
      return message;
    };
    // Behind the header of 5 bytes: the encryption key, then slots of mask key and commitment.
    const zero = forge(idAt(1), (m) => m.fill(0, 5, 37));
    const aboveP = forge(idAt(1), (m) => m.fill(255, 37, 69));
    const twice = forge(idAt(1), (m) => m.copyWithin(37, 5, 37));
    const copied = forge(idAt(1), (m) => m.set(first.subarray(37, 69), 37));
    expectRejected('LowOrderKey', take(zero));
    expectRejected('LowOrderKey', take(aboveP));
    expectRejected('KeyReused', take(twice));
    expectRejected('KeyReused', take(copied, accepted(take(first))));
    const me = idAt(0);
    const shown = (bad: Uint8Array) => () =>
      handleAdverts(parties.get(me)!, states.get(me)!, [...adverts.values()].with(1, bad), rngs.get(me)!);
    expectRefusal('LowOrderKey', shown(zero));
    expectRefusal('LowOrderKey', shown(aboveP));
    expectRefusal('KeyReused', shown(twice));
    expectRefusal('KeyReused', shown(copied));
  });
});

describe('a round', async () => {
  const choir = setUp({ n: 5, slots: 2 });
  const round = roundOf(choir);
  const ids = round.expected;
  const masks = inlineMaskWork(nodePrimitives);
  const party = (id: string) => choir.parties.get(id)!;
  const inputOf = async (id: string, vector = vectorOf(choir, id, round), context = round) =>
    createMaskedInput(party(id), choir.members.get(id)!, context, vector);
  const masked = await Promise.all(ids.map((id) => inputOf(id)));
  const inputs = masked.map(bytesOf);
  const open = (context = round) => openRound(nodePrimitives, choir.block, context);
  const collect = (messages: readonly Uint8Array[], state: CollectingRound = open()) =>
    receiveAll<CollectingRound>(state, receiveMaskedInput, messages);
  const signed = masked.map(({ state }, i) => handleSurvivors(party(ids[i]!), state, 0, ids));
  const checks = signed.map(bytesOf);
  const closed = ready(closeMaskedInputs(collect(inputs)));
  const checked = receiveAll(closed.state, receiveConsistency, checks);
  const consistent = ready(closeConsistency(checked));
  const answers = signed.map(({ state }, i) =>
    bytesOf(handleConsistency(party(ids[i]!), state, 0, consistent.checksFor.get(ids[i]!)!)),
  );
  const sign = (i: number, kind: MessageKind, message: Uint8Array): Uint8Array => {
    signInPlace(nodePrimitives, choir.seeds.get(idAt(i))!, kind, closed.state.transcript, message);
    return message;
  };
  const receive = (state: RoundState, bytes: Uint8Array) => receiveMaskedInput(nodePrimitives, state, bytes);
  const check = (state: RoundState, bytes: Uint8Array) => receiveConsistency(nodePrimitives, state, bytes);
  const answer = (state: RoundState, bytes: Uint8Array) => receiveUnmasking(nodePrimitives, state, bytes);
  const settle = (state: UnmaskingRound) => unmask(nodePrimitives, masks, state);
  const opened = (fill: number) => new Uint8Array(OPENING_BYTES).fill(fill);

  it('opens only for members of U₁, at least as many as the floor', () => {
    expectRefusal('InvalidRound', () => open({ ...round, expected: [...ids, 'zz'] }));
    expectRefusal('CohortTooSmall', () => open({ ...round, expected: ids.slice(0, 3) }));
    const smaller = setUp({ n: 6, silentAtShares: [idAt(5)] });
    expectRefusal('InvalidRound', () =>
      openRound(nodePrimitives, smaller.block, { ...round, expected: [...ids, idAt(5)] }),
    );
  });

  it('rejects masked inputs: wrong length, malformed, stranger, slot, unexpected, signature', () => {
    const state = open({ ...round, expected: ids.slice(0, 4) });
    const [input] = inputs as [Uint8Array];
    expectRejected('WrongLength', receive(state, input.subarray(1)));
    expectRejected('Malformed', receive(state, input.with(6, 21)));
    expectRejected('UnknownSender', receive(state, input.with(2, 9)));
    expectRejected('WrongSlot', receive(state, input.with(4, 1)));
    expectRejected('NotExpected', receive(state, inputs[4]!));
    // Right in itself, but signed over another U₁ʳ.
    expectRejected('BadSignature', receive(state, input));
    expectRejected('BadSignature', receive(open(), flipped(input, 13)));
    expect(state.running.sum.every((x) => x === 0)).toBe(true);
  });

  it('rejects set padding bits, however well signed, and adds nothing', async () => {
    const state = open({ ...round, modulusBits: 9 });
    const input = bytesOf(await inputOf(idAt(0), new Uint32Array(5).fill(1), state.context));
    const padded = input.with(input.length - 65, input.at(-65)! | 0x80);
    signInPlace(nodePrimitives, choir.seeds.get(idAt(0))!, 'MaskedInput', state.transcript, padded);
    expectRejected('Malformed', receive(state, padded));
    expect(state.running.sum.every((x) => x === 0)).toBe(true);
    expect(state.running.members).toEqual({});
  });

  it('hazard S17: a duplicate is harmless, a second different input or a late one is refused', async () => {
    const one = collect(inputs.slice(0, 1));
    const before = [...one.running.sum];
    expect(receive(one, inputs[0]!).kind).toBe('duplicate');
    const other = bytesOf(await inputOf(idAt(0), new Uint32Array(5)));
    expectRejected('Conflict', receive(one, other));
    expect([...one.running.sum]).toEqual(before);

    const cut = ready(closeMaskedInputs(collect(inputs.slice(0, 4)))).state;
    expectRejected('PhaseClosed', receive(cut, inputs[4]!));
    expect(receive(cut, inputs[1]!).kind).toBe('duplicate');
    expectRejected('Conflict', receive(cut, other));
  });

  it('an old state that is used again cannot fold an input twice', () => {
    const stale = open();
    accepted(receive(stale, inputs[0]!));
    expect(receive(stale, inputs[0]!).kind).toBe('duplicate');
  });

  it('aborts with too few masked inputs', () => {
    expect(closeMaskedInputs(collect(inputs.slice(0, 3)))).toEqual({
      kind: 'aborted',
      reason: 'TooFewMaskedInputs',
      have: 3,
      need: 4,
      members: [],
    });
  });

  it('rejects checks: early, malformed, other survivors, a second one, late; aborts below the threshold', () => {
    const [mine] = checks as [Uint8Array];
    expectRejected('NotExpected', check(open(), mine));
    expectRejected('Malformed', check(closed.state, mine.subarray(3)));
    expectRejected('BadSignature', check(closed.state, flipped(mine, -1)));
    expectRejected('WrongSlot', check(closed.state, mine.with(4, 1)));
    const over = (survivors: readonly number[]) =>
      sign(0, 'ConsistencyCheck', encodeConsistencyCheck(0, 0, survivorsDigest(nodePrimitives, survivors)));
    expectRejected('WrongSurvivors', check(closed.state, over([0, 1, 2, 3])));
    // The same digest, signed by the same key, is the same message.
    expect(bytesToHex(over([0, 1, 2, 3, 4]))).toBe(bytesToHex(mine));
    const one = accepted(check(closed.state, mine));
    expect(check(one, mine).kind).toBe('duplicate');
    expect(closeConsistency(one as typeof closed.state)).toEqual({
      kind: 'aborted',
      reason: 'TooFewChecks',
      have: 1,
      need: 4,
      members: [],
    });
    const four = receiveAll(closed.state, receiveConsistency, checks.slice(0, 4));
    expectRejected('PhaseClosed', check(ready(closeConsistency(four)).state, checks[4]!));
    expect(check(ready(closeConsistency(four)).state, mine).kind).toBe('duplicate');
  });

  it('a check of somebody who was lost is refused', async () => {
    const four = ids.slice(0, 4);
    const state = ready(closeMaskedInputs(collect(inputs.slice(0, 4)))).state;
    const digest = survivorsDigest(nodePrimitives, [0, 1, 2, 3]);
    expectRejected(
      'NotExpected',
      check(state, sign(4, 'ConsistencyCheck', encodeConsistencyCheck(4, 0, digest))),
    );
    const honest = handleSurvivors(party(idAt(1)), masked[1]!.state, 0, four);
    expect(check(state, bytesOf(honest)).kind).toBe('accepted');
  });

  it('gives every member of a complete graph all the checks, its own included', () => {
    const four = receiveAll(closed.state, receiveConsistency, checks.slice(0, 4));
    const { checksFor, state } = ready(closeConsistency(four));
    // The fifth has sent none, but takes its own for granted and may answer after all.
    expect(state.asked).toEqual([0, 1, 2, 3, 4]);
    for (const id of ids) expect(checksFor.get(id)).toEqual(checks.slice(0, 4));
  });

  it('hazard S4: an answer with the wrong kind, for somebody else or for too few is refused', () => {
    const seeds = ids.map((_, member): ShareAnswer => ({ member, kind: 'seed', opening: opened(1) }));
    const given = (list: readonly ShareAnswer[]) =>
      answer(consistent.state, sign(0, 'Unmasking', encodeUnmasking(0, 0, list)));
    expect(given(seeds).kind).toBe('accepted');
    expect(given(seeds.with(2, { member: 2, kind: 'none', opening: opened(0) })).kind).toBe('accepted');
    expectRejected('WrongAnswer', given(seeds.with(2, { ...seeds[2]!, kind: 'mask' })));
    expectRejected('WrongAnswer', given(seeds.slice(1)));
    expectRejected('WrongAnswer', given([]));
    expectRejected('WrongAnswer', given([...seeds, { member: 5, kind: 'seed', opening: opened(1) }]));
    expectRejected('Malformed', given([...seeds, { member: 4, kind: 'mask', opening: opened(1) }]));
    expectRejected('NotExpected', answer(checked, answers[0]!));
    expectRejected('NotExpected', answer(open(), answers[0]!));
  });

  it('counts the answers held; a duplicate is not counted, a second different one is refused', async () => {
    let state = consistent.state;
    for (const [i, bytes] of answers.entries()) {
      expect((await settle(state)).kind).toBe(i < 4 ? 'aborted' : 'unmasked');
      expect(state.answersHeld < state.threshold).toBe(i < 4);
      state = accepted(receiveUnmasking(nodePrimitives, state, bytes));
      expect(answer(state, bytes).kind).toBe('duplicate');
      expect(state.answersHeld).toBe(i + 1);
    }
    const list = ids.map((_, member) => ({ member, kind: 'seed', opening: opened(1) }) as const);
    expectRejected('Conflict', answer(state, sign(0, 'Unmasking', encodeUnmasking(0, 0, list))));
    for (const earlier of [open(), closed.state, consistent.state]) expect(earlier.answersHeld).toBe(0);
  });

  it('hazard S13: an opening that is no scalar counts for nobody, and its sender is named', async () => {
    const list = ids.map((_, member) => ({ member, kind: 'seed', opening: opened(255) }) as const);
    const lie = sign(0, 'Unmasking', encodeUnmasking(0, 0, list));
    const outcome = await settle(receiveAll(consistent.state, receiveUnmasking, [lie, ...answers.slice(1)]));
    expect(outcome.kind === 'unmasked' && [...outcome.sum]).toEqual(sumOf(choir, ids, round));
    expect(outcome.evidence.map((evidence) => [evidence.lie, evidence.dealer])).toEqual(
      ids.map((_, member) => ['wrong-opening', member]),
    );
  });

  it('aborts, naming the member, when it is not the answers but one secret that lacks shares', async () => {
    const given = decodeUnmasking(answers[0]!).answers;
    const without = given.map((share) =>
      share.member === 3 ? ({ member: 3, kind: 'none', opening: opened(0) } as const) : share,
    );
    const short = sign(0, 'Unmasking', encodeUnmasking(0, 0, without));
    const four = receiveAll(consistent.state, receiveUnmasking, [short, ...answers.slice(1, 4)]);
    const aborted = { kind: 'aborted', reason: 'SecretNotReconstructed', have: 3, need: 4 };
    expect(await settle(four)).toEqual({ ...aborted, members: [idAt(3)], evidence: [] });
    // The fifth answer comes late and makes up for it.
    const five = receiveAll(four, receiveUnmasking, answers.slice(4));
    const outcome = await settle(five);
    expect(outcome.kind === 'unmasked' && [...outcome.sum]).toEqual(sumOf(choir, ids, round));
  });

  it('hazard S20: reordered messages of a phase give the same sum, and unmasking may be asked again', async () => {
    const backwards = ready(closeMaskedInputs(collect([...inputs].reverse()))).state;
    const again = ready(closeConsistency(receiveAll(backwards, receiveConsistency, [...checks].reverse())));
    expect(again.checksFor).toEqual(consistent.checksFor);
    const full = receiveAll(again.state, receiveUnmasking, [...answers].reverse());
    for (const outcome of [await settle(full), await settle(full)])
      expect(outcome.kind === 'unmasked' && [...outcome.sum]).toEqual(sumOf(choir, ids, round));
  });

  it('hazard S19: a coordinator restarted from its running sum ends with the same sum', () => {
    for (let done = 0; done <= 5; done++) {
      const before = collect(inputs.slice(0, done));
      let after = restoreRound(nodePrimitives, choir.block, round, structuredClone(before.running));
      for (const [i, input] of inputs.entries()) {
        const received = receiveMaskedInput(nodePrimitives, after, input);
        expect(received.kind).toBe(i < done ? 'duplicate' : 'accepted');
        after = received.state;
      }
      expect([...after.running.sum]).toEqual([...closed.state.running.sum]);
    }
  });

  it('a running sum of another dimension or with a stranger in it is refused', () => {
    const restore = (running: CollectingRound['running']) => () =>
      restoreRound(nodePrimitives, choir.block, round, running);
    expectRefusal('InvalidRound', restore({ sum: new Uint32Array(4), members: {} }));
    expectRefusal('InvalidRound', restore({ sum: new Uint32Array(5), members: { zz: '00' } }));
    restore({ sum: new Uint32Array(5), members: {} })();
  });

  it('hazard S27: what the state keeps of an input is its digest and the sum', () => {
    const state = collect(inputs.slice(0, 1));
    expect(Object.keys(state.running).sort()).toEqual(['members', 'sum']);
    expect(state.running.members[idAt(0)]).toMatch(/^[0-9a-f]{64}$/);
    const next = collect(inputs.slice(1, 2), state);
    expect(new Set(Object.keys(next))).toEqual(
      new Set(['kind', 'block', 'context', 'transcript', 'expected', 'threshold', 'answersHeld', 'running']),
    );
  });
});

describe('a round on a Harary graph', async () => {
  const choir = setUp({ n: 12, minSurvivors: 11, graph: 'harary', slots: 1 });
  const { graph } = choir.block;
  const context = roundOf(choir);
  const ids = context.expected;
  const masked = await Promise.all(
    ids.map((id) =>
      createMaskedInput(
        choir.parties.get(id)!,
        choir.members.get(id)!,
        context,
        vectorOf(choir, id, context),
      ),
    ),
  );
  const inputs = masked.map(bytesOf);
  const collect = (messages: readonly Uint8Array[], block = choir.block) =>
    receiveAll<CollectingRound>(openRound(nodePrimitives, block, context), receiveMaskedInput, messages);
  const closed = ready(closeMaskedInputs(collect(inputs)));
  const checks = masked.map(({ state }, i) =>
    bytesOf(handleSurvivors(choir.parties.get(ids[i]!)!, state, 0, ids)),
  );

  it('gives each member the checks of its own shareholders, and of others up to a quorum', () => {
    const checked = receiveAll(closed.state, receiveConsistency, checks);
    const { checksFor, state } = ready(closeConsistency(checked));
    expect([...checksFor.keys()]).toEqual(ids);
    expect(state.asked).toEqual(choir.block.members);
    for (const [member, id] of ids.entries()) {
      const holders = shareholders(graph, member);
      expect(holders.length).toBe(4);
      const given = checksFor.get(id)!;
      expect(given.slice(0, 4)).toEqual(holders.map((holder) => checks[holder]!));
      expect(given.length).toBe(survivorQuorum(choir.config, graph));
      expect(new Set(given).size).toBe(given.length);
    }
  });

  it('asks only those who have t checks of their own shareholders to go by', () => {
    const [a, b] = shareholders(graph, 0);
    const silent = [a!, b!];
    const heard = checks.filter((_, member) => !silent.includes(member));
    const { checksFor, state } = ready(closeConsistency(receiveAll(closed.state, receiveConsistency, heard)));
    const enough = choir.block.members.filter(
      (member) => shareholders(graph, member).filter((holder) => !silent.includes(holder)).length >= 3,
    );
    expect(enough).not.toContain(0);
    expect(state.asked).toEqual(enough);
    expect([...checksFor.keys()]).toEqual(enough.map(idAt));
  });

  it('aborts when nobody has enough of them, though more than t were sent', () => {
    // Every other place of the ring: two of four neighbours each, six checks in all.
    const heard = graph.order.filter((_, place) => place % 2 === 0).map((member) => checks[member]!);
    expect(heard.length).toBeGreaterThan(graph.threshold);
    const aborted = closeConsistency(receiveAll(closed.state, receiveConsistency, heard));
    expect(aborted.kind === 'aborted' && aborted.reason).toBe('TooFewChecks');
  });

  it('SurvivorsSplit: aborts when the lost lie in two windows of the ring, not when they lie apart', () => {
    // A charter this small lets nobody be lost but one: its floor is out of the way, so that only the cut is left.
    const lax = { ...choir.block, config: { ...choir.block.config, minSurvivors: 3 } };
    const without = (places: readonly number[], cutFloor = graph.cutFloor) => {
      const lost = places.map((place) => graph.order[place]!);
      const kept = inputs.filter((_, member) => !lost.includes(member));
      return closeMaskedInputs(collect(kept, { ...lax, graph: { ...graph, cutFloor } }));
    };
    expect(graph).toMatchObject({ shareholders: 4, cutFloor: 2 });
    expect(without([0, 1, 6])).toEqual({
      kind: 'aborted',
      reason: 'SurvivorsSplit',
      have: 9,
      need: survivorQuorum(choir.config, graph),
      members: [],
    });
    expect(without([0, 4, 8]).kind).toBe('ready');
    expect(without([0, 1]).kind).toBe('ready');
    // Positive control: without the floor on windows nothing stops it.
    expect(without([0, 1, 6], 0).kind).toBe('ready');
  });
});

describe('a member’s id may be any text', () => {
  it.each(['constructor', '__proto__', 'bytes', 'words'])(
    '%s is an id like any other, in memory and written down',
    async (name) => {
      const plain = setUp({ n: 5, slots: 1 });
      const config = { ...plain.config, members: [...plain.config.members] };
      config.members[0] = { ...config.members[0]!, id: name };
      const named = (id: string): string => (id === idAt(0) ? name : id);
      const choir: Choir = {
        ...plain,
        config,
        block: { ...plain.block, config },
        parties: new Map([...plain.parties].map(([id, party]) => [named(id), party])),
        members: new Map([...plain.members].map(([id, state]) => [named(id), { ...state, config }])),
      };
      const round = roundOf(choir);
      const { outcome, refusals } = await play(choir, round);
      expect(refusals.size).toBe(0);
      expect(outcome.kind === 'unmasked' && [...outcome.sum]).toEqual(sumOf(choir, round.expected, round));

      const state = openRound(nodePrimitives, choir.block, round);
      const { outbound } = await createMaskedInput(
        choir.parties.get(name)!,
        choir.members.get(name)!,
        round,
        vectorOf(choir, name, round),
      );
      const one = accepted(receiveMaskedInput(nodePrimitives, state, bytesOf({ outbound })));
      const read = decodeState<CollectingRound>(nodePrimitives, encodeState(nodePrimitives, one), [
        'collecting',
      ]);
      expect(receiveMaskedInput(nodePrimitives, read, bytesOf({ outbound })).kind).toBe('duplicate');
      // Nobody whose input is not there is taken for a survivor.
      expect(closeMaskedInputs(openRound(nodePrimitives, choir.block, round))).toMatchObject({ have: 0 });
    },
  );
});
