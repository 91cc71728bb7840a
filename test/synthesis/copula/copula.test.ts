import { Matrix } from 'ml-matrix';
import { describe, expect, it } from 'vitest';
import { sourceOf } from '../../../src/evaluation/audit/inventedRecords.js';
import { copulaSynthesizer as copula } from '../../../src/synthesis/copula/copula.js';
import { choleskyFactor, nearestCorrelation } from '../../../src/synthesis/copula/nearestCorrelation.js';
import { normalDensity, normalQuantile } from '../../../src/synthesis/copula/normal.js';
import { NORM, writeProducts } from '../../../src/synthesis/copula/products.js';
import { hermiteCoefficients, latentCorrelation, scoresOf } from '../../../src/synthesis/copula/scores.js';
import { MalformedBytes } from '../../../src/synthesis/errors.js';
import { type AnySynthesizer, synthesizerOf } from '../../../src/synthesis/index.js';
import { cumulated, firstAbove, nearestShares } from '../../../src/synthesis/oneWays/shares.js';
import { normals, uniforms } from '../../../src/synthesis/randomness.js';
import type { Row } from '../../../src/synthesis/synthesizer.js';
import { fineCells } from '../../../src/synthesis/table/fineCells.js';
import { recordLayout } from '../../../src/synthesis/table/layout.js';
import { parseTableSchema } from '../../../src/synthesis/table/schema.js';
import { rngOf, smallContext } from '../fixtures.js';
import { rowsOf, runOf, type Subject, sumOver } from '../suite/run.js';

describe('the normal law of the copula', () => {
  it('has the quantiles of the tables, symmetric, and ∞ at the ends', () => {
    // Wichura 1988, Algorithm AS 241: its test values, and those of any table.
    for (const [p, x] of [
      [0.25, -0.6744897501960817],
      [0.001, -3.090232306167814],
      [1e-20, -9.262340089798409],
      [0.975, 1.959963984540054],
    ] as const)
      expect(Math.abs(normalQuantile(p) / x - 1)).toBeLessThan(1e-14);
    for (const p of [1e-9, 0.2, 0.4999]) expect(normalQuantile(1 - p)).toBeCloseTo(-normalQuantile(p), 7);
    expect([0, 0.5, 1].map(normalQuantile)).toEqual([Number.NEGATIVE_INFINITY, 0, Number.POSITIVE_INFINITY]);
    expect(normalDensity(0)).toBeCloseTo(0.3989422804014327, 15);
    expect(normalDensity(Number.POSITIVE_INFINITY)).toBe(0);
  });
});

describe('the nearest shares', () => {
  it('are none below 0 and 1 in all, and leave counts that are shares alone', () => {
    expect([...nearestShares(Float64Array.of(10, 20, 70), 100)]).toEqual([0.1, 0.2, 0.7]);
    expect([...nearestShares(Float64Array.of(-5, 60, 50), 100)]).toEqual([0, 0.55, 0.45]);
    expect([...nearestShares(Float64Array.of(-5, -7), 1)]).toEqual([1, 0]);
    const noisy = Float64Array.from(normals(rngOf(1), 300), (z) => 10 * z);
    const shares = nearestShares(noisy, 50);
    expect(Math.min(...shares)).toBe(0);
    expect(shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 12);
  });

  it('are drawn from by their running sums, cells of no share never', () => {
    const below = cumulated(Float64Array.of(0, 0.5, 0, 0.5, 0));
    expect([...below]).toEqual([0, 0.5, 0.5, 1, 1]);
    expect([0, 0.49, 0.5, 0.999].map((u) => firstAbove(below, u))).toEqual([1, 1, 3, 3]);
  });
});

describe('the nearest correlation matrix', () => {
  it('is the one of Higham 2002, section 4, but for its positive eigenvalues', () => {
    const matrix = new Matrix([
      [1, 1, 0],
      [1, 1, 1],
      [0, 1, 1],
    ]);
    const near = nearestCorrelation(matrix);
    expect(near.get(0, 1)).toBeCloseTo(0.7607, 3);
    expect(near.get(0, 2)).toBeCloseTo(0.1573, 3);
    expect(choleskyFactor(matrix)).toBeUndefined();
    expect(choleskyFactor(near)).toHaveLength(9);
  });

  it('is the matrix itself where that is one', () => {
    const matrix = new Matrix([
      [1, 0.3, -0.5],
      [0.3, 1, 0.2],
      [-0.5, 0.2, 1],
    ]);
    expect(Matrix.sub(nearestCorrelation(matrix), matrix).norm()).toBeLessThan(1e-12);
  });
});

describe('a record’s products of scores', () => {
  it('are whole and of norm ≤ the scale, whatever the scores are', () => {
    const out = new Float64Array(10);
    let longest = 0;
    for (let seed = 0; seed < 200; seed++) {
      const z = Float64Array.from(normals(rngOf(seed), 4), (x) => x * 10 ** ((seed % 9) - 4));
      writeProducts(z, 1024, out);
      const norm = Math.hypot(...out);
      expect(out.every(Number.isInteger)).toBe(true);
      expect(norm).toBeLessThanOrEqual(1024);
      longest = Math.max(longest, norm);
    }
    expect(longest).toBeGreaterThan(1000);
    for (const broken of [Number.NaN, Number.POSITIVE_INFINITY, 1e200]) {
      writeProducts(Float64Array.of(broken, 1, 1, 1), 1024, out);
      expect([...out]).toEqual(new Array(10).fill(0));
    }
    expect(NORM).toBeGreaterThan(1);
  });
});

