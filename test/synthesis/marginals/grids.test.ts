import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fineCells } from '../../../src/synthesis/table/fineCells.js';
import { type Grid, gridsOf } from '../../../src/synthesis/table/grids.js';
import { parseTableSchema } from '../../../src/synthesis/table/schema.js';
import { rngOf } from '../fixtures.js';
import { drawsOf } from './modelByBruteForce.js';

/** What `gridsOf` says of one column. */
function gridOf(
  column: Column,
  counts: ArrayLike<number>,
  bins: number,
  coarse: number,
  deviation = 1,
): Grid {
  const one = { counts: Float64Array.from(counts), variance: deviation ** 2 };
  return gridsOf(encodingOf(column), [one], bins, coarse)[0] as Grid;
}

interface Column {
  readonly kind: 'range' | 'categories';
  /** Without the one for missing values. */
  readonly values: number;
  readonly required: boolean;
}

function encodingOf({ kind, values, required }: Column) {
  const constraints =
    kind === 'range'
      ? { required, minimum: 0, maximum: values - 1 }
      : { required, enum: Array.from({ length: values }, (_, v) => v) };
  return fineCells(parseTableSchema({ fields: [{ name: 'f', type: 'integer', constraints }] }));
}

/** Every cell of 0 … cells − 1 is used, and no other. */
const isOnto = (map: readonly number[], cells: number): boolean =>
  new Set(map).size === cells && map.every((cell) => Number.isInteger(cell) && cell >= 0 && cell < cells);

const columns = fc.record({
  kind: fc.constantFrom<'range' | 'categories'>('range', 'categories'),
  values: fc.integer({ min: 2, max: 120 }),
  required: fc.boolean(),
});
const count = fc.oneof(
  { weight: 5, arbitrary: fc.double({ min: -30, max: 300, noNaN: true }) },
  { weight: 2, arbitrary: fc.constant(0) },
  { weight: 1, arbitrary: fc.double({ min: 0, max: 1e6, noNaN: true }) },
);
const cases = columns.chain((column) => {
  const cells = column.values + (column.required ? 0 : 1);
  const counts = fc.oneof(
    fc.array(count, { minLength: cells, maxLength: cells }),
    fc.constantFrom(0, -1, 1e-300, 7).map((same) => new Array<number>(cells).fill(same)),
  );
  return fc.record({
    column: fc.constant(column),
    counts,
    bins: fc.integer({ min: 2, max: 40 }),
    coarse: fc.integer({ min: 2, max: 8 }),
    deviation: fc.double({ min: 1e-3, max: 100, noNaN: true }),
  });
});

function forAll(
  check: (grid: Grid, made: { column: Column; counts: number[]; bins: number; coarse: number }) => void,
) {
  fc.assert(
    fc.property(cases, ({ column, counts, bins, coarse, deviation }) => {
      check(gridOf(column, counts, bins, coarse, deviation), { column, counts, bins, coarse });
    }),
    { numRuns: 1500, seed: 1 },
  );
}

describe('the cells of a column in the model', () => {
  it('are a partition of its fine cells, whatever the counts, and the coarse ones of them', () => {
    forAll(({ full, fullCells, coarse, coarseCells }, { counts }) => {
      expect(full).toHaveLength(counts.length);
      expect(coarse).toHaveLength(counts.length);
      expect(isOnto(full, fullCells)).toBe(true);
      expect(isOnto(coarse, coarseCells)).toBe(true);
      const within = new Map(full.map((cell, k) => [cell, coarse[k]]));
      expect(full.map((cell) => within.get(cell))).toEqual(coarse);
    });
  });

  it('are as many as the second sum has room for, and of a range as many as were asked for', () => {
    forAll(({ fullCells, coarseCells }, { column, bins, coarse }) => {
      expect(coarseCells).toBeLessThanOrEqual(coarse);
      if (column.kind === 'range') expect(fullCells).toBeLessThanOrEqual(bins);
      expect(coarseCells).toBeLessThanOrEqual(fullCells);
    });
  });

  it('keep the missing values apart', () => {
    let optional = 0;
    forAll(({ full, coarse }, { column }) => {
      if (column.required) return;
      optional += 1;
      for (const map of [full, coarse]) expect(map.filter((cell) => cell === map.at(-1))).toHaveLength(1);
    });
    expect(optional).toBeGreaterThan(300);
  });

  it('of a range are in its order, but for single values in between', () => {
    forAll(({ full }, { column }) => {
      if (column.kind !== 'range') return;
      const size = (cell: number) => full.filter((other) => other === cell).length;
      const parts = full.filter((cell) => size(cell) > 1);
      expect(parts).toEqual(parts.toSorted((a, b) => a - b));
      const firsts = [...new Set(full)];
      expect(firsts).toEqual(firsts.toSorted((a, b) => a - b));
    });
  });

  it('keep apart a value that half of the records have', () => {
    const draws = drawsOf(rngOf(1, 'heavy'));
    for (const required of [true, false])
      for (let run = 0; run < 50; run++) {
        const counts = Float64Array.from({ length: 100 + (required ? 0 : 1) }, () => 50 + draws.integer(50));
        const heavy = draws.integer(100);
        counts[heavy] = 7500;
        const { full } = gridOf({ kind: 'range', values: 100, required }, counts, 16, 8, 5);
        expect(full.filter((cell) => cell === full[heavy])).toHaveLength(1);
      }
  });

  it('of a range share its records about alike', () => {
    const draws = drawsOf(rngOf(2, 'shape'));
    for (const bins of [8, 16, 32]) {
      const counts = Float64Array.from(
        { length: 500 },
        (_, k) => 20 + draws.integer(20) + 200 * Math.exp(-((k - 200) ** 2) / 2000),
      );
      const { full, fullCells } = gridOf({ kind: 'range', values: 500, required: true }, counts, bins, 8, 3);
      const mass = new Float64Array(fullCells);
      for (const [k, cell] of full.entries()) mass[cell] = (mass[cell] as number) + (counts[k] as number);
      const share = counts.reduce((a, b) => a + b) / bins;
      expect(fullCells).toBeGreaterThan(bins / 2);
      expect(Math.max(...mass)).toBeLessThan(2 * share);
      // Equal widths would not: the middle eighth holds far more.
      if (bins === 8) expect(counts.slice(170, 233).reduce((a, b) => a + b)).toBeGreaterThan(2 * share);
    }
  });

  it('are one for the categories that noise may have made, and one for each of the others', () => {
    const counts = [500, 2, -3, 900, 1, 40, 0];
    const { full, fullCells } = gridOf({ kind: 'categories', values: 7, required: true }, counts, 32, 8, 4);
    const rare = [1, 2, 4, 6].map((k) => full[k]);
    expect(new Set(rare).size).toBe(1);
    expect(fullCells).toBe(4);
    // Missing values are never among them, however few.
    const optional = gridOf({ kind: 'categories', values: 6, required: false }, counts, 32, 8, 4);
    expect(optional.fullCells).toBe(5);
  });

  it('of a single category, or of a range of two values, are there', () => {
    const single = gridOf({ kind: 'categories', values: 1, required: true }, [-4], 32, 8);
    expect(single).toEqual({ ordered: false, full: [0], fullCells: 1, coarse: [0], coarseCells: 1 });
    expect(gridOf({ kind: 'range', values: 2, required: true }, [100, 100], 32, 8).fullCells).toBe(2);
  });
});
