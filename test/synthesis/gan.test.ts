import { beforeAll, describe, expect, it } from 'vitest';
import { canonicalDigest } from '../../src/crypto/canonical.js';
import { epsilonBounds } from '../../src/privacy/epsilonBounds.js';
import {
  composedEvent,
  gaussianEvent,
  type PrivacyEvent,
  poissonSampledEvent,
  selfComposedEvent,
} from '../../src/privacy/events.js';
import { checkQuery, eventOf, quantize } from '../../src/privacy/quantization.js';
import type { SumQuery } from '../../src/privacy/sumQuery.js';
import { InvalidOptions, MalformedBytes } from '../../src/synthesis/errors.js';
import { ganSynthesizer as gan } from '../../src/synthesis/gan/gan.js';
import type { GanState, Training } from '../../src/synthesis/gan/state.js';
import { synthesizerOf } from '../../src/synthesis/index.js';
import { normals } from '../../src/synthesis/randomness.js';
import type { NoisySum, Row, Step } from '../../src/synthesis/synthesizer.js';
import { mixedSchema, rngOf, smallContext, smallRecords } from './fixtures.js';

const SEED = new Uint8Array(32).fill(9);
const options = gan.parseOptions({
  steps: 7,
  samplingRate: 0.5,
  noiseMultiplier: 2,
  clipNorm: 1,
  criticHidden: [16],
  generatorHidden: [16],
  latent: 8,
  generatorBatch: 32,
  generatorSteps: 1,
});
const context = smallContext();
const ids = context.members.map((member) => member.id);

let untouched: GanState;
let first: Step;
/** After the first sum. */
let initial: GanState;
let step: Step;
beforeAll(async () => {
  untouched = await gan.initialState(context, options, SEED);
  first = gan.nextQuery(untouched) as Step;
  initial = await counted(untouched);
  step = gan.nextQuery(initial) as Step;
});

/** The first sum over 600 records, without its noise. */
async function counted(state: GanState): Promise<GanState> {
  const { query, models } = gan.nextQuery(state) as Step;
  const sum = await gan.contribute(query, models, await smallRecords(600), rngOf(1));
  return gan.absorb(state, query, { values: Float64Array.from(sum), contributors: ids });
}

/** A noisy sum that needs no records: absorb cannot tell. */
const noisySum = (query: SumQuery, seed: number, contributors = ids): NoisySum => ({
  values: Float64Array.from(normals(rngOf(seed, 'noise'), query.dimension)),
  contributors,
});

async function rowsOf(release: Uint8Array, offset: number, count: number, seed = SEED): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const row of gan.sample(context, options, release, { seed, offset, count })) rows.push(row);
  return rows;
}

const norm = (values: Iterable<number>): number =>
  Math.sqrt([...values].reduce((sum, value) => sum + value * value, 0));

describe('GAN options', () => {
  it('have defaults for everything', () => {
    expect(gan.parseOptions({})).toMatchObject({ mode: 'fedsgd', criticNormalization: 'none' });
  });

  it.each([
    { batchNorm: true },
    { criticNormalization: 'batch-norm' },
    { criticNormalization: 'batch' },
    { criticLayers: 'BatchNormalization' },
    { critic_batch_norm: false },
  ])('hazard P26: batch normalisation in the critic is refused: %j', (input) => {
    expect(() => gan.parseOptions(input)).toThrow(InvalidOptions);
    expect(() => gan.parseOptions(input)).toThrow(/batch normalisation/);
  });

  it.each([
    [{ steps: 0 }, 'steps'],
    [{ samplingRate: 1.5 }, 'samplingRate'],
    [{ noiseMultiplier: 0 }, 'noiseMultiplier'],
    [{ clipNorm: 3 }, 'clipNorm'],
    [{ latent: 7 }, 'latent'],
    [{ epsilon: 3 }, 'gan'],
    [{ mode: 'splitfed' }, 'mode'],
  ])('refuse %j, naming the option', (input, option) => {
    expect(() => gan.parseOptions(input)).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTIONS', option }),
    );
  });

  it('are found by the kind of the synthesizer', () => {
    expect(synthesizerOf('gan').kind).toBe('gan');
    expect(() => synthesizerOf('oracle')).toThrow(/there are: gan/);
  });
});

