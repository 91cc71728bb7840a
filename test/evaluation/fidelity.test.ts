import { describe, expect, it } from 'vitest';
import { associationMatrix, cramersV } from '../../src/evaluation/association.js';
import { columnCells } from '../../src/evaluation/cells.js';
import { columnDistances, fidelity, pairDistances } from '../../src/evaluation/fidelity.js';
import { JointCounts, totalVariation } from '../../src/evaluation/jointCounts.js';
import { independentColumns } from '../../src/evaluation/yardsticks.js';
import { seededRng, uniforms } from '../../src/synthesis/randomness.js';
import type { Row } from '../../src/synthesis/synthesizer.js';
import { parseTableSchema } from '../../src/synthesis/table/schema.js';

const required = { required: true };
const schema = parseTableSchema({
  fields: [
    { name: 'a', title: 'First', type: 'string', constraints: { ...required, enum: ['x', 'y', 'z'] } },
    { name: 'b', type: 'string', constraints: { ...required, enum: ['p', 'q'] } },
    { name: 'n', type: 'integer', constraints: { minimum: 0, maximum: 10 }, 'chorale:bins': [0, 5, 10] },
  ],
});
const columns = columnCells(schema);

function countsOf(rows: readonly Row[]): JointCounts {
  const counts = new JointCounts(columns);
  for (const row of rows) counts.add(row);
  return counts;
}

/** Rows with a relation between a and b, and n from a, some missing. */
function dependentRows(count: number, label: string): Row[] {
  const draws = uniforms(seededRng(new Uint8Array(32), label), count * 4);
  return Array.from({ length: count }, (_, i) => {
    const [u, v, w, x] = draws.subarray(4 * i, 4 * i + 4);
    const a = u! < 0.5 ? 'x' : u! < 0.8 ? 'y' : 'z';
    const b = v! < (a === 'x' ? 0.9 : 0.2) ? 'p' : 'q';
    return { a, b, n: x! < 0.15 ? null : Math.floor(w! * (a === 'z' ? 5 : 11)) };
  });
}

describe('cells', () => {
  it('are categories or public bins, the last bin closed, and one for missing where it is allowed', () => {
    expect(columns.map(({ labels }) => labels)).toEqual([
      ['x', 'y', 'z'],
      ['p', 'q'],
      ['0–4', '5–10', 'missing'],
    ]);
    expect(columns.map(({ title }) => title)).toEqual(['First', 'b', 'n']);
    const cellOf = columns[2]!.cellOf;
    expect([0, 4, 5, 10, null].map(cellOf)).toEqual([0, 0, 1, 1, 2]);
  });

  it('have no place for what the schema does not allow', () => {
    const outside = [11, -1, 3.5, Number.NaN, '3', true, undefined, Number.POSITIVE_INFINITY];
    expect(outside.map(columns[2]!.cellOf)).toEqual(outside.map(() => -1));
    expect(['X', null, undefined, '', 0].map(columns[0]!.cellOf)).toEqual([-1, -1, -1, -1, -1]);
  });

  it('read years, months, dates and real numbers', () => {
    const dates = columnCells(
      parseTableSchema({
        fields: [
          {
            name: 'y',
            type: 'year',
            constraints: { ...required, minimum: 1990, maximum: 1994 },
            'chorale:bins': [1990, 1991, 1994],
          },
          {
            name: 'm',
            type: 'yearmonth',
            constraints: { ...required, minimum: '2000-01', maximum: '2000-12' },
            'chorale:bins': 2,
          },
          {
            name: 'd',
            type: 'date',
            constraints: { ...required, minimum: '2000-01-01', maximum: '2000-01-31' },
            'chorale:bins': 1,
          },
          {
            name: 'r',
            type: 'number',
            constraints: { ...required, minimum: 0, maximum: 1 },
            'chorale:bins': [0, 0.5, 1],
          },
          { name: 't', type: 'boolean', constraints: required },
        ],
      }),
    );
    expect(dates.map(({ labels }) => labels)).toEqual([
      ['1990', '1991–1994'],
      ['2000-01 – 2000-06', '2000-07 – 2000-12'],
      ['2000-01-01 – 2000-01-31'],
      ['0 – <0.5', '0.5 – 1'],
      ['false', 'true'],
    ]);
    expect(dates.map(({ cellOf }, i) => cellOf([1991, '2000-06', '2000-01-31', 0.5, true][i]))).toEqual([
      1, 0, 0, 1, 1,
    ]);
  });
});

