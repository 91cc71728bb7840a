import { describe, expect, it } from 'vitest';
import { domainOf } from '../../../src/synthesis/marginals/model/domain.js';
import { type Model, modelOf } from '../../../src/synthesis/marginals/model/model.js';
import {
  type CliqueDraw,
  type SamplingPlan,
  sampleRows,
  samplingPlan,
} from '../../../src/synthesis/marginals/model/sampling.js';
import { drawBlock } from '../../../src/synthesis/marginals/rowBlock.js';
import { uniforms } from '../../../src/synthesis/randomness.js';
import { stratified } from '../../../src/synthesis/stratified.js';
import { goodnessOfFit } from '../../privacy/support.js';
import { rngOf } from '../fixtures.js';
import { drawsOf, indexOf, jointOf, randomFactors } from './modelByBruteForce.js';

/** Of each χ² test, on a fixed seed; there are 13 of them. */
const FALSE_ALARM = 1e-6;

const domain = domainOf([3, 2, 3, 2]);
const WIDTH = domain.sizes.length;
const ALL = [0, 1, 2, 3];
const CELLS = 36;
const model = (sets: number[][], seed: number): Model =>
  modelOf(domain, randomFactors(drawsOf(rngOf(seed, 'factors')), domain, sets), { total: 100 });
const MODELS: Readonly<Record<string, Model>> = {
  'a chain': model(
    [
      [0, 1],
      [1, 2],
      [2, 3],
    ],
    1,
  ),
  'a ring': model(
    [
      [0, 1],
      [1, 2],
      [2, 3],
      [3, 0],
    ],
    2,
  ),
  'two parts': model(
    [
      [0, 2],
      [1, 3],
    ],
    3,
  ),
};
const each = Object.entries(MODELS);

/** Counts of the joint cells that row `row` of a block of `rows` takes, over blocks of streams of their own. */
function lawOfRow(plan: SamplingPlan, rows: number, row: number, blocks: number): number[] {
  const counts = new Array<number>(CELLS).fill(0);
  for (let block = 0; block < blocks; block++) {
    const drawn = drawBlock(plan, rows, rngOf(row + 1, `block ${block}`));
    const cell = indexOf(domain, ALL, drawn.subarray(row * WIDTH, (row + 1) * WIDTH));
    counts[cell] = (counts[cell] as number) + 1;
  }
  return counts;
}

describe('a block of rows', () => {
  it.each(each)('has the model’s law in every row: %s', (_, own) => {
    const plan = samplingPlan(own);
    const { joint } = jointOf(domain, own.factors);
    for (const [rows, row] of [
      [1, 0],
      [6, 0],
      [6, 3],
      [6, 5],
    ] as const)
      expect(goodnessOfFit(lawOfRow(plan, rows, row, 6000), [...joint])).toBeGreaterThan(FALSE_ALARM);
  });

  it('would show a row whose law is another: the first of the block once its rows are sorted', () => {
    const own = MODELS['a chain'] as Model;
    const plan = samplingPlan(own);
    const counts = new Array<number>(CELLS).fill(0);
    for (let block = 0; block < 6000; block++) {
      const drawn = drawBlock(plan, 6, rngOf(9, `block ${block}`));
      const cells = Array.from({ length: 6 }, (_, row) =>
        indexOf(domain, ALL, drawn.subarray(row * WIDTH, (row + 1) * WIDTH)),
      );
      const first = Math.min(...cells);
      counts[first] = (counts[first] as number) + 1;
    }
    expect(goodnessOfFit(counts, [...jointOf(domain, own.factors).joint])).toBeLessThan(FALSE_ALARM);
  });

  /** Of each clique the largest |count − rows with the separator's value · P(residual | separator)|. */
  function deviations({ cliques, cumulative }: SamplingPlan, drawn: Uint16Array): number[] {
    return cliques.map((clique) => {
      const counts = new Map<number, number>();
      const blocks = new Map<number, number>();
      for (let at = 0; at < drawn.length; at += WIDTH) {
        const begin = beginOf(clique, drawn, at);
        const residual = clique.residual.reduce(
          (cell, a, i) => cell * (clique.residualSizes[i] as number) + (drawn[at + a] as number),
          0,
        );
        counts.set(begin + residual, (counts.get(begin + residual) ?? 0) + 1);
        blocks.set(begin, (blocks.get(begin) ?? 0) + 1);
      }
      let most = 0;
      for (const [begin, rows] of blocks)
        for (let i = begin; i < begin + clique.residualCells; i++) {
          const below = i === begin ? 0 : (cumulative[i - 1] as number);
          const expected = rows * ((cumulative[i] as number) - below);
          most = Math.max(most, Math.abs((counts.get(i) ?? 0) - expected));
        }
      return most;
    });
  }

  const beginOf = ({ offset, separator, strides }: CliqueDraw, rows: Uint16Array, at: number): number =>
    separator.reduce((begin, a, i) => begin + (strides[i] as number) * (rows[at + a] as number), offset);

  it.each(each)('has the counts of the model within 1, clique by clique: %s', (_, own) => {
    const plan = samplingPlan(own);
    for (const rows of [1, 7, 100, 1000]) {
      const largest = deviations(plan, drawBlock(plan, rows, rngOf(rows, 'counts')));
      expect(Math.max(...largest)).toBeLessThan(1);
    }
    // A positive control: independent rows are farther from them.
    const independent = sampleRows(plan, uniforms(rngOf(4, 'independent'), 1000 * plan.draws));
    expect(Math.max(...deviations(plan, independent))).toBeGreaterThan(3);
  });

  it('is the same for the same stream, and empty where no rows are asked', () => {
    const plan = samplingPlan(MODELS['a ring'] as Model);
    expect(drawBlock(plan, 50, rngOf(1))).toEqual(drawBlock(plan, 50, rngOf(1)));
    expect(drawBlock(plan, 50, rngOf(2))).not.toEqual(drawBlock(plan, 50, rngOf(1)));
    expect(drawBlock(plan, 0, rngOf(1))).toHaveLength(0);
  });
});

describe('strata', () => {
  it('are one of each group’s equal parts for each of its members', () => {
    const draws = drawsOf(rngOf(5, 'groups'));
    for (const size of [1, 2, 17, 500]) {
      const groups = Int32Array.from({ length: size }, () => draws.integer(4) * 1_000_003);
      const strata = stratified(groups, rngOf(size));
      for (const group of new Set(groups)) {
        const own = [...strata].filter((_, i) => groups[i] === group);
        const ranks = own.map((u) => Math.floor(u * own.length)).toSorted((a, b) => a - b);
        expect(ranks).toEqual(own.map((_, rank) => rank));
        expect(own.every((u) => u > 0 && u < 1)).toBe(true);
      }
    }
  });

  it('are in random order: the first member’s is uniform', () => {
    const places = new Array<number>(12).fill(0);
    for (let seed = 0; seed < 6000; seed++) {
      const place = Math.floor(12 * (stratified(new Int32Array(4), rngOf(3, `${seed}`))[0] as number));
      places[place] = (places[place] as number) + 1;
    }
    expect(goodnessOfFit(places, new Array(12).fill(1 / 12))).toBeGreaterThan(FALSE_ALARM);
  });
});