describe('the query', () => {
  it('passes the client’s own check and costs what the plan says', () => {
    expect(checkQuery(structuredClone(step.query), context.cohort, ids.length)).toEqual(step.query);
    expect(checkQuery(structuredClone(first.query), context.cohort, ids.length)).toEqual(first.query);
    const eventsOf = ({ query }: Step) => eventOf(query, context.cohort.minSurvivors, context.cohort);
    expect(gan.plan(context, options)).toEqual([
      { event: eventsOf(first), count: 1 },
      { event: eventsOf(step), count: options.steps - 1 },
    ]);
    expect(first.query).toMatchObject({ kind: 'one-ways/counts', samplingRate: 1, dimension: 9, models: [] });
    expect(step.query).toMatchObject({ kind: 'gan/critic-gradient', l2Sensitivity: 1, samplingRate: 0.5 });
    // The network, and 9 features for each of three pairs of columns.
    expect(step.query.dimension).toBe(9 * 16 + 16 + 16 + 1 + 27);
  });

  it('costs about as many equal critic steps as there are sums: the first takes its part of the budget', () => {
    const spent = (input: object) => {
      const events = gan.plan(context, gan.parseOptions({ ...options, ...input }));
      return composedEvent(events.map(({ event, count }) => selfComposedEvent(event, count)));
    };
    const alike = (input: { steps: number; samplingRate: number; noiseMultiplier: number }) =>
      selfComposedEvent(
        poissonSampledEvent(input.samplingRate, gaussianEvent(input.noiseMultiplier)),
        input.steps,
      );
    const epsilon = (event: PrivacyEvent) => epsilonBounds(event, { delta: 1e-6 }).epsilon.upper;
    for (const input of [
      { steps: 300, samplingRate: 0.1, noiseMultiplier: 3.7 },
      { steps: 100, samplingRate: 0.05, noiseMultiplier: 1.2 },
      { steps: 20, samplingRate: 0.5, noiseMultiplier: 8 },
    ]) {
      const [whole, even] = [epsilon(spent(input)), epsilon(alike(input))];
      expect(whole).toBeLessThanOrEqual(even * 1.005);
      expect(whole).toBeGreaterThan(0.9 * even);
    }
  });

  it('hazard P19: is charged once a critic step, and neither fakes nor the generator’s steps cost anything', () => {
    const events = (plan: ReturnType<typeof gan.plan>) => plan.reduce((sum, { count }) => sum + count, 0);
    for (const criticStepsPerGeneratorStep of [1, 3])
      for (const generatorBatch of [32, 512])
        expect(events(gan.plan(context, { ...options, criticStepsPerGeneratorStep, generatorBatch }))).toBe(
          7,
        );
  });

  it('names the models by digest, and the generator’s stays until it takes a step', async () => {
    const slow = { ...options, criticStepsPerGeneratorStep: 2 };
    let state = await counted(await gan.initialState(context, slow, SEED));
    const digests: string[][] = [];
    for (let next = gan.nextQuery(state); next !== undefined && state.step < 4; next = gan.nextQuery(state)) {
      digests.push(next.query.models.map((model) => model.digest));
      state = await gan.absorb(state, next.query, noisySum(next.query, state.step));
    }
    const [columns, critic, generator] = [0, 1, 2];
    expect(new Set(digests.map((names) => names[columns])).size).toBe(1);
    expect(digests[1]?.[critic]).not.toBe(digests[0]?.[critic]);
    expect(digests[1]?.[generator]).toBe(digests[0]?.[generator]);
    expect(digests[2]?.[generator]).not.toBe(digests[1]?.[generator]);
  });

  it('ends after the planned steps', async () => {
    let state = untouched;
    let asked = 0;
    for (let next = gan.nextQuery(state); next !== undefined; next = gan.nextQuery(state), asked++)
      state = await gan.absorb(state, next.query, noisySum(next.query, asked));
    expect(asked).toBe(options.steps);
    expect(gan.progress(state)).toMatchObject({ step: 7, steps: 7 });
  });
});

