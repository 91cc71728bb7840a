import type { Rng } from '../../crypto/rng.js';
import { startEngine } from '../engine.js';
import { type AdamMoments, adamStep } from '../learning/adam.js';
import { recordCells } from '../oneWays/columns.js';
import { seededRng } from '../randomness.js';
import type { RecordSource } from '../table/records.js';
import { ClippedSum } from './clipping.js';
import { type Critic, criticTape, featureUnit } from './critic.js';
import { conditionsOfRecords, drawCells, generate } from './generator.js';
import type { Question } from './reading.js';

/**
 * The sum of the clipped per-record gradients of the critic's loss over a Poisson sample of the records, each paired with one fake that
 * the generator draws on a condition of the record's own.
 *
 * Sampling, conditions, latents and cells draw from streams of their own, each in the order of the records: a record more at
 * the end shifts nothing of the others', so two neighbouring tables differ by that record's vector and nothing else.
 * @param seed 32 bytes, drawn before a record is touched.
 * @returns one number a parameter of the critic, whole multiples of C·2⁻¹⁴.
 */
export async function clippedCriticGradient(
  question: Question,
  records: RecordSource,
  seed: Uint8Array,
): Promise<Float32Array> {
  const engine = await startEngine();
  const { columns, criticShape, critic, generator, generatorLayers } = question;
  const stream = (name: string): Rng => seededRng(seed, `gan/${name}`);
  const rngs = { conditions: stream('conditions'), latents: stream('latents'), cells: stream('cells') };
  const sum = new ClippedSum(criticShape.layers, question.clipNorm, criticShape.pairs.dimension);
  for await (const batch of records.sample(question.samplingRate, stream('sampling'))) {
    const real = recordCells(columns, batch);
    const conditions = conditionsOfRecords(columns, real, rngs.conditions);
    const fakes = generate(engine, columns, generatorLayers, generator, conditions, rngs.latents);
    sum.add(engine, criticTape(engine, criticShape, critic, real, drawCells(columns, fakes, rngs.cells)));
  }
  return sum.values();
}

export interface CriticRates {
  readonly featureLearningRate: number;
  readonly criticLearningRate: number;
  readonly criticDecay: number;
}

export interface CriticStep {
  readonly critic: Float32Array;
  /** Of the critic's network. */
  readonly moments: AdamMoments;
}

/** One step of the critic by a noisy sum. @param expectedBatch public constants only (hazard P1). */
export function criticStep(
  shape: Critic,
  { critic, moments }: CriticStep,
  noisySum: Float64Array,
  expectedBatch: number,
  { featureLearningRate, criticLearningRate, criticDecay }: CriticRates,
): CriticStep {
  const gradient = noisySum.map((value) => value / expectedBatch);
  const { deep } = shape;
  const network = adamStep(
    critic.subarray(0, deep),
    moments,
    gradient.subarray(0, deep),
    criticLearningRate,
    criticDecay,
  );
  const rate = featureLearningRate / featureUnit(shape);
  const next = critic.map((value, i) => (1 - criticDecay) * value - rate * (gradient[i] as number));
  next.set(network.parameters);
  return { critic: next, moments: network.moments };
}
