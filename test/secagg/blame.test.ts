import { concatBytes } from '@noble/hashes/utils.js';
import { describe, expect, it } from 'vitest';
import { inlineMaskWork } from '../../src/crypto/maskWork.js';
import { nodePrimitives } from '../../src/crypto/nodePrimitives.js';
import { abscissa, shareholders } from '../../src/secagg/graph.js';
import {
  decodeEvidence,
  encodeEvidence,
  type UnmaskAborted,
  type Unmasked,
  type UnmaskingRound,
  unmask,
  verifyEvidence,
} from '../../src/secagg/index.js';
import { scalarBytes, scalarFrom } from '../../src/secagg/keys.js';
import { decodeUnmasking, type ShareAnswer } from '../../src/secagg/messages.js';
import { L, reconstruct, scalarField } from '../../src/secagg/shamir.js';
import {
  answerBy,
  answered,
  type Choir,
  type ChoirOptions,
  type DealerScript,
  idAt,
  roundOf,
  setUp,
  slotSecrets,
  sumOf,
} from './choir.js';
import { judged } from './claims.js';

const DEALER = 2;
const GRAPHS = {
  /** t = 8 of 12 shareholders: two wrong shares are decoded around. */
  complete: { n: 12, minSurvivors: 8, slots: 1 },
  /** t = 6 of 10 neighbours: likewise. */
  harary: { n: 16, minSurvivors: 12, slots: 1, graph: 'harary' },
} satisfies Record<string, ChoirOptions>;
type GraphKind = keyof typeof GRAPHS;

const settings = (['complete', 'harary'] as const).flatMap((graph) =>
  (['survivor', 'dropped'] as const).map((fate) => ({ graph, fate })),
);

const unmasked = (state: UnmaskingRound) => unmask(nodePrimitives, inlineMaskWork(nodePrimitives), state);

/** What a third party makes of the evidence as a file, who has the charter and nothing else: 'who: which lie', sorted. */
function verdicts(choir: Choir, { evidence }: Pick<Unmasked, 'evidence'>): string[] {
  return evidence
    .map((item) =>
      verifyEvidence(
        nodePrimitives,
        choir.floors,
        decodeEvidence(nodePrimitives, encodeEvidence(nodePrimitives, item)),
      ),
    )
    .map(({ accused, lie }) => `${accused}: ${lie}`)
    .sort();
}

const openingLies = (members: readonly number[]): string[] =>
  members.map((member) => `${idAt(member)}: wrong-opening`).sort();
const dealingLies = (members: readonly number[]): string[] =>
  members.map((member) => `${idAt(member)}: wrong-dealing`);

function expectSum(choir: Choir, outcome: Unmasked | UnmaskAborted, dropped: readonly string[]): void {
  expect(outcome.kind === 'aborted' ? outcome.reason : outcome.kind).toBe('unmasked');
  if (outcome.kind !== 'unmasked') return;
  const round = roundOf(choir);
  const alive = round.expected.filter((id) => !dropped.includes(id));
  expect([...outcome.sum]).toEqual(sumOf(choir, alive, round));
}

const droppedIf = (fate: 'survivor' | 'dropped'): string[] => (fate === 'dropped' ? [idAt(DEALER)] : []);

/** The dealer's shareholders that are not itself. */
const holdersOf = (choir: Choir, dealer = DEALER): number[] =>
  shareholders(choir.block.graph, dealer).filter((holder) => holder !== dealer);

const shifted = (opening: Uint8Array, by: bigint): Uint8Array => {
  const altered = opening.slice();
  altered.set(scalarBytes((scalarFrom(opening.subarray(0, 32))! + by) % L));
  return altered;
};

/** Not below l: another encoding of the same field element. */
const nonCanonical = (opening: Uint8Array): Uint8Array => {
  const altered = opening.slice();
  let value = scalarFrom(opening.subarray(0, 32))! + L;
  for (let i = 0; i < 32; i++, value >>= 8n) altered[i] = Number(value & 255n);
  return altered;
};

