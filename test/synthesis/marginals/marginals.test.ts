import { beforeAll, describe, expect, it } from 'vitest';
import { drawRecords, sourceOf } from '../../../src/evaluation/audit/inventedRecords.js';
import { epsilonBounds } from '../../../src/privacy/epsilonBounds.js';
import { gaussianEvent } from '../../../src/privacy/events.js';
import { sampleDiscreteGaussian } from '../../../src/privacy/noise/discreteGaussian.js';
import { compositionOf } from '../../../src/privacy/observerViews.js';
import { addShare, checkQuery, dequantize, quantize } from '../../../src/privacy/quantization.js';
import { parseRational, toNumber } from '../../../src/privacy/rational.js';
import type { SumQuery } from '../../../src/privacy/sumQuery.js';
import { decodeMeasured } from '../../../src/synthesis/counts/measured.js';
import { InvalidOptions, MalformedBytes } from '../../../src/synthesis/errors.js';
import { synthesizerOf } from '../../../src/synthesis/index.js';
import { marginalsSynthesizer as marginals } from '../../../src/synthesis/marginals/marginals.js';
import {
  countsQuery,
  MEASURED,
  marginalsPlan,
  readQuestion,
} from '../../../src/synthesis/marginals/question.js';
import type { MarginalsState } from '../../../src/synthesis/marginals/state.js';
import { normals } from '../../../src/synthesis/randomness.js';
import type { Row, Step, SynthesisContext } from '../../../src/synthesis/synthesizer.js';
import { ordinalOf, parseTableSchema, type TableSchema } from '../../../src/synthesis/table/schema.js';
import { mixedSchema, rngOf, smallContext, smallRecords } from '../fixtures.js';

const SEED = new Uint8Array(32).fill(9);
/** Almost no noise: a share's variance is a little above the least that has a proved cost. */
const EXACT = marginals.parseOptions({ noiseMultiplier: 0.02 });
const NOISY = marginals.parseOptions({ noiseMultiplier: 5, iterations: 200 });

const small = smallContext();
const mixed = smallContext(mixedSchema());
const idsOf = ({ members }: SynthesisContext) => members.map(({ id }) => id);

interface Run {
  readonly context: SynthesisContext;
  readonly options: typeof NOISY;
  /** The noisy sum of a query, real units. */
  readonly sumOf: (step: Step, index: number) => Promise<Float64Array> | Float64Array;
  readonly contributors?: readonly string[];
}

/** States from the first to the last. */
async function statesOf({ context, options, sumOf, contributors }: Run): Promise<MarginalsState[]> {
  const states = [await marginals.initialState(context, options, SEED)];
  for (;;) {
    const state = states.at(-1) as MarginalsState;
    const step = marginals.nextQuery(state);
    if (step === undefined) return states;
    const values = await sumOf(step, states.length - 1);
    const sum = { values, contributors: contributors ?? idsOf(context) };
    states.push(await marginals.absorb(state, step.query, sum));
  }
}

const last = (states: readonly MarginalsState[]): MarginalsState => states.at(-1) as MarginalsState;

/** Noise of the query’s own deviation and nothing else: what empty tables give. */
const noiseOnly =
  (seed: number) =>
  ({ query }: Step, index: number): Float64Array => {
    const variance = toNumber(parseRational(query.encoding.shareVariance)) * 6;
    const draws = normals(rngOf(seed, `noise ${index}`), query.dimension);
    return Float64Array.from(draws, (z) => Math.round(Math.sqrt(variance) * z));
  };

/** As participants would, one after the other: count, clamp, add noise, all modulo the ring. */
const summed =
  (tables: readonly (readonly Uint8Array[])[], schema: TableSchema, seed: number) =>
  async ({ query, models }: Step, index: number): Promise<Float64Array> => {
    const ring = new Uint32Array(query.dimension);
    const mask = query.encoding.modulusBits === 32 ? -1 : 2 ** query.encoding.modulusBits - 1;
    for (const [member, rows] of tables.entries()) {
      const noise = sampleDiscreteGaussian(
        query.encoding.shareVariance,
        query.dimension,
        rngOf(seed + member, `share ${index}`),
      );
      const counts = await marginals.contribute(query, models, await sourceOf(schema, rows), rngOf(1));
      const share = addShare(query, quantize(query, counts), noise);
      for (let i = 0; i < ring.length; i++) ring[i] = ((ring[i] as number) + (share[i] as number)) & mask;
    }
    return dequantize(query, ring);
  };

