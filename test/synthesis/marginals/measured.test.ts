import { bytesToHex } from '@noble/hashes/utils.js';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { nodePrimitives } from '../../../src/crypto/nodePrimitives.js';
import { drawRecords, sourceOf } from '../../../src/evaluation/audit/inventedRecords.js';
import type { SumQuery } from '../../../src/privacy/sumQuery.js';
import {
  decodeMeasured,
  encodeMeasured,
  MAX_DOCUMENT_BYTES,
} from '../../../src/synthesis/counts/measured.js';
import { weightsFor } from '../../../src/synthesis/counts/weights.js';
import { InvalidOptions, MalformedBytes } from '../../../src/synthesis/errors.js';
import { marginalsSynthesizer as marginals } from '../../../src/synthesis/marginals/marginals.js';
import { allColumns } from '../../../src/synthesis/marginals/nextSum.js';
import { type MarginalsPlan, MEASURED, marginalsPlan } from '../../../src/synthesis/marginals/question.js';
import type { Step } from '../../../src/synthesis/synthesizer.js';
import { MISSING_CATEGORY, recordLayout } from '../../../src/synthesis/table/layout.js';
import type { RecordSource } from '../../../src/synthesis/table/records.js';
import { mixedSchema, rngOf, smallContext } from '../fixtures.js';
import { drawsOf } from './modelByBruteForce.js';

const context = smallContext(mixedSchema());
const { schema } = context;
const options = marginals.parseOptions({});
const plan: MarginalsPlan = marginalsPlan(context, options);
const { fine, scale } = plan;

let step: Step;
beforeAll(async () => {
  step = marginals.nextQuery(await marginals.initialState(context, options, new Uint8Array(32))) as Step;
});

/** A participant’s table that says when it is looked at. */
function watched(onRead: () => void): RecordSource {
  return {
    schema,
    layout: recordLayout(schema),
    async *sample() {
      onRead();
      yield* [];
    },
    async close() {},
  };
}

const bytesOf = (document: unknown): Uint8Array =>
  new TextEncoder().encode(typeof document === 'string' ? document : JSON.stringify(document));

/** A query that names the document by its digest, as a coordinator who lies in the document alone would. */
function naming(bytes: Uint8Array, changes: Partial<SumQuery> = {}): SumQuery {
  const digest = bytesToHex(nodePrimitives.sha256(bytes));
  return { ...step.query, models: [{ name: MEASURED, digest, bytes: bytes.length }], ...changes };
}

/** What a participant answers to the document, and whether it looked at a record. */
async function answer(bytes: Uint8Array, query = naming(bytes), models = new Map([[MEASURED, bytes]])) {
  let read = false;
  const source = watched(() => {
    read = true;
  });
  const error = await marginals.contribute(query, models, source, rngOf(1)).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return { error, read };
}

const zeros = (column: number): number[] => new Array<number>(fine.blocks[column]?.cells as number).fill(0);
const map = (column: number, change: Record<number, unknown> = {}) => ({
  column,
  cells: Object.assign(zeros(column), change) as unknown[],
});
const document = (marginal: unknown, maps: unknown[] = []) => ({ version: 1, maps, marginals: [marginal] });
const one = (...axes: unknown[]) => ({ axes, weight: 1 });

