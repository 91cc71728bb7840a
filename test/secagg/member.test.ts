import { bytesToHex } from '@noble/hashes/utils.js';
import { describe, expect, it } from 'vitest';
import { inclusionProofs } from '../../src/crypto/merkle.js';
import { nodePrimitives } from '../../src/crypto/nodePrimitives.js';
import { seededRng } from '../../src/crypto/rng.js';
import { advertisedKeys } from '../../src/secagg/adverts.js';
import { commitmentAt, openingAt } from '../../src/secagg/dealing.js';
import { shareholders } from '../../src/secagg/graph.js';
import {
  abandonSlot,
  CONSISTENCY_CHECK_BYTES,
  createMaskedInput,
  handleAdverts,
  handleConsistency,
  handleShares,
  handleSurvivors,
  type Outbound,
  type ReadyMember,
  type RoundContext,
  type SharedMember,
} from '../../src/secagg/index.js';
import { shareCommitment } from '../../src/secagg/keys.js';
import {
  decodeConsistencyCheck,
  decodeDealtPart,
  decodeShareKeys,
  decodeUnmasking,
  encodeConsistencyCheck,
  encodeDealtPart,
  encodeShareKeys,
  peek,
} from '../../src/secagg/messages.js';
import { survivorsDigest } from '../../src/secagg/round.js';
import { openSealed, type SealingContext, sealOpenings } from '../../src/secagg/sealing.js';
import { dealtRoot } from '../../src/secagg/setUp.js';
import { encodeShareBundle, type ShareBundle } from '../../src/secagg/shareBundle.js';
import { signInPlace } from '../../src/secagg/signing.js';
import {
  advertise,
  bundleFor,
  type DealtBlock,
  dealt,
  expectRefusal,
  expectRefusalOf,
  idAt,
  play,
  roundOf,
  seedOf,
  setUp,
  sumOf,
  takeShares,
  vectorOf,
} from './choir.js';

const bytesOf = ({ outbound }: { outbound: Outbound }): Uint8Array => outbound.release('state-durable');
const hexOf = (transition: { outbound: Outbound }): string => bytesToHex(bytesOf(transition));
const flipped = (bytes: Uint8Array, at: number): Uint8Array =>
  bytes.with(at < 0 ? bytes.length + at : at, bytes.at(at)! ^ 1);

const choir = setUp({ n: 5, slots: 3 });
const round = roundOf(choir);
const me = idAt(0);
const party = choir.parties.get(me)!;
const fresh = choir.members.get(me)!;
const vector = vectorOf(choir, me, round);
const masked = await createMaskedInput(party, fresh, round, vector);
const signed = handleSurvivors(party, masked.state, 0, round.expected);
const checks = await Promise.all(
  round.expected.map(async (id) => {
    const other = choir.parties.get(id)!;
    const input = await createMaskedInput(other, choir.members.get(id)!, round, vectorOf(choir, id, round));
    return bytesOf(handleSurvivors(other, input.state, 0, round.expected));
  }),
);
const answered = handleConsistency(party, signed.state, 0, checks);

const mask = (context: Partial<RoundContext>, state: ReadyMember = fresh, own = vector) =>
  createMaskedInput(party, state, { ...round, ...context }, own);

