import { describe, expect, it } from 'vitest';
import { copulaSynthesizer } from '../../../src/synthesis/copula/copula.js';
import { correlationOf } from '../../../src/synthesis/copula/correlation.js';
import { choleskyFactor } from '../../../src/synthesis/copula/nearestCorrelation.js';
import { productsQuery } from '../../../src/synthesis/copula/products.js';
import { scoresOf } from '../../../src/synthesis/copula/scores.js';
import type { AnySynthesizer } from '../../../src/synthesis/index.js';
import { normals, uniforms } from '../../../src/synthesis/randomness.js';
import type { Row } from '../../../src/synthesis/synthesizer.js';
import { readCsv } from '../../../src/synthesis/table/csv.js';
import { fineCells } from '../../../src/synthesis/table/fineCells.js';
import { parseTableSchema } from '../../../src/synthesis/table/schema.js';
import { csv, rngOf, smallContext } from '../fixtures.js';
import { rowsOf, runOf, type Subject, sumOver } from '../suite/run.js';

const constraints = { required: true, minimum: 0, maximum: 99 };
const schema = parseTableSchema({
  fields: ['x', 'y'].map((name) => ({ name, type: 'integer', constraints })),
});

function correlation(pairs: readonly (readonly [number, number])[]): number {
  const mean = (of: (pair: readonly [number, number]) => number) =>
    pairs.reduce((sum, pair) => sum + of(pair), 0) / pairs.length;
  const [x, y] = [mean(([a]) => a), mean(([, b]) => b)];
  const covariance = mean(([a, b]) => (a - x) * (b - y));
  return covariance / Math.sqrt(mean(([a]) => (a - x) ** 2) * mean(([, b]) => (b - y) ** 2));
}

describe('hazard D12: moments are summed, variances and correlations are never averaged', () => {
  it('members that differ in where their records lie are one table, whose correlation no member has', async () => {
    const draws = uniforms(rngOf(12), 2 * 1800);
    // Within a member x says nothing of y; the members lie apart on the diagonal.
    const members = [0, 16, 33, 49, 66, 82].map((low, m) =>
      Array.from({ length: 300 }, (_, i): readonly [number, number] => {
        const at = 2 * (300 * m + i);
        return [low + Math.floor(17 * draws[at]!), low + Math.floor(17 * draws[at + 1]!)];
      }),
    );
    const pooled = correlation(members.flat());
    expect(pooled).toBeGreaterThan(0.85);
    // The broken way: each member's own correlation, averaged.
    const averaged = members.reduce((sum, own) => sum + correlation(own), 0) / members.length;
    expect(Math.abs(averaged)).toBeLessThan(0.15);

    const tables = await Promise.all(
      members.map((own) => readCsv(csv('x,y', ...own.map((pair) => pair.join())), schema)),
    );
    const context = smallContext(schema); // six members
    const synthesizer = copulaSynthesizer as unknown as AnySynthesizer;
    const options = synthesizer.parseOptions({ noiseMultiplier: 0.5 });
    const subject: Subject = { synthesizer, options, context };
    const { release } = await runOf(subject, sumOver(subject, tables));
    const rows: Row[] = await rowsOf(subject, release, 0, 4000);
    const drawn = correlation(rows.map(({ x, y }) => [x as number, y as number]));
    // 1800 records and little noise: 5 deviations of a sample's correlation of 0.95 are 0.01.
    expect(Math.abs(drawn - pooled)).toBeLessThan(0.1);
  });

  it('noise that makes sums of squares negative leaves a correlation matrix, positive definite', () => {
    const fine = fineCells(schema);
    const shares = new Float64Array(fine.width).fill(1 / 100);
    const scores = scoresOf(fine, shares, 50);
    const { l2Sensitivity: scale } = productsQuery(smallContext(schema), 5);
    let negative = 0;
    for (let seed = 0; seed < 50; seed++) {
      const noise = normals(rngOf(seed), 4).subarray(0, 3);
      const values = Float64Array.from(noise, (z) => 1000 * scale * z);
      const opened = { values, variance: (1000 * scale) ** 2, scale };
      if (values.some((value) => value < 0)) negative++;
      const matrix = correlationOf(fine, shares, 50, scores, opened);
      expect(choleskyFactor(matrix)).toBeDefined();
      expect(matrix.diagonal()).toEqual([1, 1]);
      expect(Math.abs(matrix.get(0, 1))).toBeLessThanOrEqual(1);
    }
    expect(negative).toBeGreaterThan(25);
  });
});