const LIES: Readonly<Record<string, [unknown, RegExp]>> = {
  'weights that add up to more than the scale': [
    { version: 1, maps: [], marginals: [{ axes: [{ column: 0 }], weight: scale }, one({ column: 1 })] },
    /move the sum by more than/,
  ],
  'a weight above every scale': [document({ axes: [{ column: 0 }], weight: 1025 }), /form/],
  'a weight of 0': [document({ axes: [{ column: 0 }], weight: 0 }), /form/],
  'a negative weight': [document({ axes: [{ column: 0 }], weight: -1 }), /form/],
  'half a weight': [document({ axes: [{ column: 0 }], weight: 0.5 }), /form/],
  'a column twice': [document(one({ column: 0 }, { column: 0 })), /column twice/],
  'a column twice, once by a map': [document(one({ column: 2 }, { map: 0 }), [map(2)]), /column twice/],
  'a column twice, by two maps': [document(one({ map: 1 }, { map: 0 }), [map(2), map(2)]), /column twice/],
  'a column that is not there': [document(one({ column: 8 })), /not there/],
  'a map that is not there': [document(one({ map: 1 }), [map(0)]), /not there/],
  'a map of a column that is not there': [document(one({ map: 0 }), [{ column: 8, cells: [] }]), /map/],
  'a map that is too short': [document(one({ map: 0 }), [{ column: 0, cells: [0] }]), /one entry for each/],
  'a map that is too long': [
    document(one({ map: 0 }), [{ column: 0, cells: [...zeros(0), 0] }]),
    /one entry for each/,
  ],
  'a map of no numbers': [document(one({ map: 0 }), [map(0, { 1: '1' })]), /form/],
  'a map of half numbers': [document(one({ map: 0 }), [map(0, { 1: 0.5 })]), /form/],
  'a map of negative numbers': [document(one({ map: 0 }), [map(0, { 1: -1 })]), /form/],
  'a cell index of a billion': [document(one({ map: 0 }), [map(0, { 1: 1e9 })]), /form/],
  'two largest cell indices, a table of 2³² cells': [
    document(one({ map: 0 }, { map: 1 }), [map(0, { 0: 65_535 }), map(1, { 0: 65_535 })]),
    /more cells than the query/,
  ],
  'one cell more than the query has coordinates': [
    {
      version: 1,
      maps: [map(0)],
      marginals: [...allColumns(plan).marginals.map((m) => ({ ...m, weight: 1 })), one({ map: 0 })],
    },
    /more cells than the query/,
  ],
  'no axes': [document(one()), /form/],
  'three axes': [document(one({ column: 0 }, { column: 1 }, { column: 2 })), /form/],
  'an axis that is both': [document(one({ column: 0, map: 0 }), [map(0)]), /form/],
  'another version': [{ version: 2, maps: [], marginals: [] }, /form/],
  'a key too many': [{ version: 1, maps: [], marginals: [], records: true }, /form/],
  'a map too many': [{ version: 1, maps: new Array(4097).fill(map(0)), marginals: [] }, /form/],
  'no object': ['[]', /form/],
  null: ['null', /form/],
  'no JSON': ['{"version":1', /form/],
  nothing: ['', /form/],
  'lists a million deep': [`${'['.repeat(1e6)}${']'.repeat(1e6)}`, /form/],
  'a million maps of no form': [`{"version":1,"maps":[${'"",'.repeat(1e6)}""],"marginals":[]}`, /form/],
  'a million marginals of no form': [`{"version":1,"maps":[],"marginals":[${'{},'.repeat(1e6)}{}]}`, /form/],
  'a million axes of no form': [
    `{"version":1,"maps":[],"marginals":[{"weight":1,"axes":[${'{},'.repeat(1e6)}{}]}]}`,
    /form/,
  ],
  'a map of a million texts': [
    `{"version":1,"maps":[{"column":0,"cells":[${'"",'.repeat(1e6)}""]}],"marginals":[]}`,
    /form/,
  ],
  'more bytes than any document has': [' '.repeat(MAX_DOCUMENT_BYTES + 1), /more than \d+ bytes/],
};