describe('set-up refusals', () => {
  const { states, adverts, parties, rngs } = advertise({ n: 5 });
  const state = states.get(me)!;
  const own = parties.get(me)!;
  const all = [...adverts.values()];
  const accept = (messages: readonly Uint8Array[]) => handleAdverts(own, state, messages, rngs.get(me)!);

  it('hazard S1: a swapped key breaks the advert’s signature, and no share leaves', () => {
    expectRefusal('BadSignature', () => accept(all.with(2, flipped(all[2]!, 5))));
    expect(accept(all).state.kind).toBe('shared');
  });

  it('a malformed, doubled or foreign advert, an altered or missing own one', () => {
    expectRefusal('MalformedMessage', () => accept([...all, new Uint8Array(3)]));
    expectRefusal('DuplicateMember', () => accept([...all, all[3]!]));
    expectRefusal('UnknownMember', () => accept([...all, all[3]!.with(2, 77)]));
    expectRefusal('OwnAdvertAltered', () => accept(all.slice(1)));
    const other = advertise({ n: 5, seed: 'another day' }).adverts.get(me)!;
    signInPlace(nodePrimitives, own.identity.seed, 'AdvertiseKeys', state.digest, other);
    expectRefusal('OwnAdvertAltered', () => accept(all.with(0, other)));
    expectRefusal('CohortTooSmall', () => accept(all.slice(0, 2)));
  });

  it('an equal request gives the same bytes; other adverts after that are refused', () => {
    const first = accept(all);
    const again = handleAdverts(own, first.state, [...all].reverse(), seededRng(seedOf('other')));
    expect(hexOf(again)).toBe(hexOf(first));
    expect(again.state).toBe(first.state);
    expectRefusal('AdvertsConflict', () =>
      handleAdverts(own, first.state, all.slice(0, 4), seededRng(seedOf('other'))),
    );
  });
});

