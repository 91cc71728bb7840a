import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  mapAt,
  type Pair,
  scoreOf,
  sizeAt,
  spanningTree,
  worthCounting,
} from '../../../src/synthesis/marginals/pairs.js';
import type { Grid } from '../../../src/synthesis/table/grids.js';
import { rngOf } from '../fixtures.js';
import { drawsOf } from './modelByBruteForce.js';

describe('the score of a pair', () => {
  const CELLS = 64;
  const SIGMA = 7;
  const SEEDS = 2000;
  const draws = drawsOf(rngOf(1, 'scores'));
  const expected = Float64Array.from({ length: CELLS }, (_, i) => 10 * i);

  /** Mean over noise, and its standard error. */
  function meanScore(shift: (i: number) => number, score = scoreOf): { mean: number; error: number } {
    const scores = Array.from({ length: SEEDS }, () => {
      const noise = draws.normal(CELLS);
      const counts = expected.map((value, i) => value + shift(i) + SIGMA * (noise[i] as number));
      return score(counts, expected, SIGMA ** 2);
    });
    const mean = scores.reduce((a, b) => a + b, 0) / SEEDS;
    const variance = scores.reduce((sum, own) => sum + (own - mean) ** 2, 0) / (SEEDS - 1);
    return { mean, error: Math.sqrt(variance / SEEDS) };
  }

  it('is about 0 for noise alone, and the distance where that is large', () => {
    // Five standard errors: a false alarm in 1.7 million choices of the seed.
    const none = meanScore(() => 0);
    expect(Math.abs(none.mean)).toBeLessThan(5 * none.error);
    const far = meanScore((i) => (i % 2 === 0 ? 100 : -100));
    expect(Math.abs(far.mean - CELLS * (100 - SIGMA * Math.sqrt(2 / Math.PI)))).toBeLessThan(5 * far.error);
    // A positive control: the plain distance finds dependence in noise.
    const plain = meanScore(
      () => 0,
      (counts, of) =>
        Array.from(counts).reduce((sum, value, i) => sum + Math.abs(value - (of[i] as number)), 0),
    );
    expect(plain.mean).toBeGreaterThan(50 * plain.error);
  });

  it('of exact counts is their distance', () => {
    expect(scoreOf([1, 2, 3], [1, 0, 7], 0)).toBe(6);
  });
});

const pairsOf = (columns: number, scores: readonly number[]): Pair[] => {
  const pairs: Pair[] = [];
  for (let b = 1; b < columns; b++)
    for (let a = 0; a < b; a++) pairs.push({ a, b, score: scores[pairs.length] as number });
  return pairs;
};

describe('the spanning tree', () => {
  const isForest = (pairs: readonly Pair[], columns: number): boolean => {
    const group = Array.from({ length: columns }, (_, column) => column);
    return pairs.every(({ a, b }) => {
      const [from, to] = [group[a], group[b]];
      for (const [column, own] of group.entries()) if (own === from) group[column] = to as number;
      return from !== to;
    });
  };
  const total = (pairs: readonly Pair[]) => pairs.reduce((sum, { score }) => sum + score, 0);

  it('has the largest score of all forests, each of them tried', () => {
    const cases = fc.record({
      columns: fc.integer({ min: 2, max: 5 }),
      scores: fc.array(fc.integer({ min: -50, max: 100 }), { minLength: 10, maxLength: 10 }),
    });
    fc.assert(
      fc.property(cases, ({ columns, scores }) => {
        const pairs = pairsOf(columns, scores);
        let best = 0;
        for (let set = 0; set < 2 ** pairs.length; set++) {
          const chosen = pairs.filter((_, i) => (set >> i) & 1);
          if (isForest(chosen, columns)) best = Math.max(best, total(chosen));
        }
        const tree = spanningTree(pairs, columns);
        expect(isForest(tree, columns)).toBe(true);
        expect(total(tree)).toBe(best);
      }),
      { numRuns: 200, seed: 1 },
    );
  });

  it('joins all columns where all depend on each other, and has no pair that does not', () => {
    const draws = drawsOf(rngOf(2, 'tree'));
    const positive = pairsOf(
      20,
      Array.from({ length: 190 }, () => 1 + draws.integer(1000)),
    );
    expect(spanningTree(positive, 20)).toHaveLength(19);
    expect(spanningTree(pairsOf(20, new Array(190).fill(-1)), 20)).toEqual([]);
    expect(spanningTree(pairsOf(20, new Array(190).fill(0)), 20)).toEqual([]);
  });
});

