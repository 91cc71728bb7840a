import { createRequire } from 'node:module';
import { dirname, join, sep } from 'node:path';
import util from 'node:util';
import * as tf from '@tensorflow/tfjs-core';

export type EngineName = 'native' | 'wasm';
export type EnginePreference = EngineName | 'auto';

/** A row-major matrix of float32. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly data: Float32Array;
}

/**
 * The numeric engine, chosen once a process. Models here are small and their batches too, so what costs time is the
 * number of kernel calls: products go to the engine, element-wise work is done on the plain arrays between them.
 */
export interface LearningEngine {
  readonly name: EngineName;
  readonly version: string;
  /** One line for people. */
  readonly description: string;
  /**
   * left · right, plus `bias` (right.columns numbers) in every row. No transpose flags: on WebAssembly they are ten times slower
   * than a transposed copy. Row i of the result depends on row i of `left` alone, to the last bit: that the vector of a record
   * is a function of the record rests on it.
   */
  multiply(left: Matrix, right: Matrix, bias?: Float32Array): Float32Array;
}

/** The preferred engine cannot be started; the message says what to do. */
export class EngineUnavailable extends Error {
  readonly code = 'ENGINE_UNAVAILABLE';
  override readonly name = 'EngineUnavailable';
}

let started: Promise<LearningEngine> | undefined;

/**
 * Starts the engine, once: later calls get the same one. 'auto' takes TensorFlow's native library where
 * `@tensorflow/tfjs-node` can be loaded and WebAssembly SIMD elsewhere; CHORALE_ENGINE=native|wasm decides for it.
 * @throws EngineUnavailable when the engine asked for cannot be had, or another one runs already.
 */
export function startEngine(
  prefer: EnginePreference = preferenceOf(process.env.CHORALE_ENGINE),
): Promise<LearningEngine> {
  started ??= start(prefer).catch((error: unknown) => {
    started = undefined;
    throw error;
  });
  return started.then((engine) => {
    if (prefer === 'auto' || engine.name === prefer) return engine;
    throw new EngineUnavailable(
      `the ${engine.name} engine runs already; a process has one engine, chosen at its start`,
    );
  });
}

function preferenceOf(value: string | undefined): EnginePreference {
  if (value === undefined || value === '' || value === 'auto') return 'auto';
  if (value === 'native' || value === 'wasm') return value;
  throw new EngineUnavailable('CHORALE_ENGINE must be native, wasm or auto');
}

async function start(prefer: EnginePreference): Promise<LearningEngine> {
  tf.enableProdMode(); // no shape checks on the hot path, no warnings on stderr
  if (prefer === 'wasm') return startWasm();
  try {
    return await startNative();
  } catch (cause) {
    if (prefer === 'auto') return startWasm();
    if (cause instanceof EngineUnavailable) throw cause;
    throw new EngineUnavailable('@tensorflow/tfjs-node cannot be loaded; build it with `npm run native`', {
      cause,
    });
  }
}

async function startNative(): Promise<LearningEngine> {
  // tfjs-node 4.22 calls two functions that Node 23 removed.
  const legacy = util as {
    isNullOrUndefined?: (value: unknown) => boolean;
    isArray?: (value: unknown) => boolean;
  };
  legacy.isNullOrUndefined ??= (value) => value === null || value === undefined;
  legacy.isArray ??= Array.isArray;
  const name: string = '@tensorflow/tfjs-node'; // optional: not there to be resolved when this is compiled
  const module = (await import(name)) as { default?: NativeModule } & NativeModule;
  const { version } = module.default ?? module;
  await tf.setBackend('tensorflow');
  await tf.ready();
  if (tf.getBackend() !== 'tensorflow') throw new Error('the tensorflow backend did not register');
  return withRowsApart(
    engineOf('native', version['tfjs-node'], `TensorFlow ${version['tfjs-node']} (tfjs-node, native)`),
  );
}
interface NativeModule {
  readonly version: Readonly<Record<string, string>> & { readonly 'tfjs-node': string };
}