async function rowsOf(
  context: SynthesisContext,
  options: typeof NOISY,
  release: Uint8Array,
  offset: number,
  count: number,
  seed = SEED,
): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const row of marginals.sample(context, options, release, { seed, offset, count }))
    rows.push(row);
  return rows;
}

/** Written apart from the code under test: what the schema says of a row. */
function isValid({ fields }: TableSchema, row: Row): boolean {
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

let noisy: MarginalsState[];
let release: Uint8Array;
beforeAll(async () => {
  noisy = await statesOf({ context: mixed, options: NOISY, sumOf: noiseOnly(1) });
  release = marginals.release(last(noisy));
});

describe('the options of marginals', () => {
  it('have defaults, and name what is wrong', () => {
    expect(marginals.parseOptions(undefined)).toEqual(marginals.parseOptions({}));
    for (const [input, option] of [
      [{ noiseMultiplier: 0 }, 'noiseMultiplier'],
      [{ modelCells: 10 }, 'modelCells'],
      [{ iterations: 1.5 }, 'iterations'],
      [{ epsilon: 1 }, 'marginals'],
    ] as const)
      expect(() => marginals.parseOptions(input)).toThrow(
        expect.objectContaining({ code: 'INVALID_OPTIONS', option }),
      );
    expect(synthesizerOf('marginals').kind).toBe('marginals');
  });

  it('are refused for a table of one column, of too many, or of more cells than the model may have', () => {
    const columns = (count: number, values = 2) =>
      smallContext(
        parseTableSchema({
          fields: Array.from({ length: count }, (_, i) => ({
            name: `f${i}`,
            type: 'string',
            constraints: { required: true, enum: Array.from({ length: values }, (_, v) => `v${v}`) },
          })),
        }),
      );
    const plan = (context: SynthesisContext, modelCells: number) =>
      marginals.plan(context, { ...NOISY, modelCells });
    for (const count of [1, 65]) expect(() => plan(columns(count), 1000)).toThrow(/2 to 64 columns/);
    expect(() => plan(columns(2, 501), 1000)).toThrow(expect.objectContaining({ option: 'modelCells' }));
    expect(plan(columns(2, 500), 1000)).toHaveLength(4);
  });
});

describe('the queries', () => {
  it('hazard P19: cost together what one Gaussian mechanism of the noise multiplier does', () => {
    for (const noiseMultiplier of [0.7, 5, 40])
      for (const context of [small, mixed]) {
        const plan = marginals.plan(context, { ...NOISY, noiseMultiplier });
        expect(plan.map(({ count }) => count)).toEqual([1, 1, 1, 1]);
        const sums = epsilonBounds(compositionOf(plan), { delta: 1e-6 }).epsilon;
        const one = epsilonBounds(gaussianEvent(noiseMultiplier), { delta: 1e-6 }).epsilon;
        expect(Math.abs(sums.upper / one.upper - 1)).toBeLessThan(1e-6);
        expect(sums.lower).toBeLessThanOrEqual(sums.upper);
      }
  });

  it('pass the client’s own check and are those of the plan, whatever was opened before', () => {
    for (const state of noisy.slice(0, -1)) {
      const { query, models } = marginals.nextQuery(state) as Step;
      expect(checkQuery(structuredClone(query), mixed.cohort, mixed.members.length)).toEqual(query);
      marginals.assertQuery(mixed, NOISY, query);
      expect(query.models[0]?.bytes).toBe(models.get(MEASURED)?.length);
      readQuestion(query, models, state.plan.fine);
    }
    expect(marginals.nextQuery(last(noisy))).toBeUndefined();
  });

  it('hazard S11: are refused with another sensitivity, grid, shape, step or number of documents', () => {
    const { query } = marginals.nextQuery(noisy[1] as MarginalsState) as Step;
    const { encoding } = query;
    const lies: Partial<SumQuery>[] = [
      { l2Sensitivity: query.l2Sensitivity * 2 },
      { dimension: query.dimension + 1 },
      { samplingRate: 0.5 },
      { kind: 'gan/critic-gradient' },
      { parameters: { sum: 1 } },
      { parameters: { sum: 5 } },
      { parameters: {} },
      { encoding: { ...encoding, shareVariance: { numerator: '16', denominator: '1' } } },
      { encoding: { ...encoding, maxCoordinate: encoding.maxCoordinate * 2 } },
      { models: [] },
      { models: [...query.models, ...query.models] },
      { models: query.models.map((model) => ({ ...model, name: 'critic' })) },
    ];
    for (const lie of lies)
      expect(() => marginals.assertQuery(mixed, NOISY, { ...query, ...lie })).toThrow(InvalidOptions);
    const louder = { ...NOISY, noiseMultiplier: 6 };
    expect(() => marginals.assertQuery(mixed, louder, query)).toThrow(InvalidOptions);
  });

  const optional = (count: number, values: number, more: object = {}) =>
    smallContext(
      parseTableSchema({
        fields: Array.from({ length: count }, (_, i) => ({
          name: `f${i}`,
          ...(values > 2000
            ? { type: 'integer', constraints: { minimum: 0, maximum: values } }
            : { type: 'integer', constraints: { enum: Array.from({ length: values }, (_, v) => v) } }),
          ...more,
        })),
      }),
    );

  it.each([
    ['ranges with missing values', optional(3, 5000), 4],
    ['categories with missing values', optional(3, 40), 4],
    ['columns of the most categories there can be', optional(2, 1024), 4],
    ['the most columns there can be', optional(64, 2), 2],
  ])('ask no more than they have coordinates and sensitivity for: %s', async (_, context, sums) => {
    const members = context.members.map((member) => ({ ...member, declaredRecords: 1_000_000 }));
    const large = { ...context, members };
    for (const { own, noiseMultiplier, records } of [
      { own: large, noiseMultiplier: 5, records: 300 },
      { own: context, noiseMultiplier: 0.05, records: 300 },
      // Sums of zeros: no pair is worth counting, and all columns are counted again.
      { own: context, noiseMultiplier: 5, records: undefined },
    ]) {
      const options = { ...NOISY, noiseMultiplier, iterations: 20 };
      let state = await marginals.initialState(own, options, SEED);
      for (let sum = 0; sum < sums; sum++) {
        const { query, models } = marginals.nextQuery(state) as Step;
        readQuestion(query, models, state.plan.fine);
        const values = noiseOnly(3)({ query, models }, sum).map((noise, i) =>
          records === undefined ? 0 : noise + records * query.l2Sensitivity * (i % 7),
        );
        state = await marginals.absorb(state, query, { values, contributors: idsOf(own) });
      }
    }
  });
});

describe('a run', () => {
  const SHARE = 200;
  let rows: readonly Uint8Array[];
  beforeAll(async () => {
    // a and b agree, c goes with the parity of the record.
    const kept: Uint8Array[] = [];
    for await (const batch of (await smallRecords(600)).sample(1, rngOf(1)))
      for (let i = 0; i < batch.count; i++) kept.push(batch.rows.slice(6 * i, 6 * (i + 1)));
    rows = kept;
  });
  const split = (tables: number): Uint8Array[][] =>
    Array.from({ length: tables }, (_, t) => rows.filter((_row, i) => i % tables === t));

  it('with next to no noise opens the exact counts, and its rows have the joint table', async () => {
    const sumOf = summed(split(6), small.schema, 1);
    const states = await statesOf({ context: small, options: EXACT, sumOf });
    const [first] = last(states).sums;
    const weight = first?.measured.marginals[0]?.weight as number;
    const counts = Array.from(first?.values as Float64Array, (value) => value / weight);
    const exact = [SHARE, SHARE, SHARE, SHARE, SHARE, SHARE, 300, 300, 0];
    for (const [i, count] of counts.entries())
      expect(Math.abs(count - (exact[i] as number))).toBeLessThan(0.5);

    const drawn = await rowsOf(small, EXACT, marginals.release(last(states)), 0, 16_384);
    const seen = new Map<string, number>();
    for (const { a, b, c } of drawn) seen.set(`${a}${b}${c}`, (seen.get(`${a}${b}${c}`) ?? 0) + 1);
    const [agreeing, unlike] = [...seen].reduce(
      ([same, other], [cell, count]) =>
        cell[0] === cell[1] && cell[2] !== 'z' ? [same + count, other] : [same, other + count],
      [0, 0],
    );
    expect(unlike / (agreeing + unlike)).toBeLessThan(0.005);
    for (const cell of ['xxx', 'xxy', 'yyx', 'yyy', 'zzx', 'zzy'])
      expect(Math.abs((seen.get(cell) ?? 0) / 16_384 - 1 / 6)).toBeLessThan(0.005);
    expect(marginals.progress(last(states)).pairs).toBeGreaterThan(0);
  });

  it('finds the dependence through noise of a normal run', async () => {
    // 600 records, and a count's own noise of about 5/√0.35: agreement by chance would be 1/3.
    const options = { ...NOISY, noiseMultiplier: 5 };
    const states = await statesOf({ context: small, options, sumOf: summed(split(6), small.schema, 2) });
    const drawn = await rowsOf(small, options, marginals.release(last(states)), 0, 5000);
    expect(drawn.filter(({ a, b }) => a === b).length / 5000).toBeGreaterThan(0.8);
  });

  it('reaches the same state, byte for byte, however the records are spread over the members', async () => {
    const skewed = [...rows].sort((x, y) => (x[0] as number) - (y[0] as number));
    const sorted = Array.from({ length: 6 }, (_, t) => skewed.slice(100 * t, 100 * (t + 1)));
    const uneven = [0, 190, 190, 300, 410, 505].map((from, t, all) => skewed.slice(from, all[t + 1] ?? 600));
    const run = (tables: Uint8Array[][]) =>
      statesOf({ context: small, options: NOISY, sumOf: summed(tables, small.schema, 5) });
    const even = await run(split(6));
    for (const tables of [sorted, uneven])
      expect((await run(tables)).map(marginals.encodeState)).toEqual(even.map(marginals.encodeState));
  });

  it('goes on with fewer contributors, whose noise is what it reckons with', async () => {
    const five = idsOf(small).slice(0, 5);
    const sumOf = summed(split(6).slice(0, 5), small.schema, 3);
    const states = await statesOf({ context: small, options: NOISY, sumOf, contributors: five });
    const all = await statesOf({ context: small, options: NOISY, sumOf });
    last(states).sums.forEach(({ variance }, i) => {
      const { shareVariance } = countsQuery(last(states).plan, i).encoding;
      expect(variance).toBe(5 * toNumber(parseRational(shareVariance)));
      expect(variance / (last(all).sums[i]?.variance as number)).toBeCloseTo(5 / 6, 12);
    });
    for (const row of await rowsOf(small, NOISY, marginals.release(last(states)), 0, 500))
      expect(isValid(small.schema, row)).toBe(true);
  });

  it('of empty tables ends in a release of valid rows', { timeout: 120_000 }, async () => {
    for (let seed = 10; seed < 15; seed++) {
      const states = await statesOf({ context: mixed, options: NOISY, sumOf: noiseOnly(seed) });
      for (const row of await rowsOf(mixed, NOISY, marginals.release(last(states)), 0, 200))
        expect(isValid(mixed.schema, row)).toBe(true);
    }
    const zeros = await statesOf({
      context: mixed,
      options: NOISY,
      sumOf: ({ query }) => new Float64Array(query.dimension),
    });
    for (const row of await rowsOf(mixed, NOISY, marginals.release(last(zeros)), 0, 200))
      expect(isValid(mixed.schema, row)).toBe(true);
  });

  it('refuses a sum that was not asked, or of another length', async () => {
    const { query } = marginals.nextQuery(noisy[0] as MarginalsState) as Step;
    const values = new Float64Array(query.dimension);
    const contributors = idsOf(mixed);
    await expect(marginals.absorb(last(noisy), query, { values, contributors })).rejects.toThrow(
      InvalidOptions,
    );
    const short = { values: values.subarray(1), contributors };
    await expect(marginals.absorb(noisy[0] as MarginalsState, query, short)).rejects.toThrow(/dimension/);
    expect(() => marginals.release(noisy[3] as MarginalsState)).toThrow(InvalidOptions);
    await expect(marginals.initialState(mixed, NOISY, new Uint8Array(15))).rejects.toThrow(InvalidOptions);
  });
});

describe('the state', () => {
  it('is the same after encoding and decoding, at every step, and goes on bit for bit', async () => {
    const sumOf = noiseOnly(1);
    let state = await marginals.initialState(mixed, NOISY, SEED);
    for (const [index, straight] of noisy.entries()) {
      const bytes = marginals.encodeState(state);
      expect(bytes).toEqual(marginals.encodeState(straight));
      const decoded = await marginals.decodeState(mixed, NOISY, bytes);
      expect(decoded).toEqual(state);
      const step = marginals.nextQuery(decoded);
      if (step === undefined) break;
      const sum = { values: sumOf(step, index), contributors: idsOf(mixed) };
      state = await marginals.absorb(decoded, step.query, sum);
      expect(marginals.encodeState(decoded)).toEqual(bytes); // and the old one is as it was
    }
    expect(marginals.release(state)).toEqual(release);
    expect(marginals.progress(state)).toMatchObject({ step: 4, steps: 4 });
  });

  const decode = (bytes: Uint8Array, context = mixed) => marginals.decodeState(context, NOISY, bytes);
  /** The bytes with another first line. */
  function withHeader(bytes: Uint8Array, change: (header: Record<string, unknown>) => unknown): Uint8Array {
    const end = bytes.indexOf(0x0a);
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(0, end)));
    return Buffer.concat([Buffer.from(`${JSON.stringify(change(header))}\n`), bytes.subarray(end + 1)]);
  }

  it('is refused where its bytes are cut short, too long, of another schema or none', async () => {
    for (const state of noisy) {
      const bytes = marginals.encodeState(state);
      const body = bytes.indexOf(0x0a) + 1;
      const lengths = [0, 1, 20, body - 1, body, body + 1, bytes.length - 8, bytes.length - 1];
      for (const length of lengths.filter((own) => own < bytes.length))
        await expect(decode(bytes.subarray(0, length))).rejects.toThrow(MalformedBytes);
      await expect(decode(Buffer.concat([bytes, Buffer.alloc(1)]))).rejects.toThrow(MalformedBytes);
      await expect(decode(bytes, small)).rejects.toThrow(MalformedBytes);
    }
  });

  it.each<[string, (header: Record<string, unknown>) => unknown]>([
    ['null', () => null],
    ['a list', () => []],
    ['another magic', (header) => ({ ...header, magic: 'chorale/marginals release' })],
    ['another version', (header) => ({ ...header, version: 2 })],
    ['no sums', ({ sums: _, ...header }) => header],
    ['a sum less', (header) => ({ ...header, sums: (header.sums as unknown[]).slice(1) })],
    [
      'a sum too many',
      (header) => ({ ...header, sums: [...(header.sums as unknown[]), (header.sums as unknown[])[0]] }),
    ],
    ['sums of no form', (header) => ({ ...header, sums: [1, 2] })],
    [
      'no noise',
      (header) => ({ ...header, sums: (header.sums as object[]).map((sum) => ({ ...sum, variance: 0 })) }),
    ],
    ['no seed', ({ seed: _, ...header }) => header],
    ['a seed of texts', (header) => ({ ...header, seed: ['a'] })],
    ['nothing to ask next', (header) => ({ ...header, next: null })],
    ['a lie to ask next', (header) => ({ ...header, next: { version: 1, maps: [], marginals: [{}] } })],
    ['a release before its time', (header) => ({ ...header, release: 0 })],
  ])('is refused with a header that is %s', async (_, change) => {
    const bytes = marginals.encodeState(noisy[2] as MarginalsState);
    expect(await decode(withHeader(bytes, (header) => header))).toEqual(noisy[2]);
    await expect(decode(withHeader(bytes, change))).rejects.toThrow(MalformedBytes);
  });
});

