import { eventOf } from '../../privacy/quantization.js';
import { parseRational, toNumber } from '../../privacy/rational.js';
import type { SumQuery } from '../../privacy/sumQuery.js';
import { cellsOfMarginal, columnOf, encodeMeasured } from '../counts/measured.js';
import { InvalidOptions } from '../errors.js';
import { stepOf } from '../models.js';
import type { NoisySum, PlannedCost, Step, Synthesizer } from '../synthesizer.js';
import { completeRelease } from './completion.js';
import { contribute } from './counting.js';
import { baseOf, type Edge, fitModel } from './fitting.js';
import { allColumns, allPairs, measuredOrAgain, missedPairs, treeAndLabel } from './nextSum.js';
import { type MarginalsOptions, parseMarginalsOptions } from './options.js';
import { assertCountsQuery, countsQuery, MEASURED, marginalsPlan, SUMS } from './question.js';
import { encodeRelease } from './release.js';
import { sampleRelease } from './sampling.js';
import { shrunkPairs } from './shrunkPairs.js';
import { decodeState, encodeState, type MarginalsState, type Sum } from './state.js';

/**
 * Four sums of counts, and a graphical model of what they say (DESIGN §6): all columns; all pairs of columns on coarse cells; the
 * pairs that depend most on each other, and on the label; the pairs that the model then still misses. What is asked follows
 * from the sums before, which is post-processing, and its cost does not: that is in the plan. The model is the
 * one of largest entropy that comes closest to the counts (McKenna, Sheldon, Miklau 2019), as in MST (McKenna, Miklau,
 * Sheldon 2021) and AIM (McKenna et al. 2022), without their exponential mechanism, which sums cannot do.
 */
export const marginalsSynthesizer: Synthesizer<MarginalsOptions, MarginalsState> = {
  kind: 'marginals',
  parseOptions: parseMarginalsOptions,

  plan(context, options) {
    const plan = marginalsPlan(context, options);
    return plan.dimensions.map((_, step): PlannedCost => {
      const query: SumQuery = { ...countsQuery(plan, step), models: [] };
      return { event: eventOf(query, context.cohort.minSurvivors, context.cohort), count: 1 };
    });
  },

  async initialState(context, options, seed) {
    if (seed.length < 16) throw new InvalidOptions('seed', 'needs at least 16 bytes');
    const plan = marginalsPlan(context, options);
    return { plan, seed: seed.slice(), sums: [], next: allColumns(plan), release: undefined };
  },

  nextQuery({ plan, sums, next }): Step | undefined {
    if (next === undefined) return undefined;
    return stepOf(countsQuery(plan, sums.length), new Map([[MEASURED, encodeMeasured(next)]]));
  },

  assertQuery(context, options, query) {
    assertCountsQuery(marginalsPlan(context, options), query);
  },

  contribute,
  absorb,
  encodeState,

  async decodeState(context, options, bytes) {
    return decodeState(marginalsPlan(context, options), bytes);
  },

  release(state) {
    if (state.release === undefined)
      throw new InvalidOptions('release', `there is none before ${SUMS} sums are opened`);
    return state.release;
  },

  conditional: true,
  sample: sampleRelease,
  complete: completeRelease,

  progress({ sums, plan }) {
    return { step: sums.length, steps: plan.dimensions.length, pairs: edgesIn(sums).length };
  },
};

async function absorb(state: MarginalsState, query: SumQuery, sum: NoisySum): Promise<MarginalsState> {
  const { plan, next } = state;
  if (next === undefined) throw new InvalidOptions('sum', 'was not asked');
  if (sum.values.length !== query.dimension)
    throw new InvalidOptions('sum', 'has not the dimension of its query');
  const cells = next.marginals.reduce((total, one) => total + cellsOfMarginal(next, one, plan.fine), 0);
  const opened: Sum = {
    measured: next,
    values: sum.values.slice(0, cells),
    variance: toNumber(parseRational(query.encoding.shareVariance)) * sum.contributors.length,
  };
  return following({ ...state, sums: [...state.sums, opened] });
}

/** What comes after the sums so far. */
function following(state: MarginalsState): MarginalsState {
  const { plan, sums } = state;
  const [first, second] = sums as readonly [Sum, Sum?];
  const base = baseOf(plan, first);
  if (second === undefined) return { ...state, next: allPairs(plan, base) };
  if (sums.length === 2)
    return { ...state, next: measuredOrAgain(plan, base, treeAndLabel(plan, base, second), undefined) };
  const edges = edgesIn(sums);
  const { model } = fitModel(plan, base, sums, edges);
  if (sums.length === SUMS) {
    const pairs = shrunkPairs(plan, base, second, edges, model);
    const last = pairs.length === 0 ? model : fitModel(plan, base, sums, edges, { pairs, of: second }).model;
    return { ...state, next: undefined, release: encodeRelease(last, base, plan.fine) };
  }
  const missed = missedPairs(plan, base, second, edges, model);
  return { ...state, next: measuredOrAgain(plan, base, missed, sums[2]?.measured) };
}

/** The pairs that were chosen in the third and the fourth sum: the junction tree is made for them. */
function edgesIn(sums: readonly Sum[]): readonly Edge[] {
  const edges = new Map<string, Edge>();
  for (const { measured } of sums.slice(2))
    for (const { axes } of measured.marginals) {
      if (axes.length < 2) continue;
      const [a, b] = axes.map((axis) => columnOf(measured, axis)) as [number, number];
      edges.set(`${a},${b}`, { a, b });
    }
  return [...edges.values()];
}
