import { describe, expect, it } from 'vitest';
import { localDpSgdEvent } from '../../src/privacy/events.js';
import { costUnits } from '../../src/privacy/filter.js';
import {
  addShare,
  checkQuery,
  dequantize,
  drawShare,
  eventOf,
  quantize,
} from '../../src/privacy/quantization.js';
import { views } from '../../src/privacy/views.js';
import { InvalidOptions } from '../../src/synthesis/errors.js';
import { STEPS_PER_CLIP } from '../../src/synthesis/gan/clipping.js';
import { clippedCriticGradient } from '../../src/synthesis/gan/criticGradient.js';
import { ganSynthesizer as gan } from '../../src/synthesis/gan/gan.js';
import { localStepSeed } from '../../src/synthesis/gan/localTraining.js';
import { type LocalQuestion, readLocalQuestion } from '../../src/synthesis/gan/reading.js';
import type { Step, SynthesisContext } from '../../src/synthesis/synthesizer.js';
import { readCsv } from '../../src/synthesis/table/csv.js';
import { fineCells } from '../../src/synthesis/table/fineCells.js';
import type { RecordSource } from '../../src/synthesis/table/records.js';
import { parseTableSchema } from '../../src/synthesis/table/schema.js';
import { csv, rngOf, smallContext } from './fixtures.js';

const SEED = new Uint8Array(32).fill(9);
const DELTA = 1e-6;
const schema = parseTableSchema({
  fields: ['label', 'b', 'c'].map((name) => ({
    name,
    type: 'string',
    constraints: { required: true, enum: ['x', 'y', 'z'] },
    ...(name === 'label' && { 'chorale:label': true }),
  })),
});
const context: SynthesisContext = {
  ...smallContext(schema),
  members: Array.from({ length: 4 }, (_, i) => ({ id: `member-${i}`, declaredRecords: 600 })),
};
const ids = context.members.map(({ id }) => id);
const options = gan.parseOptions({
  mode: 'fedavg',
  steps: 41,
  localSteps: 4,
  samplingRate: 0.25,
  noiseMultiplier: 1.5,
  generatorHidden: [24],
  latent: 4,
  generatorBatch: 64,
  generatorSteps: 2,
  generatorLearningRate: 0.01,
});

