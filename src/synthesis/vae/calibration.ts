import type { Rng } from '../../crypto/rng.js';
import type { Columns } from '../oneWays/columns.js';
import { normals } from '../randomness.js';
import { SLOPE, type VaeNetwork, writeSoftmax } from './network.js';

const DRAWS = 2048;
const ROUNDS = 20;

/**
 * The decoder with biases at which, over latents of the prior, every column's mean softmax is its noisy one-way: what the first sum said
 * exactly, hundreds of noisy steps would say less well. Iterative scaling (Deming, Stephan 1940) of each column's odds; what
 * columns have to do with each other is in the weights, which stay. Post-processing, on plain arrays: no engine, no record.
 */
export function calibrated(
  network: VaeNetwork,
  { columns }: Columns,
  decoder: Float32Array,
  rng: Rng,
): Float32Array {
  const { width } = network;
  const out = decoder.slice();
  const biases = out.subarray(out.length - width);
  const before = biases.slice();
  const logits = logitsOf(network, decoder, rng);
  const moved = new Float32Array(width);
  const shares = new Float32Array(width);
  for (let round = 0; round < ROUNDS; round++) {
    const means = new Float64Array(width);
    for (let draw = 0; draw < DRAWS; draw++) {
      for (let k = 0; k < width; k++)
        moved[k] = (logits[draw * width + k] as number) + (biases[k] as number) - (before[k] as number);
      for (const column of columns) {
        writeSoftmax(moved, column, shares);
        for (let k = column.start; k < column.start + column.cells; k++)
          means[k]! += (shares[k] as number) / DRAWS;
      }
    }
    for (const { start, shares: wanted } of columns)
      wanted.forEach((share, cell) => {
        const mean = means[start + cell] as number;
        // A cell that no latent gives, or a decoder that is no numbers, stays as it is.
        if (mean > 1e-12) biases[start + cell]! += Math.log(share / mean);
      });
  }
  return out;
}

/** The decoder's logits of DRAWS latents, one draw after the other. */
function logitsOf(
  { latent, decoderHidden, width }: VaeNetwork,
  decoder: Float32Array,
  rng: Rng,
): Float32Array {
  const latents = normals(rng, DRAWS * latent);
  const second = (latent + 1) * decoderHidden;
  const out = new Float32Array(DRAWS * width);
  const hidden = new Float32Array(decoderHidden);
  for (let draw = 0; draw < DRAWS; draw++) {
    layer(decoder, 0, latents.subarray(draw * latent, (draw + 1) * latent), hidden);
    for (let j = 0; j < decoderHidden; j++)
      hidden[j] = Math.max(hidden[j] as number, SLOPE * (hidden[j] as number));
    layer(decoder, second, hidden, out.subarray(draw * width, (draw + 1) * width));
  }
  return out;
}

/** Wᵀ·input + b, the weights from `offset` on, input by input, then the biases. */
function layer(parameters: Float32Array, offset: number, input: Float32Array, out: Float32Array): void {
  const outputs = out.length;
  const biases = offset + input.length * outputs;
  out.set(parameters.subarray(biases, biases + outputs));
  for (let i = 0; i < input.length; i++) {
    const row = offset + i * outputs;
    const value = input[i] as number;
    for (let j = 0; j < outputs; j++) out[j]! += value * (parameters[row + j] as number);
  }
}