describe('the release', () => {
  it('is the same for the same sums: nothing else goes into it', async () => {
    const again = await statesOf({ context: mixed, options: NOISY, sumOf: noiseOnly(1) });
    expect(marginals.release(last(again))).toEqual(release);
    const other = await statesOf({ context: mixed, options: NOISY, sumOf: noiseOnly(2) });
    expect(marginals.release(last(other))).not.toEqual(release);
  });

  it('gives row i by (release, seed, i) alone, so pages agree, over the ends of blocks too', async () => {
    const whole = await rowsOf(mixed, NOISY, release, 0, 16_500);
    for (const [offset, count] of [
      [0, 1],
      [511, 3],
      [16_380, 10],
      [16_384, 1],
      [16_499, 1],
    ] as const)
      expect(await rowsOf(mixed, NOISY, release.slice(), offset, count)).toEqual(
        whole.slice(offset, offset + count),
      );
    expect(await rowsOf(mixed, NOISY, release, 10, 0)).toEqual([]);
    expect(await rowsOf(mixed, NOISY, release, 0, 20, new Uint8Array(32))).not.toEqual(whole.slice(0, 20));
    for (const [offset, count] of [
      [-1, 1],
      [0.5, 1],
      [0, -1],
      [0, Number.NaN],
    ] as const)
      await expect(rowsOf(mixed, NOISY, release, offset, count)).rejects.toThrow(InvalidOptions);
  });

  it('hazard D1: rows of every type of column are valid, missing only where allowed', async () => {
    const records = drawRecords(mixed.schema, 900, rngOf(3, 'rows'));
    const tables = Array.from({ length: 6 }, (_, t) => records.slice(150 * t, 150 * (t + 1)));
    const sumOf = summed(tables, mixed.schema, 8);
    const states = await statesOf({ context: mixed, options: { ...NOISY, noiseMultiplier: 1 }, sumOf });
    let missing = 0;
    for (const row of await rowsOf(mixed, NOISY, marginals.release(last(states)), 100, 3000)) {
      expect(isValid(mixed.schema, row)).toBe(true);
      if (row.speed === null) missing += 1;
    }
    expect(missing).toBeGreaterThan(300); // of 3000; a quarter of the invented speeds are
    expect(missing).toBeLessThan(1200);
  });

  const sample = (bytes: Uint8Array, context = mixed, options = NOISY) =>
    rowsOf(context, options, bytes, 0, 1);
  function withHeader(change: (header: { columns: number[][]; factors: object[] }) => unknown): Uint8Array {
    const end = release.indexOf(0x0a);
    const header = JSON.parse(new TextDecoder().decode(release.subarray(0, end)));
    return Buffer.concat([Buffer.from(`${JSON.stringify(change(header))}\n`), release.subarray(end + 1)]);
  }

  it('is refused where its bytes are cut short, too long or of another schema, also once it was sampled', async () => {
    expect(await sample(release)).toHaveLength(1);
    await expect(sample(release, small)).rejects.toThrow(MalformedBytes);
    expect(await sample(release)).toHaveLength(1);
    for (const length of [0, 1, 30, release.indexOf(0x0a), release.indexOf(0x0a) + 1, release.length - 1])
      await expect(sample(release.slice(0, length))).rejects.toThrow(MalformedBytes);
    await expect(sample(Buffer.concat([release, Buffer.alloc(8)]))).rejects.toThrow(MalformedBytes);
    await expect(sample(release.slice(), mixed, { ...NOISY, modelCells: 10 })).rejects.toThrow(
      MalformedBytes,
    );
  });

  it.each<[string, (header: { columns: number[][]; factors: object[] }) => unknown]>([
    ['null', () => null],
    ['another version', (header) => ({ ...header, version: 2 })],
    ['no columns', ({ columns: _, ...header }) => header],
    ['no factors', ({ factors: _, ...header }) => header],
    ['no records', (header) => ({ ...header, total: 0 })],
    [
      'a gap in the cells',
      (header) => ({ ...header, columns: header.columns.map((own) => own.map((cell) => cell + 1)) }),
    ],
    [
      'a cell of a billion',
      (header) => ({ ...header, columns: header.columns.map((own) => own.map(() => 1e9)) }),
    ],
    [
      'a column that is not there',
      (header) => ({ ...header, factors: header.factors.map((own) => ({ ...own, attributes: [99] })) }),
    ],
    [
      'a factor of another size',
      (header) => ({ ...header, factors: header.factors.map((own) => ({ ...own, attributes: [0, 1] })) }),
    ],
  ])('is refused with a header that has %s', async (_, change) => {
    expect(await sample(withHeader((header) => header))).toEqual(await sample(release));
    await expect(sample(withHeader(change))).rejects.toThrow(MalformedBytes);
  });

  it('is refused where its numbers are none', async () => {
    const bytes = release.slice();
    bytes.fill(0xff, bytes.indexOf(0x0a) + 1);
    await expect(sample(bytes)).rejects.toThrow(MalformedBytes);
  });
});

describe('the document of each sum', () => {
  it('keeps to the scale, and uses nearly all of it', () => {
    const { fine, scale } = marginalsPlan(mixed, NOISY);
    for (const state of noisy.slice(0, -1)) {
      const { models } = marginals.nextQuery(state) as Step;
      const measured = decodeMeasured(models.get(MEASURED) as Uint8Array, fine, scale);
      const norm = Math.hypot(...measured.marginals.map(({ weight }) => weight));
      expect(norm).toBeGreaterThan(0.95 * scale);
    }
  });
});