describe('the relay of shares', () => {
  const SLOTS = 2;
  const set = dealt({ n: 6, slots: SLOTS });
  const everybody = [0, 1, 2, 3, 4, 5];
  const dealer = 2;
  const good = bundleFor(set, me);
  const take = (bundle: ShareBundle, from: DealtBlock = set, id = me) =>
    handleShares(from.parties.get(id)!, from.shared.get(id)!, encodeShareBundle(bundle)).state;
  /** The bundle with what is relayed of the dealer's replaced. */
  const relaying = (
    change: Partial<ShareBundle['parts'][0]>,
    bundle: ShareBundle = good,
    of = dealer,
  ): ShareBundle => ({
    ...bundle,
    parts: bundle.parts.map((relayed) => (relayed.dealer === of ? { ...relayed, ...change } : relayed)),
  });
  const heldBy = (state: ReadyMember): number[][] =>
    state.slots.map((slot) => ('openings' in slot ? slot.openings.map((held) => held.dealer) : []));

  it('gives the shares of every dealer, oneself included, for every slot', () => {
    expect(heldBy(take(good))).toEqual([everybody, everybody]);
  });

  it('OwnSharesAltered: the own shares left out, or others relayed in their place', () => {
    const without = good.roots.filter(({ member }) => member !== 0);
    const parts = good.parts.filter((relayed) => relayed.dealer !== 0);
    expectRefusal('OwnSharesAltered', () => take({ ...good, roots: without, parts }));
    const roots = good.roots.map(({ member, root }) => ({
      member,
      root: member === 0 ? flipped(root, 0) : root,
    }));
    expectRefusal('OwnSharesAltered', () => take({ ...good, roots }));
  });

  it('another member’s bundle is refused, and one that is not a bundle', () => {
    expectRefusal('UnknownMember', () => take(bundleFor(set, idAt(1))));
    const bytes = encodeShareBundle(good);
    const state = set.shared.get(me)!;
    const own = set.parties.get(me)!;
    for (const broken of [bytes.subarray(1), Uint8Array.of(...bytes, 0), new Uint8Array(0)])
      expectRefusal('MalformedMessage', () => handleShares(own, state, broken));
  });

  it('a member without an advert among the roots is refused', () => {
    const smaller = dealt({ n: 7, slots: SLOTS, silentAtAdvert: [idAt(6)] });
    const bundle = bundleFor(smaller, me);
    expect(take(bundle, smaller).members).toEqual(everybody);
    for (const member of [6, 7, 65_535]) {
      const roots = [...bundle.roots, { member, root: new Uint8Array(32) }];
      expectRefusal('UnknownMember', () => take({ ...bundle, roots }, smaller));
    }
  });

  it('a share of somebody who is not in U₁ or deals none to me is refused', () => {
    const roots = good.roots.filter(({ member }) => member !== dealer);
    expectRefusal('UnknownMember', () => take({ ...good, roots }));
    const ring = dealt({ n: 8, minSurvivors: 7, graph: 'harary', slots: SLOTS });
    const bundle = bundleFor(ring, me);
    const mine = shareholders(ring.block.graph, 0);
    const stranger = ring.block.members.find((member) => member !== 0 && !mine.includes(member))!;
    const relayed = { ...bundle.parts[0]!, dealer: stranger };
    const parts = [...bundle.parts, relayed].sort((a, b) => a.dealer - b.dealer);
    expect(take(bundle, ring).kind).toBe('ready');
    expectRefusal('UnknownMember', () => take({ ...bundle, parts }, ring));
  });

  it('too few members in U₁ are refused', () => {
    const only = (count: number): ShareBundle => ({
      ...good,
      roots: good.roots.slice(0, count),
      parts: good.parts.slice(0, count),
    });
    expectRefusal('TooFewShareKeys', () => take(only(3)));
    expect(take(only(4)).members).toEqual([0, 1, 2, 3]);
  });

  it('too few of one’s own shareholders in U₁ are refused, however many others there are', () => {
    const ring = dealt({ n: 8, minSurvivors: 7, graph: 'harary', slots: SLOTS });
    expect(ring.block.graph).toMatchObject({ shareholders: 4, threshold: 3 });
    const state = ring.shared.get(me)!;
    // A charter this small lets nobody be lost but one: its floor is out of the way, so that only the count is left.
    const lax: SharedMember = { ...state, config: { ...state.config, minSurvivors: 3 } };
    const bundle = bundleFor(ring, me);
    const takeWithout = (lost: readonly number[]) => {
      const roots = bundle.roots.filter(({ member }) => !lost.includes(member));
      const parts = bundle.parts.filter((relayed) => !lost.includes(relayed.dealer));
      return handleShares(ring.parties.get(me)!, lax, encodeShareBundle({ ...bundle, roots, parts })).state;
    };
    const mine = shareholders(ring.block.graph, 0);
    const others = ring.block.members.filter((member) => member !== 0 && !mine.includes(member));
    expectRefusal('TooFewShareKeys', () => takeWithout(mine.slice(0, 2)));
    expect(takeWithout(mine.slice(0, 1)).kind).toBe('ready');
    expect(takeWithout(others.slice(0, 2)).kind).toBe('ready');
  });

  it('an equal bundle again changes nothing; another one is refused', () => {
    const once = take(good);
    const own = set.parties.get(me)!;
    expect(handleShares(own, once, encodeShareBundle(good)).state).toBe(once);
    const other = relaying({ path: [] });
    expectRefusal('SharesConflict', () => handleShares(own, once, encodeShareBundle(other)));
  });

  it('hazard S2: another root of some dealer is another transcript, and nobody sums with it', async () => {
    const roots = good.roots.map(({ member, root }) => ({
      member,
      root: member === dealer ? flipped(root, 0) : root,
    }));
    const shown = takeShares(set, (id, bundle) => (id === me ? { ...bundle, roots } : bundle));
    expect(bytesToHex(shown.members.get(me)!.transcript)).not.toBe(bytesToHex(shown.block.transcript));
    expect(bytesToHex(shown.members.get(idAt(1))!.transcript)).toBe(bytesToHex(shown.block.transcript));
    await expect(play(shown, roundOf(shown))).rejects.toThrow(/BadSignature/);
  });

  /** What a dealer that lies makes of the part that it deals to `me`; signed, and it stands by it. */
  const lying = (edit: (part: Uint8Array, state: SharedMember) => Uint8Array): DealtBlock =>
    dealt({ n: 6, slots: SLOTS }, (id, state) => {
      if (id !== idAt(dealer)) return state;
      const parts = decodeShareKeys(state.shareKeys, SLOTS).parts.map(({ recipient, bytes }) => ({
        recipient,
        bytes: recipient === 0 ? edit(bytes.slice(), state) : bytes,
      }));
      const shareKeys = encodeShareKeys(dealer, SLOTS, parts);
      const root = dealtRoot(nodePrimitives, parts);
      signInPlace(nodePrimitives, set.seeds.get(id)!, 'ShareKeys', state.setup, shareKeys, root);
      return { ...state, shareKeys };
    });
  /** Sealed and committed to anew, all of it valid, but with other openings. */
  const resealed = (
    part: Uint8Array,
    state: SharedMember,
    edit: (openings: Uint8Array) => void,
    sealedFor = 0,
  ) => {
    const context: SealingContext = {
      primitives: nodePrimitives,
      setup: state.setup,
      from: dealer,
      to: 0,
      privateKey: state.encryptionPrivateKey,
      publicKey: advertisedKeys(state.adverts[0]!).encryptionKey,
    };
    const { commitments, sealed } = decodeDealtPart(part, SLOTS);
    const openings = openSealed(context, sealed)!.slice();
    edit(openings);
    for (let slot = 0; slot < SLOTS; slot++)
      for (const kind of ['mask', 'seed'] as const) {
        const opening = openingAt(openings, slot, kind);
        const commitment = shareCommitment(nodePrimitives, state.setup, dealer, 0, slot, kind, opening);
        commitmentAt(commitments, slot, kind).set(commitment);
      }
    return encodeDealtPart(
      0,
      commitments,
      sealOpenings({ ...context, to: sealedFor }, openings, seededRng(seedOf('nonce'))),
    );
  };

  const partOf = (from: number, to: string) =>
    bundleFor(set, to).parts.find((relayed) => relayed.dealer === from)!;
  const { part, path } = partOf(dealer, me);
  const relayedWrong: [string, Partial<ShareBundle['parts'][0]>][] = [
    ['under another dealer’s root', { part: partOf(3, me).part, path: partOf(3, me).path }],
    ['not under the root: a commitment changed on the way', { part: flipped(part, 2) }],
    ['not under the root: the ciphertext changed on the way', { part: flipped(part, -1) }],
    ['with a wrong path', { path: path.with(0, flipped(path[0]!, 0)) }],
    ['with a path in another order', { path: [...path].reverse() }],
    ['with a path too short', { path: path.slice(1) }],
    ['with a path too long', { path: [...path, new Uint8Array(32)] }],
    ['with the path of another leaf', { path: partOf(dealer, idAt(1)).path }],
    ['dealt to another recipient', partOf(dealer, idAt(1))],
  ];
  const dealtWrong: [string, DealtBlock][] = [
    ['whose commitment to a mask share does not match', lying((bytes) => flipped(bytes, 2))],
    ['whose commitment to a seed share does not match', lying((bytes) => flipped(bytes, 2 + 32))],
    ['one of whose slots does not match', lying((bytes) => flipped(bytes, 2 + 64))],
    ['whose ciphertext does not open', lying((bytes) => flipped(bytes, -1))],
    [
      'with a share that is not canonical, but committed to',
      lying((bytes, state) => resealed(bytes, state, (openings) => openings.fill(255, 0, 32))),
    ],
    [
      'that is sealed for another recipient',
      lying((bytes, state) => resealed(bytes, state, () => undefined, 1)),
    ],
  ];

  /** Nobody is blamed, the round gives its sum, and the one share that did not arrive is answered with 'none'. */
  const expectMissing = async (played: ReturnType<typeof takeShares>): Promise<void> => {
    for (const [id, state] of played.members)
      expect(heldBy(state), id).toEqual(
        new Array(SLOTS).fill(everybody.filter((from) => id !== me || from !== dealer)),
      );
    for (const atMaskedInput of [[], [idAt(dealer)]]) {
      const context = roundOf(played);
      const { outcome, transcript, refusals } = await play(played, context, { atMaskedInput });
      expect(refusals.size).toBe(0);
      if (outcome.kind !== 'unmasked') throw new Error(`${outcome.reason}`);
      const alive = context.expected.filter((id) => !atMaskedInput.includes(id));
      expect([...outcome.sum]).toEqual(sumOf(played, alive, context));
      expect(outcome.evidence).toEqual([]);
      for (const message of transcript.filter((bytes) => peek(bytes).kind === 'Unmasking')) {
        const { sender, answers } = decodeUnmasking(message);
        for (const { member, kind } of answers) {
          const fate = alive.includes(idAt(member)) ? 'seed' : 'mask';
          expect(kind, `${sender} of ${member}`).toBe(sender === 0 && member === dealer ? 'none' : fate);
        }
      }
    }
  };

  it.each(relayedWrong)(
    'hazard S14: a part %s counts as missing, and the round goes on',
    async (_name, change) => {
      await expectMissing(takeShares(set, (id, bundle) => (id === me ? relaying(change, bundle) : bundle)));
    },
  );

  it('a part that is left out counts as missing, and the round goes on', async () => {
    const left = ({ parts }: ShareBundle) => parts.filter((relayed) => relayed.dealer !== dealer);
    await expectMissing(
      takeShares(set, (id, bundle) => (id === me ? { ...bundle, parts: left(bundle) } : bundle)),
    );
  });

  it.each(dealtWrong)(
    'hazard S13: a part %s counts as missing, and the round goes on',
    async (_name, lied) => {
      await expectMissing(takeShares(lied));
    },
  );

  it('the same reseal with nothing changed is taken: it is the lie that is noticed', () => {
    const honest = lying((bytes, state) => resealed(bytes, state, () => undefined));
    for (const state of takeShares(honest).members.values()) expect(heldBy(state)[0]).toEqual(everybody);
  });

  it('hazard S14: a part that names another recipient is missing even at the right place of the tree', () => {
    const { parts } = decodeShareKeys(set.shared.get(idAt(dealer))!.shareKeys, SLOTS);
    const leaves = parts.map(({ bytes }, i) => (i === 0 ? bytes.with(0, 1) : bytes));
    const root = dealtRoot(
      nodePrimitives,
      leaves.map((bytes) => ({ bytes })),
    );
    const altered: ShareBundle = {
      ...relaying({ part: leaves[0]!, path: inclusionProofs(nodePrimitives.sha256, leaves)[0]! }),
      roots: good.roots.map((known) => (known.member === dealer ? { member: dealer, root } : known)),
    };
    expect(heldBy(take(altered))[0]).toEqual([0, 1, 3, 4, 5]);
  });

  it('even one’s own share may go missing: one’s own answer about oneself is then none', async () => {
    const own = dealt({ n: 6, slots: SLOTS });
    const left = takeShares(own, (id, bundle) => (id === me ? relaying({ path: [] }, bundle, 0) : bundle));
    const { outcome, transcript } = await play(left, roundOf(left));
    expect(outcome.kind).toBe('unmasked');
    const answer = transcript.map((bytes) => peek(bytes).kind).indexOf('Unmasking');
    expect(decodeUnmasking(transcript[answer]!).answers.map(({ kind }) => kind)).toEqual([
      'none',
      'seed',
      'seed',
      'seed',
      'seed',
      'seed',
    ]);
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
  ])('InvalidRound: %s', async (_name, context) => {
    await expectRefusalOf('InvalidRound', mask(context as Partial<RoundContext>));
  });

  it('another block, a cohort below the floor, a round without oneself, a member that shared no keys', async () => {
    await expectRefusalOf('BlockMismatch', mask({ block: 'block-2' }));
    await expectRefusalOf('CohortTooSmall', mask({ expected: round.expected.slice(0, 3) }));
    await expectRefusalOf('NotExpected', mask({ expected: round.expected.slice(1) }));
    const smaller = setUp({ n: 6, silentAtShares: [idAt(5)] });
    const context = { ...round, expected: [...smaller.members.keys(), idAt(5)] };
    const state = smaller.members.get(me)!;
    await expectRefusalOf('InvalidRound', createMaskedInput(party, state, context, vector));
  });

  it('hazard S15: an element outside the ring, or another length, is never masked', async () => {
    await expectRefusalOf('InvalidVector', mask({}, fresh, vector.subarray(1)));
    await expectRefusalOf('InvalidVector', mask({}, fresh, vector.with(2, 2 ** 20)));
    const minusOne = Int32Array.from(vector, () => -1);
    const tooLow = minusOne.with(0, -(2 ** 19) - 1);
    await expectRefusalOf('InvalidVector', createMaskedInput(party, fresh, round, tooLow));
    const lowest = minusOne.with(0, -(2 ** 19));
    const { outbound } = await createMaskedInput(party, fresh, round, lowest);
    expect(bytesOf({ outbound }).length).toBe(bytesOf(masked).length);
  });

  it('phases come in order', () => {
    expectRefusal('OutOfOrder', () => handleSurvivors(party, fresh, 0, round.expected));
    expectRefusal('OutOfOrder', () => handleConsistency(party, fresh, 0, checks));
    expectRefusal('OutOfOrder', () => handleConsistency(party, masked.state, 0, checks));
    expectRefusal('InvalidRound', () => handleSurvivors(party, fresh, 9, round.expected));
    expectRefusal('InvalidRound', () => handleConsistency(party, fresh, 9, checks));
    expectRefusal('InvalidRound', () => abandonSlot(fresh, 9));
  });

  it('hazard S4: survivors named twice, unknown, unexpected, or without oneself are refused', async () => {
    const survivors = (ids: readonly string[]) => () => handleSurvivors(party, masked.state, 0, ids);
    expectRefusal('InvalidSurvivors', survivors([...round.expected, idAt(4)]));
    expectRefusal('InvalidSurvivors', survivors([idAt(1), ...round.expected]));
    expectRefusal('InvalidSurvivors', survivors([...round.expected, 'zz']));
    expectRefusal('InvalidSurvivors', survivors(round.expected.slice(1)));
    const { state } = await mask({ expected: round.expected.slice(0, 4) });
    expectRefusal('InvalidSurvivors', () => handleSurvivors(party, state, 0, round.expected));
  });

  it('hazard S6: fewer survivors than the floor are refused', () => {
    const name = (count: number) => handleSurvivors(party, masked.state, 0, round.expected.slice(0, count));
    expectRefusal('TooFewSurvivors', () => name(3));
    expect(bytesOf(name(4)).length).toBe(CONSISTENCY_CHECK_BYTES);
  });

  it('fewer than t signatures give no answer: wrong, doubled, foreign, garbled ones don’t count', () => {
    const [own, first, second, third, fourth] = checks as [
      Uint8Array,
      Uint8Array,
      Uint8Array,
      Uint8Array,
      Uint8Array,
    ];
    const { transcript } = signed.state.slots[0] as { transcript: Uint8Array };
    /** Of a colluder, that signs whatever it is asked to. */
    const colluding = (slot: number, survivors: readonly number[]): Uint8Array => {
      const check = encodeConsistencyCheck(4, slot, survivorsDigest(nodePrimitives, survivors));
      signInPlace(nodePrimitives, choir.seeds.get(idAt(4))!, 'ConsistencyCheck', transcript, check);
      return check;
    };
    const bad = [
      own,
      own,
      first,
      first,
      second,
      flipped(third, -1),
      third.with(2, 4),
      third.with(2, 77),
      colluding(0, [0, 1, 2, 3]),
      colluding(1, [0, 1, 2, 3, 4]),
      new Uint8Array(5),
      bytesOf(masked),
    ];
    expectRefusal('TooFewChecks', () => handleConsistency(party, signed.state, 0, bad));
    for (const good of [third, fourth, colluding(0, [0, 1, 2, 3, 4])])
      expect(handleConsistency(party, signed.state, 0, [...bad, good]).survivors).toEqual(round.expected);
    // One's own signature is taken for granted, so the others' t − 1 are enough.
    expect(handleConsistency(party, signed.state, 0, [first, second, third]).state).not.toBe(signed.state);
  });
});

