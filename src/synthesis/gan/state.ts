import { MalformedBytes } from '../errors.js';
import { type AdamMoments, initialMoments } from '../learning/adam.js';
import {
  type Columns,
  columnsBytes,
  decodeColumns,
  encodeColumns,
  type Layout,
  layoutOf,
} from '../oneWays/columns.js';
import { seededRng } from '../randomness.js';
import type { SynthesisContext } from '../synthesizer.js';
import { fineCells } from '../table/fineCells.js';
import { type Critic, criticOf } from './critic.js';
import { generatorWidths, initialGenerator } from './generator.js';
import { initialParameters, type Layer, layersOf, parameterCount, type Widths } from './network.js';
import type { GanOptions } from './options.js';

/** Everything that follows from the charter and the options: the same for all, and never stored. */
export interface GanPlan {
  readonly context: SynthesisContext;
  readonly options: GanOptions;
  readonly layout: Layout;
  readonly critic: Critic;
  readonly generatorWidths: Widths;
  readonly generatorLayers: readonly Layer[];
}

/** What is trained, once the first sum has said what the columns' cells are. */
export interface Training {
  readonly columns: Columns;
  readonly generatorSteps: number;
  /** Critic steps since the last generator step, and how many are due between two. */
  readonly sinceGenerator: number;
  readonly criticStepsPerGeneratorStep: number;
  /** Moving average of the share of fakes that the critic tells. */
  readonly fakeAccuracy: number;
  readonly critic: Float32Array;
  /** Of the critic's network. */
  readonly criticMoments: AdamMoments;
  readonly generator: Float32Array;
  readonly generatorMoments: AdamMoments;
  /** Moving average of the generator's parameters: what is released. */
  readonly average: Float32Array;
}

/** The coordinator's state between two rounds. Never changed in place. */
export interface GanState {
  readonly plan: GanPlan;
  readonly seed: Uint8Array;
  /** Sums absorbed. */
  readonly step: number;
  /** Undefined before the first sum. */
  readonly training: Training | undefined;
}

/** @throws InvalidTableSchema where the schema is too wide for these options. */
export function ganPlan(context: SynthesisContext, options: GanOptions): GanPlan {
  const layout = layoutOf(fineCells(context.schema), options.cells);
  const widths = generatorWidths(layout, options);
  return {
    context,
    options,
    layout,
    critic: criticOf(layout, options),
    generatorWidths: widths,
    generatorLayers: layersOf(widths),
  };
}

/** The critic's features start at 0, its network at random; the generator starts at the columns. */
export function initialTraining(plan: GanPlan, columns: Columns, seed: Uint8Array): Training {
  const { critic: shape, options, layout } = plan;
  const critic = new Float32Array(shape.parameters);
  critic.set(initialParameters(shape.widths, layout.places.length, seededRng(seed, 'gan/initial-critic')));
  const rng = seededRng(seed, 'gan/initial-generator');
  const generator = initialGenerator(plan.generatorWidths, options.latent, columns, rng);
  return {
    columns,
    generatorSteps: 0,
    sinceGenerator: 0,
    criticStepsPerGeneratorStep: options.criticStepsPerGeneratorStep,
    fakeAccuracy: 1,
    critic,
    criticMoments: initialMoments(shape.deep),
    generator,
    generatorMoments: initialMoments(generator.length),
    average: generator,
  };
}

const MAGIC = 0x4e41_4743; // "CGAN"
const VERSION = 2;
const HEADER_BYTES = 64;

