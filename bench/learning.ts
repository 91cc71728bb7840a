import { fork } from 'node:child_process';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { type LearningEngine, type Matrix, startEngine } from '../src/synthesis/engine.js';
import { ClippedSum } from '../src/synthesis/gan/clipping.js';
import {
  backward,
  forward,
  initialParameters,
  layersOf,
  parameterGradient,
} from '../src/synthesis/gan/network.js';
import { seededRng, uniforms } from '../src/synthesis/randomness.js';

/** Records a step, critic widths, and columns (how many inputs are one). */
const SIZES = [
  { name: 'mlp', records: 512, widths: [120, 256, 256, 1], columns: 12 },
  { name: 'demo', records: 512, widths: [81, 64, 1], columns: 10 },
  { name: 'demo participant', records: 64, widths: [81, 64, 1], columns: 10 },
] as const;

/** Enough for the compiler to have settled: a run has hundreds of steps. */
const WARM_UP = 60;
const RUNS = 41;

/**
 * One private critic step (forward, backward, ghost clipping, exact sum) beside the same step without privacy (forward,
 * backward, plain gradient), over pairs of a record and a fake. An engine is chosen once a process, so each has its own.
 */
export async function* benchLearning(): AsyncIterable<object> {
  for (const engine of ['native', 'wasm']) yield* await inChild(engine);
}

function inChild(engine: string): Promise<readonly object[]> {
  return new Promise((resolve, reject) => {
    const lines: object[] = [];
    const child = fork(fileURLToPath(import.meta.url), [], {
      env: { ...process.env, CHORALE_ENGINE: engine, TF_CPP_MIN_LOG_LEVEL: '2' },
    });
    child.on('message', (line) => lines.push(line as object));
    child.on('error', reject);
    child.on('exit', (code) =>
      resolve(
        code === 0 ? lines : [{ bench: 'learning', engine, skipped: 'this engine cannot be started here' }],
      ),
    );
  });
}

function pairs(records: number, width: number, columns: number): Matrix {
  const data = new Float32Array(2 * records * width);
  const choices = uniforms(seededRng(new Uint8Array(32), 'bench'), 2 * records * columns);
  const cells = Math.floor(width / columns);
  for (let row = 0, i = 0; row < 2 * records; row++)
    for (let column = 0; column < columns; column++)
      data[row * width + column * cells + Math.floor(cells * (choices[i++] as number))] = 1;
  return { rows: 2 * records, columns: width, data };
}

function measure(engine: LearningEngine, size: (typeof SIZES)[number]): object {
  const { name, records, widths, columns } = size;
  const layers = layersOf(widths);
  const parameters = initialParameters(widths, columns, seededRng(new Uint8Array(32), 'bench/parameters'));
  const input = pairs(records, widths[0], columns);
  const tape = () => {
    const activations = forward(engine, layers, parameters, input);
    const scores = (activations.at(-1) as Matrix).data;
    const data = scores.map((score, row) =>
      row % 2 === 0 ? -1 / (1 + Math.exp(score)) : 1 / (1 + Math.exp(-score)),
    );
    const { outputs } = backward(engine, layers, parameters, activations, {
      rows: input.rows,
      columns: 1,
      data,
    });
    return { activations, outputs };
  };
  const plainMs = median(() => {
    const { activations, outputs } = tape();
    parameterGradient(engine, layers, activations, outputs);
  });
  const privateMs = median(() => {
    const { activations, outputs } = tape();
    const sum = new ClippedSum(layers, 1);
    sum.add(engine, { records, inputs: activations.slice(0, -1), outputGradients: outputs });
    sum.values();
  });
  return {
    bench: 'learning',
    engine: engine.name,
    version: engine.version,
    cpu: cpus()[0]?.model,
    size: name,
    records,
    widths,
    privateMs,
    plainMs,
    ratio: Number((privateMs / plainMs).toFixed(2)),
  };
}

function median(work: () => void): number {
  for (let i = 0; i < WARM_UP; i++) work();
  const times = Array.from({ length: RUNS }, () => {
    const start = performance.now();
    work();
    return performance.now() - start;
  }).sort((a, b) => a - b);
  return Number((times[RUNS >> 1] as number).toFixed(2));
}

if (process.argv[1] === fileURLToPath(import.meta.url) && process.send !== undefined) {
  const engine = await startEngine().catch(() => process.exit(3));
  for (const size of SIZES) process.send(measure(engine, size));
  process.disconnect();
}