describe('a document that says what is counted', () => {
  it('is read where it is the run’s own, and only then are the records', async () => {
    const bytes = step.models.get(MEASURED) as Uint8Array;
    expect(await answer(bytes, step.query)).toEqual({ error: undefined, read: true });
    expect(decodeMeasured(bytes, fine, scale)).toEqual(allColumns(plan));
    expect(encodeMeasured(decodeMeasured(bytes, fine, scale))).toEqual(bytes);
  });

  it.each(Object.entries(LIES))(
    'hazard S11: with %s is refused before a record is read',
    async (_, [lie, why]) => {
      const { error, read } = await answer(bytesOf(lie));
      expect(error).toBeInstanceOf(MalformedBytes);
      expect((error as Error).message).toMatch(why);
      expect(read).toBe(false);
    },
  );

  it('hazard S11: is refused where it is not UTF-8, not there, or not the one that the query names', async () => {
    const bytes = step.models.get(MEASURED) as Uint8Array;
    const other = bytesOf({ version: 1, maps: [], marginals: [one({ column: 0 })] });
    for (const refused of [
      answer(Uint8Array.from([0xff, 0xfe, 0x7b])),
      answer(bytes, step.query, new Map()),
      answer(bytes, step.query, new Map([['critic', bytes]])),
      answer(bytes, step.query, new Map([[MEASURED, other]])),
      answer(bytes, { ...step.query, models: [] }),
    ]) {
      expect((await refused).error).toBeInstanceOf(MalformedBytes);
      expect((await refused).read).toBe(false);
    }
  });

  it('hazard S8: is counted for no query whose noise or sampling is not that of whole counts', async () => {
    const bytes = step.models.get(MEASURED) as Uint8Array;
    const { encoding } = step.query;
    const changes: Partial<SumQuery>[] = [
      { kind: 'gan/critic-gradient' },
      { samplingRate: 0.5 },
      { l2Sensitivity: 0.5 },
      { l2Sensitivity: 2048 },
      { l2Sensitivity: Number.NaN },
      { encoding: { ...encoding, grid: 2 } },
      { encoding: { ...encoding, rounding: 'nearest' } },
    ];
    for (const change of changes) {
      const { error, read } = await answer(bytes, naming(bytes, change));
      expect(error).toBeInstanceOf(InvalidOptions);
      expect(read).toBe(false);
    }
    // The same weights for a sensitivity that does not pay for them.
    const cheap = await answer(bytes, naming(bytes, { l2Sensitivity: scale / 2 }));
    expect(cheap.error).toBeInstanceOf(MalformedBytes);
  });

  it('takes no more memory than its maps have entries, however often it names them', async () => {
    const day = schema.fields.findIndex(({ name }) => name === 'day');
    const often = { version: 1, maps: [map(day)], marginals: new Array(4096).fill(one({ map: 0 })) };
    const bytes = bytesOf(often);
    const query = naming(bytes, { dimension: 4096 });
    const before = process.memoryUsage().arrayBuffers;
    let taken = Number.NaN;
    const source = watched(() => {
      taken = process.memoryUsage().arrayBuffers - before;
    });
    await marginals.contribute(query, new Map([[MEASURED, bytes]]), source, rngOf(1));
    expect(taken).toBeLessThan(2 ** 18); // a copy for each marginal would be twice that
  });
});

describe('one record more', () => {
  const rows = drawRecords(schema, 40, rngOf(1, 'rows'));
  const odd = [0x00, 0x7f, 0xfe, 0xff].map((byte) => new Uint8Array(fine.layout.bytes).fill(byte));
  const missing = new Uint8Array(fine.layout.bytes);
  const view = new DataView(missing.buffer);
  for (const [f, field] of schema.fields.entries())
    if (field.domain === 'range') view.setFloat64(fine.layout.offsets[f] as number, Number.NaN, true);
    else view.setUint16(fine.layout.offsets[f] as number, MISSING_CATEGORY, true);

  it('moves one cell of each marginal by its weight: √Σ weight² in all, the scale at most', async () => {
    for (let seed = 0; seed < 12; seed++) {
      const draws = drawsOf(rngOf(seed, 'documents'));
      const maps = Array.from({ length: 4 }, () => {
        const column = draws.integer(fine.blocks.length);
        return { column, cells: zeros(column).map(() => draws.integer(6)) };
      });
      const columnsOf = (k: number) => maps[k]?.column;
      const axes = Array.from({ length: 2 + draws.integer(6) }, () => {
        const [a, b] = [draws.integer(4), draws.integer(4)];
        return columnsOf(a) === columnsOf(b) ? [{ map: a }] : [{ map: a }, { map: b }];
      });
      const weights = weightsFor(
        axes.map(() => 1 + draws.integer(50)),
        scale,
      );
      const measured = {
        version: 1 as const,
        maps,
        marginals: axes.map((own, i) => ({ axes: own, weight: weights[i] as number })),
      };
      const bytes = encodeMeasured(measured);
      const models = new Map([[MEASURED, bytes]]);
      const sumOf = async (records: readonly Uint8Array[]) =>
        marginals.contribute(
          naming(bytes, { dimension: 1000 }),
          models,
          await sourceOf(schema, records),
          rngOf(1),
        );
      const before = await sumOf(rows);
      const expected = weights.reduce((sum, weight) => sum + weight ** 2, 0);
      expect(expected).toBeLessThanOrEqual(scale ** 2);
      expect(expected).toBeGreaterThan(0.9 * scale ** 2); // and the noise is not paid for nothing
      for (const record of [rows[3] as Uint8Array, missing, ...odd]) {
        const after = await sumOf([...rows, record]);
        const moved = Array.from(after, (value, i) => value - (before[i] as number));
        expect(moved.filter((by) => by !== 0).toSorted((a, b) => a - b)).toEqual(
          weights.toSorted((a, b) => a - b),
        );
        expect(moved.reduce((sum, by) => sum + by ** 2, 0)).toBe(expected);
      }
    }
  });
});

