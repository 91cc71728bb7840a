import { bytesToHex } from '@noble/hashes/utils.js';
import { expect } from 'vitest';
import { sourceOf } from '../../../src/evaluation/audit/inventedRecords.js';
import { checkQuery, eventOf } from '../../../src/privacy/quantization.js';
import type { NoisySum, Row, Step } from '../../../src/synthesis/synthesizer.js';
import type { RecordSource } from '../../../src/synthesis/table/records.js';
import { ordinalOf, type TableSchema } from '../../../src/synthesis/table/schema.js';
import { rngOf } from '../fixtures.js';
import { expectWithin, recordsOf } from './neighbours.js';
import { idsOf, littleNoise, rowsOf, runOf, type Subject, sumOver } from './run.js';

/*
 * What every synthesizer must do, as one check each; all of them are asked of each kind that is registered (suite.test.ts), and each has a
 * broken synthesizer that it must catch (controls.test.ts).
 */

/** The members' tables: invented records, 80 or so each. */
export function tablesOf({ context }: Subject): Promise<readonly RecordSource[]> {
  const rows = recordsOf(context.schema);
  const each = Math.floor(rows.length / context.members.length);
  return Promise.all(
    context.members.map((_, m) => sourceOf(context.schema, rows.slice(m * each, (m + 1) * each))),
  );
}

/** What is asked is what was committed: as often, at the same cost, in the same order, and as a participant would accept it. */
export async function expectPlanKept(subject: Subject): Promise<void> {
  const { synthesizer, options, context } = subject;
  const { steps } = await runOf(subject, littleNoise(subject));
  const planned = synthesizer
    .plan(context, options)
    .flatMap(({ event, count }) => Array.from({ length: count }, () => event));
  expect(steps.map(({ query }) => eventOf(query, context.cohort.minSurvivors, context.cohort))).toEqual(
    planned,
  );
  for (const { query, models } of steps) {
    const checked = checkQuery(structuredClone(query), context.cohort, context.members.length);
    synthesizer.assertQuery(context, options, checked);
    expect(query.models.map(({ name, bytes }) => [name, bytes])).toEqual(
      [...models].map(([name, bytes]) => [name, bytes.length]),
    );
    const dearer = { ...query, l2Sensitivity: 2 * query.l2Sensitivity };
    expect(() => synthesizer.assertQuery(context, options, dearer)).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTIONS' }),
    );
  }
}

/** One record moves the sum by the declared sensitivity at most, for every query of the run, with models of noise and learnt ones. */
export async function expectNeighboursWithin(subject: Subject): Promise<void> {
  const largest = new Map<string, number>();
  const noise = await runOf(subject, littleNoise(subject));
  const learnt = await runOf(subject, sumOver(subject, await tablesOf(subject)));
  for (const [seed, { steps }] of [noise, learnt].entries())
    for (const step of withNoiseToCome(steps)) {
      const moved = await expectWithin(subject, step, [0, 1, 64], [seed]);
      largest.set(step.query.kind, Math.max(moved, largest.get(step.query.kind) ?? 0));
    }
  // The declared sensitivity is nearly reached: half of it would be refuted.
  for (const [kind, share] of largest) expect(share, kind).toBeGreaterThan(0.5);
}

/** A vector that has all of its noise already is no function of the records: what it is made of has a replay of its own. */
const withNoiseToCome = (steps: readonly Step[]): readonly Step[] =>
  steps.filter(({ query }) => query.localNoise === undefined);

/** The same where a record more begins another batch. */
export async function expectBatchesWithin(subject: Subject): Promise<void> {
  const { steps } = await runOf(subject, littleNoise(subject));
  const last = new Map(withNoiseToCome(steps).map((step) => [step.query.kind, step]));
  for (const step of last.values()) await expectWithin(subject, step, [511, 512], [3]);
}

/** Hazard P11: one seed, then the records; the same whatever they are. */
export async function expectOneSeedFirst(subject: Subject): Promise<void> {
  const { steps } = await runOf(subject, littleNoise(subject));
  const rows = recordsOf(subject.context.schema);
  for (const { query, models } of steps) {
    let looksWithout: number | undefined;
    for (const size of [0, 1, 513]) {
      const records = await sourceOf(subject.context.schema, rows.slice(0, size));
      const trace: (number | 'records')[] = [];
      const watched: RecordSource = {
        ...records,
        sample(...asked) {
          trace.push('records');
          return records.sample(...asked);
        },
      };
      const rng = rngOf(size);
      await subject.synthesizer.contribute(query, models, watched, (length) => {
        trace.push(length);
        return rng(length);
      });
      // Local training looks at them once a step.
      const looks = trace.slice(1);
      looksWithout ??= looks.length;
      const why = `${query.kind} over ${size} records`;
      expect(trace[0], why).toBe(32);
      expect(new Set(looks), why).toEqual(new Set(['records']));
      expect(looks.length, why).toBe(looksWithout);
    }
  }
}

