import { beforeAll, describe, expect, it } from 'vitest';
import { type LearningEngine, startEngine } from '../../src/synthesis/engine.js';
import { type LayerJson, parseNetwork } from '../../src/synthesis/learning/architecture.js';
import { clippedGradientSum, type LossGradient } from '../../src/synthesis/learning/clippedGradient.js';
import type { Shape } from '../../src/synthesis/learning/layer.js';
import { normals, uniforms } from '../../src/synthesis/randomness.js';
import { rngOf } from './fixtures.js';
import { naiveGradient } from './naive.js';

interface Case {
  readonly name: string;
  readonly shape: Shape;
  readonly layers: readonly LayerJson[];
  /** Inputs are ids below this. */
  readonly vocabulary?: number;
}
const row = (channels: number, width = 1): Shape => ({ height: 1, width, channels });
const conv = (filters: number, kernel: number, stride: number, padding: number) => ({
  filters,
  kernel,
  stride,
  padding,
});

const CASES: readonly Case[] = [
  {
    name: 'dense layers',
    shape: row(7),
    layers: [
      { kind: 'dense', outputs: 9 },
      { kind: 'tanh' },
      { kind: 'dense', outputs: 5 },
      { kind: 'leaky-relu', slope: 0.2 },
      { kind: 'dense', outputs: 1 },
    ],
  },
  {
    name: 'a dense layer at 3 positions, by inner products',
    shape: row(8, 3),
    layers: [
      { kind: 'dense', outputs: 10, over: 'position' },
      { kind: 'tanh' },
      { kind: 'dense', outputs: 2 },
    ],
  },
  {
    name: 'a dense layer at 9 positions, formed',
    shape: row(3, 9),
    layers: [
      { kind: 'dense', outputs: 5, over: 'position' },
      { kind: 'tanh' },
      { kind: 'dense', outputs: 2 },
    ],
  },
  {
    name: 'convolutions with stride and padding, formed',
    shape: { height: 7, width: 6, channels: 2 },
    layers: [
      { kind: 'convolution', ...conv(3, 3, 2, 1) },
      { kind: 'tanh' },
      { kind: 'convolution', ...conv(5, 2, 1, 0) },
      { kind: 'leaky-relu', slope: 0 },
      { kind: 'dense', outputs: 1 },
    ],
  },
  {
    name: 'a convolution by inner products, its padding wider than its kernel',
    shape: { height: 2, width: 1, channels: 9 },
    layers: [{ kind: 'convolution', ...conv(6, 2, 3, 3) }, { kind: 'tanh' }, { kind: 'dense', outputs: 2 }],
  },
  {
    name: 'transposed convolutions, by inner products and formed',
    shape: { height: 2, width: 2, channels: 3 },
    layers: [
      { kind: 'transposed-convolution', ...conv(2, 3, 2, 1) },
      { kind: 'tanh' },
      { kind: 'transposed-convolution', ...conv(1, 2, 2, 0) },
    ],
  },
  {
    name: 'layer norm and group norm',
    shape: { height: 2, width: 3, channels: 4 },
    layers: [
      { kind: 'layer-norm' },
      { kind: 'dense', outputs: 6, over: 'position' },
      { kind: 'group-norm', groups: 3 },
      { kind: 'tanh' },
      { kind: 'layer-norm' },
      { kind: 'dense', outputs: 2 },
    ],
  },
  {
    name: 'an embedding whose ids come more than once',
    shape: row(1, 5),
    vocabulary: 3,
    layers: [{ kind: 'embedding', vocabulary: 3, width: 4 }, { kind: 'tanh' }, { kind: 'dense', outputs: 2 }],
  },
];

let engine: LearningEngine;
beforeAll(async () => {
  engine = await startEngine();
});

const RECORDS = 23;
const target = (record: number): number => Math.cos(record);
const loss: LossGradient = (output, record, gradient) => {
  for (let j = 0; j < output.length; j++) gradient[j] = (output[j] as number) - target(record);
};

function inputsOf({ vocabulary }: Case, count: number): Float32Array {
  if (vocabulary === undefined) return normals(rngOf(5, 'inputs'), count);
  return Float32Array.from(uniforms(rngOf(5, 'inputs'), count), (u) => Math.floor(vocabulary * u));
}

const norm = (values: ArrayLike<number>): number => Math.hypot(...Array.from(values));

describe('the clipped sum equals that of naive per-record gradients to 1e-5 of the clip norm', () => {
  it.each(CASES)('$name', (kase) => {
    const { shape, layers } = kase;
    const network = parseNetwork(shape, layers);
    const parameters = network.initial(rngOf(2, 'parameters')).map((value, i) => value + 0.1 * Math.sin(i));
    const inputs = inputsOf(kase, RECORDS * network.inputs);
    const gradients = Array.from({ length: RECORDS }, (_, record) => {
      const own = inputs.subarray(record * network.inputs, (record + 1) * network.inputs);
      return naiveGradient(shape, layers, parameters, own, target(record));
    });
    const norms = gradients.map(norm).sort((a, b) => a - b);
    // Three clip norms: all are clipped, about half, none.
    const median = 2 ** Math.round(Math.log2(norms[RECORDS >> 1] as number));
    for (const clipNorm of [median / 16, median, median * 16]) {
      const limit = clipNorm * (1 - 2 ** -10);
      const expected = new Float64Array(network.parameters);
      for (const gradient of gradients)
        gradient.forEach((value, k) => {
          expected[k]! += value * Math.min(1, limit / norm(gradient));
        });
      const clipping = { clipNorm, expectedRecords: RECORDS };
      const sum = clippedGradientSum(
        engine,
        network,
        parameters,
        { records: RECORDS, inputs },
        loss,
        clipping,
        rngOf(1, 'slots'),
      );
      const worst = Math.max(...sum.map((value, k) => Math.abs(value - (expected[k] as number))));
      expect(worst / Math.max(clipNorm, norm(expected))).toBeLessThan(1e-5);
    }
  });
});
