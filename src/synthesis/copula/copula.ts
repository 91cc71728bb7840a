import { eventOf } from '../../privacy/quantization.js';
import { parseRational, toNumber } from '../../privacy/rational.js';
import type { SumQuery } from '../../privacy/sumQuery.js';
import { InvalidOptions } from '../errors.js';
import { assertSameQuery, contributeOneWays, ONE_WAY_COUNTS, openedOneWays } from '../oneWays/oneWays.js';
import { sharesOf, totalOf } from '../oneWays/shares.js';
import { optionsOf } from '../optionsOf.js';
import type { NoisySum, Synthesizer } from '../synthesizer.js';
import { correlationOf } from './correlation.js';
import { contributeProducts, productsStep, SCORES } from './products.js';
import { encodeRelease, sampleRelease } from './release.js';
import { scoresOf } from './scores.js';
import {
  type CopulaOptions,
  type CopulaPlan,
  type CopulaState,
  copulaOptionsJson,
  copulaPlan,
  decodeState,
  encodeState,
} from './state.js';

/**
 * A Gaussian copula (Sklar 1959; Patki, Wedge, Veeramachaneni 2016) from two sums: every column's counts, then the second moments of the
 * records' normal scores. It holds each column as well as the noise allows and one figure a pair of columns: what is
 * monotone between two columns, and nothing else.
 */
export const copulaSynthesizer: Synthesizer<CopulaOptions, CopulaState> = {
  kind: 'copula',
  parseOptions: (input) => optionsOf(copulaOptionsJson, 'copula', input),

  plan(context, options) {
    const { first, second } = copulaPlan(context, options);
    const { cohort } = context;
    return [first, { ...second, models: [] }].map((query) => ({
      event: eventOf(query, cohort.minSurvivors, cohort),
      count: 1,
    }));
  },

  async initialState(context, options) {
    return { plan: copulaPlan(context, options), ones: undefined, products: undefined };
  },

  nextQuery({ plan, ones, products }) {
    if (ones === undefined) return { query: plan.first, models: new Map() };
    if (products !== undefined) return undefined;
    const { fine } = plan;
    return productsStep(plan.second, scoresOf(fine, sharesOf(fine, ones), totalOf(fine, ones)).values);
  },

  assertQuery(context, options, query) {
    const plan = copulaPlan(context, options);
    assertSameQuery(query, query.kind === ONE_WAY_COUNTS ? plan.first : withScores(plan, query));
  },

  contribute(query, models, records, rng) {
    return query.kind === ONE_WAY_COUNTS
      ? contributeOneWays(query, records, rng)
      : contributeProducts(query, models, records, rng);
  },

  absorb,
  encodeState,
  decodeState: async (context, options, bytes) => decodeState(copulaPlan(context, options), bytes),

  release({ plan: { fine }, ones, products }) {
    if (ones === undefined || products === undefined)
      throw new InvalidOptions('release', 'there is none before two sums are opened');
    const shares = sharesOf(fine, ones);
    const total = totalOf(fine, ones);
    const scores = scoresOf(fine, shares, total);
    return encodeRelease(shares, correlationOf(fine, shares, total, scores, products));
  },

  sample: (context, _options, release, request) => sampleRelease(context, release, request),
  progress: ({ ones, products }) => ({
    step: Number(ones !== undefined) + Number(products !== undefined),
    steps: 2,
  }),
};

/** The second query with the digest that this one names: which scores they are follows from the first sum, not from the plan. */
function withScores({ fine, second }: CopulaPlan, { models }: SumQuery): SumQuery {
  const digest = models[0]?.digest ?? '';
  return { ...second, models: [{ name: SCORES, digest, bytes: 8 * fine.width }] };
}

async function absorb(state: CopulaState, query: SumQuery, sum: NoisySum): Promise<CopulaState> {
  const { plan, ones, products } = state;
  if (ones === undefined) return { ...state, ones: openedOneWays(plan.fine, query, sum) };
  if (products !== undefined) throw new InvalidOptions('sum', 'was not asked');
  if (sum.values.length !== plan.second.dimension)
    throw new InvalidOptions('sum', 'has not the dimension of its query');
  const variance = toNumber(parseRational(query.encoding.shareVariance)) * sum.contributors.length;
  return { ...state, products: { values: sum.values.slice(), variance, scale: query.l2Sensitivity } };
}
