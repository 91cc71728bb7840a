import type { LearningEngine, Matrix } from '../engine.js';
import type { TableEncoding } from '../table/encoding.js';
import type { Tape } from './clipping.js';
import { writeOneHot } from './generator.js';
import { backward, forward, type Layer } from './network.js';

/**
 * The critic's logistic loss of a record x and its fake f, softplus(−D(x)) + softplus(D(f)) (Goodfellow et al. 2014), run
 * forward and backward over a batch of such pairs with what clipping needs kept.
 */
export function criticTape(
  engine: LearningEngine,
  encoding: TableEncoding,
  layers: readonly Layer[],
  parameters: Float32Array,
  real: Uint16Array,
  fake: Uint16Array,
): Tape {
  const records = real.length / encoding.blocks.length;
  const input: Matrix = {
    rows: 2 * records,
    columns: encoding.width,
    data: new Float32Array(2 * records * encoding.width),
  };
  writeOneHot(encoding, real, input, 0, 2);
  writeOneHot(encoding, fake, input, 1, 2);
  const activations = forward(engine, layers, parameters, input);
  const scores = (activations.at(-1) as Matrix).data;
  const gradient = scores.map((score, row) => (row % 2 === 0 ? -logistic(-score) : logistic(score)));
  const outputGradient = { rows: input.rows, columns: 1, data: gradient };
  const { outputs } = backward(engine, layers, parameters, activations, outputGradient);
  return { records, inputs: activations.slice(0, -1), outputGradients: outputs };
}

export interface FakeScores {
  /** Gradient of the generator's non-saturating loss, the mean of softplus(−D(f)), by the one-hot rows. */
  readonly gradient: Matrix;
  /** Share of the fakes that the critic takes for fakes. */
  readonly accuracy: number;
}

/** What the critic thinks of generated rows: post-processing, no record is touched. */
export function scoreFakes(
  engine: LearningEngine,
  encoding: TableEncoding,
  layers: readonly Layer[],
  parameters: Float32Array,
  fake: Uint16Array,
): FakeScores {
  const rows = fake.length / encoding.blocks.length;
  const input: Matrix = { rows, columns: encoding.width, data: new Float32Array(rows * encoding.width) };
  writeOneHot(encoding, fake, input);
  const activations = forward(engine, layers, parameters, input);
  const scores = (activations.at(-1) as Matrix).data;
  let told = 0;
  for (const score of scores) if (score < 0) told += 1;
  const data = scores.map((score) => -logistic(-score) / rows);
  const gradients = backward(engine, layers, parameters, activations, { rows, columns: 1, data }, true);
  return { gradient: gradients.input as Matrix, accuracy: told / rows };
}

function logistic(x: number): number {
  return 1 / (1 + Math.exp(-x));
}