/** Exact: the decoded state goes on bit for bit as the encoded one would have. Little endian. */
export function encodeGanState({ plan, seed, step, training }: GanState): Uint8Array {
  const arrays = training === undefined ? [] : arraysOf(training);
  const columns = training === undefined ? new Uint8Array() : encodeColumns(training.columns);
  const floats = arrays.reduce((total, array) => total + array.length, 0);
  const bytes = new Uint8Array(HEADER_BYTES + 4 * floats + columns.length + seed.length);
  const view = new DataView(bytes.buffer);
  const words = [
    ...[MAGIC, VERSION, step, training === undefined ? 0 : 1],
    ...[training?.generatorSteps ?? 0, training?.sinceGenerator ?? 0],
    ...[training?.criticStepsPerGeneratorStep ?? 0, training?.criticMoments.steps ?? 0],
    ...[training?.generatorMoments.steps ?? 0],
    ...[plan.critic.parameters, parameterCount(plan.generatorWidths), seed.length],
  ];
  words.forEach((word, index) => {
    view.setUint32(4 * index, word, true);
  });
  view.setFloat64(HEADER_BYTES - 8, training?.fakeAccuracy ?? 0, true);
  let offset = HEADER_BYTES;
  for (const array of arrays) {
    bytes.set(floatsToBytes(array), offset);
    offset += 4 * array.length;
  }
  bytes.set(columns, offset);
  bytes.set(seed, offset + columns.length);
  return bytes;
}

/** @throws MalformedBytes unless the bytes are a state of exactly this plan. */
export function decodeGanState(plan: GanPlan, bytes: Uint8Array): GanState {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const word = (index: number): number => view.getUint32(4 * index, true);
  if (bytes.length < HEADER_BYTES || word(0) !== MAGIC)
    throw new MalformedBytes('these bytes are no GAN state');
  if (word(1) !== VERSION)
    throw new MalformedBytes(`the GAN state has version ${word(1)}, this program reads version ${VERSION}`);
  const { deep, parameters } = plan.critic;
  const generators = parameterCount(plan.generatorWidths);
  if (word(9) !== parameters || word(10) !== generators)
    throw new MalformedBytes('the GAN state belongs to other options or another schema');
  const trained = word(3) === 1;
  const floatCount = trained ? parameters + 2 * deep + 4 * generators : 0;
  const columnCount = trained ? columnsBytes(plan.layout) : 0;
  if (bytes.length !== HEADER_BYTES + 4 * floatCount + columnCount + word(11))
    throw new MalformedBytes('the GAN state is cut short or too long');
  let offset = HEADER_BYTES;
  const floats = (count: number): Float32Array => {
    const array = bytesToFloats(bytes.subarray(offset, offset + 4 * count));
    offset += 4 * count;
    return array;
  };
  const base = { plan, step: word(2), seed: bytes.slice(bytes.length - word(11)) };
  if (!trained) return { ...base, training: undefined };
  const critic = floats(parameters);
  const criticMoments = { first: floats(deep), second: floats(deep), steps: word(7) };
  const generator = floats(generators);
  const generatorMoments = { first: floats(generators), second: floats(generators), steps: word(8) };
  const average = floats(generators);
  const columns = decodeColumns(plan.layout, bytes.subarray(offset, offset + columnCount));
  const training: Training = {
    columns,
    generatorSteps: word(4),
    sinceGenerator: word(5),
    criticStepsPerGeneratorStep: word(6),
    fakeAccuracy: view.getFloat64(HEADER_BYTES - 8, true),
    critic,
    criticMoments,
    generator,
    generatorMoments,
    average,
  };
  return { ...base, training };
}

function arraysOf(training: Training): readonly Float32Array[] {
  const { critic, criticMoments, generator, generatorMoments, average } = training;
  return [
    ...[critic, criticMoments.first, criticMoments.second],
    ...[generator, generatorMoments.first, generatorMoments.second, average],
  ];
}

/** Float32, little endian, as every platform that Node.js runs on stores them. */
export function floatsToBytes(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer.slice(values.byteOffset, values.byteOffset + values.byteLength));
}

export function bytesToFloats(bytes: Uint8Array): Float32Array {
  if (bytes.length % 4 !== 0) throw new MalformedBytes('float32 values need a multiple of four bytes');
  // Not bytes.slice(): a Buffer’s slice is a view of its pool.
  return new Float32Array(Uint8Array.from(bytes).buffer);
}
