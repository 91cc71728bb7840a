import { Readable } from 'node:stream';
import { bytesToHex } from '@noble/hashes/utils.js';
import { describe, expect, it } from 'vitest';
import { nodePrimitives } from '../../src/crypto/nodePrimitives.js';
import { drawRecords, sourceOf } from '../../src/evaluation/audit/inventedRecords.js';
import { sampleDiscreteGaussian } from '../../src/privacy/noise/discreteGaussian.js';
import { addShare, checkQuery, quantize } from '../../src/privacy/quantization.js';
import type { SumQuery } from '../../src/privacy/sumQuery.js';
import { type AnySynthesizer, synthesizerKinds, synthesizerOf } from '../../src/synthesis/index.js';
import { normals } from '../../src/synthesis/randomness.js';
import type { Step } from '../../src/synthesis/synthesizer.js';
import { readCsv } from '../../src/synthesis/table/csv.js';
import { MISSING_CATEGORY, recordLayout } from '../../src/synthesis/table/layout.js';
import type { RecordSource } from '../../src/synthesis/table/records.js';
import { mixedSchema, rngOf, smallContext } from '../synthesis/fixtures.js';
import { distance, withinSensitivity } from './neighbouring.js';

/*
 * Neighbouring replay: the same seeds, two tables of which one has a record more, and what would be masked: the ring distance must
 * be at most the sensitivity that is declared, and paid for. Integers, so no tolerance. Every synthesizer takes part; one that is
 * added without its options here fails.
 */

const OPTIONS: Readonly<Record<string, readonly unknown[]>> = {
  gan: [
    {
      steps: 3,
      samplingRate: 0.5,
      noiseMultiplier: 2,
      criticHidden: [9],
      generatorHidden: [7],
      latent: 4,
      generatorBatch: 16,
    },
    {
      steps: 2,
      samplingRate: 1,
      noiseMultiplier: 3,
      clipNorm: 0.25,
      criticHidden: [6, 5],
      generatorHidden: [5],
      latent: 2,
    },
  ],
  marginals: [{ noiseMultiplier: 5 }, { noiseMultiplier: 0.5, modelCells: 1000 }],
};

const context = smallContext(mixedSchema());
const { schema } = context;

/** As a participant would: the noise, then its records, then the ring. */
async function masked(
  synthesizer: AnySynthesizer,
  { query, models }: Step,
  records: RecordSource,
  seed: number,
): Promise<Uint32Array> {
  const rng = rngOf(seed, 'participant');
  const noise = sampleDiscreteGaussian(query.encoding.shareVariance, query.dimension, rng);
  return addShare(query, quantize(query, await synthesizer.contribute(query, models, records, rng)), noise);
}

/** Every query of a run, its sums noise alone: contribute has to hold for whatever model comes of them. */
async function stepsOf(synthesizer: AnySynthesizer, options: unknown): Promise<Step[]> {
  const steps: Step[] = [];
  let state = await synthesizer.initialState(context, options, new Uint8Array(32).fill(5));
  for (let step = synthesizer.nextQuery(state); step !== undefined; step = synthesizer.nextQuery(state)) {
    steps.push(step);
    const values = Float64Array.from(normals(rngOf(steps.length, 'sum'), step.query.dimension));
    const contributors = context.members.map(({ id }) => id);
    state = await synthesizer.absorb(state, step.query, { values, contributors });
  }
  return steps;
}

const rows = drawRecords(schema, 513, rngOf(1, 'rows'));

/** One record in every way that a table can hold it, and in ways that it cannot. */
function records(): Readonly<Record<string, Uint8Array>> {
  const layout = recordLayout(schema);
  const altered = (number: number, category?: number): Uint8Array => {
    const row = rows[0]!.slice();
    const view = new DataView(row.buffer);
    schema.fields.forEach((field, f) => {
      if (field.domain === 'range') view.setFloat64(layout.offsets[f]!, number, true);
      else if (category !== undefined) view.setUint16(layout.offsets[f]!, category, true);
    });
    return row;
  };
  return {
    'a new one': drawRecords(schema, 1, rngOf(2, 'new'))[0]!,
    'a duplicate': rows[0]!,
    'a duplicate of the last': rows.at(-1)!,
    'one with everything missing': altered(Number.NaN, MISSING_CATEGORY),
    'one with NaN in columns that must not be missing': altered(Number.NaN),
    'one at +infinity': altered(Number.POSITIVE_INFINITY),
    'one at −infinity': altered(Number.NEGATIVE_INFINITY),
    'one far above the bounds': altered(Number.MAX_VALUE),
    'one far below the bounds': altered(-1e300),
    'one a subnormal away from 0': altered(5e-324),
  };
}

