import type { Rng } from '../../crypto/rng.js';
import type { LearningEngine, Matrix } from '../engine.js';
import { normals, uniforms } from '../randomness.js';
import type { Block, TableEncoding } from '../table/encoding.js';
import { forward, type Layer } from './network.js';

/** Streams that a generator draws from; apart, so that the batch size of one never shifts the other. */
export interface GeneratorRngs {
  readonly latents: Rng;
  readonly gumbels: Rng;
}

export interface Generated {
  /** Inputs of every layer, then the logits. */
  readonly activations: readonly Matrix[];
  /** Logits plus Gumbel noise: the largest of a block is its cell. */
  readonly perturbed: Float32Array;
  /** `rows × blocks` cells, relative to their blocks. */
  readonly cells: Uint16Array;
}

/**
 * Rows of cells: each block's cell is drawn from the softmax of its logits by the Gumbel-max trick (so it is a draw and
 * not a mode). Row r uses the r-th draws of both streams alone, whatever the batch.
 */
export function generate(
  engine: LearningEngine,
  encoding: TableEncoding,
  layers: readonly Layer[],
  parameters: Float32Array,
  rows: number,
  rngs: GeneratorRngs,
): Generated {
  const latent = (layers[0] as Layer).inputs;
  const input = { rows, columns: latent, data: normals(rngs.latents, rows * latent) };
  const activations = forward(engine, layers, parameters, input);
  const logits = (activations.at(-1) as Matrix).data;
  const uniform = uniforms(rngs.gumbels, rows * encoding.width);
  const perturbed = new Float32Array(logits.length);
  for (let i = 0; i < logits.length; i++)
    perturbed[i] = (logits[i] as number) - Math.log(-Math.log(uniform[i] as number));
  const cells = new Uint16Array(rows * encoding.blocks.length);
  for (let row = 0, out = 0; row < rows; row++)
    for (const { start, cells: count } of encoding.blocks)
      cells[out++] = largest(perturbed, row * encoding.width + start, count);
  return { activations, perturbed, cells };
}

function largest(values: Float32Array, start: number, count: number): number {
  let best = 0;
  for (let k = 1; k < count; k++)
    if ((values[start + k] as number) > (values[start + best] as number)) best = k;
  return best;
}

/** Writes the one-hot vector of each row of cells into rows `first`, `first + stride`, … of `out`. */
export function writeOneHot(
  encoding: TableEncoding,
  cells: Uint16Array,
  out: Matrix,
  first = 0,
  stride = 1,
): void {
  const { blocks } = encoding;
  for (let i = 0, row = first; i < cells.length; row += stride)
    for (const { start } of blocks) out.data[row * out.columns + start + (cells[i++] as number)] = 1;
}

/**
 * Gradient by the logits from the gradient by the one-hot rows: the straight-through Gumbel-softmax (Jang, Gu and Poole
 * 2017), which takes the derivative of softmax((logits + gumbel) / temperature) for the one of the drawn cells.
 */
export function straightThrough(
  encoding: TableEncoding,
  generated: Generated,
  oneHotGradient: Matrix,
  temperature: number,
): Matrix {
  const { rows, columns, data } = oneHotGradient;
  const out = new Float32Array(data.length);
  for (let row = 0; row < rows; row++)
    for (const block of encoding.blocks)
      softmaxGradient(generated.perturbed, data, out, row * columns, block, temperature);
  return { rows, columns, data: out };
}

function softmaxGradient(
  perturbed: Float32Array,
  gradient: Float32Array,
  out: Float32Array,
  row: number,
  block: Block,
  temperature: number,
): void {
  const start = row + block.start;
  const top = perturbed[start + largest(perturbed, start, block.cells)] as number;
  let total = 0;
  for (let i = start; i < start + block.cells; i++)
    total += out[i] = Math.exp(((perturbed[i] as number) - top) / temperature);
  let mean = 0;
  for (let i = start; i < start + block.cells; i++) {
    out[i]! /= total;
    mean += (out[i] as number) * (gradient[i] as number);
  }
  for (let i = start; i < start + block.cells; i++)
    out[i] = ((out[i] as number) * ((gradient[i] as number) - mean)) / temperature;
}
