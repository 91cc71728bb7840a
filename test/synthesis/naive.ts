import type { LayerJson } from '../../src/synthesis/learning/architecture.js';
import type { Shape } from '../../src/synthesis/learning/layer.js';

/**
 * Networks written out in float64 from their definitions, with no code shared with src/: the loss of one record, and its
 * gradient by central differences.
 */
type Spec = Required<LayerJson>;

/** Σ ½(output − target)². */
export function naiveLoss(
  shape: Shape,
  layers: readonly LayerJson[],
  parameters: ArrayLike<number>,
  record: ArrayLike<number>,
  target: number,
): number {
  let values = Array.from(record);
  let [height, width, channels] = [shape.height, shape.width, shape.channels];
  let next = 0;
  const at = (offset: number): number => parameters[next + offset] as number;
  for (const layer of layers as readonly Spec[]) {
    const x = values;
    switch (layer.kind) {
      case 'dense': {
        const places = layer.over === 'position' ? height * width : 1;
        const inputs = x.length / places;
        values = [];
        for (let place = 0; place < places; place++)
          for (let j = 0; j < layer.outputs; j++) {
            let sum = at(inputs * layer.outputs + j);
            for (let i = 0; i < inputs; i++)
              sum += (x[place * inputs + i] as number) * at(i * layer.outputs + j);
            values.push(sum);
          }
        next += (inputs + 1) * layer.outputs;
        [height, width, channels] = places === 1 ? [1, 1, layer.outputs] : [height, width, layer.outputs];
        break;
      }
      case 'convolution': {
        const { filters, kernel, stride, padding } = layer;
        const down = Math.floor((height + 2 * padding - kernel) / stride) + 1;
        const across = Math.floor((width + 2 * padding - kernel) / stride) + 1;
        values = [];
        for (let y = 0; y < down; y++)
          for (let z = 0; z < across; z++)
            for (let f = 0; f < filters; f++) {
              let sum = at(kernel * kernel * channels * filters + f);
              for (let ky = 0; ky < kernel; ky++)
                for (let kx = 0; kx < kernel; kx++)
                  for (let c = 0; c < channels; c++) {
                    const [iy, ix] = [y * stride + ky - padding, z * stride + kx - padding];
                    if (iy < 0 || iy >= height || ix < 0 || ix >= width) continue;
                    const weight = at(((ky * kernel + kx) * channels + c) * filters + f);
                    sum += (x[(iy * width + ix) * channels + c] as number) * weight;
                  }
              values.push(sum);
            }
        next += (kernel * kernel * channels + 1) * filters;
        [height, width, channels] = [down, across, filters];
        break;
      }
      case 'transposed-convolution': {
        const { filters, kernel, stride, padding } = layer;
        const down = (height - 1) * stride - 2 * padding + kernel;
        const across = (width - 1) * stride - 2 * padding + kernel;
        const bias = channels * kernel * kernel * filters;
        values = Array.from({ length: down * across * filters }, (_, i) => at(bias + (i % filters)));
        for (let y = 0; y < height; y++)
          for (let z = 0; z < width; z++)
            for (let c = 0; c < channels; c++)
              for (let ky = 0; ky < kernel; ky++)
                for (let kx = 0; kx < kernel; kx++)
                  for (let f = 0; f < filters; f++) {
                    const [oy, ox] = [y * stride + ky - padding, z * stride + kx - padding];
                    if (oy < 0 || oy >= down || ox < 0 || ox >= across) continue;
                    const weight = at(((c * kernel + ky) * kernel + kx) * filters + f);
                    values[(oy * across + ox) * filters + f]! +=
                      (x[(y * width + z) * channels + c] as number) * weight;
                  }
        next += bias + filters;
        [height, width, channels] = [down, across, filters];
        break;
      }
      case 'embedding': {
        values = x.flatMap((id) => Array.from({ length: layer.width }, (_, j) => at(id * layer.width + j)));
        next += layer.vocabulary * layer.width;
        channels = layer.width;
        break;
      }
      case 'layer-norm':
      case 'group-norm': {
        const groups = layer.kind === 'group-norm' ? layer.groups : 1;
        const groupOf = (i: number): string => {
          const channel = Math.floor(((i % channels) * groups) / channels);
          return layer.kind === 'group-norm' ? `${channel}` : `${Math.floor(i / channels)}`;
        };
        values = x.map((value, i) => {
          const group = x.filter((_, k) => groupOf(k) === groupOf(i));
          const mean = group.reduce((a, b) => a + b, 0) / group.length;
          const variance = group.reduce((a, b) => a + (b - mean) ** 2, 0) / group.length;
          return (
            ((value - mean) / Math.sqrt(variance + 1e-5)) * at(i % channels) + at(channels + (i % channels))
          );
        });
        next += 2 * channels;
        break;
      }
      case 'leaky-relu':
        values = x.map((value) => (value < 0 ? layer.slope * value : value));
        break;
      case 'tanh':
        values = x.map(Math.tanh);
    }
  }
  return values.reduce((sum, value) => sum + 0.5 * (value - target) ** 2, 0);
}

/** Central differences of step 1e-5: about 1e-9 off at these sizes. */
export function naiveGradient(
  shape: Shape,
  layers: readonly LayerJson[],
  parameters: Float32Array,
  record: ArrayLike<number>,
  target: number,
): Float64Array {
  const shifted = Float64Array.from(parameters);
  return Float64Array.from(parameters, (value, k) => {
    shifted[k] = value + 1e-5;
    const above = naiveLoss(shape, layers, shifted, record, target);
    shifted[k] = value - 1e-5;
    const below = naiveLoss(shape, layers, shifted, record, target);
    shifted[k] = value;
    return (above - below) / 2e-5;
  });
}
