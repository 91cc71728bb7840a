import type { Layer } from './layer.js';

/** x for x > 0, slope·x below, slope at most 1; ReLU at slope 0. Without branches, half of which would be mispredicted. */
export function leakyRelu(size: number, slope: number): Layer {
  const slopes = Float64Array.of(1, slope);
  return elementwise(
    'leaky-relu',
    size,
    (input, output) => {
      for (let i = 0; i < input.length; i++)
        output[i] = Math.max(input[i] as number, slope * (input[i] as number));
    },
    (output, gradient) => {
      // The sign bit of what came out is that of what went in: max(−3, 0·−3) is −0.
      const bits = new Uint32Array(output.buffer, output.byteOffset, output.length);
      for (let i = 0; i < output.length; i++)
        gradient[i] = (slopes[(bits[i] as number) >>> 31] as number) * (gradient[i] as number);
    },
  );
}

/** Bounded, so that gradients stay small: better than ReLU under clipping (Papernot et al. 2021, "Tempered sigmoids"). */
export function tanh(size: number): Layer {
  return elementwise(
    'tanh',
    size,
    (input, output) => {
      for (let i = 0; i < input.length; i++) output[i] = Math.tanh(input[i] as number);
    },
    (output, gradient) => {
      for (let i = 0; i < output.length; i++)
        gradient[i] = (1 - (output[i] as number) ** 2) * (gradient[i] as number);
    },
  );
}

/** Keeps its output, which the next layer keeps as its input anyhow, and turns the gradient in place. */
function elementwise(
  kind: string,
  size: number,
  forward: (input: Float32Array, output: Float32Array) => void,
  backward: (output: Float32Array, gradient: Float32Array) => void,
): Layer {
  return {
    kind,
    inputs: size,
    outputs: size,
    parameters: 0,
    summedRows: 0,
    initial: () => new Float32Array(0),
    bind: () => (input) => {
      const output = new Float32Array(input.length);
      forward(input, output);
      return {
        output,
        backward(gradient) {
          backward(output, gradient);
          return { input: gradient, terms: [] };
        },
      };
    },
  };
}
