import { eventOf } from '../../privacy/quantization.js';
import type { SumQuery } from '../../privacy/sumQuery.js';
import { InvalidOptions } from '../errors.js';
import { stepOf } from '../models.js';
import { encodeColumns } from '../oneWays/columns.js';
import { contributeOneWays, ONE_WAY_COUNTS } from '../oneWays/oneWays.js';
import type { Models, PlannedCost, Step, Synthesizer } from '../synthesizer.js';
import { fineCells } from '../table/fineCells.js';
import { absorb } from './absorbing.js';
import { clippedCriticGradient } from './criticGradient.js';
import { localTraining } from './localTraining.js';
import { type GanOptions, parseGanOptions } from './options.js';
import { assertGanQuery, firstQuery, MODEL_DELTA, trainingQuery } from './question.js';
import { readLocalQuestion, readQuestion } from './reading.js';
import { encodeRelease, sampleRelease } from './release.js';
import { decodeGanState, encodeGanState, floatsToBytes, type GanState, ganPlan } from './state.js';

/**
 * A GAN whose critic alone meets records (Bie, Kamath and Zhang, "Private GANs, revisited", 2023). The first sum counts every column: its
 * noisy one-ways give the cells, the conditions and the generator's start. Each round after it asks for the sum of the
 * clipped per-record gradients of the critic's loss, a record being paired with one fake that its holder draws from the
 * broadcast generator. The generator learns from the critic, which is post-processing.
 */
export const ganSynthesizer: Synthesizer<GanOptions, GanState> = {
  kind: 'gan',
  parseOptions: parseGanOptions,

  plan(context, options) {
    const plan = ganPlan(context, options);
    const cost = (query: SumQuery, count: number): PlannedCost => ({
      event: eventOf(query, context.cohort.minSurvivors, context.cohort),
      count,
    });
    const costs = [
      cost(firstQuery(plan), 1),
      cost({ ...trainingQuery(plan), models: [] }, options.steps - 1),
    ];
    return costs.filter(({ count }) => count > 0);
  },

  async initialState(context, options, seed) {
    if (seed.length < 16) throw new InvalidOptions('seed', 'needs at least 16 bytes');
    return { plan: ganPlan(context, options), seed: seed.slice(), step: 0, training: undefined };
  },

  nextQuery({ plan, step, training }): Step | undefined {
    if (step >= plan.options.steps) return undefined;
    if (training === undefined) return { query: firstQuery(plan), models: new Map() };
    const models = new Map([
      ['columns', encodeColumns(training.columns)],
      ['critic', floatsToBytes(training.critic)],
      ['generator', floatsToBytes(training.generator)],
    ]);
    return stepOf(trainingQuery(plan), models);
  },

  assertQuery(context, options, query) {
    assertGanQuery(ganPlan(context, options), query);
  },

  async contribute(query: SumQuery, models: Models, records, rng) {
    if (query.kind === ONE_WAY_COUNTS) return contributeOneWays(query, records, rng);
    const fine = fineCells(records.schema);
    if (query.kind === MODEL_DELTA)
      return localTraining(readLocalQuestion(query, models, fine), records, rng);
    return clippedCriticGradient(readQuestion(query, models, fine), records, rng(32));
  },
  absorb,
  encodeState: encodeGanState,

  async decodeState(context, options, bytes) {
    return decodeGanState(ganPlan(context, options), bytes);
  },

  release({ training }) {
    if (training === undefined)
      throw new InvalidOptions('release', 'there is none before the first sum is opened');
    return encodeRelease(training.columns, training.average);
  },
  sample: sampleRelease,

  progress({ step, plan, training }) {
    return {
      step,
      steps: plan.options.steps,
      generatorSteps: training?.generatorSteps ?? 0,
      criticFakeAccuracy: training?.fakeAccuracy ?? 1,
      criticStepsPerGeneratorStep:
        training?.criticStepsPerGeneratorStep ?? plan.options.criticStepsPerGeneratorStep,
    };
  },
};
