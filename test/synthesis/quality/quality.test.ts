import { Readable } from 'node:stream';
import { beforeAll, describe, expect, it } from 'vitest';
import { columnCells } from '../../../src/evaluation/cells.js';
import { fidelity, pairDistances } from '../../../src/evaluation/fidelity.js';
import { JointCounts } from '../../../src/evaluation/jointCounts.js';
import { sampleDiscreteGaussian } from '../../../src/privacy/noise/discreteGaussian.js';
import { addShare, checkQuery, dequantize, quantize } from '../../../src/privacy/quantization.js';
import { InvalidOptions, MalformedBytes } from '../../../src/synthesis/errors.js';
import { referenceTo } from '../../../src/synthesis/models.js';
import { meanDistance } from '../../../src/synthesis/quality/distances.js';
import { parseQualityOptions } from '../../../src/synthesis/quality/options.js';
import { type QualityState, qualitySynthesizer as quality } from '../../../src/synthesis/quality/quality.js';
import { encodeQuestion } from '../../../src/synthesis/quality/question.js';
import { decodeReport, type QualityReport } from '../../../src/synthesis/quality/report.js';
import { featuresOf, mapsOf, nearestDistance, scoreOf } from '../../../src/synthesis/quality/scoring.js';
import { normals, uniforms } from '../../../src/synthesis/randomness.js';
import type { ReleasedRun, Row, Step, SynthesisContext } from '../../../src/synthesis/synthesizer.js';
import { readCsv } from '../../../src/synthesis/table/csv.js';
import { cellsOf, tableEncoding } from '../../../src/synthesis/table/encoding.js';
import { fineCells } from '../../../src/synthesis/table/fineCells.js';
import { type PartitionedRecords, splitRecords } from '../../../src/synthesis/table/holdOut.js';
import type { RecordSource } from '../../../src/synthesis/table/records.js';
import { parseTableSchema } from '../../../src/synthesis/table/schema.js';
import { withinSensitivity } from '../../privacy/neighbouring.js';
import { rngOf } from '../fixtures.js';
import {
  keyOf,
  partitioned,
  QUALITY_SCHEMA,
  qualityContext,
  qualitySchema,
  recordsOf,
  rowsIn,
  rowsOf,
  runOf,
} from './tables.js';

const SEED = new Uint8Array(32).fill(3);
const RUN = 'abc123';

async function started(context: SynthesisContext, options: object, run: ReleasedRun): Promise<QualityState> {
  return quality.initialState(context, parseQualityOptions({ run: RUN, ...options }), SEED, [run]);
}

/** The sum of these members' masked vectors as the coordinator opens it. */
async function opened(
  { query, models }: Step,
  members: readonly RecordSource[],
  seed: number,
): Promise<Float64Array> {
  const modulus = 2 ** query.encoding.modulusBits;
  const ring = new Uint32Array(query.dimension);
  for (const [i, records] of members.entries()) {
    const rng = rngOf(seed, `member ${i}`);
    const noise = sampleDiscreteGaussian(query.encoding.shareVariance, query.dimension, rng);
    const vector = addShare(
      query,
      quantize(query, await quality.contribute(query, models, records, rng)),
      noise,
    );
    vector.forEach((value, k) => {
      ring[k] = (ring[k]! + value) % modulus;
    });
  }
  return dequantize(query, ring);
}

async function reportOn(
  state: QualityState,
  members: readonly RecordSource[],
  seed = 1,
): Promise<QualityReport> {
  const step = quality.nextQuery(state)!;
  const contributors = state.plan.context.members.slice(0, members.length).map(({ id }) => id);
  const values = await opened(step, members, seed);
  return decodeReport(quality.release(await quality.absorb(state, step.query, { values, contributors })));
}