async function startWasm(): Promise<LearningEngine> {
  const { setThreadsCount, setWasmPaths, version_wasm } = await import('@tensorflow/tfjs-backend-wasm');
  const entry = createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm');
  setWasmPaths(join(dirname(entry), sep));
  setThreadsCount(1); // eight participants share the machine, and batches are small
  if (!(await tf.setBackend('wasm')))
    throw new EngineUnavailable('the WebAssembly engine could not be initialised');
  await tf.ready();
  const simd = (await tf.env().getAsync('WASM_HAS_SIMD_SUPPORT')) === true;
  return withRowsApart(
    engineOf(
      'wasm',
      version_wasm,
      `TensorFlow.js ${version_wasm} (WebAssembly${simd ? ' SIMD' : ''}, one thread)`,
    ),
  );
}

function engineOf(name: EngineName, version: string, description: string): LearningEngine {
  return {
    name,
    version,
    description,
    multiply(unpadded, right, bias) {
      const left = name === 'native' ? paddedRows(unpadded) : unpadded;
      if (left.columns !== right.rows) throw new RangeError('the matrices do not fit');
      if (left.rows * right.columns === 0) return new Float32Array(0);
      const backend = tf.engine();
      // The kernel itself, not tf.matMul: no gradient tape and no shape inference, whose time is that of a small product.
      const a = backend.makeTensor(left.data, [1, left.rows, left.columns], 'float32');
      const b = backend.makeTensor(right.data, [1, right.rows, right.columns], 'float32');
      const added = bias && backend.makeTensor(bias, [right.columns], 'float32');
      const plain = { transposeA: false, transposeB: false };
      const product = (
        added === undefined
          ? backend.runKernel('BatchMatMul', { a, b }, plain)
          : backend.runKernel('_FusedMatMul', { a, b, bias: added }, { ...plain, activation: 'linear' })
      ) as tf.Tensor;
      const whole = product.dataSync() as Float32Array;
      const out = left === unpadded ? whole : whole.subarray(0, unpadded.rows * right.columns);
      tf.dispose([a, b, product, ...(added === undefined ? [] : [added])]);
      return out;
    },
  };
}

/**
 * The native library computes a row that is left over when rows are cut into tiles with another kernel, in another order: its
 * last bits then tell how many rows there are. With whole tiles only (12, 16, 24 or 48 rows, by processor and with oneDNN or
 * without) they don't; measured over 15 numbers and places of rows on seven shapes, where 8 and 32 fail. WebAssembly
 * computes every row alike.
 */
const TILE_ROWS = 48;

function paddedRows(matrix: Matrix): Matrix {
  const rows = TILE_ROWS * Math.ceil(matrix.rows / TILE_ROWS);
  if (rows === matrix.rows) return matrix;
  const data = new Float32Array(rows * matrix.columns);
  data.set(matrix.data.subarray(0, matrix.rows * matrix.columns));
  return { rows, columns: matrix.columns, data };
}

/**
 * The engine, if rows of its products are apart: other processors have other tiles, so each start tries it.
 * @throws EngineUnavailable
 */
export function withRowsApart(engine: LearningEngine): LearningEngine {
  const [rows, columns] = [300, 81];
  const numbers = (count: number, step: number) =>
    Float32Array.from({ length: count }, (_, i) => Math.sin(step * i));
  const left = numbers(rows * columns, 0.7);
  for (const width of [64, 1]) {
    const right = { rows: columns, columns: width, data: numbers(columns * width, 1.3) };
    const product = (first: number, count: number) =>
      engine.multiply(
        { rows: count, columns, data: left.subarray(first * columns, (first + count) * columns) },
        right,
      );
    const whole = product(0, rows);
    for (const [first, count] of [
      [0, 1],
      [1, 3],
      [5, 7],
      [1, 65],
      [7, 257],
      [0, 299],
    ] as const)
      if (product(first, count).some((value, i) => value !== whole[first * width + i]))
        throw new EngineUnavailable(
          `the ${engine.name} engine’s result for a row depends on the other rows here, which would let records leak into each other’s clipped gradients; take CHORALE_ENGINE=wasm`,
        );
  }
  return engine;
}