/** The largest move over the records above, on tables of sizes around every chunk and batch of the code. */
async function expectWithin(
  synthesizer: AnySynthesizer,
  step: Step,
  sizes: readonly number[],
  seeds: readonly number[],
): Promise<number> {
  let largest = 0;
  for (const size of sizes)
    for (const [what, record] of Object.entries(records()))
      for (const seed of seeds) {
        const before = await sourceOf(schema, rows.slice(0, size));
        const after = await sourceOf(schema, [...rows.slice(0, size), record]);
        const a = await masked(synthesizer, step, before, seed);
        const b = await masked(synthesizer, step, after, seed);
        const why = `${step.query.kind}: ${what} after ${size} others, seed ${seed}`;
        expect(withinSensitivity(step.query, a, b), why).toBe(true);
        largest = Math.max(largest, distance(step.query, a, b));
      }
  return largest;
}

describe('neighbouring replay of every synthesizer', () => {
  it('has options for each that there is', () => {
    expect(Object.keys(OPTIONS).sort()).toEqual([...synthesizerKinds].sort());
  });

  const runs = Object.entries(OPTIONS).flatMap(([kind, all]) =>
    all.map((options, i) => ({ kind, run: i, options })),
  );
  describe.each(runs)('$kind, run $run', ({ kind, options }) => {
    const synthesizer = synthesizerOf(kind);
    const parsed = synthesizer.parseOptions(options);

    it('asks only what a participant would answer, as often as it is paid for', async () => {
      const steps = await stepsOf(synthesizer, parsed);
      const paid = synthesizer.plan(context, parsed).reduce((total, { count }) => total + count, 0);
      expect(steps).toHaveLength(paid);
      for (const { query } of steps)
        synthesizer.assertQuery(
          context,
          parsed,
          checkQuery(structuredClone(query), context.cohort, context.members.length),
        );
    });

    it('moves by at most the declared sensitivity, for every query of the run', async () => {
      const largest = new Map<string, number>();
      for (const step of await stepsOf(synthesizer, parsed)) {
        const moved = await expectWithin(synthesizer, step, [0, 1, 64, 65], [1, 2]);
        largest.set(step.query.kind, Math.max(moved, largest.get(step.query.kind) ?? 0));
      }
      // The declared sensitivity is nearly reached: half of it would be refuted.
      for (const share of largest.values()) expect(share).toBeGreaterThan(0.5);
    });

    it('moves by no more on tables as long as its batches', async () => {
      const [step] = await stepsOf(synthesizer, parsed);
      await expectWithin(synthesizer, step!, [511, 512, 513], [3]);
    });
  });
});