/** The area by ranks over all rows, ties by half, and the same attack: what a judge with the table would find. */
async function exactly(state: QualityState, members: readonly PartitionedRecords[]) {
  const { question, references } = state.prepared;
  const maps = mapsOf(question);
  const schema = qualitySchema();
  const [fine, cells] = [fineCells(schema), tableEncoding(schema)];
  const columns = schema.fields.length;
  const { column, classes } = question.label!;
  const scores: { score: number; positive: boolean }[] = [];
  const distances = { held: new Float64Array(columns + 1), trained: new Float64Array(columns + 1) };
  for (const records of members) {
    for await (const batch of records.holdOut.sample(1, rngOf(1))) {
      const features = featuresOf(cellsOf(fine, batch), maps);
      const own = cellsOf(cells, batch);
      for (let first = 0; first < features.length; first += columns) {
        distances.held[nearestDistance(features, first, columns, references)]!++;
        const score = scoreOf(classes[0]!, column, features, first);
        scores.push({ score, positive: own[first + column] === classes[0]!.category });
      }
    }
    for await (const batch of records.sample(1, rngOf(1))) {
      const features = featuresOf(cellsOf(fine, batch), maps);
      for (let first = 0; first < features.length; first += columns)
        distances.trained[nearestDistance(features, first, columns, references)]!++;
    }
  }
  scores.sort((a, b) => a.score - b.score);
  let [area, below] = [0, 0];
  const positives = scores.filter(({ positive }) => positive).length;
  for (let i = 0; i < scores.length; ) {
    let j = i;
    while (j < scores.length && scores[j]!.score === scores[i]!.score) j++;
    const tied = scores.slice(i, j).filter(({ positive }) => positive).length;
    area += tied * (below + (j - i - tied) / 2);
    below += j - i - tied;
    i = j;
  }
  const share = (counts: Float64Array, t: number) =>
    counts.slice(0, t + 1).reduce((a, b) => a + b, 0) / counts.reduce((a, b) => a + b, 0);
  const advantage = Math.max(
    0,
    ...Array.from({ length: columns }, (_, t) => share(distances.trained, t) - share(distances.held, t)),
  );
  return { area: area / (positives * (scores.length - positives)), advantage };
}

describe('federated evaluation with almost no noise', () => {
  let members: PartitionedRecords[];
  let state: QualityState;
  let report: QualityReport;
  let synthetic: Row[];

  beforeAll(async () => {
    members = await Promise.all([0, 1, 2, 3].map((m) => partitioned(rowsOf(10_000, `member ${m}`), m)));
    synthetic = rowsOf(20_000, 'synthetic', 0.4);
    state = await started(qualityContext(), { noiseMultiplier: 0.02 }, runOf(synthetic));
    report = await reportOn(state, members);
  });

  it('gives the distances that src/evaluation finds on the pooled hold-out, to 1e-4', async () => {
    const columns = columnCells(qualitySchema());
    const pooled = new JointCounts(columns);
    for (const { holdOut } of members) for (const row of await rowsIn(holdOut)) pooled.add(row);
    const table = new JointCounts(columns);
    for (const row of synthetic) table.add(row);
    const exact = fidelity(pooled, table);
    expect(report.twoWay.cells).toBe(8);
    expect(Math.abs(report.oneWay.mean.estimate - exact.oneWay.mean)).toBeLessThan(1e-4);
    expect(Math.abs(report.twoWay.mean.estimate - exact.twoWay.mean)).toBeLessThan(1e-4);
    expect(exact.twoWay.mean).toBeGreaterThan(0.05);
    expect(report.oneWay.columns[0]!.column).toBe(exact.oneWay.worst.column);
    for (const { columns: names, distance } of report.twoWay.worst) {
      const pair = pairDistances(pooled, table).find(({ columns: own }) => own.join() === names.join())!;
      expect(Math.abs(distance.estimate - pair.totalVariation)).toBeLessThan(2e-4);
    }
    expect(Math.abs(report.records.estimate - pooled.rows)).toBeLessThan(1);
  });

  it('gives the area of the published classifier on the pooled hold-out, and the attack, to 1e-4', async () => {
    const exact = await exactly(state, members);
    expect(Math.abs(report.label!.area.estimate - exact.area)).toBeLessThan(1e-4);
    expect(exact.area).toBeGreaterThan(0.65);
    expect(Math.abs(report.attack.advantage.estimate - exact.advantage)).toBeLessThan(1e-4);
    expect(report.attack.advantage.upper).toBeLessThan(0.05);
  });

  it('finds a table of the same law as close as another sample of it would be', async () => {
    const own = await started(qualityContext(), { noiseMultiplier: 0.02 }, runOf(rowsOf(20_000, 'another')));
    const { twoWay } = await reportOn(own, members);
    expect(twoWay.mean.estimate).toBeLessThan(1.5 * twoWay.sampling);
    expect(twoWay.mean.estimate).toBeGreaterThan(0.5 * twoWay.sampling);
  });

  it('has the yardstick of independent columns above a table that keeps their relations', async () => {
    const good = await started(qualityContext(), { noiseMultiplier: 0.02 }, runOf(rowsOf(20_000, 'other')));
    const { twoWay } = await reportOn(good, members);
    expect(twoWay.independentColumns.estimate).toBeGreaterThan(5 * twoWay.mean.estimate);
  });
});