describe('on a Harary graph', async () => {
  const ring = setUp({ n: 12, minSurvivors: 11, graph: 'harary', slots: 1 });
  const { graph } = ring.block;
  const h = graph.shareholders / 2;
  const context = roundOf(ring);
  const inputs = new Map(
    await Promise.all(
      context.expected.map(async (id) => {
        const { state } = await createMaskedInput(
          ring.parties.get(id)!,
          ring.members.get(id)!,
          context,
          vectorOf(ring, id, context),
        );
        return [id, state] as const;
      }),
    ),
  );

  it('the plan is as the tests below need it', () => {
    expect(graph).toMatchObject({ kind: 'harary', shareholders: 4, threshold: 3, cutFloor: 2 });
  });

  it('SurvivorsSplit: drop-outs in two windows of the ring are refused, as many elsewhere are not', () => {
    const idOf = (place: number) => idAt(graph.order[place % 12]!);
    const self = graph.order.indexOf(0);
    const name = (places: readonly number[], cutFloor = graph.cutFloor) => {
      const lost = places.map((place) => idOf(self + place));
      const state = inputs.get(me)!;
      // As above: only the cut is left to refuse anything.
      const config = { ...state.config, minSurvivors: 3 };
      const lax: ReadyMember = { ...state, config, graph: { ...graph, cutFloor } };
      const named = context.expected.filter((id) => !lost.includes(id));
      return () => handleSurvivors(ring.parties.get(me)!, lax, 0, named);
    };
    const twoWindows = [1, 2, 6];
    const oneWindow = [1, 2, 3];
    const apart = [1, 5, 9];
    expect(h).toBe(2);
    expectRefusal('SurvivorsSplit', name(twoWindows));
    expectRefusal('SurvivorsSplit', name([4, 5, 8]));
    expectRefusal('SurvivorsSplit', name(oneWindow.concat(7)));
    for (const harmless of [apart, [], [1], [1, 2]]) name(harmless)();
    // Positive control: without the floor on windows the same set is signed.
    expect(bytesOf(name(twoWindows, 0)()).length).toBe(CONSISTENCY_CHECK_BYTES);
  });

  it('hazard S3: t of one’s own shareholders must have signed, one’s own is none of them, and a quorum of all', () => {
    const states = new Map(
      [...inputs].map(([id, state]) => [
        id,
        handleSurvivors(ring.parties.get(id)!, state, 0, context.expected),
      ]),
    );
    const mine = shareholders(graph, 0);
    expect(mine).not.toContain(0);
    const of = (members: readonly number[]) => members.map((member) => bytesOf(states.get(idAt(member))!));
    const others = ring.block.members.filter((member) => !mine.includes(member));
    const answer = (received: readonly Uint8Array[]) =>
      handleConsistency(ring.parties.get(me)!, states.get(me)!.state, 0, received);
    expectRefusal('TooFewChecks', () => answer(of([...others, ...mine.slice(0, 2)])));
    expectRefusal('TooFewChecks', () => answer(of(mine)));
    const { state, outbound } = answer(of([...mine.slice(1), ...others]));
    expect(state.slots[0]!.kind).toBe('answered');
    expect(decodeUnmasking(bytesOf({ outbound })).answers.map(({ member }) => member)).toEqual(mine);
  });
});

