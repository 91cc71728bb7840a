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
import { type LayerJson, parseNetwork } from '../src/synthesis/learning/architecture.js';
import { clippedGradientSum, type LossGradient } from '../src/synthesis/learning/clippedGradient.js';
import type { Shape } from '../src/synthesis/learning/layer.js';
import { passThrough } from '../src/synthesis/learning/network.js';
import { transposed } from '../src/synthesis/learning/product.js';
import { normals, seededRng, uniforms } from '../src/synthesis/randomness.js';

const MLP: readonly LayerJson[] = [
  { kind: 'dense', outputs: 256 },
  { kind: 'leaky-relu', slope: 0.2 },
  { kind: 'dense', outputs: 256 },
  { kind: 'leaky-relu', slope: 0.2 },
  { kind: 'dense', outputs: 1 },
];
const filters = { kernel: 3, stride: 2, padding: 1 };
const CONVOLUTIONAL: readonly LayerJson[] = [
  { kind: 'convolution', filters: 16, ...filters },
  { kind: 'leaky-relu', slope: 0.2 },
  { kind: 'convolution', filters: 32, ...filters },
  { kind: 'leaky-relu', slope: 0.2 },
  { kind: 'dense', outputs: 10 },
];
const ROW: Shape = { height: 1, width: 1, channels: 120 };
const IMAGE: Shape = { height: 28, width: 28, channels: 1 };

/** DP-SGD over any network: the book-keeping step of src/synthesis/learning, float32 sums of bounded error. */
const NETWORKS = [
  { name: 'mlp 120-256-256-1', records: 512, shape: ROW, layers: MLP },
  { name: 'mlp 120-256-256-1', records: 2048, shape: ROW, layers: MLP },
  { name: 'convolutions 28x28-16-32-10', records: 512, shape: IMAGE, layers: CONVOLUTIONAL },
] as const;

/** The GAN's critic: pairs of a record and a fake, exact sums in whole steps. Widths, and how many inputs are one. */
const CRITICS = [
  { name: 'critic', records: 512, widths: [120, 256, 256, 1], columns: 12 },
  { name: 'demo critic', records: 512, widths: [81, 64, 1], columns: 10 },
  { name: 'demo participant’s critic', records: 64, widths: [81, 64, 1], columns: 10 },
] as const;

/** A private step, and the same step without privacy: the same network, data, engine and kernels, no norms, no clipping. */
interface Steps {
  readonly name: string;
  readonly records: number;
  readonly privateStep: () => void;
  readonly plainStep: () => void;
}
const MODES = ['privateStep', 'plainStep'] as const;
type Mode = (typeof MODES)[number];

/** Neither step has noise: it is drawn before the records are looked at (bench/noise.ts). An engine is chosen once a process, so each has its own. */
export async function* benchLearning(): AsyncIterable<object> {
  for (const engine of ['native', 'wasm']) {
    const [times, ...memory] = [await inChild(engine), ...(await memoryLines(engine))];
    if (times === undefined)
      yield { bench: 'learning', engine, skipped: 'this engine cannot be started here' };
    else yield* [...times, ...memory];
  }
}

/** Lines of a child process; undefined if the engine cannot be started. `memory`: one mode of one network, for its peak. */
function inChild(
  engine: string,
  memory?: { network: number; mode: Mode },
): Promise<readonly object[] | undefined> {
  return new Promise((resolve, reject) => {
    const lines: object[] = [];
    const child = fork(fileURLToPath(import.meta.url), memory ? [String(memory.network), memory.mode] : [], {
      env: { ...process.env, CHORALE_ENGINE: engine, TF_CPP_MIN_LOG_LEVEL: '2' },
      execArgv: ['--expose-gc'],
    });
    child.on('message', (line) => lines.push(line as object));
    child.on('error', reject);
    child.on('exit', (code) => resolve(code === 0 ? lines : undefined));
  });
}

/** Peak resident memory over the process before its first step, of either step: a process each, for a peak never falls. */
async function memoryLines(engine: string): Promise<readonly object[]> {
  const lines: object[] = [];
  for (const [network, { name, records }] of NETWORKS.entries()) {
    const peaks: number[] = [];
    for (const mode of MODES)
      peaks.push(
        ((await inChild(engine, { network, mode }))?.[0] as { peakMiB: number } | undefined)?.peakMiB ??
          Number.NaN,
      );
    const [privateMiB, plainMiB] = peaks as [number, number];
    lines.push({
      bench: 'learning-memory',
      engine,
      network: name,
      records,
      privateMiB,
      plainMiB,
      ratio: round(privateMiB / plainMiB),
    });
  }
  return lines;
}

