import { describe, expect, it } from 'vitest';
import { drawRecords, sourceOf } from '../../../src/evaluation/audit/inventedRecords.js';
import type { SumQuery } from '../../../src/privacy/sumQuery.js';
import { type Axis, encodeMeasured, type Measured } from '../../../src/synthesis/counts/measured.js';
import { contribute } from '../../../src/synthesis/marginals/counting.js';
import { parseMarginalsOptions } from '../../../src/synthesis/marginals/options.js';
import { countsQuery, MEASURED, marginalsPlan } from '../../../src/synthesis/marginals/question.js';
import { referenceTo } from '../../../src/synthesis/models.js';
import { fineCells } from '../../../src/synthesis/table/fineCells.js';
import { MISSING_CATEGORY } from '../../../src/synthesis/table/layout.js';
import { mixedSchema, rngOf, smallContext } from '../fixtures.js';
import { drawsOf } from './modelByBruteForce.js';

const context = smallContext(mixedSchema());
const { schema } = context;
const plan = marginalsPlan(context, parseMarginalsOptions({}));
const fine = fineCells(schema);

/** Maps and marginals of every kind: one column or two, in either order, on fine cells, on coarser ones, or mixed. */
function randomMeasured(seed: number): Measured {
  const draws = drawsOf(rngOf(seed, 'measured'));
  const maps = Array.from({ length: 6 }, () => {
    const column = draws.integer(fine.blocks.length);
    const most = 1 + draws.integer(5);
    const cells = Array.from({ length: fine.blocks[column]?.cells as number }, () => draws.integer(most));
    return { column, cells };
  });
  const columnOf = (axis: Axis) => ('map' in axis ? maps[axis.map]?.column : axis.column);
  const axis = (): Axis =>
    draws.integer(3) === 0
      ? { column: draws.integer(fine.blocks.length) }
      : { map: draws.integer(maps.length) };
  const marginals = Array.from({ length: 5 }, () => {
    const [first, second] = [axis(), axis()];
    const axes = columnOf(first) === columnOf(second) ? [first] : [first, second];
    return { axes, weight: 1 + draws.integer(9) };
  });
  return { version: 1, maps, marginals };
}

function asked(measured: Measured): { query: SumQuery; models: Map<string, Uint8Array> } {
  const bytes = encodeMeasured(measured);
  const query = { ...countsQuery(plan, 0), dimension: 60_000, models: [referenceTo(MEASURED, bytes)] };
  return { query, models: new Map([[MEASURED, bytes]]) };
}

async function counted(measured: Measured, rows: readonly Uint8Array[]): Promise<Float64Array> {
  const { query, models } = asked(measured);
  const sum = await contribute(query, models, await sourceOf(schema, rows), rngOf(1));
  return sum as Float64Array;
}

/** The fine cell of a column, written apart from the code under test: edges are tried one after the other. */
function fineCellOf(row: Uint8Array, column: number): number {
  const block = fine.blocks[column] as (typeof fine.blocks)[number];
  const view = new DataView(row.buffer, row.byteOffset, row.byteLength);
  const offset = fine.layout.offsets[column] as number;
  const last = block.cells - 1;
  if (block.edges === undefined) {
    const category = view.getUint16(offset, true);
    return category === MISSING_CATEGORY ? last : category;
  }
  const value = view.getFloat64(offset, true);
  if (Number.isNaN(value)) return last;
  const bin = block.edges.findIndex((edge, k) => k > 0 && value < edge);
  return bin < 0 ? block.edges.length - 2 : bin - 1;
}

/** Marginals as tables of tables. */
function naive({ maps, marginals }: Measured, rows: readonly Uint8Array[]): number[] {
  return marginals.flatMap(({ axes, weight }) => {
    const levels = axes.map((axis) => {
      const map = 'map' in axis ? maps[axis.map] : undefined;
      const column = 'map' in axis ? (map?.column as number) : axis.column;
      const cells = fine.blocks[column]?.cells as number;
      const to = map?.cells ?? Array.from({ length: cells }, (_, k) => k);
      return { column, to, size: Math.max(...to) + 1 };
    });
    const keys = rows.map((row) => levels.map(({ column, to }) => to[fineCellOf(row, column)]).join());
    const tally = new Map<string, number>();
    for (const key of keys) tally.set(key, (tally.get(key) ?? 0) + weight);
    const [first, second] = levels as [(typeof levels)[number], (typeof levels)[number]?];
    return Array.from({ length: first.size }, (_, i) => i).flatMap((i) =>
      second === undefined
        ? [tally.get(`${i}`) ?? 0]
        : Array.from({ length: second.size }, (_, j) => tally.get(`${i},${j}`) ?? 0),
    );
  });
}

describe('counting', () => {
  it('gives what counting one record after the other gives, over batches of any size', async () => {
    for (const [seed, size] of [0, 1, 511, 512, 513, 1200].entries()) {
      const rows = drawRecords(schema, size, rngOf(seed, 'rows'));
      for (const measured of [randomMeasured(seed), randomMeasured(100 + seed)]) {
        const expected = naive(measured, rows);
        const sum = await counted(measured, rows);
        expect(Array.from(sum.subarray(0, expected.length))).toEqual(expected);
        expect(sum.subarray(expected.length).every((value) => value === 0)).toBe(true);
        expect(sum).toHaveLength(60_000);
      }
    }
  });

  it('is of whole numbers, each record once in every marginal with its weight', async () => {
    const rows = drawRecords(schema, 300, rngOf(2, 'rows'));
    const measured = randomMeasured(7);
    const sum = await counted(measured, rows);
    expect(sum.every((value) => Number.isInteger(value) && value >= 0)).toBe(true);
    const weights = measured.marginals.reduce((total, { weight }) => total + weight, 0);
    expect(sum.reduce((total, value) => total + value, 0)).toBe(rows.length * weights);
  });

  it('keeps whatever a source of records holds within its block', async () => {
    const bytes = [0x00, 0x01, 0x7f, 0x80, 0xfe, 0xff].map((byte) =>
      new Uint8Array(fine.layout.bytes).fill(byte),
    );
    const values = [Number.NaN, Infinity, -Infinity, -0, 5e-324, 1e300].map((value) => {
      const row = new Uint8Array(fine.layout.bytes).fill(0xfe);
      const view = new DataView(row.buffer);
      for (const [f, block] of fine.blocks.entries())
        if (block.edges !== undefined) view.setFloat64(fine.layout.offsets[f] as number, value, true);
      return row;
    });
    const measured: Measured = {
      version: 1,
      maps: [],
      marginals: fine.blocks.map((_, column) => ({ axes: [{ column }], weight: column + 1 })),
    };
    const sum = await counted(measured, [...bytes, ...values]);
    for (const [column, { start, cells }] of fine.blocks.entries()) {
      const block = sum.subarray(start, start + cells);
      expect(block.reduce((total, value) => total + value, 0)).toBe(12 * (column + 1));
    }
  });

  it('is the same whatever the randomness: all records are asked', async () => {
    const rows = drawRecords(schema, 100, rngOf(3, 'rows'));
    const { query, models } = asked(randomMeasured(3));
    const source = await sourceOf(schema, rows);
    const sums = await Promise.all(
      [1, 2].map((seed) => contribute(query, models, source, rngOf(seed, 'coins'))),
    );
    expect(sums[0]).toEqual(sums[1]);
  });
});