/** A member is missing from each sum, another one each time: the run ends, and what came of it can be sampled. */
export async function expectDropOut(subject: Subject): Promise<void> {
  const { synthesizer, context } = subject;
  const ids = idsOf(context);
  const others = (step: number) => ids.filter((_, m) => m !== step % ids.length);
  const { release, steps } = await runOf(subject, sumOver(subject, await tablesOf(subject), others));
  expect(await rowsOf(subject, release, 0, 5)).toHaveLength(5);
  // Two members who declared as much are alike to the coordinator: who is missing shows in the declared counts alone.
  const [first, second] = twins(subject);
  const without =
    (id: string) =>
    async (step: Step, index: number): Promise<NoisySum> => ({
      values: littleNoise(subject)(step, index).values,
      contributors: index === steps.length - 1 ? ids.filter((other) => other !== id) : ids,
    });
  const digests = await Promise.all(
    [first, second].map(async (id) => {
      const run = await runOf(subject, without(id));
      return bytesToHex(synthesizer.encodeState(run.states.at(-1)));
    }),
  );
  expect(digests[0]).toBe(digests[1]);
}

function twins({ context: { members } }: Subject): readonly [string, string] {
  for (const [i, one] of members.entries())
    for (const other of members.slice(i + 1))
      if (one.declaredRecords === other.declaredRecords) return [one.id, other.id];
  throw new Error('the suite needs two members who declared as much');
}

/** A coordinator that forgets all but the encoded state after every sum comes to the same queries and the same release. */
export async function expectRestart(subject: Subject): Promise<void> {
  const { synthesizer, options, context } = subject;
  const tables = await tablesOf(subject);
  const whole = await runOf(subject, sumOver(subject, tables));
  const resumed = await runOf(subject, sumOver(subject, tables), (state) =>
    synthesizer.decodeState(context, options, synthesizer.encodeState(state)),
  );
  expect(resumed.steps).toEqual(whole.steps);
  expect(bytesToHex(resumed.release)).toBe(bytesToHex(whole.release));
  const bytes = synthesizer.encodeState(whole.states.at(-1));
  for (const length of [0, 10, bytes.length - 1])
    await expect(
      (async () => synthesizer.decodeState(context, options, bytes.slice(0, length)))(),
      `a state of ${length} bytes`,
    ).rejects.toMatchObject({ code: 'MALFORMED_BYTES' });
}

/** Hazard D5: one seed, the same rows, whatever page they are asked in, and another seed, others. */
export async function expectSameRows(subject: Subject): Promise<void> {
  const tables = await tablesOf(subject);
  const [one, again] = [
    await runOf(subject, sumOver(subject, tables)),
    await runOf(subject, sumOver(subject, tables)),
  ];
  expect(bytesToHex(again.release)).toBe(bytesToHex(one.release));
  const whole = await rowsOf(subject, one.release, 0, 1100);
  expect(whole).toHaveLength(1100);
  for (const [offset, count] of [
    [0, 1],
    [255, 3],
    [1020, 60],
    [1099, 1],
  ] as const)
    expect(await rowsOf(subject, one.release.slice(), offset, count), `rows from ${offset}`).toEqual(
      whole.slice(offset, offset + count),
    );
  expect(await rowsOf(subject, one.release, 7, 0)).toEqual([]);
  expect(await rowsOf(subject, one.release, 0, 100, new Uint8Array(32))).not.toEqual(whole.slice(0, 100));
}

/** Hazard D1: every row is one that the schema allows, from noise alone too. */
export async function expectValidRows(subject: Subject): Promise<void> {
  const { schema } = subject.context;
  const learnt = await runOf(subject, sumOver(subject, await tablesOf(subject)));
  const noise = await runOf(subject, littleNoise(subject));
  for (const { release } of [learnt, noise])
    for (const row of await rowsOf(subject, release, 100, 1000))
      expect(isValid(schema, row), JSON.stringify(row)).toBe(true);
}

/** Written apart from the code under test: what the schema says of a row. */
export function isValid({ fields }: TableSchema, row: Row): boolean {
  return (
    Object.keys(row).join() === fields.map(({ name }) => name).join() &&
    fields.every((field) => {
      const value = row[field.name] as string | number | boolean | null;
      if (value === null) return !field.required;
      if (field.domain === 'categories') return field.categories.includes(value);
      const ordinal = ordinalOf(field.type, value as string | number);
      return ordinal !== undefined && ordinal >= field.minimum && ordinal <= field.maximum;
    })
  );
}

/** By name, in the order in which they are best read. */
export const CHECKS: Readonly<Record<string, (subject: Subject) => Promise<void>>> = {
  'asks only what a participant would answer, as often and as dear as was planned': expectPlanKept,
  'moves by at most the declared sensitivity, for every query of the run': expectNeighboursWithin,
  'moves by no more on tables as long as its batches': expectBatchesWithin,
  'hazard P11: takes one seed before it touches a record': expectOneSeedFirst,
  'goes on without a member, by the declared counts alone': expectDropOut,
  'comes to the same release when it is restarted after every sum': expectRestart,
  'hazard D5: gives the same rows for the same seed, in pages that fit together': expectSameRows,
  'hazard D1: gives rows that the schema allows': expectValidRows,
};
