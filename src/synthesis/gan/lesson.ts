import type { Rng } from '../../crypto/rng.js';
import type { LearningEngine, Matrix } from '../engine.js';
import { type AdamMoments, adamStep } from '../learning/adam.js';
import type { Column, Columns } from '../oneWays/columns.js';
import { type Critic, oneHot } from './critic.js';
import { drawCells, drawConditions, type Generated, generate } from './generator.js';
import { backward, forward, type Layer, parameterGradient } from './network.js';
import { featuresOf, pairScores, scoreMatrix } from './pairFeatures.js';

/** What the generator learns from. */
export interface Teacher {
  readonly criticShape: Critic;
  readonly critic: Float32Array;
  readonly columns: Columns;
  /** The generator's. */
  readonly layers: readonly Layer[];
}

export interface Pupil {
  readonly generator: Float32Array;
  readonly moments: AdamMoments;
}

export interface GeneratorRates {
  readonly generatorBatch: number;
  readonly generatorLearningRate: number;
}

/**
 * One step of the generator by Adam. @param stream by name, so that the batch size of one never shifts another.
 * @returns beside the next generator, the share of the fakes that the critic takes for fakes.
 */
export function generatorStep(
  engine: LearningEngine,
  teacher: Teacher,
  { generator, moments }: Pupil,
  { generatorBatch, generatorLearningRate }: GeneratorRates,
  stream: (name: string) => Rng,
): Pupil & { readonly accuracy: number } {
  const { gradient, accuracy } = generatorLesson(engine, teacher, generator, generatorBatch, stream);
  const next = adamStep(generator, moments, gradient, generatorLearningRate);
  return { generator: next.parameters, moments: next.moments, accuracy };
}

export interface Lesson {
  /** By the generator's parameters. */
  readonly gradient: Float32Array;
  /** Share of the fakes that the critic takes for fakes. */
  readonly accuracy: number;
}

/**
 * What the generator learns from the critic, and from the noisy one-ways: the gradient of
 *
 *   −E D(f) + Σ_columns KL(noisy one-way ‖ the batch's mean probabilities).
 *
 * D estimates log(p/g), so the first is the reverse KL divergence by the density-ratio trick (f-GAN: Nowozin et al. 2016). Given
 * its latents a row's columns are independent and D is multilinear in them, so E D is D at their probabilities: no Gumbel noise.
 * A critic's network is not multilinear; its gradient is taken at drawn cells, straight through (Bengio et al. 2013).
 *
 * Post-processing: no record is touched.
 */
export function generatorLesson(
  engine: LearningEngine,
  { criticShape, critic, columns, layers }: Teacher,
  generator: Float32Array,
  rows: number,
  stream: (name: string) => Rng,
): Lesson {
  const conditions = drawConditions(columns, rows, stream('conditions'));
  const fakes = generate(engine, columns, layers, generator, conditions, stream('latents'));
  const cells = drawCells(columns, fakes, stream('cells'));
  const weights = critic.subarray(criticShape.deep);
  const scores = pairScores(criticShape.pairs, weights, featuresOf(criticShape.pairs, cells));
  const byProbability = engine.multiply(fakes.probabilities, scoreMatrix(criticShape.pairs, weights));
  if (criticShape.layers.length > 0) {
    const activations = forward(engine, criticShape.layers, critic, oneHot(columns.layout, cells));
    const ones = { rows, columns: 1, data: new Float32Array(rows).fill(1) };
    const { input } = backward(engine, criticShape.layers, critic, activations, ones, true);
    activations.at(-1)?.data.forEach((score, row) => {
      scores[row]! += score;
    });
    input?.data.forEach((value, i) => {
      byProbability[i]! += value;
    });
  }
  for (let i = 0; i < byProbability.length; i++) byProbability[i] = -(byProbability[i] as number) / rows;
  addOneWays(columns, fakes.probabilities, byProbability);
  const byLogits = softmaxGradient(columns, fakes, byProbability);
  const { outputs } = backward(engine, layers, generator, fakes.activations, byLogits);
  return {
    gradient: parameterGradient(engine, layers, fakes.activations, outputs),
    accuracy: scores.reduce((told, score) => told + (score < 0 ? 1 : 0), 0) / rows,
  };
}

/** Adds ∂KL(q ‖ p̄)/∂p = −q/(rows · p̄), p̄ the mean over the rows. */
function addOneWays(
  { columns }: Columns,
  { rows, columns: width, data }: Matrix,
  gradient: Float32Array,
): void {
  const mean = new Float64Array(width);
  for (let i = 0, row = 0; row < rows; row++) for (let k = 0; k < width; k++) mean[k]! += data[i++] as number;
  const slope = new Float64Array(width);
  for (const { start, shares } of columns)
    shares.forEach((share, cell) => {
      // mean is still the sum over the rows: rows · p̄.
      slope[start + cell] = share / Math.max(mean[start + cell] as number, share * LEAST * rows);
    });
  for (let i = 0, row = 0; row < rows; row++)
    for (let k = 0; k < width; k++) gradient[i++]! -= slope[k] as number;
}
/** A cell that the generator has forgotten pulls no harder than one at this part of its share. */
const LEAST = 0.05;

/** By the logits: pₖ(gₖ − Σ pg) within each column, and 0 in the column of the condition, which is given. */
function softmaxGradient(
  { columns }: Columns,
  { conditions, probabilities }: Generated,
  by: Float32Array,
): Matrix {
  const { rows, columns: width, data } = probabilities;
  const out = new Float32Array(by.length);
  for (let row = 0; row < rows; row++)
    columns.forEach(({ start, cells }: Column, column) => {
      if (conditions.columns[row] === column) return;
      const first = row * width + start;
      let mean = 0;
      for (let i = first; i < first + cells; i++) mean += (data[i] as number) * (by[i] as number);
      for (let i = first; i < first + cells; i++) out[i] = (data[i] as number) * ((by[i] as number) - mean);
    });
  return { rows, columns: width, data: out };
}