/** Rows of one label: b is the label nine times in ten, c is anything. */
const rowsOf = (label: 'x' | 'y', count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${label},${i % 10 === 0 ? 'z' : label},${'xyz'[i % 3]}`);

const table = (rows: readonly string[]): Promise<RecordSource> => readCsv(csv('label,b,c', ...rows), schema);

/** Two disjoint halves by label: no member has seen the other half's. */
const halves = (): Promise<RecordSource[]> =>
  Promise.all(['x', 'x', 'y', 'y'].map((label) => table(rowsOf(label as 'x' | 'y', 600))));

/** One sum as a federation opens it, masks left out. */
async function opened({ query, models }: Step, sources: readonly RecordSource[], seed: number) {
  const ring = new Uint32Array(query.dimension);
  for (const [i, records] of sources.entries()) {
    const rng = rngOf(seed, `member ${i}`);
    const noise = drawShare(query, rng);
    const vector = quantize(query, await gan.contribute(query, models, records, rng));
    addShare(query, vector, noise).forEach((value, k) => {
      ring[k] = (((ring[k] as number) + value) & (2 ** query.encoding.modulusBits - 1)) >>> 0;
    });
  }
  return { values: dequantize(query, ring), contributors: ids };
}

async function firstLocalStep(sources: readonly RecordSource[]): Promise<Step> {
  const state = await gan.initialState(context, options, SEED);
  const first = gan.nextQuery(state) as Step;
  return gan.nextQuery(await gan.absorb(state, first.query, await opened(first, sources, 1))) as Step;
}

const norm = (values: Iterable<number>): number =>
  Math.sqrt([...values].reduce((sum, value) => sum + value * value, 0));

describe('fedavg', () => {
  it('charges each participant its own DP-SGD, whoever looks and however many contribute', async () => {
    const { query } = await firstLocalStep(await halves());
    expect(checkQuery(structuredClone(query), context.cohort, ids.length)).toEqual(query);
    const noise = query.localNoise as NonNullable<typeof query.localNoise>;
    const event = localDpSgdEvent({ ...noise, samplingRate: 0.25 });
    expect(noise.steps).toBe(4);
    expect(gan.plan(context, options)[1]).toEqual({ event, count: 40 });
    for (const contributors of [3, 4]) expect(eventOf(query, contributors, context.cohort)).toEqual(event);
    const limit = { epsilon: 100, delta: DELTA, orders: [8] };
    expect(costUnits(event, limit.orders)[0]).toBeGreaterThan(0n);
    const seen = views(limit, [event]);
    expect(new Set(Object.values(seen)).size).toBe(1);
    expect(seen.secureAggregationBroken).toBeLessThan(100);
  });

  it('refuses noise that its sampler cannot draw when it is planned, before any sum is charged', () => {
    const loud = { ...options, noiseMultiplier: 20_000 };
    expect(() => gan.plan(context, loud)).toThrow(InvalidOptions);
    expect(() => gan.plan(context, { ...options, noiseMultiplier: 7_000 })).not.toThrow();
  });

  it('is the only kind of query with no share of noise, and has none beside its own', async () => {
    const { query } = await firstLocalStep(await halves());
    const { localNoise: _, ...without } = query;
    const check = (altered: unknown) => () => checkQuery(altered, context.cohort, ids.length);
    expect(check(without)).toThrow(/below|variance/);
    const shareVariance = { numerator: '64', denominator: '1' };
    expect(check({ ...query, encoding: { ...query.encoding, shareVariance } })).toThrow(/local noise/);
    const summed = gan.parseOptions({ ...options, mode: 'fedsgd' });
    const state = await gan.initialState(context, summed, SEED);
    const first = gan.nextQuery(state) as Step;
    const noiseless = {
      ...first.query,
      encoding: { ...first.query.encoding, shareVariance: query.encoding.shareVariance },
    };
    expect(check(noiseless)).toThrow(/share/);
    // Even with the word "local" on it, a sum of counts is none of the plan's.
    const dressed = { ...noiseless, localNoise: query.localNoise };
    expect(() => gan.assertQuery(context, summed, dressed)).toThrow(/not the one/);
    await expect(gan.contribute(dressed, new Map(), await table(rowsOf('x', 3)), rngOf(1))).rejects.toThrow(
      /must count/,
    );
  });

  it('moves each local step’s sum by at most the clip norm when a record is added, in whole steps', async () => {
    const sources = await halves();
    const { query, models } = await firstLocalStep(sources);
    const question = readLocalQuestion(query, models, fineCells(schema));
    // Wherever local training may have brought the models: the bound is for each of its steps.
    const moved = (scale: number): LocalQuestion => ({
      ...question,
      critic: question.critic.map((_, i) => scale * Math.sin(i)),
      generator: question.generator.map((value, i) => value + scale * Math.cos(i)),
    });
    let largest = 0;
    for (const now of [question, moved(0.1), moved(5), moved(1e20)])
      for (const extra of ['x,x,x', 'z,y,x', 'y,z,z'])
        for (const step of [0, 1, 2, 3]) {
          const seed = localStepSeed(SEED, step);
          const everyone = { ...now, samplingRate: 1 };
          const without = await clippedCriticGradient(everyone, await table(rowsOf('x', 120)), seed);
          const added = await clippedCriticGradient(
            everyone,
            await table([...rowsOf('x', 120), extra]),
            seed,
          );
          const steps = added.map(
            (value, i) => ((value - (without[i] as number)) * STEPS_PER_CLIP) / question.clipNorm,
          );
          expect(steps.every(Number.isInteger)).toBe(true);
          expect(norm(steps)).toBeLessThanOrEqual(STEPS_PER_CLIP);
          largest = Math.max(largest, norm(steps) / STEPS_PER_CLIP);
        }
    expect(largest).toBeGreaterThan(0.9); // control: half of the bound would fail
  });

  it('draws its noise in full: deltas of no records vary as the plan’s noise does', async () => {
    const { query, models } = await firstLocalStep(await halves());
    const rare = { ...query, samplingRate: 1e-9, localNoise: { noiseMultiplier: 2, steps: 1 } };
    const question = readLocalQuestion(rare, models, fineCells(schema));
    const delta = await gan.contribute(rare, models, await table(rowsOf('x', 5)), rngOf(3));
    // One step from weights of 0: −rate/unit · noise/(q · records), 27 features.
    const unit = 1 / Math.sqrt(3);
    const { featureLearningRate, expectedRecords } = question.rates;
    const scale = (featureLearningRate * question.clipNorm * 2) / (unit * 1e-9 * expectedRecords);
    const chi = norm([...delta.slice(0, 27)].map((value) => value / scale)) ** 2;
    // χ² with 27 degrees of freedom: between 7.6 and 63.2 but for one in ten thousand, and the seed is fixed.
    expect(chi).toBeGreaterThan(7.6);
    expect(chi).toBeLessThan(63.2);
    expect(await gan.contribute(rare, models, await table(rowsOf('x', 5)), rngOf(3))).toEqual(delta);
  });

  it('learns from two disjoint halves by label, and goes on exactly after encoding', {
    timeout: 120_000,
  }, async () => {
    const sources = await halves();
    let state = await gan.initialState(context, options, SEED);
    for (let step = gan.nextQuery(state); step !== undefined; step = gan.nextQuery(state)) {
      gan.assertQuery(context, options, step.query);
      state = await gan.absorb(state, step.query, await opened(step, sources, state.step));
      state = await gan.decodeState(context, options, gan.encodeState(state));
    }
    const agreeing = { x: 0, y: 0 };
    const seen = { x: 0, y: 0, z: 0 };
    const request = { seed: SEED, offset: 0, count: 1500 };
    for await (const row of gan.sample(context, options, gan.release(state), request)) {
      const label = row.label as 'x' | 'y' | 'z';
      seen[label] += 1;
      if (label !== 'z' && row.b === label) agreeing[label] += 1;
    }
    // Independent columns would agree in 45 of a hundred; the records do in 90.
    expect(agreeing.x / seen.x).toBeGreaterThan(0.7);
    expect(agreeing.y / seen.y).toBeGreaterThan(0.7);
    expect(Math.abs(seen.x - seen.y) / 1500).toBeLessThan(0.1);
  });
});