const lies: Record<string, (answer: ShareAnswer) => Uint8Array> = {
  'a wrong share': ({ opening }) => shifted(opening, 5n),
  'a wrong share with a salt of its own': () => concatBytes(scalarBytes(7n), new Uint8Array(16).fill(9)),
  'a share that is not canonical': ({ opening }) => nonCanonical(opening),
};

/** `liars` answer so about one dealer. */
const lyingAbout =
  (choir: Choir, dealer: number, liars: readonly number[], lie: (answer: ShareAnswer) => Uint8Array) =>
  (id: string, message: Uint8Array, transcript: Uint8Array): Uint8Array =>
    liars.map(idAt).includes(id)
      ? answerBy(choir, message, transcript, (answer) =>
          answer.member === dealer ? { ...answer, opening: lie(answer) } : answer,
        )
      : message;

describe('hazard S13: responders that lie', () => {
  const choirs = { complete: setUp(GRAPHS.complete), harary: setUp(GRAPHS.harary) };

  for (const { graph, fate } of settings) {
    const choir = choirs[graph];
    const round = roundOf(choir);
    const dropped = droppedIf(fate);

    for (const [name, lie] of Object.entries(lies))
      it(`${name} about a ${fate}, ${graph} graph: the sum is exact, the liar named by its own signature`, async () => {
        for (const liar of [holdersOf(choir)[0]!, holdersOf(choir).at(-1)!]) {
          const alter = lyingAbout(choir, DEALER, [liar], lie);
          const outcome = await unmasked(await answered(choir, round, { dropped, alter }));
          expectSum(choir, outcome, dropped);
          expect(verdicts(choir, outcome)).toEqual(openingLies([liar]));
        }
      });

    it(`with just t good answers about a ${fate} any number of liars is struck out, ${graph} graph; with t − 1 it aborts`, async () => {
      const { threshold } = choir.block.graph;
      const holders = shareholders(choir.block.graph, DEALER).filter(
        (holder) => !dropped.includes(idAt(holder)),
      );
      for (const [good, ends] of [
        [threshold, 'unmasked'],
        [threshold - 1, 'aborted'],
      ] as const) {
        // The first of them lie, so that decoding alone would be at a loss.
        const liars = holders.slice(0, holders.length - good);
        const alter = lyingAbout(choir, DEALER, liars, lies['a wrong share']!);
        const outcome = await unmasked(await answered(choir, round, { dropped, alter }));
        expect(outcome.kind).toBe(ends);
        if (ends === 'unmasked') expectSum(choir, outcome, dropped);
        else
          expect(outcome).toMatchObject({
            reason: 'SecretNotReconstructed',
            have: good,
            need: threshold,
            members: [idAt(DEALER)],
          });
        expect(verdicts(choir, outcome)).toEqual(openingLies(liars));
      }
    });
  }

  it('positive control: a coordinator that interpolates t shares and looks at nothing has another seed and knows no liar', async () => {
    const choir = choirs.complete;
    const seedFrom = (state: UnmaskingRound): bigint => {
      const shares = state.answers.flatMap((answer, member) => {
        const given = answer === null ? [] : decodeUnmasking(answer).answers;
        return given
          .filter((opened) => opened.member === DEALER)
          .map(({ opening }) => ({ x: abscissa(member), y: scalarFrom(opening.subarray(0, 32))! }));
      });
      const { threshold } = choir.block.graph;
      return reconstruct(scalarField, shares.slice(0, threshold), threshold);
    };
    const { seedRoot } = slotSecrets(choir.members.get(idAt(DEALER))!);
    const alter = lyingAbout(choir, DEALER, [1], lies['a wrong share']!);
    expect(seedFrom(await answered(choir, roundOf(choir)))).toBe(scalarFrom(seedRoot));
    expect(seedFrom(await answered(choir, roundOf(choir), { alter }))).not.toBe(scalarFrom(seedRoot));
  });

  it('one that lies about everybody is named once for each, and costs nobody the sum', async () => {
    const choir = choirs.complete;
    const alter = (id: string, message: Uint8Array, transcript: Uint8Array) =>
      id === idAt(5)
        ? answerBy(choir, message, transcript, (answer) => ({
            ...answer,
            opening: shifted(answer.opening, 1n),
          }))
        : message;
    const outcome = await unmasked(await answered(choir, roundOf(choir), { dropped: [idAt(1)], alter }));
    expectSum(choir, outcome, [idAt(1)]);
    expect(verdicts(choir, outcome)).toEqual(openingLies(new Array<number>(12).fill(5)));
    // A list has one order: told in another, or with somebody twice, it is no evidence.
    const [genuine] = outcome.evidence;
    for (const list of ['adverts', 'roots'] as const)
      for (const told of [genuine![list].toReversed(), [genuine![list][0]!, ...genuine![list]]])
        expect(judged(choir, { ...genuine!, [list]: told }), list).toBe('rejected: Malformed');
  });

  it('the right share with a wrong salt does no harm, and is named as soon as somebody’s lie is looked into', async () => {
    const choir = choirs.complete;
    const salted = lyingAbout(choir, DEALER, [4], ({ opening }) => opening.with(47, opening[47]! ^ 1));
    const harmless = await unmasked(await answered(choir, roundOf(choir), { alter: salted }));
    expectSum(choir, harmless, []);
    expect(harmless.evidence).toEqual([]);
    const wrong = lyingAbout(choir, DEALER, [5], lies['a wrong share']!);
    const both = await unmasked(
      await answered(choir, roundOf(choir), {
        alter: (id, message, transcript) => wrong(id, salted(id, message, transcript), transcript),
      }),
    );
    expectSum(choir, both, []);
    expect(verdicts(choir, both)).toEqual(openingLies([4, 5]));
  });
});

