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
  /** left · right. No transpose flags: on WebAssembly they are ten times slower than a transposed copy. */
  multiply(left: Matrix, right: Matrix): Float32Array;
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
  return engineOf('native', version['tfjs-node'], `TensorFlow ${version['tfjs-node']} (tfjs-node, native)`);
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
  return engineOf(
    'wasm',
    version_wasm,
    `TensorFlow.js ${version_wasm} (WebAssembly${simd ? ' SIMD' : ''}, one thread)`,
  );
}

function engineOf(name: EngineName, version: string, description: string): LearningEngine {
  return {
    name,
    version,
    description,
    multiply(left, right) {
      if (left.columns !== right.rows) throw new RangeError('the matrices do not fit');
      if (left.rows * right.columns === 0) return new Float32Array(0);
      const backend = tf.engine();
      // The kernel itself, not tf.matMul: no gradient tape and no shape inference, whose time is that of a small product.
      const a = backend.makeTensor(left.data, [1, left.rows, left.columns], 'float32');
      const b = backend.makeTensor(right.data, [1, right.rows, right.columns], 'float32');
      const product = backend.runKernel(
        'BatchMatMul',
        { a, b },
        { transposeA: false, transposeB: false },
      ) as tf.Tensor;
      const out = product.dataSync() as Float32Array;
      tf.dispose([a, b, product]);
      return out;
    },
  };
}