describe('the membership attack', () => {
  /** Nobody is like anybody else: 100 values in each of six columns. */
  const schema = parseTableSchema({
    fields: [...'abcdef'].map((name) => ({
      name,
      type: 'integer',
      constraints: { required: true, minimum: 0, maximum: 99 },
    })),
  });
  const invented = (count: number, seed: number): Row[] => {
    const draws = uniforms(rngOf(seed), 6 * count);
    return Array.from({ length: count }, (_, i) =>
      Object.fromEntries([...'abcdef'].map((name, c) => [name, Math.floor(100 * draws[6 * i + c]!)])),
    );
  };
  const read = async (rows: readonly Row[], member: number) => {
    const lines = rows.map((row) => Object.values(row).join(','));
    const records = await readCsv(Readable.from([`a,b,c,d,e,f\n${lines.join('\n')}\n`]), schema);
    return splitRecords(records, 0.5, keyOf(member));
  };
  const context = { ...qualityContext(1000), schema };
  const options = { noiseMultiplier: 4, rows: 2000 };

  it('sees a release that copies the training records, through the noise; one that does not is innocent', async () => {
    const members = await Promise.all([0, 1, 2, 3].map((m) => read(invented(1000, m), m)));
    const copied = (await Promise.all(members.map((records) => rowsIn(records)))).flat();
    const honest = await reportOn(await started(context, options, runOf(invented(2000, 9))), members);
    const leaking = await reportOn(
      await started(context, options, runOf(copied.concat(invented(2000, 8)))),
      members,
    );
    expect(honest.label).toBeNull();
    expect(honest.attack.advantage.lower).toBe(0);
    expect(leaking.attack.advantage.lower).toBeGreaterThan(0.5);
  });
});

describe('federated evaluation under noise', () => {
  it('holds the exact figures in intervals of 95 %: of 40 at most 7 are missed, where 5 % would miss more once in 1,000', async () => {
    const context = qualityContext(1000, 0.4);
    const members = await Promise.all([0, 1, 2, 3].map((m) => partitioned(rowsOf(1000, `few ${m}`), m, 0.4)));
    const run = runOf(rowsOf(20_000, 'synthetic', 0.4));
    const exact = await reportOn(await started(context, { noiseMultiplier: 0.02 }, run), members);
    const noisy = await started(context, { noiseMultiplier: 4 }, run);
    let missed = 0;
    for (let seed = 1; seed <= 10; seed++) {
      const report = await reportOn(noisy, members, seed);
      for (const [found, true_] of [
        [report.oneWay.mean, exact.oneWay.mean],
        [report.twoWay.mean, exact.twoWay.mean],
        [report.label!.area, exact.label!.area],
        [report.attack.advantage, exact.attack.advantage],
      ] as const)
        if (true_.estimate < found.lower || true_.estimate > found.upper) missed++;
      expect(report.twoWay.mean.upper - report.twoWay.mean.lower).toBeLessThan(0.3);
    }
    expect(missed).toBeLessThanOrEqual(7);
  });

  it('control: without the noise’s excess taken off, the distance of equal tables is far from 0', () => {
    const shares = new Float64Array(64).fill(1 / 64);
    const noise = normals(rngOf(5), 64 * 20);
    const tables = Array.from({ length: 20 }, (_, t) => ({
      shares,
      variance: 100,
      counts: shares.map((share, k) => 1000 * share + 10 * noise[64 * t + k]!),
    }));
    const total = { records: 1000, variance: 1 };
    const found = meanDistance(tables, total);
    expect(found.lower).toBe(0);
    expect(found.estimate).toBeLessThan(0.1);
    const naive = meanDistance(
      tables.map((table) => ({ ...table, variance: 0 })),
      total,
    );
    expect(naive.lower).toBeGreaterThan(0.2);
  });
});