describe('joint counts and total variation', () => {
  it('agrees with values computed by hand', () => {
    const p = countsOf([
      { a: 'x', b: 'p', n: 0 },
      { a: 'x', b: 'q', n: 5 },
      { a: 'y', b: 'p', n: null },
      { a: 'z', b: 'q', n: 9 },
    ]);
    const q = countsOf([
      { a: 'x', b: 'p', n: 1 },
      { a: 'y', b: 'q', n: null },
    ]);
    expect([...p.marginal(0)]).toEqual([0.5, 0.25, 0.25]);
    expect([...p.pair(0, 1)]).toEqual([0.25, 0.25, 0.25, 0, 0, 0.25]);
    // a: ½(0 + ¼ + ¼); b: 0; n: ½(|¼ − ½| + |½ − 0| + |¼ − ½|).
    expect(columnDistances(p, q)).toEqual([0.25, 0, 0.5]);
    // a × b: ½(|¼ − ½| + ¼ + ¼ + |0 − ½| + 0 + ¼) = ¾.
    const ab = pairDistances(p, q).find(({ columns: [a, b] }) => a === 'a' && b === 'b');
    expect(ab?.totalVariation).toBe(0.75);
  });

  it('agrees with brute force over strings on every pair', () => {
    const [p, q] = [dependentRows(400, 'p'), dependentRows(300, 'q')];
    const brute = (i: string, j: string): number => {
      const binned = (value: Row[string]) =>
        typeof value === 'number' ? (value < 5 ? 'low' : 'high') : String(value);
      const shares = (rows: readonly Row[]) => {
        const found = new Map<string, number>();
        for (const row of rows) {
          const key = `${binned(row[i]!)}|${binned(row[j]!)}`;
          found.set(key, (found.get(key) ?? 0) + 1 / rows.length);
        }
        return found;
      };
      const [left, right] = [shares(p), shares(q)];
      const keys = new Set([...left.keys(), ...right.keys()]);
      return (
        [...keys].reduce((sum, key) => sum + Math.abs((left.get(key) ?? 0) - (right.get(key) ?? 0)), 0) / 2
      );
    };
    const pairs = pairDistances(countsOf(p), countsOf(q));
    expect(pairs).toHaveLength(3);
    for (const pair of pairs) expect(pair.totalVariation).toBeCloseTo(brute(...pair.columns), 12);
    expect(pairs[0]!.totalVariation).toBeGreaterThanOrEqual(pairs[2]!.totalVariation);
  });

  it('is 0 for equal tables, 1 for disjoint ones, and refuses tables of unlike cells', () => {
    const rows = dependentRows(50, 'same');
    expect(fidelity(countsOf(rows), countsOf([...rows].reverse())).twoWay.mean).toBe(0);
    const one = countsOf([{ a: 'x', b: 'p', n: 0 }]);
    const other = countsOf([{ a: 'y', b: 'q', n: 10 }]);
    expect(fidelity(one, other)).toMatchObject({ oneWay: { mean: 1 }, twoWay: { mean: 1 } });
    expect(() => totalVariation(new Float64Array(2), new Float64Array(3))).toThrow(RangeError);
  });

  it('counts a row with a bad value as invalid, names the column, and leaves the cells alone', () => {
    const counts = countsOf([
      { a: 'x', b: 'p', n: 3 },
      { a: 'w', b: 'p', n: 99 },
      { a: 'x', b: 'p' },
    ]);
    expect([counts.rows, counts.invalidRows, [...counts.invalidValues]]).toEqual([1, 2, [1, 0, 2]]);
    expect([...counts.marginal(0)]).toEqual([1, 0, 0]);
  });

  it('refuses to average over nothing', () => {
    const full = countsOf([{ a: 'x', b: 'p', n: 3 }]);
    expect(() => fidelity(full, countsOf([]))).toThrow(expect.objectContaining({ code: 'EmptyTable' }));
    const single = new JointCounts(columns.slice(0, 1));
    single.add({ a: 'x' });
    expect(() => fidelity(single, single)).toThrow(expect.objectContaining({ code: 'NoPairs' }));
  });
});

