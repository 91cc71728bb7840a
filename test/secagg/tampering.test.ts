import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { shareholders } from '../../src/secagg/graph.js';
import type { Evidence, EvidenceFault } from '../../src/secagg/index.js';
import {
  answerBy,
  answered,
  type Choir,
  charter,
  type DealerScript,
  digestOf,
  idAt,
  roundOf,
  setUp,
} from './choir.js';
import { everyClaim, evidenceFrom, judged } from './claims.js';

const DEALER = 2;
const LIAR = 4;

const oneOff: DealerScript = ({ holder, opening }) => {
  const made = holder === LIAR + 1 ? opening.with(0, opening[0]! ^ 1) : opening;
  return { sealed: made, committed: made };
};

const lyingOnce = (choir: Choir) => (id: string, message: Uint8Array, transcript: Uint8Array) =>
  id === idAt(LIAR)
    ? answerBy(choir, message, transcript, (answer) =>
        answer.member === DEALER
          ? { ...answer, opening: answer.opening.with(0, answer.opening[0]! ^ 1) }
          : answer,
      )
    : message;

describe('evidence that was tampered with', () => {
  let choir: Choir;
  let crooked: Choir;
  let ring: Choir;
  let real: { readonly choir: Choir; readonly evidence: Evidence; readonly accused: string }[];
  /** Honest messages and true evidence to take spare parts from. */
  let spare: unknown[];

  beforeAll(async () => {
    choir = setUp({ n: 6, slots: 2 });
    crooked = setUp({ n: 6, slots: 2, crooked: new Map([[idAt(DEALER), oneOff]]) });
    ring = setUp({ n: 10, minSurvivors: 8, slots: 2, graph: 'harary' });
    const neighbour = shareholders(ring.block.graph, DEALER)[0]!;
    const aboutNeighbour = (id: string, message: Uint8Array, transcript: Uint8Array) =>
      id === idAt(neighbour)
        ? answerBy(ring, message, transcript, (answer) =>
            answer.member === DEALER ? { ...answer, opening: answer.opening.toReversed() } : answer,
          )
        : message;
    const [opening] = await evidenceFrom(await answered(choir, roundOf(choir), { alter: lyingOnce(choir) }));
    const [dealing] = await evidenceFrom(await answered(crooked, roundOf(crooked)));
    const [onRing] = await evidenceFrom(await answered(ring, roundOf(ring), { alter: aboutNeighbour }));
    real = [
      { choir, evidence: opening!, accused: idAt(LIAR) },
      { choir: crooked, evidence: dealing!, accused: idAt(DEALER) },
      { choir: ring, evidence: onRing!, accused: idAt(neighbour) },
    ];
    const honest = await answered(choir, roundOf(choir, { slot: 1, round: 'round-2' }), {
      dropped: [idAt(1)],
    });
    spare = [...real.map(({ evidence }) => evidence), ...everyClaim(honest)].flatMap((evidence) =>
      placesOf(evidence).map(({ value }) => value),
    );
  });

  interface Place {
    readonly path: readonly (string | number)[];
    readonly value: unknown;
  }

  /** Every value inside, the leaves being bytes, numbers and strings. */
  function placesOf(value: unknown, path: readonly (string | number)[] = []): Place[] {
    if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return [{ path, value }];
    const inside = Array.isArray(value) ? [...value.entries()] : Object.entries(value);
    return [{ path, value }, ...inside.flatMap(([key, item]) => placesOf(item, [...path, key]))];
  }

  /** A copy with another value at the path; `undefined` leaves the key out. */
  function replaced(whole: unknown, [key, ...rest]: readonly (string | number)[], value: unknown): unknown {
    if (key === undefined) return value;
    if (Array.isArray(whole))
      return value === undefined && rest.length === 0
        ? whole.filter((_, i) => i !== key)
        : whole.map((item, i) => (i === key ? replaced(item, rest, value) : item));
    const { [key]: item, ...others } = whole as Record<string, unknown>;
    const inside = rest.length === 0 ? value : replaced(item, rest, value);
    return inside === undefined ? others : { ...others, [key]: inside };
  }

  /** Another value of the same kind. */
  function altered(value: unknown, by: number): unknown {
    if (value instanceof Uint8Array) {
      if (value.length === 0) return Uint8Array.of(by & 255);
      const at = by % value.length;
      if (by % 5 === 0) return value.subarray(0, at);
      if (by % 5 === 1) return Uint8Array.of(...value, by & 255);
      return value.with(at, value[at]! ^ (1 << (by % 8)));
    }
    if (typeof value === 'number')
      return [value + 1, value - 1, -1, 2 ** 32 + value, 0.5, Number.NaN][by % 6];
    if (typeof value === 'string') return [`${value}x`, '', value.toUpperCase(), value.slice(1)][by % 4];
    if (Array.isArray(value)) {
      if (value.length === 0) return [0];
      const at = by % value.length;
      if (by % 3 === 0) return value.filter((_, i) => i !== at);
      if (by % 3 === 1) return [...value, value[at]];
      return value.toReversed();
    }
    return {};
  }

  const JUNK: readonly unknown[] = [
    null,
    undefined,
    0,
    -1,
    1.5,
    Number.NaN,
    2 ** 53,
    '',
    'ff',
    true,
    [],
    {},
    [null],
    new Uint8Array(0),
    new Uint8Array(64),
    [1, 2, 3],
    Symbol('junk'),
    1n,
  ];

  const number = fc.nat({ max: 2 ** 30 });
  const changes = fc.array(fc.tuple(fc.constantFrom('alter', 'junk', 'spare'), number, number), {
    minLength: 1,
    maxLength: 3,
  });

  it('is what the mutations begin with: it is believed as it stands', () => {
    for (const { choir: of, evidence, accused } of real) expect(judged(of, evidence)).toBe(accused);
  });

  it('is rejected with a code, or still names nobody but the one that lied, whatever was changed in it', () => {
    fc.assert(
      fc.property(fc.nat({ max: 2 }), changes, (which, steps) => {
        const { choir: of, evidence, accused } = real[which]!;
        let changed: unknown = evidence;
        for (const [how, where, what] of steps) {
          const places = placesOf(changed).slice(1);
          if (places.length === 0) break;
          const { path, value } = places[where % places.length]!;
          const next =
            how === 'alter'
              ? altered(value, what)
              : how === 'junk'
                ? JUNK[what % JUNK.length]
                : spare[what % spare.length];
          changed = replaced(changed, path, next);
        }
        const verdict = judged(of, changed as Evidence);
        if (!verdict.startsWith('rejected: ')) expect(verdict).toBe(accused);
      }),
      { numRuns: 3000 },
    );
  });

  it('is rejected for junk in the place of any part, and of the evidence itself', () => {
    for (const { choir: of, evidence, accused } of real)
      for (const { path } of placesOf(evidence).slice(1))
        for (const junk of JUNK) {
          const verdict = judged(of, replaced(evidence, path, junk) as Evidence);
          const at = `${String(junk)} at ${path.join('.')}`;
          if (!verdict.startsWith('rejected: ')) expect(verdict, at).toBe(accused);
        }
    for (const junk of JUNK) expect(judged(choir, junk as Evidence)).toBe('rejected: Malformed');
  });

  it('says why: each way to be nothing worth has its code', () => {
    const [opening, dealing] = real.map(({ evidence }) => evidence) as [Evidence, Evidence];
    const other = charter({ n: 6, seed: 'another federation' });
    const first = dealing.openings[0]!;
    const cases: [EvidenceFault, Evidence][] = [
      ['Malformed', { ...opening, openings: [{ ...opening.openings[0]!, answer: new Uint8Array(3) }] }],
      ['Malformed', { ...opening, lie: 'wrong-everything' as Evidence['lie'] }],
      ['NotCovered', { ...opening, config: other.config }],
      ['NotCovered', { ...opening, config: { ...opening.config, charterDigest: digestOf('other') } }],
      ['NotCovered', { ...opening, config: { ...opening.config, maxColluders: 0 } }],
      ['NotCovered', { ...opening, context: { ...opening.context, slot: 9 } }],
      ['BadSignature', { ...opening, context: { ...opening.context, attempt: 2 } }],
      ['BadSignature', { ...opening, adverts: opening.adverts.slice(1) }],
      ['BadSignature', { ...opening, adverts: [opening.adverts[0]!.with(9, 1)] }],
      ['NotCommitted', { ...opening, adverts: [] }],
      ['NotCommitted', { ...opening, dealer: 99 }],
      ['NotCommitted', { ...dealing, openings: [first, first] }],
      ['TooFewOpenings', { ...dealing, openings: dealing.openings.slice(1, 4) }],
      ['TooFewOpenings', { ...opening, openings: [] }],
    ];
    for (const [code, evidence] of cases) expect(judged(choir, evidence)).toBe(`rejected: ${code}`);
  });
});
