import type { Matrix } from '../engine.js';

/** A linear layer beside the others, whose inputs are 0 but for some ±1: one output, no bias. */
export interface FeatureTape {
  /** Inputs of the layer, most of them 0. */
  readonly dimension: number;
  /** Of each row, 2 · input, plus 1 where it is −1; an input may come twice. */
  readonly features: Uint32Array;
  /** By the output, one a row. */
  readonly gradient: Matrix;
}

/** Adds each row's features times its gradient: whole steps of C·2⁻¹⁴ times ±1 in float64, exact below 2⁵³. */
export function addFeatures({ features }: FeatureTape, { rows, data }: Matrix, sum: Float64Array): void {
  const perRow = features.length / Math.max(1, rows);
  for (let row = 0, i = 0; row < rows; row++) {
    const steps = data[row] as number;
    for (const end = i + perRow; i < end; i++) {
      const feature = features[i] as number;
      sum[feature >>> 1]! += (feature & 1) === 0 ? steps : -steps;
    }
  }
}

/** By record a_s·a_t of its two rows, [real·real, real·fake, fake·fake]: whole numbers; there is no bias, so no 1 is added. */
export function featureProducts(records: number, { dimension, features }: FeatureTape): Float64Array {
  const perRow = features.length / Math.max(1, 2 * records);
  const out = new Float64Array(3 * records);
  const [real, fake] = [new Int32Array(dimension), new Int32Array(dimension)];
  for (let record = 0; record < records; record++) {
    const first = 2 * record * perRow;
    const add = (to: Int32Array, from: number, sign: number) => {
      for (let i = from; i < from + perRow; i++) {
        const feature = features[i] as number;
        to[feature >>> 1]! += (feature & 1) === 0 ? sign : -sign;
      }
    };
    add(real, first, 1);
    add(fake, first + perRow, 1);
    // Σ over the row's own features of ± the input that they add up to.
    const product = (own: number, to: Int32Array) => {
      let sum = 0;
      for (let i = own; i < own + perRow; i++) {
        const feature = features[i] as number;
        const input = to[feature >>> 1] as number;
        sum += (feature & 1) === 0 ? input : -input;
      }
      return sum;
    };
    out[3 * record] = product(first, real);
    out[3 * record + 1] = product(first, fake);
    out[3 * record + 2] = product(first + perRow, fake);
    add(real, first, -1);
    add(fake, first + perRow, -1);
  }
  return out;
}