describe('Cramér’s V with Bergsma’s correction', () => {
  it('agrees with a 2 × 2 table computed by hand', () => {
    // 30 10 / 10 30: χ² = 20, φ² = ¼; corrected (¼ − 1/79) / (2 − 1/79 − 1).
    const shares = Float64Array.from([30, 10, 10, 30], (n) => n / 80);
    expect(cramersV(shares, 2, 2, 80)).toBeCloseTo(Math.sqrt((0.25 - 1 / 79) / (1 - 1 / 79)), 14);
  });

  it('agrees with χ² over expected counts on a 3 × 2 table', () => {
    const table = [12, 30, 25, 8, 17, 21];
    const n = table.reduce((sum, value) => sum + value, 0);
    const down = [0, 1, 2].map((i) => table[2 * i]! + table[2 * i + 1]!);
    const across = [0, 1].map((j) => table[j]! + table[2 + j]! + table[4 + j]!);
    const chi2 = table.reduce((sum, observed, k) => {
      const expected = (down[k >> 1]! * across[k & 1]!) / n;
      return sum + (observed - expected) ** 2 / expected;
    }, 0);
    const corrected = Math.max(0, chi2 / n - 2 / (n - 1));
    const expected = Math.sqrt(corrected / Math.min(3 - 4 / (n - 1) - 1, 2 - 1 / (n - 1) - 1));
    expect(
      cramersV(
        Float64Array.from(table, (value) => value / n),
        3,
        2,
        n,
      ),
    ).toBeCloseTo(expected, 12);
  });

  it('is 1 for a function, 0 for a product, 0 for a constant column, and ignores cells that never occur', () => {
    const bijection = [0.5, 0, 0, 0.5];
    expect(cramersV(Float64Array.from(bijection), 2, 2, 1000)).toBeCloseTo(1, 12);
    expect(cramersV(Float64Array.from([0.5, 0, 0, 0, 0.5, 0]), 2, 3, 1000)).toBeCloseTo(1, 12);
    expect(cramersV(Float64Array.from([0.12, 0.28, 0.18, 0.42]), 2, 2, 1000)).toBe(0);
    expect(cramersV(Float64Array.from([0.4, 0.6, 0, 0]), 2, 2, 1000)).toBe(0);
  });

  it('does not call independent columns associated, where the plain V does (positive control)', () => {
    const real = countsOf(dependentRows(4000, 'association'));
    const few = independentColumns(real, 60, new Uint8Array([1]));
    const plain = (shares: Float64Array): number => {
      // No correction: rows = ∞ leaves φ² and the sizes as they are.
      return cramersV(shares, 3, 2, Number.POSITIVE_INFINITY);
    };
    expect(associationMatrix(real)[0]![1]).toBeGreaterThan(0.6);
    expect(plain(few.pair(0, 1))).toBeGreaterThan(associationMatrix(few)[0]![1]!);
    expect(associationMatrix(few)[0]![1]).toBeLessThan(0.2);
    const matrix = associationMatrix(real);
    for (const [i, row] of matrix.entries()) {
      expect(row[i]).toBe(1);
      for (const [j, value] of row.entries()) expect(value).toBe(matrix[j]![i]);
    }
  });
});

describe('the yardstick of independent columns', () => {
  const real = countsOf(dependentRows(4000, 'yardstick'));

  it('keeps the columns and loses the pairs', () => {
    const drawn = independentColumns(real, 40_000, new Uint8Array([7]));
    const { oneWay, twoWay } = fidelity(real, drawn);
    expect(drawn.rows).toBe(40_000);
    expect(oneWay.worst.totalVariation).toBeLessThan(0.01);
    // In the limit the distance of a × b is that between the joint shares and the product of the marginals.
    const [a, b] = [real.marginal(0), real.marginal(1)];
    const product = Float64Array.from({ length: 6 }, (_, k) => a[k >> 1]! * b[k & 1]!);
    const limit = totalVariation(real.pair(0, 1), product);
    expect(limit).toBeGreaterThan(0.15);
    expect(totalVariation(real.pair(0, 1), drawn.pair(0, 1))).toBeCloseTo(limit, 1);
    expect(twoWay.worst.columns).toEqual(['a', 'b']);
  });

  it('is the same for the same seed, another for another, and never draws a cell without mass', () => {
    const draw = (seed: number) => [...independentColumns(real, 500, new Uint8Array([seed])).pair(0, 2)];
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).not.toEqual(draw(2));
    const sparse = countsOf([{ a: 'y', b: 'q', n: null }]);
    expect([...independentColumns(sparse, 300, new Uint8Array([3])).marginal(0)]).toEqual([0, 1, 0]);
  });
});
