import type { SumQuery } from '../../privacy/sumQuery.js';
import { startEngine } from '../engine.js';
import { InvalidOptions } from '../errors.js';
import { columnsOf } from '../oneWays/columns.js';
import { openedOneWays } from '../oneWays/oneWays.js';
import { seededRng } from '../randomness.js';
import type { NoisySum } from '../synthesizer.js';
import { criticStep } from './criticGradient.js';
import { generatorStep } from './lesson.js';
import { type GanPlan, type GanState, initialTraining, type Training } from './state.js';

/** What the coordinator makes of an opened sum: post-processing, drawn from the run's public seed. */
export async function absorb(state: GanState, query: SumQuery, sum: NoisySum): Promise<GanState> {
  const { plan, seed, step, training } = state;
  if (sum.values.length !== query.dimension)
    throw new InvalidOptions('sum', 'has not the dimension of its query');
  return { ...state, step: step + 1, training: await trained(plan, seed, training, query, sum) };
}

function trained(
  plan: GanPlan,
  seed: Uint8Array,
  training: Training | undefined,
  query: SumQuery,
  sum: NoisySum,
): Training | Promise<Training> {
  if (training === undefined) {
    const ones = openedOneWays(plan.layout.fine, query, sum);
    return initialTraining(plan, columnsOf(plan.layout, ones, plan.options.cells), seed);
  }
  return plan.options.mode === 'fedavg'
    ? averaged(plan, training, sum)
    : criticAndGenerator(plan, seed, training, query, sum);
}

/** `fedavg`: the mean of the deltas, of equal weights. */
function averaged(plan: GanPlan, training: Training, { values, contributors }: NoisySum): Training {
  const { parameters } = plan.critic;
  const { options } = plan;
  const moved = (from: Float32Array, deltas: Float64Array): Float32Array =>
    from.map((value, i) => value + (deltas[i] as number) / contributors.length);
  const generator = moved(training.generator, values.subarray(parameters));
  const turns = options.localSteps * options.generatorSteps;
  return {
    ...training,
    generatorSteps: training.generatorSteps + turns,
    critic: moved(training.critic, values.subarray(0, parameters)),
    generator,
    average: movingAverage(training.average, generator, training.generatorSteps, turns, options),
  };
}

async function criticAndGenerator(
  plan: GanPlan,
  seed: Uint8Array,
  training: Training,
  query: SumQuery,
  sum: NoisySum,
): Promise<Training> {
  // Hazard P1: the divisor is made of public constants, the declared counts of those who are in the sum.
  const declared = plan.context.members
    .filter((member) => sum.contributors.includes(member.id))
    .reduce((total, member) => total + member.declaredRecords, 0);
  if (declared === 0) throw new InvalidOptions('contributors', 'none of them is a member');
  const { critic, moments } = criticStep(
    plan.critic,
    { critic: training.critic, moments: training.criticMoments },
    sum.values,
    query.samplingRate * declared,
    plan.options,
  );
  const sinceGenerator = training.sinceGenerator + 1;
  const stepped = { ...training, critic, criticMoments: moments, sinceGenerator };
  if (sinceGenerator < training.criticStepsPerGeneratorStep) return stepped;
  return generatorTurn(plan, seed, stepped);
}

/** Below this the critic can no longer guide the generator and gets more steps (Bie et al. 2023, section 4.2). */
const LOW_FAKE_ACCURACY = 0.6;
const ACCURACY_DECAY = 0.9;
const MOST_NOTCHES = 8;

async function generatorTurn(plan: GanPlan, seed: Uint8Array, training: Training): Promise<Training> {
  const engine = await startEngine();
  const { options, critic: criticShape, generatorLayers: layers } = plan;
  const teacher = { criticShape, critic: training.critic, columns: training.columns, layers };
  let pupil = { generator: training.generator, moments: training.generatorMoments };
  let { average, generatorSteps } = training;
  let told = 0;
  for (let turn = 0; turn < options.generatorSteps; turn++) {
    const step = generatorSteps;
    const { accuracy, ...next } = generatorStep(engine, teacher, pupil, options, (name) =>
      seededRng(seed, `gan/generator-${name}/${step}`),
    );
    pupil = next;
    average = movingAverage(average, pupil.generator, generatorSteps, 1, options);
    generatorSteps += 1;
    told += accuracy / options.generatorSteps;
  }
  const fakeAccuracy = ACCURACY_DECAY * training.fakeAccuracy + (1 - ACCURACY_DECAY) * told;
  const slower =
    fakeAccuracy < LOW_FAKE_ACCURACY &&
    training.criticStepsPerGeneratorStep < MOST_NOTCHES * options.criticStepsPerGeneratorStep;
  return {
    ...training,
    generatorSteps,
    sinceGenerator: 0,
    criticStepsPerGeneratorStep: training.criticStepsPerGeneratorStep + (slower ? 1 : 0),
    // A notch is judged by what comes after it.
    fakeAccuracy: slower ? 1 : fakeAccuracy,
    generator: pupil.generator,
    generatorMoments: pupil.moments,
    average,
  };
}

/**
 * With the warm-up of an unbiased average: early on the decay is smaller, so the initial weights are soon forgotten.
 * @param seen steps of the generator before. @param turns steps that this one stands for.
 */
function movingAverage(
  average: Float32Array,
  generator: Float32Array,
  seen: number,
  turns: number,
  { generatorAverage }: { readonly generatorAverage: number },
): Float32Array {
  const decay = Math.min(generatorAverage ** turns, seen / (seen + 10 * turns));
  return average.map((value, i) => decay * value + (1 - decay) * (generator[i] as number));
}
