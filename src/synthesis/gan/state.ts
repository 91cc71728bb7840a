import { MalformedBytes } from '../errors.js';
import { seededRng } from '../randomness.js';
import type { SynthesisContext } from '../synthesizer.js';
import { type TableEncoding, tableEncoding } from '../table/encoding.js';
import { type AdamMoments, initialMoments } from './adam.js';
import { initialParameters, type Layer, layersOf, type Widths } from './network.js';
import type { GanOptions } from './options.js';

/** Everything that follows from the charter and the options: the same for all, and never stored. */
export interface GanPlan {
  readonly context: SynthesisContext;
  readonly options: GanOptions;
  readonly encoding: TableEncoding;
  readonly criticWidths: Widths;
  readonly generatorWidths: Widths;
  readonly criticLayers: readonly Layer[];
  readonly generatorLayers: readonly Layer[];
}

/** The coordinator's state between two rounds. Never changed in place. */
export interface GanState {
  readonly plan: GanPlan;
  readonly seed: Uint8Array;
  /** Critic steps absorbed. */
  readonly step: number;
  readonly generatorSteps: number;
  /** Critic steps since the last generator step, and how many are due between two. */
  readonly sinceGenerator: number;
  readonly criticStepsPerGeneratorStep: number;
  /** Moving average of the share of fakes that the critic tells. */
  readonly fakeAccuracy: number;
  readonly critic: Float32Array;
  readonly criticMoments: AdamMoments;
  readonly generator: Float32Array;
  readonly generatorMoments: AdamMoments;
  /** Moving average of the generator's parameters: what is released. */
  readonly average: Float32Array;
}

export function ganPlan(context: SynthesisContext, options: GanOptions): GanPlan {
  const encoding = tableEncoding(context.schema);
  const criticWidths = criticWidthsOf(encoding, options);
  const generatorWidths = generatorWidthsOf(encoding, options);
  return {
    context,
    options,
    encoding,
    criticWidths,
    generatorWidths,
    criticLayers: layersOf(criticWidths),
    generatorLayers: layersOf(generatorWidths),
  };
}

type Architecture = {
  readonly criticHidden: readonly number[];
  readonly generatorHidden: readonly number[];
  readonly latent: number;
};

export function criticWidthsOf(encoding: TableEncoding, options: Architecture): Widths {
  return [encoding.width, ...options.criticHidden, 1];
}

export function generatorWidthsOf(encoding: TableEncoding, options: Architecture): Widths {
  return [options.latent, ...options.generatorHidden, encoding.width];
}

export function initialGanState(plan: GanPlan, seed: Uint8Array): GanState {
  const { criticWidths, generatorWidths, encoding, options } = plan;
  const critic = initialParameters(
    criticWidths,
    encoding.blocks.length,
    seededRng(seed, 'gan/initial-critic'),
  );
  const generator = initialParameters(
    generatorWidths,
    options.latent,
    seededRng(seed, 'gan/initial-generator'),
  );
  return {
    plan,
    seed: seed.slice(),
    step: 0,
    generatorSteps: 0,
    sinceGenerator: 0,
    criticStepsPerGeneratorStep: options.criticStepsPerGeneratorStep,
    fakeAccuracy: 1,
    critic,
    criticMoments: initialMoments(critic.length),
    generator,
    generatorMoments: initialMoments(generator.length),
    average: generator,
  };
}

const MAGIC = 0x4e41_4743; // "CGAN"
const VERSION = 1;
const HEADER_BYTES = 64;

/** Exact: the decoded state goes on bit for bit as the encoded one would have. Little endian. */
export function encodeGanState(state: GanState): Uint8Array {
  const arrays = arraysOf(state);
  const bytes = new Uint8Array(
    HEADER_BYTES + 4 * arrays.reduce((total, array) => total + array.length, 0) + state.seed.length,
  );
  const view = new DataView(bytes.buffer);
  const words = [
    MAGIC,
    VERSION,
    state.step,
    state.generatorSteps,
    state.sinceGenerator,
    state.criticStepsPerGeneratorStep,
    state.criticMoments.steps,
    state.generatorMoments.steps,
    state.critic.length,
    state.generator.length,
    state.seed.length,
  ];
  words.forEach((word, index) => {
    view.setUint32(4 * index, word, true);
  });
  view.setFloat64(48, state.fakeAccuracy, true);
  let offset = HEADER_BYTES;
  for (const array of arrays) {
    bytes.set(floatsToBytes(array), offset);
    offset += 4 * array.length;
  }
  bytes.set(state.seed, offset);
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
  const critics = parametersOf(plan.criticLayers);
  const generators = parametersOf(plan.generatorLayers);
  const seedBytes = word(10);
  if (word(8) !== critics || word(9) !== generators)
    throw new MalformedBytes('the GAN state belongs to other options or another schema');
  if (bytes.length !== HEADER_BYTES + 4 * (3 * critics + 4 * generators) + seedBytes)
    throw new MalformedBytes('the GAN state is cut short or too long');
  let offset = HEADER_BYTES;
  const floats = (count: number): Float32Array => {
    const array = bytesToFloats(bytes.subarray(offset, offset + 4 * count));
    offset += 4 * count;
    return array;
  };
  const critic = floats(critics);
  const criticMoments = { first: floats(critics), second: floats(critics), steps: word(6) };
  const generator = floats(generators);
  const generatorMoments = { first: floats(generators), second: floats(generators), steps: word(7) };
  const average = floats(generators);
  return {
    plan,
    seed: bytes.slice(offset),
    step: word(2),
    generatorSteps: word(3),
    sinceGenerator: word(4),
    criticStepsPerGeneratorStep: word(5),
    fakeAccuracy: view.getFloat64(48, true),
    critic,
    criticMoments,
    generator,
    generatorMoments,
    average,
  };
}

function arraysOf(state: GanState): readonly Float32Array[] {
  const { critic, criticMoments, generator, generatorMoments, average } = state;
  return [
    critic,
    criticMoments.first,
    criticMoments.second,
    generator,
    generatorMoments.first,
    generatorMoments.second,
    average,
  ];
}

function parametersOf(layers: readonly Layer[]): number {
  const last = layers.at(-1) as Layer;
  return last.bias + last.outputs;
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
