import { bytesToHex } from '@noble/hashes/utils.js';
import { describe, expect, it } from 'vitest';
import {
  abandonSlot,
  createMaskedInput,
  handleAdverts,
  handleConsistency,
  handleShares,
  handleSurvivors,
  type ReadyMember,
  type RoundContext,
} from '../../src/secagg/index.js';
import { advertise, expectRefusal, idAt, play, roundOf, setUp, vectorOf } from './choir.js';

const choir = setUp({ n: 5, slots: 3 });
const round = roundOf(choir);
const me = idAt(0);
const fresh = choir.members.get(me)!;
const vector = vectorOf(choir, me, round);
const masked = createMaskedInput(fresh, round, vector);
const signed = handleSurvivors(masked.state, 0, round.expected);
const checks = choir.config.members.map(({ id }) => {
  const input = createMaskedInput(choir.members.get(id)!, round, vectorOf(choir, id, round));
  return handleSurvivors(input.state, 0, round.expected).message;
});
const answered = handleConsistency(signed.state, 0, checks);

const mask =
  (context: Partial<RoundContext>, state: ReadyMember = fresh, own = vector) =>
  () =>
    createMaskedInput(state, { ...round, ...context } as RoundContext, own);

describe('set-up refusals', () => {
  const { states, adverts } = advertise({ n: 5 });
  const state = states.get(me)!;
  const all = [...adverts.values()];

  it('hazard S1: a swapped key breaks the advert’s signature, and no share leaves', () => {
    const altered = all.map((advert, i) => (i === 2 ? advert.with(5, advert[5]! ^ 1) : advert));
    expectRefusal('BadSignature', () => handleAdverts(state, altered));
  });

  it('a malformed, doubled or foreign advert, an altered or missing own one', () => {
    expectRefusal('MalformedMessage', () => handleAdverts(state, [...all, new Uint8Array(3)]));
    expectRefusal('DuplicateMember', () => handleAdverts(state, [...all, all[3]!]));
    expectRefusal('UnknownMember', () => handleAdverts(state, [...all, all[3]!.with(2, 77)]));
    expectRefusal('OwnAdvertAltered', () => handleAdverts(state, all.slice(1)));
    expectRefusal('CohortTooSmall', () => handleAdverts(state, all.slice(0, 2)));
  });

  it('an equal request gives the same bytes; other adverts after that are refused', () => {
    const first = handleAdverts(state, all);
    const again = handleAdverts(first.state, [...all].reverse());
    expect(bytesToHex(again.message)).toBe(bytesToHex(first.message));
    expectRefusal('AdvertsConflict', () => handleAdverts(first.state, all.slice(0, 4)));
  });

  it('shares: unknown or doubled senders, too few, another bundle afterwards', () => {
    const shared = handleAdverts(state, all).state;
    const size = 12 + 2 * 64 + 16;
    const bundle = [1, 2, 3, 4].map((i) => ({ from: idAt(i), sealed: new Uint8Array(size) }));
    expectRefusal('UnknownMember', () => handleShares(shared, [{ from: me, sealed: new Uint8Array(size) }]));
    expectRefusal('UnknownMember', () =>
      handleShares(shared, [{ from: 'zz', sealed: new Uint8Array(size) }]),
    );
    expectRefusal('DuplicateMember', () => handleShares(shared, [bundle[0]!, bundle[0]!]));
    expectRefusal('TooFewShareKeys', () => handleShares(shared, bundle.slice(0, 2)));
    const once = handleShares(shared, bundle).state;
    expect(handleShares(once, [...bundle].reverse()).state).toBe(once);
    expectRefusal('SharesConflict', () => handleShares(once, bundle.slice(0, 3)));
  });
});