describe('a contribution', () => {
  const contribute = async (
    count: number,
    extra: string[] = [],
    seed = 4,
    query = step.query,
    models = step.models,
  ) => gan.contribute(query, models, await smallRecords(count, extra), rngOf(seed));

  it('is on the ring’s grid exactly, so rounding moves nothing', async () => {
    const sum = await contribute(300);
    expect(sum).toHaveLength(step.query.dimension);
    expect(norm(sum)).toBeGreaterThan(1);
    const steps = quantize(step.query, sum);
    expect(Float32Array.from(steps, (value) => value * step.query.encoding.grid)).toEqual(sum);
  });

  it('hazard P3: of an empty sample is the zero vector', async () => {
    const rare = { ...step.query, samplingRate: 1e-9 };
    const sum = await contribute(20, [], 1, rare);
    expect(sum).toEqual(new Float32Array(step.query.dimension));
  });

  it('to the first sum counts every column in whole weights, once a record', async () => {
    const sum = await contribute(300, [], 4, first.query, first.models);
    const weight = (sum[0] as number) / 100;
    expect(Number.isInteger(weight)).toBe(true);
    expect(Math.sqrt(3 * weight ** 2)).toBeLessThanOrEqual(first.query.l2Sensitivity);
    expect([...sum].map((value) => value / weight)).toEqual([100, 100, 100, 100, 100, 100, 150, 150, 0]);
    const without = quantize(first.query, await contribute(120, [], 4, first.query, first.models));
    const added = quantize(first.query, await contribute(120, ['x,y,z'], 4, first.query, first.models));
    const moved = norm(added.map((value, i) => value - (without[i] as number)));
    expect(moved).toBeLessThanOrEqual(first.query.l2Sensitivity);
    expect(moved).toBeGreaterThan(0.9 * first.query.l2Sensitivity);
  });

  it('of neighbouring tables differs by at most the declared sensitivity, in ring integers', async () => {
    const all = { ...step.query, samplingRate: 1 };
    let moved = 0;
    for (const extra of ['x,x,x', 'z,y,x', 'y,z,z'])
      for (const seed of [1, 2, 3, 4])
        for (const query of [all, step.query]) {
          const without = quantize(query, await contribute(120, [], seed, query));
          const added = quantize(query, await contribute(120, [extra], seed, query));
          const twice = quantize(query, await contribute(120, [extra, extra], seed, query));
          const limit = query.l2Sensitivity / query.encoding.grid;
          const one = norm(added.map((value, i) => value - (without[i] as number)));
          const two = norm(twice.map((value, i) => value - (added[i] as number)));
          expect(one).toBeLessThanOrEqual(limit);
          expect(two).toBeLessThanOrEqual(limit);
          if (one > 0.5 * limit) moved += 1;
        }
    expect(moved).toBeGreaterThan(4); // the bound is nearly met, so half of it would fail
  });

  it('depends on the rng alone beside its input', async () => {
    expect(await contribute(50)).toEqual(await contribute(50));
    expect(await contribute(50, [], 5)).not.toEqual(await contribute(50));
  });

  it('refuses a query that would cost less than it takes, or another model', async () => {
    const cheap = { ...step.query, l2Sensitivity: 0.5 };
    await expect(contribute(5, [], 1, cheap)).rejects.toThrow(InvalidOptions);
    const wide = { ...step.query, dimension: 5 };
    await expect(contribute(5, [], 1, wide)).rejects.toThrow(/dimension/);
    const other = new Map(step.models).set(
      'critic',
      new Uint8Array((step.models.get('critic') as Uint8Array).length),
    );
    await expect(contribute(5, [], 1, step.query, other)).rejects.toThrow(MalformedBytes);
    await expect(contribute(5, [], 1, step.query, new Map())).rejects.toThrow(MalformedBytes);
  });
});

describe('absorbing a sum', () => {
  it('hazard P1: divides by the declared counts of the contributors and by nothing private', async () => {
    // Adam forgets the scale of a single gradient; its first moment keeps it.
    const moments = async (contributors: readonly string[], seed = 1) => {
      const after = await gan.absorb(initial, step.query, noisySum(step.query, seed, [...contributors]));
      return (after.training as Training).criticMoments.first;
    };
    const all = await moments(ids);
    const half = await moments(ids.slice(0, 3));
    half.forEach((value, i) => {
      expect(value / (all[i] as number)).toBeCloseTo(2, 4);
    });
    const { values } = noisySum(step.query, 1);
    expect((all[0] as number) / (values[0] as number)).toBeCloseTo(0.5 / (0.5 * 600), 6); // (1 − β₁)/(q·Σ declared)
  });

  it('is deterministic, leaves the old state as it was, and goes on exactly after encoding', async () => {
    const before = gan.encodeState(initial);
    let straight = untouched;
    let resumed = untouched;
    for (let i = 0; i < options.steps; i++) {
      const { query } = gan.nextQuery(straight) as Step;
      straight = await gan.absorb(straight, query, noisySum(query, i));
      resumed = await gan.absorb(resumed, query, noisySum(query, i));
      resumed = await gan.decodeState(context, options, gan.encodeState(resumed));
    }
    expect(gan.encodeState(resumed)).toEqual(gan.encodeState(straight));
    expect(gan.encodeState(initial)).toEqual(before);
    expect(straight.training?.generatorSteps).toBeGreaterThan(0);
    const again = await gan.decodeState(context, options, gan.encodeState(straight));
    expect(canonicalDigest([...gan.release(again)])).toBe(canonicalDigest([...gan.release(straight)]));
  });

  it('refuses bytes that are no state of these options', async () => {
    const bytes = gan.encodeState(initial);
    await expect(gan.decodeState(context, options, bytes.subarray(0, 40))).rejects.toThrow(MalformedBytes);
    await expect(gan.decodeState(context, options, bytes.subarray(0, bytes.length - 1))).rejects.toThrow(
      /cut short/,
    );
    const wider = { ...options, criticHidden: [17] };
    await expect(gan.decodeState(context, wider, bytes)).rejects.toThrow(/other options/);
  });
});