describe('a label of several classes', () => {
  it('is scored one against the others, each that stands out of the noise', async () => {
    const schema = parseTableSchema({
      fields: QUALITY_SCHEMA.fields.map((field) => ({ ...field, 'chorale:label': field.name === 'place' })),
    });
    const context = { ...qualityContext(1000), schema };
    // One row in a hundred is in space: about twenty held-out records.
    const rows = (count: number, seed: string) =>
      rowsOf(count, seed).map((row, i) => {
        const place = row.place === 'space' ? 'air' : row.place!;
        return { ...row, place: i % 100 === 0 ? 'space' : place };
      });
    const state = await started(context, { noiseMultiplier: 1 }, runOf(rows(20_000, 'classes')));
    const { classes } = state.prepared.question.label!;
    expect(classes.map(({ category }) => category).sort()).toEqual([0, 1, 2]);
    expect(classes.reduce((sum, { weight }) => sum + weight ** 2, 0)).toBeLessThanOrEqual(
      state.plan.parts.scores ** 2,
    );
    const members = await Promise.all([0, 1, 2, 3].map((m) => partitioned(rows(1000, `class ${m}`), m)));
    const { label } = await reportOn(state, members);
    expect(label!.classes.map(({ category }) => category).sort()).toEqual(['air', 'land', 'sea']);
    expect(label!.area.lower).toBeGreaterThan(0.5);
    for (const { area } of label!.classes) expect(area.upper - area.lower).toBeLessThan(0.3);
  });
});

describe('what a participant answers', () => {
  let state: QualityState;
  let step: Step;
  beforeAll(async () => {
    state = await started(
      qualityContext(200, 0.5),
      { noiseMultiplier: 2, references: 50, rows: 500 },
      runOf(rowsOf(500, 's')),
    );
    step = quality.nextQuery(state)!;
  });

  it('is asked as planned and paid for', () => {
    const { context, options } = state.plan;
    const query = checkQuery(structuredClone(step.query), context.cohort, context.members.length);
    quality.assertQuery(context, options, query);
    expect(quality.plan(context, options)).toHaveLength(1);
    expect(() =>
      quality.assertQuery(context, options, { ...query, l2Sensitivity: query.l2Sensitivity / 2 }),
    ).toThrow(InvalidOptions);
  });

  it('neighbouring replay: one record more, in either part, moves what is masked by at most the sensitivity', async () => {
    const rows = rowsOf(200, 'replay');
    const extras: Row[] = [
      ...rowsOf(30, 'extra'),
      rows[0]!,
      { place: 'air', size: null, score: 0, hit: false },
      { place: 'space', size: 'large', score: 7, hit: true },
    ];
    let largest = 0;
    for (const size of [0, 1, 200])
      for (const [i, extra] of extras.entries()) {
        const vectors: Uint32Array[] = [];
        for (const table of [rows.slice(0, size), [...rows.slice(0, size), extra]]) {
          const rng = rngOf(9);
          const noise = sampleDiscreteGaussian(step.query.encoding.shareVariance, step.query.dimension, rng);
          // Another key for each: in one part or the other.
          const records = await partitioned(table, i % 8);
          const sum = await quality.contribute(step.query, step.models, records, rng);
          vectors.push(addShare(step.query, quantize(step.query, sum), noise));
        }
        const [a, b] = vectors as [Uint32Array, Uint32Array];
        expect(withinSensitivity(step.query, a, b)).toBe(true);
        const moved = b.filter((value, k) => value !== a[k]).length;
        largest = Math.max(largest, moved);
      }
    // A held-out record is in every table: 4 columns, 6 pairs, the score and the distance.
    expect(largest).toBe(4 + 6 + 1 + 1);
  });

  it('takes one seed before it touches a record, however many there are', async () => {
    const traces: number[][] = [];
    for (const count of [1, 700]) {
      const trace: number[] = [];
      await quality.contribute(
        step.query,
        step.models,
        await partitioned(rowsOf(count, 't'), 0),
        (length) => {
          trace.push(length);
          return new Uint8Array(length).fill(1);
        },
      );
      traces.push(trace);
    }
    expect(traces).toEqual([[32], [32]]);
  });

  it('refuses records that were not divided, and a question by which a record would count for more', async () => {
    const whole = await recordsOf(rowsOf(10, 'w'));
    await expect(quality.contribute(step.query, step.models, whole, rngOf(1))).rejects.toThrow(
      InvalidOptions,
    );
    const { question } = state.prepared;
    const heavier = encodeQuestion({
      ...question,
      membership: { ...question.membership, weight: state.plan.scale },
    });
    const query = { ...step.query, models: [referenceTo('question', heavier), step.query.models[1]!] };
    const models = new Map(step.models).set('question', heavier);
    await expect(quality.contribute(query, models, await partitioned([], 0), rngOf(1))).rejects.toThrow(
      MalformedBytes,
    );
  });

  it('goes on from its encoded state as if nothing had happened, and releases the same bytes', async () => {
    const { context, options } = state.plan;
    const again = await quality.decodeState(context, options, quality.encodeState(state));
    expect(quality.nextQuery(again)).toEqual(step);
    const members = [await partitioned(rowsOf(200, 'm'), 0), await partitioned(rowsOf(200, 'n'), 1)];
    const values = await opened(step, members, 4);
    const sum = { values, contributors: ['alto', 'bass'] };
    const done = await quality.absorb(state, step.query, sum);
    const released = quality.release(await quality.absorb(again, step.query, sum));
    expect(released).toEqual(quality.release(done));
    expect(decodeReport(released).contributors).toEqual(['alto', 'bass']);
    const restored = await quality.decodeState(context, options, quality.encodeState(done));
    expect(quality.release(restored)).toEqual(released);
    expect(quality.nextQuery(restored)).toBeUndefined();
  });

  it('is refused in words where the charter holds nothing out, and never makes rows', () => {
    const { holdOut: _, ...context } = qualityContext();
    const options = parseQualityOptions({ run: RUN });
    expect(() => quality.plan(context, options)).toThrow(/hold/);
    expect(() =>
      quality.sample(qualityContext(), options, new Uint8Array(), { seed: SEED, offset: 0, count: 1 }),
    ).toThrow(/report, not rows/);
  });
});

