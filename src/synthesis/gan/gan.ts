import { bytesToHex } from '@noble/hashes/utils.js';
import { nodePrimitives } from '../../crypto/nodePrimitives.js';
import type { Rng } from '../../crypto/rng.js';
import { eventOf } from '../../privacy/quantization.js';
import type { SumQuery } from '../../privacy/sumQuery.js';
import { startEngine } from '../engine.js';
import { InvalidOptions } from '../errors.js';
import { seededRng } from '../randomness.js';
import type { Models, NoisySum, Step, Synthesizer } from '../synthesizer.js';
import { cellsOf, tableEncoding } from '../table/encoding.js';
import type { RecordSource } from '../table/records.js';
import { adamStep } from './adam.js';
import { ClippedSum } from './clipping.js';
import { criticTape, scoreFakes } from './critic.js';
import { generate, straightThrough } from './generator.js';
import { backward, parameterGradient } from './network.js';
import { type GanOptions, parseGanOptions } from './options.js';
import { assertCriticGradientQuery, criticGradientQuery, readQuestion } from './question.js';
import { encodeRelease, sampleRelease } from './release.js';
import {
  decodeGanState,
  encodeGanState,
  floatsToBytes,
  type GanState,
  ganPlan,
  initialGanState,
} from './state.js';

/**
 * A GAN whose critic alone meets records (Bie, Kamath and Zhang, "Private GANs, revisited", 2023): each round asks for
 * the sum of the clipped per-record gradients of the critic's loss, a record being paired with one fake that its
 * holder draws from the broadcast generator. The generator learns from the critic, which is post-processing.
 */
export const ganSynthesizer: Synthesizer<GanOptions, GanState> = {
  kind: 'gan',
  parseOptions: parseGanOptions,

  plan(context, options) {
    const query: SumQuery = { ...criticGradientQuery(ganPlan(context, options)), models: [] };
    return [{ event: eventOf(query, context.cohort.minSurvivors, context.cohort), count: options.steps }];
  },

  async initialState(context, options, seed) {
    if (seed.length < 16) throw new InvalidOptions('seed', 'needs at least 16 bytes');
    return initialGanState(ganPlan(context, options), seed);
  },

  nextQuery(state): Step | undefined {
    if (state.step >= state.plan.options.steps) return undefined;
    const models = new Map([
      ['critic', floatsToBytes(state.critic)],
      ['generator', floatsToBytes(state.generator)],
    ]);
    const references = [...models].map(([name, bytes]) => ({
      name,
      digest: bytesToHex(nodePrimitives.sha256(bytes)),
      bytes: bytes.length,
    }));
    return { query: { ...criticGradientQuery(state.plan), models: references }, models };
  },

  assertQuery(context, options, query) {
    assertCriticGradientQuery(ganPlan(context, options), query);
  },

  contribute,
  absorb,
  encodeState: encodeGanState,

  async decodeState(context, options, bytes) {
    return decodeGanState(ganPlan(context, options), bytes);
  },

  release: (state) => encodeRelease(state.plan.generatorWidths, state.average),
  sample: sampleRelease,

  progress(state) {
    return {
      step: state.step,
      steps: state.plan.options.steps,
      generatorSteps: state.generatorSteps,
      criticFakeAccuracy: state.fakeAccuracy,
      criticStepsPerGeneratorStep: state.criticStepsPerGeneratorStep,
    };
  },
};

/**
 * Sampling, latents and Gumbel noise draw from streams of their own, each in the order of the records: a record more at
 * the end shifts nothing of the others', so two neighbouring tables differ by that record's vector and nothing else.
 */
