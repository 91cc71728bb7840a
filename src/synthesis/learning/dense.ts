import { normals } from '../randomness.js';
import type { Layer } from './layer.js';
import { bindWeights } from './product.js';
import { formsPerRecord } from './terms.js';

/** outputs = Wᵀ·inputs + b at each of `positions` places of a record, with the same W: 1 for a layer of the whole record. */
export function dense(left: number, right: number, positions = 1): Layer {
  const weights = { inputs: left, outputs: right, bias: true };
  return {
    kind: 'dense',
    inputs: positions * left,
    outputs: positions * right,
    parameters: (left + 1) * right,
    summedRows: formsPerRecord(positions, left, right) ? 0 : positions,
    initial: (rng) => heWeights(rng, left, left * right, right),
    bind(engine, parameters) {
      const bound = bindWeights(engine, weights, parameters);
      return (input) => ({
        output: bound.apply(input),
        backward: (g, withInput) => ({
          input: withInput ? bound.applyTransposed(g) : undefined,
          terms: [{ kind: 'product', offset: 0, rows: positions, left, right, bias: true, a: input, g }],
        }),
      });
    },
  };
}

/** He et al. 2015: normal weights of variance 2 / fan-in, zero biases. */
export function heWeights(
  rng: Parameters<Layer['initial']>[0],
  fanIn: number,
  weights: number,
  biases: number,
): Float32Array {
  const scale = Math.sqrt(2 / fanIn);
  const out = new Float32Array(weights + biases);
  out.set(normals(rng, weights).map((value) => scale * value));
  return out;
}