describe('the hold-out', () => {
  it('is the same after every restart, about the share, and grows with it', async () => {
    const rows = rowsOf(4000, 'split');
    const ids = async (share: number, member = 0) => {
      const tagged = rows.map((row, i) => ({ ...row, score: i % 8 }));
      return rowsIn((await partitioned(tagged, member, share)).holdOut);
    };
    const first = await ids(0.2);
    expect(await ids(0.2)).toEqual(first);
    // Six standard deviations of a binomial count of mean 800.
    expect(Math.abs(first.length - 800)).toBeLessThan(6 * Math.sqrt(4000 * 0.16));
    expect(await ids(0.2, 1)).not.toEqual(first);
    const { holdOut, ...rest } = await partitioned(rows, 0, 0.2);
    expect((await rowsIn(rest as RecordSource)).length + (await rowsIn(holdOut)).length).toBe(4000);
  });

  it('has the same records whatever the order of the file, and one more moves no other, wherever it stands', async () => {
    // Of 192 possible rows: most come many times.
    const rows = rowsOf(600, 'order');
    const counted = async (table: readonly Row[]) => {
      const counts = new Map<string, number>();
      for (const row of await rowsIn((await partitioned(table, 0, 0.5)).holdOut))
        counts.set(JSON.stringify(row), (counts.get(JSON.stringify(row)) ?? 0) + 1);
      return counts;
    };
    const before = await counted(rows);
    expect(await counted(rows.toReversed())).toEqual(before);
    for (const extra of [rows[5]!, rows[300]!, ...rowsOf(6, 'more')])
      for (const place of [0, 300, 600]) {
        const after = await counted(rows.toSpliced(place, 0, extra));
        const moved = [...new Set([...before.keys(), ...after.keys()])].filter(
          (row) => before.get(row) !== after.get(row),
        );
        expect(moved.length).toBeLessThanOrEqual(1);
        for (const row of moved) expect(after.get(row)).toBe((before.get(row) ?? 0) + 1);
      }
  });
});
