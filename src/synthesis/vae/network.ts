import type { Rng } from '../../crypto/rng.js';
import { leakyRelu } from '../learning/activation.js';
import type { LossGradient } from '../learning/clippedGradient.js';
import { dense } from '../learning/dense.js';
import { type Network, networkOf } from '../learning/network.js';
import type { Column, Columns } from '../oneWays/columns.js';
import { normals } from '../randomness.js';
import { beside, bounded, reparametrised } from './layers.js';

export interface Architecture {
  /** Coordinates of a row's vector. */
  readonly width: number;
  readonly encoderHidden: number;
  readonly decoderHidden: number;
  readonly latent: number;
}

export interface VaeNetwork extends Architecture {
  /** A record's one-hot cells and its own draws → logits, μ, ln σ². */
  readonly whole: Network;
  /** A latent vector → logits; its parameters are the last of the whole's. */
  readonly decoder: Network;
}

/** Of the leaky ReLU, below 0. */
export const SLOPE = 0.2;
const networks = new Map<string, VaeNetwork>();
/** Kept, so that a network is tried once a process (learning/recordsApart.ts) and not once a step. */
const MOST_KEPT = 16;

export function vaeNetwork({ width, encoderHidden, decoderHidden, latent }: Architecture): VaeNetwork {
  const key = [width, encoderHidden, decoderHidden, latent].join();
  const known = networks.get(key);
  if (known !== undefined) return known;
  const decoder = [
    dense(latent, decoderHidden),
    leakyRelu(decoderHidden, SLOPE),
    dense(decoderHidden, width),
  ];
  const encoder = [
    dense(width, encoderHidden),
    leakyRelu(encoderHidden, SLOPE),
    dense(encoderHidden, 2 * latent),
  ];
  const network = {
    ...{ width, encoderHidden, decoderHidden, latent },
    whole: networkOf([
      ...encoder.map((layer) => beside(layer, latent)),
      reparametrised(latent),
      ...decoder.map((layer) => beside(layer, 2 * latent)),
    ]),
    decoder: networkOf(decoder),
  };
  if (networks.size >= MOST_KEPT) networks.clear();
  networks.set(key, network);
  return network;
}

/** How much of what a He initialisation gives the last layers begin with: latents near the prior, logits near the one-ways. */
const QUIET = 0.1;

/**
 * Where training begins: the decoder gives every column its noisy one-way whatever the latents are, so that what is left to be
 * learnt is what columns have to do with each other.
 */
export function initialParameters(network: VaeNetwork, { columns }: Columns, rng: Rng): Float32Array {
  const { width, encoderHidden, decoderHidden, latent, whole, decoder } = network;
  const parameters = new Float32Array(whole.parameters);
  let offset = 0;
  const layer = (inputs: number, outputs: number, scale: number): void => {
    const weights = normals(rng, inputs * outputs);
    for (let i = 0; i < weights.length; i++) parameters[offset + i] = scale * (weights[i] as number);
    offset += (inputs + 1) * outputs;
  };
  // Of the one-hot inputs one a column is not zero.
  layer(width, encoderHidden, Math.sqrt(2 / columns.length));
  layer(encoderHidden, 2 * latent, QUIET * Math.sqrt(2 / encoderHidden));
  layer(latent, decoderHidden, Math.sqrt(2 / latent));
  layer(decoderHidden, width, QUIET * Math.sqrt(2 / decoderHidden));
  const biases = parameters.subarray(whole.parameters - width);
  for (const { start, shares } of columns)
    shares.forEach((share, cell) => {
      biases[start + cell] = Math.log(share);
    });
  if (offset !== whole.parameters || decoder.parameters > offset)
    throw new RangeError('the layers do not fit');
  return parameters;
}

/**
 * By the network's output for a record, the gradient of Σ_columns −log softmax(its cell) + weight · KL(N(μ, σ²) ‖ N(0, 1)), the
 * KL term ½ Σ (μ² + σ² − ln σ² − 1) (Kingma, Welling 2014, appendix B; Xu et al. 2019, section 4.4).
 * @param cells one a column of each record of the batch.
 */
export function lossGradient(
  { width, latent }: Architecture,
  columns: readonly Column[],
  cells: Uint16Array,
  weight: number,
): LossGradient {
  return (output, record, gradient) => {
    for (const [c, column] of columns.entries()) {
      writeSoftmax(output, column, gradient);
      gradient[column.start + (cells[record * columns.length + c] as number)]! -= 1;
    }
    for (let k = width; k < width + latent; k++) {
      gradient[k] = weight * (output[k] as number);
      gradient[k + latent] = (weight / 2) * (Math.exp(bounded(output[k + latent] as number)) - 1);
    }
  };
}

/** The softmax of a column's logits, at their places in `out`; the room that it does not use is left as it is. */
export function writeSoftmax(logits: Float32Array, { start, cells }: Column, out: Float32Array): void {
  let top = Number.NEGATIVE_INFINITY;
  for (let k = start; k < start + cells; k++) top = Math.max(top, logits[k] as number);
  let total = 0;
  for (let k = start; k < start + cells; k++) total += out[k] = Math.exp((logits[k] as number) - top);
  for (let k = start; k < start + cells; k++) out[k]! /= total;
}
