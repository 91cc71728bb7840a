import { describe, expect, it } from 'vitest';
import { type Block, cellsOf } from '../../src/synthesis/table/encoding.js';
import { fineCells } from '../../src/synthesis/table/fineCells.js';
import { parseTableSchema } from '../../src/synthesis/table/schema.js';
import { settledCounts } from '../../src/synthesis/table/settledCounts.js';
import { rngOf } from './fixtures.js';
import { drawsOf } from './marginals/modelByBruteForce.js';

const DEVIATION = 10;

function column(type: 'integer' | 'number', minimum: number, maximum: number, bins?: unknown) {
  const field = { name: 'f', type, constraints: { minimum, maximum } };
  const encoding = fineCells(
    parseTableSchema({ fields: [bins === undefined ? field : { ...field, 'chorale:bins': bins }] }),
  );
  const block = encoding.blocks[0] as Block;
  const cellOf = (value: number): number => {
    const rows = new Uint8Array(8);
    new DataView(rows.buffer).setFloat64(0, value, true);
    return cellsOf(encoding, { count: 1, rows })[0] as number;
  };
  return {
    block,
    cellOf,
    settled: (counts: Float64Array) => settledCounts(block, { counts, variance: DEVIATION ** 2 }),
  };
}

describe('counts of fine cells, settled', () => {
  it.each(['integer', 'number'] as const)(
    'give a round %s that nobody stands out with the part of one value of its interval',
    (type) => {
      const { block, cellOf, settled } = column(type, 0, 100_000);
      const counts = new Float64Array(block.cells);
      const round = cellOf(3000);
      counts[round] = 4 * DEVIATION;
      counts[round - 1] = 100;
      const now = settled(counts);
      expect(now[round]).toBeLessThan(2);
      expect((now[round] as number) + (now[round - 1] as number)).toBeCloseTo(100 + 4 * DEVIATION, 9);
    },
  );

  it.each(['integer', 'number'] as const)('leave a round %s that many records have what it has', (type) => {
    const { block, cellOf, settled } = column(type, 0, 100_000);
    const counts = new Float64Array(block.cells);
    for (const value of [0, 5000, 100_000]) counts[cellOf(value)] = 6 * DEVIATION;
    const now = settled(counts);
    for (const value of [0, 5000, 100_000]) expect(now[cellOf(value)]).toBe(6 * DEVIATION);
  });

  it('keep the sum, and what is missing', () => {
    const draws = drawsOf(rngOf(5));
    const { block, settled } = column('integer', -700, 90_000);
    const counts = Float64Array.from({ length: block.cells }, () => draws.integer(200) - 60);
    const sum = (values: Float64Array) => values.reduce((total, value) => total + value, 0);
    const now = settled(counts);
    expect(sum(now)).toBeCloseTo(sum(counts), 6);
    expect(now.at(-1)).toBe(counts.at(-1));
    expect([...now]).not.toEqual([...counts]);
  });

  it.each([
    ['single values of a short range', column('integer', 0, 300)],
    ['bins that the schema names', column('integer', 0, 10_000, [0, 1, 5000, 10_000])],
  ])('are as they were for %s', (_, { block, settled }) => {
    const counts = Float64Array.from({ length: block.cells }, (__, k) => k % 7);
    expect([...settled(counts)]).toEqual([...counts]);
  });
});