describe('weights', () => {
  const size = fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 65_536 }));
  const sizes = fc.array(size, { minLength: 1, maxLength: 300 });

  it('are whole numbers from 1 whose norm is within the scale', () => {
    fc.assert(
      fc.property(sizes, fc.constantFrom(32, 64, 256, 1024), (cells, size) => {
        const weights = weightsFor(cells, size);
        expect(weights.every((weight) => Number.isInteger(weight) && weight >= 1)).toBe(true);
        expect(weights.reduce((sum, weight) => sum + weight ** 2, 0)).toBeLessThanOrEqual(size ** 2);
      }),
      { numRuns: 500, seed: 1 },
    );
  });

  it('fit even where each marginal can have no more than 1', () => {
    expect(weightsFor(new Array<number>(1024).fill(64), 32)).toEqual(new Array(1024).fill(1));
    const pairsOf64 = weightsFor(new Array<number>(2016).fill(64), 64);
    expect(Math.hypot(...pairsOf64)).toBeLessThanOrEqual(64);
    expect(weightsFor([1, 1, 1, 60_000], 2)).toEqual([1, 1, 1, 1]);
    // Weights in proportion would be 0.2 and 3.1, and as 1 and 3 have a norm of 42.
    const unlike = [...new Array<number>(900).fill(1), ...new Array<number>(100).fill(4096)];
    expect(Math.hypot(...weightsFor(unlike, 32))).toBeLessThanOrEqual(32);
  });

  it('lose the least to noise: no others of the same norm have a smaller Σ cells/weight', () => {
    const loss = (cells: readonly number[], weights: readonly number[]) =>
      cells.reduce((sum, count, i) => sum + count / (weights[i] as number), 0);
    const few = fc.array(fc.integer({ min: 1, max: 4096 }), { minLength: 2, maxLength: 12 });
    const factors = fc.array(fc.double({ min: 0.2, max: 5, noNaN: true }), { minLength: 12, maxLength: 12 });
    fc.assert(
      fc.property(few, factors, (cells, perturbation) => {
        const weights = weightsFor(cells, 1024);
        const others = weights.map((weight, i) => weight * (perturbation[i] as number));
        const norm = Math.hypot(...others) / 1024;
        // Rounding down takes less than one of each weight.
        const rounding = 1 - 1 / Math.min(...weights);
        expect(loss(cells, weights) * rounding).toBeLessThanOrEqual(
          loss(
            cells,
            others.map((weight) => weight / norm),
          ),
        );
      }),
      { numRuns: 500, seed: 2 },
    );
    // A positive control: equal weights are worse.
    const cells = [2, 2, 2, 4096];
    expect(loss(cells, new Array(4).fill(512))).toBeGreaterThan(1.5 * loss(cells, weightsFor(cells, 1024)));
  });
});
