import type { Rng } from '../../crypto/rng.js';
import type { LearningEngine, Matrix } from '../engine.js';
import { transposed } from '../learning/product.js';
import { normals } from '../randomness.js';

/** Slope of LeakyReLU for negative inputs, in both networks. */
const SLOPE = 0.2;

/** Widths of a fully connected network, from input to output; LeakyReLU between layers, none at the end. */
export type Widths = readonly number[];

/** One layer's place in the flat parameter vector: weights (inputs × outputs, row-major), then the bias. */
export interface Layer {
  readonly inputs: number;
  readonly outputs: number;
  readonly weights: number;
  readonly bias: number;
}

export function layersOf(widths: Widths): readonly Layer[] {
  let offset = 0;
  return widths.slice(1).map((outputs, index) => {
    const inputs = widths[index] as number;
    const layer = { inputs, outputs, weights: offset, bias: offset + inputs * outputs };
    offset = layer.bias + outputs;
    return layer;
  });
}

export function parameterCount(widths: Widths): number {
  const last = layersOf(widths).at(-1);
  return last === undefined ? 0 : last.bias + last.outputs;
}

/**
 * He initialisation with zero biases. `active` is how many inputs are not zero: for one-hot blocks that is the number
 * of columns and not of cells, and counting cells would start the first layer far too quiet.
 */
export function initialParameters(widths: Widths, active: number, rng: Rng): Float32Array {
  const parameters = new Float32Array(parameterCount(widths));
  layersOf(widths).forEach((layer, index) => {
    const scale = Math.sqrt(2 / (index === 0 ? active : layer.inputs));
    const draws = normals(rng, layer.inputs * layer.outputs);
    for (let i = 0; i < draws.length; i++) parameters[layer.weights + i] = scale * (draws[i] as number);
  });
  return parameters;
}

/** Every layer's input, then the network's output: `layers + 1` matrices with a row for each row of `input`. */
export function forward(
  engine: LearningEngine,
  layers: readonly Layer[],
  parameters: Float32Array,
  input: Matrix,
): readonly Matrix[] {
  const activations = [input];
  layers.forEach((layer, index) => {
    const data = engine.multiply(activations[index] as Matrix, weightsOf(layer, parameters));
    const hidden = index < layers.length - 1;
    for (let row = 0, i = 0; row < input.rows; row++)
      for (let j = 0; j < layer.outputs; j++, i++) {
        const value = (data[i] as number) + (parameters[layer.bias + j] as number);
        data[i] = hidden && value < 0 ? SLOPE * value : value;
      }
    activations.push({ rows: input.rows, columns: layer.outputs, data });
  });
  return activations;
}

export interface Gradients {
  /** By layer: the loss's gradient by the layer's output before its activation. */
  readonly outputs: readonly Matrix[];
  /** By the network's input; undefined unless asked for. */
  readonly input: Matrix | undefined;
}

export function backward(
  engine: LearningEngine,
  layers: readonly Layer[],
  parameters: Float32Array,
  activations: readonly Matrix[],
  outputGradient: Matrix,
  withInput = false,
): Gradients {
  const outputs: Matrix[] = new Array(layers.length);
  let gradient = outputGradient;
  for (let index = layers.length - 1; index >= 0; index--) {
    outputs[index] = gradient;
    if (index === 0 && !withInput) return { outputs, input: undefined };
    const layer = layers[index] as Layer;
    const data = engine.multiply(gradient, transposed(weightsOf(layer, parameters)));
    // LeakyReLU keeps the sign, so its derivative can be read off what came out of it.
    const activation = (activations[index] as Matrix).data;
    if (index > 0)
      for (let i = 0; i < data.length; i++)
        if ((activation[i] as number) < 0) data[i] = SLOPE * (data[i] as number);
    gradient = { rows: gradient.rows, columns: layer.inputs, data };
  }
  return { outputs, input: gradient };
}

/** The gradient by the parameters, summed over the rows. Not per-record and not clipped: for the generator only. */
export function parameterGradient(
  engine: LearningEngine,
  layers: readonly Layer[],
  activations: readonly Matrix[],
  outputs: readonly Matrix[],
): Float32Array {
  const last = layers.at(-1) as Layer;
  const total = new Float32Array(last.bias + last.outputs);
  layers.forEach((layer, index) => {
    const gradient = outputs[index] as Matrix;
    total.set(engine.multiply(transposed(activations[index] as Matrix), gradient), layer.weights);
    for (let row = 0, i = 0; row < gradient.rows; row++)
      for (let j = 0; j < layer.outputs; j++, i++) total[layer.bias + j]! += gradient.data[i] as number;
  });
  return total;
}

function weightsOf(layer: Layer, parameters: Float32Array): Matrix {
  return {
    rows: layer.inputs,
    columns: layer.outputs,
    data: parameters.subarray(layer.weights, layer.weights + layer.inputs * layer.outputs),
  };
}
