import { heWeights } from './dense.js';
import { type Layer, type Shape, sizeOf } from './layer.js';
import { bindWeights } from './product.js';
import { formsPerRecord } from './terms.js';
import { fold, unfold, type Windows, windowSize } from './unfold.js';

export interface Filters {
  readonly filters: number;
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number;
}

/** Height and width after a convolution: ⌊(n + 2·padding − kernel)/stride⌋ + 1. */
export function convolvedShape(
  { height, width }: Shape,
  { filters, kernel, stride, padding }: Filters,
): Shape {
  const length = (n: number) => Math.floor((n + 2 * padding - kernel) / stride) + 1;
  return { height: length(height), width: length(width), channels: filters };
}

/** After a transposed one: (n − 1)·stride − 2·padding + kernel. */
export function transposedShape(
  { height, width }: Shape,
  { filters, kernel, stride, padding }: Filters,
): Shape {
  const length = (n: number) => (n - 1) * stride - 2 * padding + kernel;
  return { height: length(height), width: length(width), channels: filters };
}

/** Weights kernel × kernel × channels × filters, then a bias a filter. T is the number of windows. */
export function convolution(shape: Shape, options: Filters): Layer {
  const { filters } = options;
  const out = convolvedShape(shape, options);
  const windows: Windows = { image: shape, ...options, down: out.height, across: out.width };
  const left = windowSize(windows);
  const rows = out.height * out.width;
  return {
    kind: 'convolution',
    inputs: sizeOf(shape),
    outputs: sizeOf(out),
    parameters: (left + 1) * filters,
    summedRows: formsPerRecord(rows, left, filters) ? 0 : rows,
    initial: (rng) => heWeights(rng, left, left * filters, filters),
    bind(engine, parameters) {
      const bound = bindWeights(engine, { inputs: left, outputs: filters, bias: true }, parameters);
      return (input, records) => {
        const a = unfold(input, windows, records);
        return {
          output: bound.apply(a),
          backward: (g, withInput) => ({
            input: withInput ? fold(bound.applyTransposed(g), windows, records) : undefined,
            terms: [{ kind: 'product', offset: 0, rows, left, right: filters, bias: true, a, g }],
          }),
        };
      };
    },
  };
}

/**
 * The adjoint of a convolution: each input position paints a window of the output. Weights channels × kernel × kernel × filters,
 * then a bias a filter. T is the number of input positions; the bias has the output's, so it is a term of its own.
 */
export function transposedConvolution(shape: Shape, options: Filters): Layer {
  const { filters } = options;
  const out = transposedShape(shape, options);
  const windows: Windows = { image: out, ...options, down: shape.height, across: shape.width };
  const left = shape.channels;
  const right = windowSize(windows);
  const rows = shape.height * shape.width;
  return {
    kind: 'transposed-convolution',
    inputs: sizeOf(shape),
    outputs: sizeOf(out),
    parameters: left * right + filters,
    summedRows: formsPerRecord(rows, left, right) ? 0 : rows,
    initial: (rng) => heWeights(rng, left, left * right, filters),
    bind(engine, parameters) {
      const bound = bindWeights(engine, { inputs: left, outputs: right, bias: false }, parameters);
      const bias = parameters.subarray(left * right);
      return (input, records) => {
        const output = fold(bound.apply(input), windows, records);
        for (let i = 0; i < output.length; )
          for (let j = 0; j < filters; j++, i++) output[i]! += bias[j] as number;
        return {
          output,
          backward(gradient, withInput) {
            const g = unfold(gradient, windows, records);
            return {
              input: withInput ? bound.applyTransposed(g) : undefined,
              terms: [
                { kind: 'product', offset: 0, rows, left, right, bias: false, a: input, g },
                {
                  kind: 'direct',
                  offset: left * right,
                  size: filters,
                  values: channelSums(gradient, filters, records),
                },
              ],
            };
          },
        };
      };
    },
  };
}

function channelSums(values: Float32Array, channels: number, records: number): Float32Array {
  const out = new Float32Array(records * channels);
  const size = values.length / records;
  for (let record = 0; record < records; record++)
    for (let j = 0; j < channels; j++) {
      let sum = 0;
      for (let i = record * size + j; i < (record + 1) * size; i += channels) sum += values[i] as number;
      out[record * channels + j] = sum;
    }
  return out;
}