async function contribute(
  query: SumQuery,
  models: Models,
  records: RecordSource,
  rng: Rng,
): Promise<Float32Array> {
  const engine = await startEngine();
  const encoding = tableEncoding(records.schema);
  const question = readQuestion(query, models, encoding);
  const seed = rng(32);
  const rngs = { latents: seededRng(seed, 'gan/latents'), gumbels: seededRng(seed, 'gan/gumbels') };
  const sum = new ClippedSum(question.criticLayers, question.clipNorm);
  for await (const batch of records.sample(query.samplingRate, seededRng(seed, 'gan/sampling'))) {
    const real = cellsOf(encoding, batch);
    const fake = generate(engine, encoding, question.generatorLayers, question.generator, batch.count, rngs);
    sum.add(engine, criticTape(engine, encoding, question.criticLayers, question.critic, real, fake.cells));
  }
  return sum.values();
}

async function absorb(state: GanState, query: SumQuery, sum: NoisySum): Promise<GanState> {
  const { options, context } = state.plan;
  // Hazard P1: the divisor is made of public constants, the declared counts of those who are in the sum.
  const declared = context.members
    .filter((member) => sum.contributors.includes(member.id))
    .reduce((total, member) => total + member.declaredRecords, 0);
  if (declared === 0) throw new InvalidOptions('contributors', 'none of them is a member');
  if (sum.values.length !== query.dimension)
    throw new InvalidOptions('sum', 'has not the dimension of its query');
  const expectedBatch = query.samplingRate * declared;
  const gradient = sum.values.map((value) => value / expectedBatch);
  const { criticLearningRate, criticDecay } = options;
  const critic = adamStep(state.critic, state.criticMoments, gradient, criticLearningRate, criticDecay);
  const stepped: GanState = {
    ...state,
    step: state.step + 1,
    sinceGenerator: state.sinceGenerator + 1,
    critic: critic.parameters,
    criticMoments: critic.moments,
  };
  if (stepped.sinceGenerator < stepped.criticStepsPerGeneratorStep) return stepped;
  return generatorStep(stepped);
}

/** Below this the critic can no longer guide the generator and gets more steps (Bie et al. 2023, section 4.2). */
const LOW_FAKE_ACCURACY = 0.6;
const ACCURACY_DECAY = 0.9;
const MOST_NOTCHES = 8;

async function generatorStep(state: GanState): Promise<GanState> {
  const engine = await startEngine();
  const { encoding, options, criticLayers, generatorLayers } = state.plan;
  const rngs = {
    latents: seededRng(state.seed, `gan/generator-latents/${state.step}`),
    gumbels: seededRng(state.seed, `gan/generator-gumbels/${state.step}`),
  };
  const fakes = generate(engine, encoding, generatorLayers, state.generator, options.generatorBatch, rngs);
  const scores = scoreFakes(engine, encoding, criticLayers, state.critic, fakes.cells);
  const byLogits = straightThrough(encoding, fakes, scores.gradient, options.temperature);
  const { outputs } = backward(engine, generatorLayers, state.generator, fakes.activations, byLogits);
  const gradient = parameterGradient(engine, generatorLayers, fakes.activations, outputs);
  const next = adamStep(state.generator, state.generatorMoments, gradient, options.generatorLearningRate);
  const fakeAccuracy = ACCURACY_DECAY * state.fakeAccuracy + (1 - ACCURACY_DECAY) * scores.accuracy;
  const slower =
    fakeAccuracy < LOW_FAKE_ACCURACY &&
    state.criticStepsPerGeneratorStep < MOST_NOTCHES * options.criticStepsPerGeneratorStep;
  return {
    ...state,
    generatorSteps: state.generatorSteps + 1,
    sinceGenerator: 0,
    criticStepsPerGeneratorStep: state.criticStepsPerGeneratorStep + (slower ? 1 : 0),
    // A notch is judged by what comes after it.
    fakeAccuracy: slower ? 1 : fakeAccuracy,
    generator: next.parameters,
    generatorMoments: next.moments,
    average: movingAverage(state, next.parameters),
  };
}

/** With the warm-up of an unbiased average: early on the decay is smaller, so the initial weights are soon forgotten. */
function movingAverage(state: GanState, generator: Float32Array): Float32Array {
  const seen = state.generatorSteps;
  const decay = Math.min(state.plan.options.generatorAverage, seen / (seen + 10));
  return state.average.map((value, i) => decay * value + (1 - decay) * (generator[i] as number));
}
