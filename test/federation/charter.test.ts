import { describe, expect, it } from 'vitest';
import { canonicalJson } from '../../src/crypto/canonical.js';
import {
  asJson,
  type Charter,
  charterDigest,
  charterStatement,
  describeCohort,
  enrolmentStatement,
  parseCharter,
  readCharter,
  synthesisContext,
  thresholdFor,
} from '../../src/federation/charter.js';
import { FederationError } from '../../src/federation/errors.js';
import { shareThreshold } from '../../src/secagg/graph.js';
import { SCHEMA } from './harness.js';

const member = (i: number) => ({
  id: `member-${i}`,
  name: `Member ${i}`,
  publicKey: i.toString(16).padStart(64, '0'),
  declaredRecords: 100,
});

const charterOf = (change: Partial<Charter> = {}, members = 4): Charter => ({
  chorale: 1,
  federation: 'choir',
  version: 1,
  previous: null,
  members: Array.from({ length: members }, (_, i) => member(i)),
  schema: SCHEMA as Charter['schema'],
  privacy: { unit: 'record', relation: 'add-remove', epsilon: 3, delta: 1e-6, orders: [8] },
  cohort: { minSurvivors: 3, maxColluders: 1 },
  ...change,
});

const privacy = charterOf().privacy;

describe('a charter', () => {
  it('is read back from its own canonical text', () => {
    const charter = charterOf();
    const body = canonicalJson(charter);
    expect(readCharter(body)).toEqual(charter);
    expect(charterDigest(readCharter(body))).toBe(charterDigest(charter));
    expect(canonicalJson(asJson(charter))).toBe(body);
  });

  it.each([
    ['another format', { chorale: 2 }, /chorale/],
    ['no federation', { federation: '' }, /federation/],
    ['a version below 1', { version: 0 }, /version/],
    ['a previous digest that is none', { previous: 'abc' }, /previous/],
    ['two members (hazard S25)', { members: [member(0), member(1)] }, /members/],
    ['65 members', charterOf({}, 65), /members/],
    [
      'a key that is not 32 bytes',
      { members: [member(0), member(1), { ...member(2), publicKey: 'ff' }] },
      /32 bytes/,
    ],
    [
      'a key in capitals',
      { members: [member(0), member(1), { ...member(2), publicKey: 'A'.repeat(64) }] },
      /lower-case/,
    ],
    [
      'no declared records',
      { members: [member(0), member(1), { ...member(2), declaredRecords: 0 }] },
      /declaredRecords/,
    ],
    [
      'half a record',
      { members: [member(0), member(1), { ...member(2), declaredRecords: 1.5 }] },
      /declaredRecords/,
    ],
    [
      'a member with a field more',
      { members: [member(0), member(1), { ...member(2), weight: 2 }] },
      /weight/,
    ],
    [
      'two members of one id',
      { members: [member(0), member(1), { ...member(2), id: 'member-1' }] },
      /share an id/,
    ],
    [
      'two members of one key',
      { members: [member(0), member(1), { ...member(2), publicKey: member(1).publicKey }] },
      /share a key/,
    ],
    ['members out of order', { members: [member(1), member(0), member(2)] }, /sorted by id/],
    ['another unit', { privacy: { ...privacy, unit: 'participant' } }, /unit/],
    ['another relation', { privacy: { ...privacy, relation: 'replace-one' } }, /relation/],
    ['ε of zero', { privacy: { ...privacy, epsilon: 0 } }, /epsilon/],
    ['ε of infinity', { privacy: { ...privacy, epsilon: Number.POSITIVE_INFINITY } }, /epsilon/],
    ['δ of zero', { privacy: { ...privacy, delta: 0 } }, /delta/],
    ['δ of a tenth', { privacy: { ...privacy, delta: 0.1 } }, /delta/],
    ['no order', { privacy: { ...privacy, orders: [] } }, /orders/],
    ['a fractional order', { privacy: { ...privacy, orders: [1.5] } }, /orders/],
    ['an order twice', { privacy: { ...privacy, orders: [8, 8] } }, /order is named twice/],
    ['a cohort of two (hazard S25)', { cohort: { minSurvivors: 2, maxColluders: 1 } }, /minSurvivors/],
    ['no colluder at all', { cohort: { minSurvivors: 3, maxColluders: 0 } }, /maxColluders/],
    [
      'more survivors than members',
      { cohort: { minSurvivors: 5, maxColluders: 1 } },
      /more than the 4 members/,
    ],
    ['all but one colluding', { cohort: { minSurvivors: 3, maxColluders: 2 } }, /maxColluders \+ 2 = 4/],
    ['fewer survivors than the threshold', charterOf({}, 9), /at least 6 for 9 members/],
    ['a field more', { note: 'hello' }, /note/],
    ['no table schema', { schema: { fields: [] } }, /field/],
  ])('with %s is refused', (_, change, reason) => {
    const attempt = () => parseCharter({ ...charterOf(), ...change });
    expect(attempt).toThrow(FederationError);
    expect(attempt).toThrow(expect.objectContaining({ code: 'InvalidInput' }));
    expect(attempt).toThrow(reason);
  });

  it('hazard P16: with bounds or categories that were read from data is refused, naming the fields and what to do', () => {
    const written = SCHEMA as { readonly fields: readonly { readonly name: string }[] };
    const marked = (...names: readonly string[]) => ({
      fields: written.fields.map((field) =>
        names.includes(field.name) ? { ...field, 'chorale:unconfirmed': true } : field,
      ),
    });
    const schemaOf = (json: object) => charterOf({ schema: json as Charter['schema'] });
    expect(() => parseCharter(schemaOf(marked('a', 'c')))).toThrow(
      /read from data, of "a", "c"\. Replace them by what is public knowledge, then delete/,
    );
    expect(() => readCharter(canonicalJson(schemaOf(marked('b'))))).toThrow(/of "b"\./);
    expect(() => parseCharter(schemaOf(marked()))).not.toThrow();
    // The other keys of a schema are part of the charter as they are written.
    const policy = { ...marked(), 'chorale:outside': 'clamp' };
    expect(synthesisContext(parseCharter(schemaOf(policy))).schema.outside).toBe('clamp');
  });

  it('tells every fault of the cohort at once', () => {
    expect(() => parseCharter(charterOf({ cohort: { minSurvivors: 5, maxColluders: 4 } }))).toThrow(
      /more than the 4 members; minSurvivors must be at least maxColluders \+ 2 = 6/,
    );
  });

  it.each([
    ['text that is not JSON', '{', /not JSON/],
    ['spaces', JSON.stringify(charterOf(), null, 1), /canonical form/],
    ['keys in another order', JSON.stringify(charterOf()), /canonical form/],
    [
      'a number written otherwise',
      canonicalJson(charterOf()).replace('"epsilon":3', '"epsilon":3.0'),
      /canonical form/,
    ],
    [
      'a key twice',
      canonicalJson(charterOf()).replace('{"chorale":1', '{"chorale":1,"chorale":1'),
      /canonical form/,
    ],
  ])('read from %s is refused', (_, body, reason) => {
    expect(() => readCharter(body)).toThrow(reason);
  });

  it.each([
    { version: 2 },
    { federation: 'another' },
    { previous: 'a'.repeat(64) },
    { members: [member(0), member(1), member(2), { ...member(3), declaredRecords: 101 }] },
    { cohort: { minSurvivors: 4, maxColluders: 1 } },
    { privacy: { ...privacy, epsilon: 3.0000001 } },
  ])('has another digest when anything in it changes: %j', (change) => {
    expect(charterDigest(charterOf(change as Partial<Charter>))).not.toBe(charterDigest(charterOf()));
  });

  it('gives a synthesizer the schema, the declared counts and the cohort, but no key', () => {
    const context = synthesisContext(charterOf());
    expect(context.schema.fields.map((field) => field.name)).toEqual(['a', 'b', 'c']);
    expect(context.members[0]).toEqual({ id: 'member-0', declaredRecords: 100 });
    expect(context.cohort).toEqual({ minSurvivors: 3, maxColluders: 1 });
  });
});