describe('neighbouring replay against models that are built to break it', () => {
  const gan = synthesizerOf('gan');
  const options = gan.parseOptions({ ...(OPTIONS.gan![0] as object), samplingRate: 1 });
  const hidden = 9;

  const HOSTILE: readonly (readonly [string, (parameters: Float32Array, i: number) => number])[] = [
    ['all zero', () => 0],
    ['of huge weights', (p, i) => 1e30 * p[i]!],
    ['of weights that overflow', (p, i) => 3e38 * Math.sign(p[i]!)],
    ['of subnormal weights', (p, i) => 1e-42 * p[i]!],
    ['with a NaN', (p, i) => (i === 3 ? Number.NaN : p[i]!)],
    ['with infinities', (p, i) => (i % 50 === 0 ? Number.POSITIVE_INFINITY : p[i]!)],
    ['badly scaled from weight to weight', (p, i) => p[i]! * 10 ** ((i % 60) - 30)],
    /*
     * On the rounding borders: first layer 0, so D = 0 and its gradient is ∓½ exactly; the last layer's weights are (k + ½)·2⁻¹³,
     * so every gradient of the first layer is k + ½ steps of 2⁻¹⁴ before it is rounded.
     */
    ['on the rounding borders', (p, i) => (onLast(p, i) ? (((i * 37) % 4001) - 2000 + 0.5) * 2 ** -13 : 0)],
    [
      'a hair beside the rounding borders',
      (p, i) => (onLast(p, i) ? (i + 0.5) * 2 ** -13 * (1 + (i % 3) * 2 ** -23) : 0),
    ],
    // Gradients just as long as the clip norm: whether they are clipped is decided by the last bit.
    [
      'at the clip norm',
      (p, i) => (onLast(p, i) ? (2 * (1 + (i % 2) * 2 ** -20)) / Math.sqrt(16 * hidden) : 0),
    ],
  ];
  /** Weights of the critic's last layer: before its one bias, after all others. */
  const onLast = (p: Float32Array, i: number): boolean => i >= p.length - 1 - hidden && i < p.length - 1;

  it.each(HOSTILE)('a critic %s', async (_, weight) => {
    const [step] = await stepsOf(gan, options);
    const hostile = withCritic(step!, weight);
    await expectWithin(gan, hostile, [0, 1, 65], [1]);
  });

  it('is on the borders: half a step off, and nearly every coordinate would be another integer', async () => {
    const [step] = await stepsOf(gan, options);
    const [, weight] = HOSTILE.find(([name]) => name === 'on the rounding borders')!;
    const table = await sourceOf(schema, rows.slice(0, 1));
    const vectorOf = async (query: Step) => gan.contribute(query.query, query.models, table, rngOf(1));
    const on = await vectorOf(withCritic(step!, weight));
    const below = await vectorOf(withCritic(step!, (p, i) => weight(p, i) * (1 - 2 ** -20)));
    const changed = on.filter((value, i) => value !== below[i]).length;
    expect(changed).toBeGreaterThan(0.3 * on.filter((value) => value !== 0).length);
  });

  function withCritic(step: Step, weight: (parameters: Float32Array, i: number) => number): Step {
    const critic = new Float32Array(step.models.get('critic')!.slice().buffer);
    const bytes = new Uint8Array(critic.map((_, i) => weight(critic, i)).buffer);
    return {
      models: new Map(step.models).set('critic', bytes),
      query: digestsOf(step.query, 'critic', bytes),
    };
  }
});

describe('neighbouring replay of what a file can hold', () => {
  const header = schema.fields.map(({ name }) => name).join(',');
  const line = 'red,true,120,0.5,2000-01-01,2000-01,1992,2';
  const read = (lines: readonly string[], outOfBounds: 'clamp' | 'refuse'): Promise<RecordSource> =>
    readCsv(Readable.from([`${[header, ...lines].join('\n')}\n`]), schema, { outOfBounds });

  it.each([
    ['a duplicate', line],
    ['one with all that may be missing', 'red,true,,0.5,NA,2000-01,1992,2'],
    ['one out of bounds', 'red,true,99999,-1e300,2999-01-01,2999-01,2999,2'],
  ])('%s, out of bounds moved onto them', async (_, extra) => {
    const synthesizer = synthesizerOf('gan');
    const [step] = await stepsOf(synthesizer, synthesizer.parseOptions(OPTIONS.gan![1]));
    const a = await masked(synthesizer, step!, await read([line, line], 'clamp'), 1);
    const b = await masked(synthesizer, step!, await read([line, line, extra], 'clamp'), 1);
    expect(withinSensitivity(step!.query, a, b)).toBe(true);
    expect(distance(step!.query, a, b)).toBeGreaterThan(0);
  });

  it.each([
    ['NaN', 'red,true,NaN,0.5,2000-01-01,2000-01,1992,2'],
    ['a number out of bounds', 'red,true,401,0.5,2000-01-01,2000-01,1992,2'],
    ['an unknown category', 'violet,true,120,0.5,2000-01-01,2000-01,1992,2'],
  ])('%s is refused before any round, so no sum ever depends on it', async (_, extra) => {
    await expect(read([line, extra], 'refuse')).rejects.toMatchObject({ name: 'InvalidRecords' });
  });
});

function digestsOf(query: SumQuery, name: string, bytes: Uint8Array): SumQuery {
  const digest = bytesToHex(nodePrimitives.sha256(bytes));
  return {
    ...query,
    models: query.models.map((model) => (model.name === name ? { ...model, digest } : model)),
  };
}