describe('the correlation behind the scores', () => {
  // Two columns of few cells: what is seen of them is weaker than what makes them.
  const shares = [Float64Array.of(0.2, 0.8), Float64Array.of(0.1, 0.3, 0.6)] as const;

  it.each([-0.7, -0.4, 0, 0.3, 0.8])('is found again: %d', (rho) => {
    const draws = normals(rngOf(7), 400_000);
    const ends = shares.map((own) => cumulated(own).map(normalQuantile));
    const cell = (column: number, x: number) => firstAbove(ends[column] as Float64Array, x);
    const fine = fineCells(parseTableSchema({ fields: [enumerated('a', 2), enumerated('b', 3)] }));
    const { values } = scoresOf(fine, Float64Array.from([...shares[0], ...shares[1]]), 1000);
    let sum = 0;
    for (let i = 0; i < draws.length; i += 2) {
      const x = draws[i] as number;
      const y = rho * x + Math.sqrt(1 - rho * rho) * (draws[i + 1] as number);
      sum += (values[cell(0, x)] as number) * (values[2 + cell(1, y)] as number);
    }
    const [a, b] = [
      hermiteCoefficients(shares[0], values.subarray(0, 2)),
      hermiteCoefficients(shares[1], values.subarray(2)),
    ];
    // 200,000 pairs: a deviation of about .005 in ρ; a false alarm beyond five of them.
    expect(Math.abs(latentCorrelation(sum / 200_000, a, b) - rho)).toBeLessThan(0.025);
  });
});

describe('a run of copula', () => {
  const schema = parseTableSchema({
    fields: [
      { name: 'x', type: 'number', constraints: { required: true, minimum: -5, maximum: 5 } },
      { name: 'y', type: 'number', constraints: { required: true, minimum: 0, maximum: 1 } },
      enumerated('z', 3),
    ],
  });
  const context = smallContext(schema);
  const subject: Subject = {
    synthesizer: copula as unknown as AnySynthesizer,
    options: copula.parseOptions({ noiseMultiplier: 0.5 }),
    context,
  };

  it('keeps what goes up and down together, of ranges and of ordered categories', async () => {
    const layout = recordLayout(schema);
    const draws = normals(rngOf(3), 18_000);
    const coins = uniforms(rngOf(4), 6000);
    const rows = Array.from({ length: 6000 }, (_, i) => {
      const x = draws[3 * i] as number;
      const view = new DataView(new ArrayBuffer(layout.bytes));
      view.setFloat64(layout.offsets[0] as number, Math.max(-5, Math.min(5, x)), true);
      const y = -0.8 * x + 0.6 * (draws[3 * i + 1] as number);
      view.setFloat64(layout.offsets[1] as number, 1 / (1 + Math.exp(-y)), true);
      view.setUint16(layout.offsets[2] as number, (coins[i] as number) < 0.2 ? 0 : x > 0 ? 2 : 1, true);
      return new Uint8Array(view.buffer);
    });
    const tables = await Promise.all(
      context.members.map((_, m) => sourceOf(schema, rows.slice(1000 * m, 1000 * m + 100))),
    );
    const { release } = await runOf(subject, sumOver(subject, tables));
    const drawn = await rowsOf(subject, release, 0, 8000);
    const xs = drawn.map(({ x }) => x as number);
    // 600 records behind it: ± .03 for −.8, and the noise of the sums.
    expect(
      correlation(
        xs,
        drawn.map(({ y }) => Math.log((y as number) / (1 - (y as number)) || 1e-6)),
      ),
    ).toBeLessThan(-0.65);
    const mean = (z: string) => average(drawn.filter((row: Row) => row.z === z).map(({ x }) => x as number));
    expect(mean('c2') - mean('c1')).toBeGreaterThan(0.6);
    expect(drawn.filter(({ z }) => z === 'c0').length / 8000).toBeCloseTo(0.2, 0);
  });

  it('is refused for a table of too many columns, before anything is asked', () => {
    const wide = smallContext(
      parseTableSchema({ fields: Array.from({ length: 257 }, (_, i) => enumerated(`f${i}`, 2)) }),
    );
    expect(() => copula.plan(wide, copula.parseOptions({}))).toThrow(/up to 256 columns/);
  });

  it('refuses a release that is cut, of another schema, or of correlations that no table has', async () => {
    const tables = await Promise.all(context.members.map(() => sourceOf(schema, [])));
    const { release } = await runOf(subject, sumOver(subject, tables));
    expect(await rowsOf(subject, release, 0, 3)).toHaveLength(3);
    const impossible = release.slice();
    new Uint8Array(impossible.buffer).set(
      new Uint8Array(Float64Array.of(0.9, 0.9, -0.9).buffer),
      impossible.length - 24,
    );
    for (const bytes of [release.slice(0, -8), Buffer.concat([release, Buffer.alloc(8)]), impossible])
      await expect(rowsOf(subject, bytes, 0, 1)).rejects.toThrow(MalformedBytes);
    expect(synthesizerOf('copula').kind).toBe('copula');
  });
});

function enumerated(name: string, values: number) {
  const categories = Array.from({ length: values }, (_, v) => `c${v}`);
  return { name, type: 'string', constraints: { required: true, enum: categories } };
}

const average = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

function correlation(a: readonly number[], b: readonly number[]): number {
  const [meanA, meanB] = [average(a), average(b)];
  const dot = (x: readonly number[], mx: number, y: readonly number[], my: number) =>
    x.reduce((sum, value, i) => sum + (value - mx) * ((y[i] as number) - my), 0);
  return dot(a, meanA, b, meanB) / Math.sqrt(dot(a, meanA, a, meanA) * dot(b, meanB, b, meanB));
}