describe('the share threshold', () => {
  it('is the one of the protocol, and beats (k + colluders)/2 always (hazard S3)', () => {
    for (let members = 3; members <= 64; members++)
      for (let colluders = 1; colluders <= members - 2; colluders++) {
        const threshold = thresholdFor(members, { minSurvivors: members, maxColluders: colluders });
        expect(threshold).toBe(shareThreshold(members, colluders));
        expect(2 * threshold).toBeGreaterThan(members + colluders);
      }
  });
});

describe('what a cohort tolerates, in words', () => {
  it.each([
    [3, 3, 'no member may drop out of a round'],
    [4, 3, '1 may drop out of a round'],
    [6, 4, '2 may drop out of a round'],
    [6, 6, 'no member may drop out of a round'],
  ])('%i members, at least %i in a sum: %s', (members, minSurvivors, words) => {
    const text = describeCohort(charterOf({ cohort: { minSurvivors, maxColluders: 1 } }, members));
    expect(text).toContain(words);
    expect(text).toContain(`at least ${minSurvivors} contributions`);
    expect(text).toContain('any 1 member together');
  });
});

describe('what is signed', () => {
  const enrolment = { federation: 'choir', name: 'Alto', publicKey: 'aa', declaredRecords: 5 };

  it('stands under a label of its own, so that no signature means two things', () => {
    const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1');
    expect(text(charterStatement('00'.repeat(32)))).toMatch(/^chorale\/1 charter\0/);
    expect(text(enrolmentStatement(enrolment))).toMatch(/^chorale\/1 enrolment\0/);
  });

  it.each([{ federation: 'other' }, { name: 'Bass' }, { publicKey: 'ab' }, { declaredRecords: 6 }])(
    'an enrolment covers %j',
    (change) => {
      expect(enrolmentStatement({ ...enrolment, ...change })).not.toEqual(enrolmentStatement(enrolment));
    },
  );
});