describe('round refusals', () => {
  it.each<[string, Partial<Record<keyof RoundContext, unknown>>]>([
    ['slot beyond the block', { slot: 3 }],
    ['half a slot', { slot: 0.5 }],
    ['no round id', { round: '' }],
    ['attempt 0', { attempt: 0 }],
    ['a short query digest', { queryDigest: 'ab' }],
    ['a short model digest', { modelDigest: 'ab' }],
    ['no dimension', { dimension: 0 }],
    ['a dimension above 2^26', { dimension: 2 ** 26 + 1 }],
    ['7 bits', { modulusBits: 7 }],
    ['33 bits', { modulusBits: 33 }],
    ['an unsorted U₁ʳ', { expected: [...round.expected].reverse() }],
    ['an unknown member', { expected: [...round.expected, 'zz'] }],
  ])('InvalidRound: %s', (_name, context) => {
    expectRefusal('InvalidRound', mask(context as Partial<RoundContext>));
  });

  it('another block, a cohort below the floor, a round without oneself, a member that shared no keys', () => {
    expectRefusal('BlockMismatch', mask({ block: 'block-2' }));
    expectRefusal('CohortTooSmall', mask({ expected: round.expected.slice(0, 3) }));
    expectRefusal('NotExpected', mask({ expected: round.expected.slice(1) }));
    const smaller = setUp({ n: 6, silentAtShares: [idAt(5)] });
    const expected = [...smaller.members.keys(), idAt(5)];
    const context = { ...round, expected };
    expectRefusal('InvalidRound', () => createMaskedInput(smaller.members.get(me)!, context, vector));
  });

  it('hazard S15: an element outside the ring, or another length, is never masked', () => {
    expectRefusal('InvalidVector', mask({}, fresh, vector.subarray(1)));
    expectRefusal('InvalidVector', mask({}, fresh, vector.with(2, 2 ** 20)));
    const signedVector = Int32Array.from(vector, () => -1);
    expectRefusal('InvalidVector', () =>
      createMaskedInput(fresh, round, signedVector.with(0, -(2 ** 19) - 1)),
    );
    expect(createMaskedInput(fresh, round, signedVector).message.length).toBe(masked.message.length);
  });

  it('phases come in order', () => {
    expectRefusal('OutOfOrder', () => handleSurvivors(fresh, 0, round.expected));
    expectRefusal('OutOfOrder', () => handleConsistency(fresh, 0, checks));
    expectRefusal('OutOfOrder', () => handleConsistency(masked.state, 0, checks));
    expectRefusal('InvalidRound', () => handleSurvivors(fresh, 9, round.expected));
    expectRefusal('InvalidRound', () => abandonSlot(fresh, 9));
  });

  it('hazard S4: survivors named twice, unknown, unexpected, or without oneself are refused', () => {
    const survivors = (ids: readonly string[]) => () => handleSurvivors(masked.state, 0, ids);
    expectRefusal('InvalidSurvivors', survivors([...round.expected, idAt(4)]));
    expectRefusal('InvalidSurvivors', survivors([idAt(1), ...round.expected]));
    expectRefusal('InvalidSurvivors', survivors([...round.expected, 'zz']));
    expectRefusal('InvalidSurvivors', survivors(round.expected.slice(1)));
    const part = roundOf(choir, { expected: round.expected.slice(0, 4) });
    const of4 = createMaskedInput(fresh, part, vector).state;
    expectRefusal('InvalidSurvivors', () => handleSurvivors(of4, 0, round.expected));
  });

  it('hazard S6: fewer survivors than the floor are refused', () => {
    expectRefusal('TooFewSurvivors', () => handleSurvivors(masked.state, 0, round.expected.slice(0, 3)));
    expect(handleSurvivors(masked.state, 0, round.expected.slice(0, 4)).message.length).toBeGreaterThan(0);
  });

  it('fewer than t signatures give no answer: wrong, doubled, foreign, garbled ones don’t count', () => {
    const [own, first, second, third] = checks as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
    const bad = [
      own,
      own,
      first,
      first,
      second,
      third.with(third.length - 1, third[third.length - 1]! ^ 1),
      new Uint8Array(5),
      masked.message,
    ];
    expectRefusal('TooFewChecks', () => handleConsistency(signed.state, 0, bad));
    expect(handleConsistency(signed.state, 0, [...bad, third]).survivors).toEqual(round.expected);
  });
});

describe('one slot, one attempt, one answer', () => {
  it('hazard S17: an equal masked input gives equal bytes; another vector or round is refused', () => {
    const again = createMaskedInput(masked.state, round, vector);
    expect(bytesToHex(again.message)).toBe(bytesToHex(masked.message));
    expect(again.state).toBe(masked.state);
    expectRefusal('SlotUsed', mask({}, masked.state, vector.with(1, 1)));
    expectRefusal('SlotUsed', mask({ attempt: 2 }, masked.state));
    expectRefusal('SlotUsed', mask({}, answered.state));
  });

  it('hazard S9: a round and attempt that one slot has served are refused on another', () => {
    expectRefusal('RoundReused', mask({ slot: 1 }, masked.state));
    expect(mask({ slot: 1, attempt: 2 }, masked.state)().message.length).toBe(masked.message.length);
  });

  it('hazard S5: asked to unmask twice it gives the same bytes; another set of survivors never', () => {
    const again = handleConsistency(answered.state, 0, []);
    expect(bytesToHex(again.message)).toBe(bytesToHex(answered.message));
    const four = round.expected.slice(0, 4);
    for (const state of [signed.state, answered.state]) {
      expectRefusal('SurvivorsConflict', () => handleSurvivors(state, 0, four));
      expect(bytesToHex(handleSurvivors(state, 0, round.expected).message)).toBe(bytesToHex(signed.message));
    }
  });

  it('hazard S5: a slot that was given up never answers again, in any phase', () => {
    for (const state of [fresh, masked.state, signed.state, answered.state]) {
      const burnt = abandonSlot(state, 0).state;
      expectRefusal('SlotBurnt', mask({}, burnt));
      expectRefusal('SlotBurnt', () => handleSurvivors(burnt, 0, round.expected));
      expectRefusal('SlotBurnt', () => handleConsistency(burnt, 0, checks));
    }
  });

  it('drops the slot’s secrets once it has answered, and leaves the older state alone', () => {
    const [slot, next] = answered.state.slots;
    expect(Object.keys(slot!).sort()).toEqual(
      ['answer', 'attempt', 'check', 'expected', 'kind', 'survivors', 'transcript'].sort(),
    );
    expect(next!.kind).toBe('fresh');
    expect(fresh.slots[0]!.kind).toBe('fresh');
  });

  it('hazard S26: what a member sends has the same size for any data', () => {
    const size = (own: Uint32Array) => createMaskedInput(fresh, round, own).message.length;
    expect(size(new Uint32Array(5))).toBe(size(new Uint32Array(5).fill(2 ** 20 - 1)));
    const sizes = play(choir, round).transcript.map((message) => message.length);
    expect(new Set(sizes).size).toBe(3);
  });
});
