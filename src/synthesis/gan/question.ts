import { canonicalJson, type Json } from '../../crypto/canonical.js';
import { planEncoding, planLocalEncoding } from '../../privacy/quantization.js';
import type { SumQuery } from '../../privacy/sumQuery.js';
import { InvalidOptions } from '../errors.js';
import { columnsBytes } from '../oneWays/columns.js';
import { ONE_WAY_COUNTS, oneWaysQuery } from '../oneWays/oneWays.js';
import { STEPS_PER_CLIP } from './clipping.js';
import { parameterCount } from './network.js';
import type { GanOptions } from './options.js';
import type { GanPlan } from './state.js';

/** `fedsgd`: the sum of the records' clipped gradients. */
export const CRITIC_GRADIENT = 'gan/critic-gradient';
/** `fedavg`: the sum of what local training changed. */
export const MODEL_DELTA = 'gan/model-delta';

/** `fedavg`: a parameter changes by at most this between two sums, and to this precision. Public; its noise is in it already. */
const DELTA_RANGE = 4;
const DELTA_GRID = 2 ** -16;
/** In clip norms: a step's noise is drawn in steps of C·2⁻¹⁴, and the sampler holds a deviation of 2²⁷ (privacy/noise). */
const MOST_LOCAL_NOISE = 2 ** 27 / STEPS_PER_CLIP;

/**
 * Noise of the first sum and of the others: together about the ρ of as many critic steps with the options' multiplier as there are steps
 * in all. A Gaussian sum of a Poisson sample at rate q costs about q² times what one of all records does, ρ = 1/2z² (Bun and
 * Steinke 2016), and rather more than less; so the part that the first sum takes is rather smaller than it says. What it
 * all costs is in the plan.
 */
function noiseOf({ mode, steps, localSteps, noiseMultiplier, oneWaysPart, samplingRate }: GanOptions) {
  const local = mode === 'fedavg' ? localSteps : 1;
  return {
    oneWays: noiseMultiplier / (samplingRate * Math.sqrt(steps * local * oneWaysPart)),
    steps: noiseMultiplier * Math.sqrt(Math.max(1, steps - 1) / (steps * (1 - oneWaysPart))),
  };
}

export function firstQuery({ context, options, layout }: GanPlan): SumQuery {
  return oneWaysQuery(context, layout.fine, noiseOf(options).oneWays);
}

/** What each sum after the first asks, to which the models of the moment are still to be added. */
export function trainingQuery(plan: GanPlan): Omit<SumQuery, 'models'> {
  return plan.options.mode === 'fedavg' ? modelDeltaQuery(plan) : criticGradientQuery(plan);
}

function criticGradientQuery(plan: GanPlan): Omit<SumQuery, 'models'> {
  const { clipNorm, samplingRate } = plan.options;
  const { cohort, members } = plan.context;
  const dimension = plan.critic.parameters;
  const largest = Math.max(...members.map((member) => member.declaredRecords));
  return {
    version: 1,
    kind: CRITIC_GRADIENT,
    dimension,
    // The clipped sum is exact, float error and all (clipping.ts), so a record moves it by the clip norm and no more.
    l2Sensitivity: clipNorm,
    samplingRate,
    encoding: planEncoding({
      dimension,
      l2Sensitivity: clipNorm,
      noiseMultiplier: noiseOf(plan.options).steps,
      maxCoordinate: clipNorm * coordinateBound(samplingRate * largest),
      cohort,
      members: members.length,
      rounding: 'exact',
      grid: clipNorm / STEPS_PER_CLIP,
    }),
    parameters: shapesOf(plan),
  };
}

function modelDeltaQuery(plan: GanPlan): Omit<SumQuery, 'models'> {
  const { options, context } = plan;
  const { members } = context;
  const dimension = plan.critic.parameters + parameterCount(plan.generatorWidths);
  const records = members.reduce((sum, { declaredRecords }) => sum + declaredRecords, 0) / members.length;
  const noiseMultiplier = noiseOf(options).steps;
  if (!(noiseMultiplier <= MOST_LOCAL_NOISE))
    throw new InvalidOptions(
      'noiseMultiplier',
      `a local step can have noise of ${MOST_LOCAL_NOISE} clip norms at most, this is ${noiseMultiplier.toPrecision(3)}; take less`,
    );
  return {
    version: 1,
    kind: MODEL_DELTA,
    dimension,
    l2Sensitivity: options.clipNorm,
    samplingRate: options.samplingRate,
    encoding: planLocalEncoding({
      ...{ dimension, range: DELTA_RANGE, grid: DELTA_GRID },
      members: members.length,
    }),
    localNoise: { noiseMultiplier, steps: options.localSteps },
    parameters: { ...shapesOf(plan), ...localRatesOf(options, records) },
  };
}

/** The options that a participant needs to compute a critic's gradient. */
function shapesOf({ options }: GanPlan) {
  const { clipNorm, cells, criticFeatures, criticHidden, generatorHidden, latent } = options;
  return {
    ...{ clipNorm, cells, criticFeatures, latent },
    criticHidden: [...criticHidden],
    generatorHidden: [...generatorHidden],
  };
}

/**
 * And to train by itself. Hazard P1: every member divides its sums by the same public constant, the mean of the declared counts, so that
 * deltas of equal weight are those of all records together.
 */
function localRatesOf(options: GanOptions, expectedRecords: number): { readonly [name: string]: Json } {
  const { featureLearningRate, criticLearningRate, criticDecay } = options;
  const { generatorLearningRate, generatorBatch, generatorSteps } = options;
  return {
    ...{ featureLearningRate, criticLearningRate, criticDecay },
    ...{ generatorLearningRate, generatorBatch, generatorSteps, expectedRecords },
  };
}

/** @throws InvalidOptions unless the query is one of the plan's own, but for the digests of its models. */
export function assertGanQuery(plan: GanPlan, query: SumQuery): void {
  const { layout, critic, generatorWidths } = plan;
  const models = [
    { name: 'columns', bytes: columnsBytes(layout) },
    { name: 'critic', bytes: 4 * critic.parameters },
    { name: 'generator', bytes: 4 * parameterCount(generatorWidths) },
  ];
  const expected = query.kind === ONE_WAY_COUNTS ? firstQuery(plan) : { ...trainingQuery(plan), models };
  const shapes = query.models.map(({ name, bytes }) => ({ name, bytes }));
  if (canonicalJson({ ...query, models: shapes }) !== canonicalJson(expected))
    throw new InvalidOptions('query', 'is not the one that the options of the run ask');
}

/**
 * In clip norms. A coordinate of a clipped gradient is at most one, so a participant's sum is below its sampled records;
 * one that holds what it declared is never clamped unless half of all its gradients point along one axis.
 */
function coordinateBound(expectedRecords: number): number {
  return Math.min(1024, Math.max(16, 2 ** Math.ceil(Math.log2(expectedRecords / 2))));
}
