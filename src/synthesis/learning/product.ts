import type { LearningEngine, Matrix } from '../engine.js';

/** Weights inputs × outputs, then outputs biases, of which the forward pass multiplies rows by the one and adds the other. */
export interface Weights {
  readonly inputs: number;
  readonly outputs: number;
  readonly bias: boolean;
}

export interface BoundWeights {
  /** rows × inputs to rows × outputs, bias added. */
  apply(rows: Float32Array): Float32Array;
  /** rows × outputs to rows × inputs: the product with the transposed weights. */
  applyTransposed(rows: Float32Array): Float32Array;
}

/** The transposed copy is made once for all the blocks of a step: a transpose flag would cost ten times the product. */
export function bindWeights(
  engine: LearningEngine,
  { inputs, outputs, bias }: Weights,
  parameters: Float32Array,
): BoundWeights {
  const weights = { rows: inputs, columns: outputs, data: parameters.subarray(0, inputs * outputs) };
  const biases = bias ? parameters.subarray(inputs * outputs, (inputs + 1) * outputs) : undefined;
  let turned: ReturnType<typeof transposed> | undefined;
  return {
    apply: (rows) =>
      engine.multiply({ rows: rows.length / inputs, columns: inputs, data: rows }, weights, biases),
    applyTransposed(rows) {
      turned ??= transposed(weights);
      return engine.multiply({ rows: rows.length / outputs, columns: outputs, data: rows }, turned);
    },
  };
}

export function transposed({ rows, columns, data }: Matrix): Matrix {
  const out = new Float32Array(data.length);
  for (let row = 0, i = 0; row < rows; row++)
    for (let column = 0; column < columns; column++, i++) out[column * rows + row] = data[i] as number;
  return { rows: columns, columns: rows, data: out };
}
