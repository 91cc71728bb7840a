import { normals } from '../randomness.js';
import type { Layer } from './layer.js';

/** Each of `positions` ids of a record (whole numbers 0 … vocabulary − 1) becomes its row of the table. First layer only. */
export function embedding(positions: number, vocabulary: number, width: number): Layer {
  return {
    kind: 'embedding',
    inputs: positions,
    outputs: positions * width,
    vocabulary,
    parameters: vocabulary * width,
    summedRows: 0,
    initial: (rng) => normals(rng, vocabulary * width),
    bind: (_engine, table) => (ids) => {
      const output = new Float32Array(ids.length * width);
      for (let t = 0; t < ids.length; t++) {
        const id = ids[t] as number;
        if (isId(id, vocabulary)) output.set(table.subarray(id * width, (id + 1) * width), t * width);
        // Hazard P5: a record with an id that is none contributes zero.
        else output.fill(Number.NaN, t * width, (t + 1) * width);
      }
      return {
        output,
        backward: (g) => ({
          input: undefined,
          terms: [{ kind: 'scatter', offset: 0, rows: positions, vocabulary, width, ids, g }],
        }),
      };
    },
  };
}

export function isId(value: number, vocabulary: number): boolean {
  return Number.isInteger(value) && value >= 0 && value < vocabulary;
}
