import type { LearningEngine, Matrix } from '../engine.js';
import type { Layout } from '../oneWays/columns.js';
import type { Tape } from './clipping.js';
import { backward, forward, type Layer, layersOf, parameterCount, type Widths } from './network.js';
import { featuresOf, type PairFeatures, pairFeatures, pairScores } from './pairFeatures.js';

/**
 * The critic's score of a row: linear in the features of its pairs of columns, plus a small network over its one-hot vector where the
 * options ask for one. Parameters: the network's, then the weights of the features.
 */
export interface Critic {
  readonly pairs: PairFeatures;
  readonly widths: Widths;
  /** None where there is no network. */
  readonly layers: readonly Layer[];
  /** Of the network. */
  readonly deep: number;
  readonly parameters: number;
}

export interface CriticOptions {
  readonly criticFeatures: number;
  readonly criticHidden: readonly number[];
}

export function criticOf(layout: Layout, { criticFeatures, criticHidden }: CriticOptions): Critic {
  const pairs = pairFeatures(layout, criticFeatures);
  const widths = criticHidden.length === 0 ? [] : [layout.width, ...criticHidden, 1];
  const deep = parameterCount(widths);
  return { pairs, widths, layers: layersOf(widths), deep, parameters: deep + pairs.dimension };
}

/**
 * A record's gradient by the weights of the features is asked for times this, so that its norm is about that of a network's, however
 * many columns there are: public, and taken off again when the sum is opened.
 */
export function featureUnit({ pairs }: Critic): number {
  return 1 / Math.sqrt(Math.max(1, pairs.perRow));
}

/**
 * The critic's logistic loss of a record x and its fake f, softplus(−D(x)) + softplus(D(f)) (Goodfellow et al. 2014), run
 * forward and backward over a batch of such pairs with what clipping needs kept.
 */
export function criticTape(
  engine: LearningEngine,
  critic: Critic,
  parameters: Float32Array,
  real: Uint16Array,
  fake: Uint16Array,
): Tape {
  const { layers, pairs, deep } = critic;
  const columns = pairs.layout.places.length;
  const records = real.length / columns;
  const cells = new Uint16Array(2 * real.length);
  for (let record = 0; record < records; record++) {
    const from = record * columns;
    cells.set(real.subarray(from, from + columns), 2 * from);
    cells.set(fake.subarray(from, from + columns), 2 * from + columns);
  }
  const features = featuresOf(pairs, cells);
  const scores = pairScores(pairs, parameters.subarray(deep), features);
  const activations =
    layers.length === 0 ? [] : forward(engine, layers, parameters, oneHot(pairs.layout, cells));
  activations.at(-1)?.data.forEach((score, row) => {
    scores[row]! += score;
  });
  const data = Float32Array.from(scores, (score, row) =>
    row % 2 === 0 ? -logistic(-score) : logistic(score),
  );
  const gradient: Matrix = { rows: 2 * records, columns: 1, data };
  const unit = featureUnit(critic);
  return {
    records,
    inputs: activations.slice(0, -1),
    outputGradients:
      layers.length === 0 ? [] : backward(engine, layers, parameters, activations, gradient).outputs,
    features: {
      dimension: pairs.dimension,
      features,
      gradient: { ...gradient, data: data.map((value) => unit * value) },
    },
  };
}

/** The one-hot vector of each row of cells. */
export function oneHot({ places, width }: Layout, cells: Uint16Array): Matrix {
  const rows = cells.length / places.length;
  const data = new Float32Array(rows * width);
  for (let i = 0, row = 0; row < rows; row++)
    for (const { start } of places) data[row * width + start + (cells[i++] as number)] = 1;
  return { rows, columns: width, data };
}

export function logistic(x: number): number {
  return 1 / (1 + Math.exp(-x));
}
