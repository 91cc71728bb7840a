import type { Rng } from '../../crypto/rng.js';
import type { LearningEngine } from '../engine.js';
import { InvalidOptions } from '../errors.js';
import type { LossGradient } from './clippedGradient.js';
import type { Backward, Forward, Layer, Pass } from './layer.js';
import type { GradientTerm } from './terms.js';

/** Layers one after another, over one flat vector of parameters. */
export interface Network {
  readonly inputs: number;
  readonly outputs: number;
  readonly parameters: number;
  /** The layers' largest. */
  readonly summedRows: number;
  readonly layers: readonly Layer[];
  initial(rng: Rng): Float32Array;
  bind(engine: LearningEngine, parameters: Float32Array): readonly Forward[];
}

/** @throws InvalidOptions when sizes do not fit, or a layer comes twice: shared weights need norms across both uses. */
export function networkOf(layers: readonly Layer[]): Network {
  layers.forEach((layer, index) => {
    const before = layers[index - 1];
    if (before !== undefined && before.outputs !== layer.inputs)
      throw new InvalidOptions(
        `layers[${index}]`,
        `takes ${layer.inputs} numbers a record, and gets ${before.outputs}`,
      );
    if (layer.parameters > 0 && layers.indexOf(layer) !== index)
      throw new InvalidOptions(
        `layers[${index}]`,
        `shares its weights with layers[${layers.indexOf(layer)}]; a record’s norm over shared weights is not supported`,
      );
  });
  const [first, last] = [layers[0], layers.at(-1)];
  if (first === undefined || last === undefined) throw new InvalidOptions('layers', 'there are none');
  const offsets = offsetsOf(layers);
  return {
    inputs: first.inputs,
    outputs: last.outputs,
    parameters: offsets.at(-1) as number,
    summedRows: Math.max(...layers.map((layer) => layer.summedRows)),
    layers,
    initial(rng) {
      const parameters = new Float32Array(offsets.at(-1) as number);
      layers.forEach((layer, index) => {
        parameters.set(layer.initial(rng), offsets[index]);
      });
      return parameters;
    },
    bind: (engine, parameters) =>
      layers.map((layer, index) =>
        layer.bind(engine, parameters.subarray(offsets[index], offsets[index + 1])),
      ),
  };
}

function offsetsOf(layers: readonly Layer[]): readonly number[] {
  const offsets = [0];
  for (const layer of layers) offsets.push((offsets.at(-1) as number) + layer.parameters);
  return offsets;
}

/**
 * Forward, the loss, and back. `order` says which record of the batch each is, for the loss. Each term is handed over when it is
 * there, from the last layer to the first.
 */
export function passThrough(
  network: Network,
  forward: readonly Forward[],
  inputs: Float32Array,
  order: readonly number[],
  loss: LossGradient,
  use: (term: GradientTerm) => void,
): void {
  const passes: Pass[] = [];
  let output = inputs;
  for (const layer of forward) {
    const pass = layer(output, order.length);
    passes.push(pass);
    output = pass.output;
  }
  let gradient: Float32Array | undefined = new Float32Array(output.length);
  const size = network.outputs;
  for (const [i, record] of order.entries())
    loss(output.subarray(i * size, (i + 1) * size), record, gradient.subarray(i * size, (i + 1) * size));
  const offsets = offsetsOf(network.layers);
  for (let index = passes.length - 1; index >= 0 && gradient !== undefined; index--) {
    const back: Backward = (passes[index] as Pass).backward(gradient, index > 0);
    passes.length = index; // what it kept and no term holds can go
    gradient = back.input;
    for (const term of back.terms) use({ ...term, offset: term.offset + (offsets[index] as number) });
  }
}