function networkSteps(
  engine: LearningEngine,
  { name, records, shape, layers }: (typeof NETWORKS)[number],
): Steps {
  const network = parseNetwork(shape, layers);
  const parameters = network.initial(seededRng(new Uint8Array(32), 'bench/parameters'));
  const inputs = normals(seededRng(new Uint8Array(32), 'bench/inputs'), records * network.inputs);
  const slots = seededRng(new Uint8Array(32), 'bench/slots');
  const order = Array.from({ length: records }, (_, i) => i);
  const loss: LossGradient = (output, record, gradient) => {
    for (let j = 0; j < output.length; j++) gradient[j] = (output[j] as number) - (record % 2);
  };
  return {
    name,
    records,
    privateStep() {
      const clipping = { clipNorm: 1, expectedRecords: records };
      clippedGradientSum(engine, network, parameters, { records, inputs }, loss, clipping, slots);
    },
    plainStep() {
      const sum = new Float32Array(network.parameters);
      passThrough(network, network.bind(engine, parameters), inputs, order, loss, (term) => {
        if (term.kind !== 'product') throw new Error('these networks have products only');
        const { rows, left, right, a, g, offset } = term;
        const count = records * rows;
        const turned = transposed({ rows: count, columns: left, data: a });
        sum.set(engine.multiply(turned, { rows: count, columns: right, data: g }), offset);
        for (let row = 0, i = 0, at = offset + left * right; row < count; row++)
          for (let j = 0; j < right; j++, i++) sum[at + j]! += g[i] as number;
      });
    },
  };
}

function criticSteps(
  engine: LearningEngine,
  { name, records, widths, columns }: (typeof CRITICS)[number],
): Steps {
  const layers = layersOf(widths);
  const parameters = initialParameters(widths, columns, seededRng(new Uint8Array(32), 'bench/parameters'));
  const input = pairs(records, widths[0], columns);
  const tape = () => {
    const activations = forward(engine, layers, parameters, input);
    const scores = (activations.at(-1) as Matrix).data;
    const data = scores.map((score, row) =>
      row % 2 === 0 ? -1 / (1 + Math.exp(score)) : 1 / (1 + Math.exp(-score)),
    );
    const gradient = { rows: input.rows, columns: 1, data };
    return { activations, outputs: backward(engine, layers, parameters, activations, gradient).outputs };
  };
  return {
    name,
    records,
    privateStep() {
      const { activations, outputs } = tape();
      const sum = new ClippedSum(layers, 1);
      sum.add(engine, { records, inputs: activations.slice(0, -1), outputGradients: outputs });
      sum.values();
    },
    plainStep() {
      const { activations, outputs } = tape();
      parameterGradient(engine, layers, activations, outputs);
    },
  };
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

/** Enough for the compiler to have settled: a run has hundreds of steps. */
const WARM_UP = 20;
const RUNS = 41;

/** Medians of steps taken in turn, so that what else the machine does meets both alike. */
function timed(engine: LearningEngine, { name, records, ...steps }: Steps): object {
  const times: Record<Mode, number[]> = { privateStep: [], plainStep: [] };
  for (let i = 0; i < WARM_UP + RUNS; i++)
    for (const mode of MODES) {
      const start = performance.now();
      steps[mode]();
      if (i >= WARM_UP) times[mode].push(performance.now() - start);
    }
  const [privateMs, plainMs] = MODES.map(
    (mode) => times[mode].sort((a, b) => a - b)[RUNS >> 1] as number,
  ) as [number, number];
  return {
    bench: 'learning',
    engine: engine.name,
    version: engine.version,
    cpu: cpus()[0]?.model,
    network: name,
    records,
    privateMs: round(privateMs),
    plainMs: round(plainMs),
    ratio: round(privateMs / plainMs),
  };
}

function peakMiB(step: () => void): number {
  const collect = (globalThis as { gc?: () => void }).gc ?? (() => {});
  collect();
  const before = process.memoryUsage().rss;
  let peak = before;
  for (let i = 0; i < 12; i++) {
    step();
    collect();
    peak = Math.max(peak, process.resourceUsage().maxRSS * 1024);
  }
  return round((peak - before) / 2 ** 20);
}

function round(value: number): number {
  return Number(value.toFixed(2));
}

if (process.argv[1] === fileURLToPath(import.meta.url) && process.send !== undefined) {
  const engine = await startEngine().catch(() => process.exit(3));
  const [network, mode] = process.argv.slice(2) as [string?, Mode?];
  if (network !== undefined && mode !== undefined) {
    const size = NETWORKS[Number(network)] as (typeof NETWORKS)[number];
    process.send({ peakMiB: peakMiB(networkSteps(engine, size)[mode]) });
  } else {
    for (const size of NETWORKS) process.send(timed(engine, networkSteps(engine, size)));
    for (const size of CRITICS) process.send(timed(engine, criticSteps(engine, size)));
  }
  process.disconnect();
}
