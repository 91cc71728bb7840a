import { describe, expect, it } from 'vitest';
import { type AnySynthesizer, synthesizerOf } from '../../../src/synthesis/index.js';
import type { Row } from '../../../src/synthesis/synthesizer.js';
import { CHECKS } from './checks.js';
import { KINDS } from './kinds.js';
import type { Subject } from './run.js';

/*
 * The positive controls of the suite: `independent`, broken in one place as real synthesizers have been. The check that is for it
 * must fail, and the others need not.
 */

const sound = synthesizerOf('independent');
const context = KINDS.independent!.context;
const options = sound.parseOptions(KINDS.independent!.runs[0]);

const BROKEN: readonly (readonly [string, keyof typeof CHECKS, Partial<AnySynthesizer>])[] = [
  [
    'counts a record twice',
    'moves by at most the declared sensitivity, for every query of the run',
    {
      async contribute(query, models, records, rng) {
        return (await sound.contribute(query, models, records, rng)).map((value) => 2 * value);
      },
    },
  ],
  [
    'divides by its number of records (hazard P1)',
    'moves by at most the declared sensitivity, for every query of the run',
    {
      async contribute(query, models, records, rng) {
        const sum = await sound.contribute(query, models, records, rng);
        let count = 0;
        for (const value of sum) count += value;
        return sum.map((value) => Math.round((1e6 * value) / Math.max(1, count)));
      },
    },
  ],
  [
    'touches a record before its seed',
    'hazard P11: takes one seed before it touches a record',
    {
      async contribute(query, models, records, rng) {
        for await (const _ of records.sample(1, () => new Uint8Array(1))) break;
        return sound.contribute(query, models, records, rng);
      },
    },
  ],
  [
    'asks for less than it does',
    'asks only what a participant would answer, as often and as dear as was planned',
    {
      plan: (asked) => sound.plan(asked, sound.parseOptions({ noiseMultiplier: 7 })),
    },
  ],
  [
    'asks once more than it says',
    'asks only what a participant would answer, as often and as dear as was planned',
    {
      plan: (asked, options) => sound.plan(asked, options).map((cost) => ({ ...cost, count: 2 })),
    },
  ],
  [
    'answers whatever it is asked',
    'asks only what a participant would answer, as often and as dear as was planned',
    { assertQuery: () => {} },
  ],
  [
    'reckons with who is missing, not with what they declared',
    'goes on without a member, by the declared counts alone',
    {
      absorb(state, query, sum) {
        const first = sum.contributors.includes(context.members[0]!.id) ? 1 : 2;
        return sound.absorb(state, query, { ...sum, values: sum.values.map((value) => first * value) });
      },
    },
  ],
  [
    'forgets its sum when it is restarted',
    'comes to the same release when it is restarted after every sum',
    { decodeState: (asked, options) => sound.initialState(asked, options, new Uint8Array(32)) },
  ],
  [
    'goes on where it stopped, whatever the page',
    'hazard D5: gives the same rows for the same seed, in pages that fit together',
    {
      sample: (asked, options, release, request) =>
        sound.sample(asked, options, release, { ...request, offset: 0 }),
    },
  ],
  [
    'has no seed',
    'hazard D5: gives the same rows for the same seed, in pages that fit together',
    {
      sample: (asked, options, release, request) =>
        sound.sample(asked, options, release, { ...request, seed: new Uint8Array(32) }),
    },
  ],
  [
    'writes a whole number as text',
    'hazard D1: gives rows that the schema allows',
    {
      sample: (...asked) => changed(sound.sample(...asked), (row) => ({ ...row, engines: `${row.engines}` })),
    },
  ],
  [
    'leaves out values that are required',
    'hazard D1: gives rows that the schema allows',
    { sample: (...asked) => changed(sound.sample(...asked), (row) => ({ ...row, mass: null })) },
  ],
  [
    'goes beyond the bounds',
    'hazard D1: gives rows that the schema allows',
    {
      sample: (...asked) =>
        changed(sound.sample(...asked), (row) => ({ ...row, mass: 1.01 * (row.mass as number) + 1 })),
    },
  ],
];

async function* changed(rows: AsyncIterable<Row>, change: (row: Row) => Row): AsyncGenerator<Row> {
  for await (const row of rows) yield change(row);
}

describe('the suite catches a synthesizer that', () => {
  it.each(BROKEN)('%s', async (_, name, broken) => {
    const subject: Subject = { synthesizer: { ...sound, ...broken }, options, context };
    await expect(CHECKS[name]!(subject)).rejects.toThrow();
  });
});