describe('a ConsistencyCheck', () => {
  it('carries the digest of the survivors and has the same size for any cohort', async () => {
    const { survivors, sender, slot } = decodeConsistencyCheck(bytesOf(signed));
    expect([sender, slot]).toEqual([0, 0]);
    expect(bytesToHex(survivors)).toBe(bytesToHex(survivorsDigest(nodePrimitives, [0, 1, 2, 3, 4])));
    const four = handleSurvivors(party, masked.state, 0, round.expected.slice(0, 4));
    expect(bytesToHex(decodeConsistencyCheck(bytesOf(four)).survivors)).toBe(
      bytesToHex(survivorsDigest(nodePrimitives, [0, 1, 2, 3])),
    );
    const larger = setUp({ n: 12, minSurvivors: 11, graph: 'harary', slots: 1 });
    const { transcript } = await play(larger, roundOf(larger));
    const sizes = [...checks, bytesOf(four), ...transcript]
      .filter((bytes) => peek(bytes).kind === 'ConsistencyCheck')
      .map((bytes) => bytes.length);
    expect(sizes.length).toBe(5 + 1 + 12);
    expect(new Set(sizes)).toEqual(new Set([CONSISTENCY_CHECK_BYTES]));
  });
});

describe('one slot, one attempt, one answer', () => {
  it('hazard S17: an equal masked input gives equal bytes; another vector or round is refused', async () => {
    const again = await mask({}, masked.state);
    expect(hexOf(again)).toBe(hexOf(masked));
    expect(again.state).toBe(masked.state);
    await expectRefusalOf('SlotUsed', mask({}, masked.state, vector.with(1, 1)));
    await expectRefusalOf('SlotUsed', mask({ attempt: 2 }, masked.state));
    await expectRefusalOf('SlotUsed', mask({}, signed.state, vector.with(1, 1)));
    await expectRefusalOf('SlotUsed', mask({}, answered.state));
  });

  it('hazard S9: a round and attempt that one slot has served are refused on another', async () => {
    for (const { state } of [masked, signed, answered])
      await expectRefusalOf('RoundReused', mask({ slot: 1 }, state));
    const next = await mask({ slot: 1, attempt: 2 }, masked.state);
    expect(bytesOf(next).length).toBe(bytesOf(masked).length);
  });

  it('hazard S5: asked to unmask twice it gives the same bytes; another set of survivors never', () => {
    const again = handleConsistency(party, answered.state, 0, []);
    expect(hexOf(again)).toBe(hexOf(answered));
    expect(again.survivors).toEqual(round.expected);
    const four = round.expected.slice(0, 4);
    for (const { state } of [signed, answered]) {
      expectRefusal('SurvivorsConflict', () => handleSurvivors(party, state, 0, four));
      expect(hexOf(handleSurvivors(party, state, 0, round.expected))).toBe(hexOf(signed));
    }
  });

  it('hazard S5: a slot that was given up never answers again, in any phase', async () => {
    for (const state of [fresh, masked.state, signed.state, answered.state]) {
      const burnt = abandonSlot(state, 0).state;
      expect(Object.keys(burnt.slots[0]!).sort()).toEqual(['attempt', 'kind']);
      // The attempt that it had served is served by no other slot.
      if (state !== fresh) await expectRefusalOf('RoundReused', mask({ slot: 1 }, burnt));
      await expectRefusalOf('SlotBurnt', mask({}, burnt));
      expectRefusal('SlotBurnt', () => handleSurvivors(party, burnt, 0, round.expected));
      expectRefusal('SlotBurnt', () => handleConsistency(party, burnt, 0, checks));
    }
  });

  it('drops the slot’s secrets once it has answered, and leaves the older state alone', () => {
    const [slot, next] = answered.state.slots;
    expect(Object.keys(slot!).sort()).toEqual(
      ['answer', 'attempt', 'check', 'expected', 'kind', 'survivors', 'transcript'].sort(),
    );
    expect(next!.kind).toBe('fresh');
    expect(fresh.slots[0]!.kind).toBe('fresh');
    expect(Object.keys(fresh)).not.toContain('encryptionPrivateKey');
  });

  it('hazard S26: what a member sends has the same size for any data', async () => {
    const size = async (own: Uint32Array) => bytesOf(await mask({}, fresh, own)).length;
    expect(await size(new Uint32Array(5))).toBe(await size(new Uint32Array(5).fill(2 ** 20 - 1)));
    const { transcript } = await play(choir, round);
    expect(new Set(transcript.map((message) => message.length)).size).toBe(3);
  });
});