describe('the pairs that are worth counting', () => {
  const gridOf = (fullCells: number, coarseCells: number, ordered = true): Grid => {
    const full = Array.from({ length: fullCells }, (_, k) => k);
    return { ordered, full, fullCells, coarse: full.map((k) => k % coarseCells), coarseCells };
  };
  const everything = { deviation: 1, cells: Infinity, fits: () => true };

  const cases = fc.integer({ min: 2, max: 7 }).chain((columns) => {
    const pairs = (columns * (columns - 1)) / 2;
    return fc.record({
      grids: fc.array(
        fc
          .tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 8 }), fc.boolean())
          .map(([full, coarse, ordered]) => gridOf(full, Math.min(full, coarse), ordered)),
        { minLength: columns, maxLength: columns },
      ),
      pairs: fc
        .array(fc.integer({ min: -3000, max: 30_000 }), { minLength: pairs, maxLength: pairs })
        .map((scores) => pairsOf(columns, scores).toSorted((x, y) => y.score - x.score)),
      deviation: fc.double({ min: -3, max: 3, noNaN: true }).map((power) => 10 ** power),
      cells: fc.integer({ min: 1, max: 4000 }),
      most: fc.integer({ min: 0, max: 21 }),
    });
  });

  it('never exceed the room of the sum or of the model, and are as finely counted as they say', () => {
    let chosenInAll = 0;
    fc.assert(
      fc.property(cases, ({ grids, pairs, deviation, cells, most }) => {
        const fits = (more: readonly Pair[]) => more.length <= most;
        const chosen = worthCounting(pairs, grids, { deviation, cells, fits });
        chosenInAll += chosen.length;
        expect(chosen.length).toBeLessThanOrEqual(most);
        expect(chosen.reduce((sum, pair) => sum + pair.cells, 0)).toBeLessThanOrEqual(cells);
        expect(new Set(chosen.map(({ a, b }) => `${a},${b}`)).size).toBe(chosen.length);
        for (const { a, b, score, levels, cells: own } of chosen) {
          expect(pairs).toContainEqual({ a, b, score });
          expect(score).toBeGreaterThan(0);
          expect(own).toBe(sizeAt(grids[a] as Grid, levels[0]) * sizeAt(grids[b] as Grid, levels[1]));
        }
      }),
      { numRuns: 1000, seed: 3 },
    );
    expect(chosenInAll).toBeGreaterThan(1000);
  });

  it('are none where noise is larger than what can be seen, and all, on full cells, where there is none', () => {
    const grids = [gridOf(20, 8), gridOf(10, 5), gridOf(30, 8)];
    const pairs = pairsOf(3, [300, 200, 100]);
    expect(worthCounting(pairs, grids, { ...everything, deviation: 1e6 })).toEqual([]);
    const all = worthCounting(pairs, grids, { ...everything, deviation: 1e-6 });
    expect(all.map(({ a, b, levels }) => [a, b, ...levels])).toEqual(
      pairs.map(({ a, b }) => [a, b, 'full', 'full']),
    );
  });

  it('are counted on coarse cells where only those rise above the noise or fit', () => {
    const grids = [gridOf(40, 4), gridOf(40, 4)];
    const [pair] = pairsOf(2, [100]);
    const [tight] = worthCounting([pair as Pair], grids, { ...everything, deviation: 1e-6, cells: 20 });
    expect(tight?.levels).toEqual(['coarse', 'coarse']);
    const [noisy] = worthCounting([pair as Pair], grids, { ...everything, deviation: 1 });
    expect(noisy?.cells).toBeLessThan(1600);
  });

  it('keep categories apart where they merge the neighbours of a range', () => {
    // Fine cells have 1.7 times the noise of coarse ones here. Half of the categories lose their cell, of a range a sixteenth is lost.
    const pairs = pairsOf(2, [100]);
    const levels = (ordered: boolean) => {
      const grids = [gridOf(16, 8, ordered), gridOf(2, 2)];
      return worthCounting(pairs, grids, { ...everything, deviation: 3 }).map((pair) => pair.levels[0]);
    };
    expect([levels(true), levels(false)]).toEqual([['coarse'], ['full']]);
  });

  it('are counted by the map of their level', () => {
    const grid = gridOf(6, 2);
    expect([mapAt(grid, 'full'), mapAt(grid, 'coarse')]).toEqual([grid.full, grid.coarse]);
  });
});
