import { z } from 'zod';
import { InvalidOptions } from '../errors.js';
import { leakyRelu, tanh } from './activation.js';
import { convolution, convolvedShape, transposedConvolution, transposedShape } from './convolution.js';
import { dense } from './dense.js';
import { embedding } from './embedding.js';
import { type Layer, type Shape, sizeOf } from './layer.js';
import { type Network, networkOf } from './network.js';
import { groupNorm, layerNorm } from './normalization.js';

const count = z.number().int().min(1).max(65_536);
const filters = {
  filters: count,
  kernel: count,
  stride: count,
  padding: z.number().int().min(0).max(65_536),
};

const layerJson = z.discriminatedUnion('kind', [
  /** Over the whole record, or with the same weights at each position. */
  z.strictObject({
    kind: z.literal('dense'),
    outputs: count,
    over: z.enum(['record', 'position']).default('record'),
  }),
  z.strictObject({ kind: z.literal('convolution'), ...filters }),
  z.strictObject({ kind: z.literal('transposed-convolution'), ...filters }),
  z.strictObject({ kind: z.literal('embedding'), vocabulary: count, width: count }),
  z.strictObject({ kind: z.literal('layer-norm') }),
  z.strictObject({ kind: z.literal('group-norm'), groups: count }),
  z.strictObject({ kind: z.literal('leaky-relu'), slope: z.number().min(0).max(1) }),
  z.strictObject({ kind: z.literal('tanh') }),
]);
export type LayerJson = z.input<typeof layerJson>;

/** Layers that look across the batch: a record's gradient is then not its own, and clipping bounds nothing (hazard P26). */
const MIXING = /batch|mixup/;

/**
 * A network from its description, for records of this shape.
 * @throws InvalidOptions naming the layer: unknown, not fitting, or one that mixes records.
 */
export function parseNetwork(shape: Shape, layers: readonly unknown[]): Network {
  let current = shape;
  return networkOf(
    layers.map((json, index) => {
      const option = `layers[${index}]`;
      assertPerRecord(json, option);
      const parsed = layerJson.safeParse(json);
      if (!parsed.success)
        throw new InvalidOptions(
          option,
          parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; '),
        );
      const [layer, next] = build(parsed.data, current, option);
      if (!(sizeOf(next) > 0) || Math.min(next.height, next.width) < 1)
        throw new InvalidOptions(option, `leaves nothing of ${current.height} × ${current.width} positions`);
      current = next;
      return layer;
    }),
  );
}

function assertPerRecord(json: unknown, option: string): void {
  const kind = (json as { kind?: unknown } | null)?.kind;
  if (typeof kind === 'string' && MIXING.test(kind.toLowerCase().replace(/[^a-z]/g, '')))
    throw new InvalidOptions(
      option,
      `${kind} mixes the records of a batch, so that no record’s gradient is its own to be clipped; take layer-norm or group-norm`,
    );
}

function build(json: z.output<typeof layerJson>, shape: Shape, option: string): readonly [Layer, Shape] {
  const positions = shape.height * shape.width;
  switch (json.kind) {
    case 'dense':
      return json.over === 'position'
        ? [dense(shape.channels, json.outputs, positions), { ...shape, channels: json.outputs }]
        : [dense(sizeOf(shape), json.outputs), { height: 1, width: 1, channels: json.outputs }];
    case 'convolution':
      return [convolution(shape, json), convolvedShape(shape, json)];
    case 'transposed-convolution':
      return [transposedConvolution(shape, json), transposedShape(shape, json)];
    case 'embedding':
      if (shape.channels !== 1) throw new InvalidOptions(option, 'takes one id a position');
      return [embedding(positions, json.vocabulary, json.width), { ...shape, channels: json.width }];
    case 'layer-norm':
      return [layerNorm(positions, shape.channels), shape];
    case 'group-norm':
      if (shape.channels % json.groups !== 0)
        throw new InvalidOptions(option, `${json.groups} groups do not divide ${shape.channels} channels`);
      return [groupNorm(positions, shape.channels, json.groups), shape];
    case 'leaky-relu':
      return [leakyRelu(sizeOf(shape), json.slope), shape];
    case 'tanh':
      return [tanh(sizeOf(shape)), shape];
  }
}