describe('hazard S13: dealers that lie', () => {
  const scripted =
    (change: (holder: number, opening: Uint8Array) => Uint8Array): DealerScript =>
    ({ holder, opening }) => {
      const altered = change(holder, opening);
      return { sealed: altered, committed: altered };
    };
  const crooked = (graph: GraphKind, script: DealerScript): Choir =>
    setUp({ ...GRAPHS[graph], crooked: new Map([[idAt(DEALER), script]]) });
  /** Whose shares are off the polynomial; the setting is the same in every choir, so one tells for all. */
  const honest = { complete: setUp(GRAPHS.complete), harary: setUp(GRAPHS.harary) };
  const offPolynomial = (graph: GraphKind, wrong: readonly number[]): Choir =>
    crooked(
      graph,
      scripted((holder, opening) => (wrong.includes(holder) ? shifted(opening, 3n) : opening)),
    );

  for (const { graph, fate } of settings) {
    const dropped = droppedIf(fate);
    // The dropped dealer of a complete graph can't answer about itself.
    const answers =
      shareholders(honest[graph].block.graph, DEALER).length - (graph === 'complete' ? dropped.length : 0);
    const correctable = Math.floor((answers - honest[graph].block.graph.threshold) / 2);
    for (const wrong of new Set([1, correctable]))
      it(`${wrong} committed share(s) off the polynomial of a ${fate}, ${graph} graph: decoded around, the dealer named`, async () => {
        for (const first of [0, 2]) {
          const holders = holdersOf(honest[graph]);
          const choir = offPolynomial(graph, holders.slice(first, first + wrong));
          const outcome = await unmasked(await answered(choir, roundOf(choir), { dropped }));
          expectSum(choir, outcome, dropped);
          expect(verdicts(choir, outcome)).toEqual(dealingLies([DEALER]));
        }
      });

    it(`more than t + 2e answers allow, ${fate}, ${graph} graph: a clean abort that names the dealer`, async () => {
      const choir = offPolynomial(graph, holdersOf(honest[graph]).slice(0, correctable + 1));
      const outcome = await unmasked(await answered(choir, roundOf(choir), { dropped }));
      expect(outcome).toMatchObject({
        kind: 'aborted',
        reason: 'SecretNotReconstructed',
        members: [idAt(DEALER)],
      });
      expect(verdicts(choir, outcome as UnmaskAborted)).toEqual(dealingLies([DEALER]));
    });

    it(`another ${fate === 'survivor' ? 'seed' : 'key'} than advertised, ${graph} graph: a clean abort that names the dealer`, async () => {
      // A polynomial plus a constant is a polynomial, of another secret.
      const choir = crooked(
        graph,
        scripted((_holder, opening) => shifted(opening, 1n)),
      );
      // Also with just t answers, where all sets of shares agree.
      const { threshold } = choir.block.graph;
      const holders = shareholders(choir.block.graph, DEALER).filter((at) => !dropped.includes(idAt(at)));
      for (const mute of [[], holders.slice(threshold).map(idAt)]) {
        const outcome = await unmasked(await answered(choir, roundOf(choir), { dropped, mute }));
        expect(outcome).toMatchObject({ reason: 'SecretNotReconstructed', members: [idAt(DEALER)] });
        expect(verdicts(choir, outcome as UnmaskAborted)).toEqual(dealingLies([DEALER]));
      }
    });
  }

  it('several at once: two dealers and two responders, one of them about a lying dealer', async () => {
    const choir = setUp({
      ...GRAPHS.complete,
      crooked: new Map(
        [2, 7].map((dealer) => [
          idAt(dealer),
          scripted((holder, opening) => (holder === 9 ? shifted(opening, 3n) : opening)),
        ]),
      ),
    });
    const one = lyingAbout(choir, 2, [4], lies['a wrong share']!);
    const other = lyingAbout(choir, 3, [6], lies['a wrong share']!);
    const outcome = await unmasked(
      await answered(choir, roundOf(choir), {
        alter: (id, message, transcript) => one(id, other(id, message, transcript), transcript),
      }),
    );
    expectSum(choir, outcome, []);
    expect(verdicts(choir, outcome)).toEqual([
      ...dealingLies([2]),
      ...openingLies([4, 6]),
      ...dealingLies([7]),
    ]);
  });

  it('a share that its dealer spoilt on the way blames nobody: it counts as missing and the sum is exact', async () => {
    const choir = crooked('complete', ({ holder, opening }) => ({
      sealed: holder === 5 ? shifted(opening, 1n) : holder === 6 ? nonCanonical(opening) : opening,
      committed: holder === 6 ? nonCanonical(opening) : opening,
    }));
    for (const holder of [5, 6]) {
      const slot = choir.members.get(idAt(holder))!.slots[0]!;
      expect(slot.kind === 'fresh' && slot.openings.map(({ dealer }) => dealer)).not.toContain(DEALER);
    }
    const outcome = await unmasked(await answered(choir, roundOf(choir)));
    expectSum(choir, outcome, []);
    expect(outcome.evidence).toEqual([]);
  });

  it('a dealer and a responder together, who commit to and open a share that is not canonical: decoded around, named', async () => {
    // An honest responder would have counted it as missing, so that it has lied as well.
    const script: DealerScript = ({ holder, opening }) => {
      const made = holder === 5 ? nonCanonical(opening) : opening;
      return { sealed: made, committed: made };
    };
    const choir = crooked('complete', script);
    const committed = new Map<string, Uint8Array>();
    setUp({
      ...GRAPHS.complete,
      crooked: new Map([
        [
          idAt(DEALER),
          (share) => {
            const made = script(share);
            if (share.holder === 5) committed.set(share.kind, made.committed);
            return made;
          },
        ],
      ]),
    });
    const alter = (id: string, message: Uint8Array, transcript: Uint8Array) =>
      id === idAt(5)
        ? answerBy(choir, message, transcript, (answer) =>
            answer.member === DEALER
              ? { member: DEALER, kind: 'seed', opening: committed.get('seed')! }
              : answer,
          )
        : message;
    const outcome = await unmasked(await answered(choir, roundOf(choir), { alter }));
    expectSum(choir, outcome, []);
    expect(verdicts(choir, outcome)).toEqual(openingLies([5]));
  });
});