describe('sampling', () => {
  it('gives row i by (release, seed, i) alone, so pages agree', async () => {
    const release = gan.release(initial);
    const whole = await rowsOf(release, 0, 700);
    expect(whole).toHaveLength(700);
    for (const [offset, count] of [
      [0, 1],
      [255, 2],
      [300, 300],
      [699, 1],
    ] as const)
      expect(await rowsOf(release, offset, count)).toEqual(whole.slice(offset, offset + count));
    expect(await rowsOf(release, 10, 0)).toEqual([]);
    expect(await rowsOf(release, 0, 20, new Uint8Array(32))).not.toEqual(whole.slice(0, 20));
  });

  it('refuses a release of another shape and an offset that is none', async () => {
    const release = gan.release(initial);
    await expect(rowsOf(release.subarray(1), 0, 1)).rejects.toThrow(MalformedBytes);
    await expect(rowsOf(release, -1, 1)).rejects.toThrow(InvalidOptions);
  });

  it('hazard D1: rows of a mixed schema are valid, missing only where allowed', async () => {
    const mixed = smallContext(mixedSchema());
    const none = await gan.initialState(mixed, options, SEED);
    const { query } = gan.nextQuery(none) as Step;
    const state = await gan.absorb(none, query, noisySum(query, 3));
    let missing = 0;
    for await (const row of gan.sample(mixed, options, gan.release(state), {
      seed: SEED,
      offset: 0,
      count: 1000,
    })) {
      expect(Object.keys(row)).toEqual(mixed.schema.fields.map((field) => field.name));
      expect(['red', 'green', 'blue']).toContain(row.colour);
      expect([1, 2, 4]).toContain(row.engines);
      expect(typeof row.night).toBe('boolean');
      if (row.speed === null) missing += 1;
      else
        expect(
          Number.isInteger(row.speed) && (row.speed as number) >= 0 && (row.speed as number) <= 400,
        ).toBe(true);
      expect((row.mass as number) >= -1.5 && (row.mass as number) <= 2.5).toBe(true);
      expect(
        row.day === null || ((row.day as string) >= '1999-12-30' && (row.day as string) <= '2000-03-02'),
      ).toBe(true);
      expect((row.month as string) >= '1999-11' && (row.month as string) <= '2001-02').toBe(true);
    }
    expect(missing).toBeGreaterThan(0);
  });
});

describe('learning', () => {
  it('finds an association from noisy sums alone', { timeout: 120_000 }, async () => {
    const trained = gan.parseOptions({
      ...options,
      steps: 150,
      noiseMultiplier: 1,
      criticHidden: [],
      generatorHidden: [32],
      generatorLearningRate: 0.01,
    });
    const records = await smallRecords(600);
    let state = await gan.initialState(context, trained, SEED);
    const rng = rngOf(7, 'contributions');
    const noise = rngOf(8, 'noise');
    for (let next = gan.nextQuery(state); next !== undefined; next = gan.nextQuery(state)) {
      const sum = await gan.contribute(next.query, next.models, records, rng);
      const draws = normals(noise, sum.length);
      const values = Float64Array.from(sum, (value, i) => value + (draws[i] as number));
      state = await gan.absorb(state, next.query, { values, contributors: ids });
    }
    let agree = 0;
    const seen = new Map<unknown, number>();
    for await (const row of gan.sample(context, trained, gan.release(state), {
      seed: SEED,
      offset: 0,
      count: 1500,
    })) {
      if (row.a === row.b) agree += 1;
      seen.set(row.a, (seen.get(row.a) ?? 0) + 1);
    }
    expect(agree / 1500).toBeGreaterThan(0.65); // 1/3 by chance, 1 in the records
    for (const value of ['x', 'y', 'z']) expect((seen.get(value) ?? 0) / 1500).toBeGreaterThan(0.15); // hazard D6
  });
});
