import type { Rng } from '../../crypto/rng.js';
import { sampleDiscreteGaussian } from '../../privacy/noise/discreteGaussian.js';
import { startEngine } from '../engine.js';
import { initialMoments } from '../learning/adam.js';
import { seededRng } from '../randomness.js';
import type { RecordSource } from '../table/records.js';
import { STEPS_PER_CLIP } from './clipping.js';
import { clippedCriticGradient, criticStep } from './criticGradient.js';
import { generatorStep } from './lesson.js';
import type { LocalQuestion, Question } from './reading.js';

/**
 * Beyond (z·C)², grid steps²: noise on integers of parameter σ² is as private as continuous noise of σ² − s², up to a factor e^±η with
 * η = 4d·e^(−2π²s²) (docs/privacy.md, "The bridge"). With s² = 64, η is 0 in any arithmetic: below 10⁻⁵⁰⁰.
 */
const BRIDGE = 64;

/** The exact noise of one local step, in steps of C·2⁻¹⁴, one number a parameter of the critic. */
function stepNoise({ noiseMultiplier, critic }: LocalQuestion, rng: Rng): Int32Array {
  const deviation = noiseMultiplier * STEPS_PER_CLIP;
  const variance = {
    numerator: String(BigInt(Math.ceil(deviation ** 2)) + BigInt(BRIDGE)),
    denominator: '1',
  };
  return sampleDiscreteGaussian(variance, critic.length, rng);
}

/** Seed of a local step's streams: the sum before its noise is `clippedCriticGradient` with it, whose neighbours a test replays. */
export function localStepSeed(seed: Uint8Array, step: number): Uint8Array {
  return seededRng(seed, `gan/local/${step}`)(32);
}

/**
 * `fedavg`, as FedSyn trains (DESIGN §1): DP-SGD on the critic by this participant's records, each step with noise of its own in full;
 * after each step the generator learns from that critic, which is post-processing. What has changed is the answer: a
 * function of the noisy sums and of public models alone, so its clamping and its rounding are free, and the sum over the
 * participants is no second release.
 *
 * All noise is drawn before the first record is touched (hazard P11).
 * @returns what the critic's parameters changed by, then the generator's.
 */
export async function localTraining(
  question: LocalQuestion,
  records: RecordSource,
  rng: Rng,
): Promise<Float64Array> {
  const engine = await startEngine();
  const { criticShape, rates, steps, columns, generatorLayers, samplingRate } = question;
  const seed = rng(32);
  const noise = Array.from({ length: steps }, (_, step) =>
    stepNoise(question, seededRng(seed, `gan/local/${step}/noise`)),
  );
  const expectedBatch = samplingRate * rates.expectedRecords;
  let { critic, generator } = question;
  let moments = initialMoments(criticShape.deep);
  let generatorMoments = initialMoments(generator.length);
  for (let step = 0; step < steps; step++) {
    const now: Question = { ...question, critic, generator };
    const sum = await clippedCriticGradient(now, records, localStepSeed(seed, step));
    const own = noise[step] as Int32Array;
    const noisy = Float64Array.from(
      sum,
      (value, i) => value + ((own[i] as number) * question.clipNorm) / STEPS_PER_CLIP,
    );
    ({ critic, moments } = criticStep(criticShape, { critic, moments }, noisy, expectedBatch, rates));
    for (let turn = 0; turn < rates.generatorSteps; turn++) {
      const learnt = generatorStep(
        engine,
        { criticShape, critic, columns, layers: generatorLayers },
        { generator, moments: generatorMoments },
        rates,
        (name) => seededRng(seed, `gan/local/${step}/generator-${name}/${turn}`),
      );
      generator = learnt.generator;
      generatorMoments = learnt.moments;
    }
  }
  return Float64Array.from([
    ...critic.map((value, i) => value - (question.critic[i] as number)),
    ...generator.map((value, i) => value - (question.generator[i] as number)),
  ]);
}
