import type { Axis, Measured } from '../counts/measured.js';
import { weightsFor } from '../counts/weights.js';
import type { Grid } from '../table/grids.js';
import { independent, modelled } from './coarseCounts.js';
import { type Base, cliquesOf, countedIn, type Edge } from './fitting.js';
import type { Model } from './model/model.js';
import { cellsOf } from './model/triangulation.js';
import {
  type ChosenPair,
  type Level,
  mapAt,
  type Pair,
  type Room,
  scoreOf,
  spanningTree,
  worthCounting,
} from './pairs.js';
import { type MarginalsPlan, MOST_BINS, PARTS } from './question.js';
import type { Sum } from './state.js';

/**
 * The first sum: every column on its fine cells. Of a range's c fine cells the model adds up about c/b for each of its b cells, so that
 * their noise is √(c/b) times that of one and the column's expected L1 error ∝ √(b·c): as if it had so many cells.
 */
export function allColumns({ fine, scale }: MarginalsPlan): Measured {
  const weights = weightsFor(
    fine.blocks.map(({ cells, edges }) =>
      edges === undefined || cells <= MOST_BINS ? cells : Math.sqrt(MOST_BINS * cells),
    ),
    scale,
  );
  return {
    version: 1,
    maps: [],
    marginals: fine.blocks.map((_, column) => ({ axes: [{ column }], weight: weights[column] as number })),
  };
}

/** The second: every pair of columns on coarse cells. */
export function allPairs(plan: MarginalsPlan, { grids }: Base): Measured {
  const pairs: Omit<ChosenPair, 'score'>[] = [];
  for (let b = 1; b < grids.length; b++)
    for (let a = 0; a < b; a++) {
      const cells = (grids[a] as Grid).coarseCells * (grids[b] as Grid).coarseCells;
      pairs.push({ a, b, levels: ['coarse', 'coarse'], cells });
    }
  return measuredPairs(plan, grids, pairs);
}

/** The third: the strongest tree of pairs, and the label with every column that says something of it. */
export function treeAndLabel(plan: MarginalsPlan, base: Base, second: Sum): readonly ChosenPair[] {
  const pairs = scoredPairs(plan, second, (a, b) => independent(base, a, b));
  const tree = spanningTree(pairs, base.grids.length);
  const label = plan.context.schema.fields.findIndex((field) => field.label);
  const ofLabel = pairs.filter((pair) => (pair.a === label || pair.b === label) && !tree.includes(pair));
  return worthCounting([...byScore(tree), ...byScore(ofLabel)], base.grids, roomOf(plan, base, 2, []));
}

/** The fourth: the pairs of which the model so far says least well what the second sum counted. */
export function missedPairs(
  plan: MarginalsPlan,
  base: Base,
  second: Sum,
  chosen: readonly Edge[],
  model: Model,
): readonly ChosenPair[] {
  const pairs = scoredPairs(plan, second, (a, b) => modelled(base, model, a, b));
  return worthCounting(byScore(pairs), base.grids, roomOf(plan, base, 3, chosen));
}

/**
 * A sum that found no pair worth counting counts again what is there, since it is paid for: the pairs that were chosen before, or else
 * every column.
 */
export function measuredOrAgain(
  plan: MarginalsPlan,
  { grids }: Base,
  pairs: readonly ChosenPair[],
  before: Measured | undefined,
): Measured {
  if (pairs.length > 0) return measuredPairs(plan, grids, pairs);
  return before !== undefined && before.maps.length > 0 ? before : allColumns(plan);
}

export function measuredPairs(
  { scale }: MarginalsPlan,
  grids: readonly Grid[],
  pairs: readonly Omit<ChosenPair, 'score'>[],
): Measured {
  const maps: { column: number; cells: readonly number[] }[] = [];
  const known = new Map<string, number>();
  const axis = (column: number, level: Level): Axis => {
    const key = `${column} ${level}`;
    const map = known.get(key) ?? maps.push({ column, cells: mapAt(grids[column] as Grid, level) }) - 1;
    known.set(key, map);
    return { map };
  };
  const weights = weightsFor(
    pairs.map(({ cells }) => cells),
    scale,
  );
  return {
    version: 1,
    marginals: pairs.map(({ a, b, levels }, i) => ({
      axes: [axis(a, levels[0]), axis(b, levels[1])],
      weight: weights[i] as number,
    })),
    maps,
  };
}

function scoredPairs(
  plan: MarginalsPlan,
  second: Sum,
  expected: (a: number, b: number) => Float64Array,
): readonly Pair[] {
  return countedIn(second, plan.fine).map(({ columns, counts, variance }) => {
    const [a, b] = columns as [number, number];
    return { a, b, score: scoreOf(counts, expected(a, b), variance) };
  });
}

function byScore<T extends Pair>(pairs: readonly T[]): readonly T[] {
  return pairs
    .filter(({ score }) => score > 0)
    .toSorted((x, y) => y.score - x.score || x.a - y.a || x.b - y.b);
}

function roomOf(plan: MarginalsPlan, base: Base, step: number, chosen: readonly Edge[]): Room {
  const { noiseMultiplier, modelCells } = plan.options;
  return {
    deviation: noiseMultiplier / Math.sqrt(PARTS[step] as number),
    cells: plan.dimensions[step] as number,
    fits: (pairs) => cellsOf(base.domain, cliquesOf(base, [...chosen, ...pairs])) <= modelCells,
  };
}
