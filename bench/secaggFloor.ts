import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { KEYSTREAM_PIECE_WORDS } from '../src/crypto/primitives.js';
import { type Graph, quorumOf } from '../src/secagg/graph.js';
import type { Units } from './floorUnits.js';
import type { SecaggCase } from './secaggCase.js';

/** The floor of a round and of the set-up, in milliseconds of CPU time on both sides. */
export interface Floor {
  readonly client: SideFloor;
  readonly coordinator: SideFloor;
}

interface SideFloor {
  readonly cpuMs: number;
  readonly withoutDigestsMs: number;
  readonly setUpMs: number;
}

/**
 * The units of one size of vector, sampled all along what they are held against: a shared machine is at one minute
 * twice as fast as at the next.
 */
export interface FloorSamples {
  /** Times every operation once, on a thread of its own: about 10 ms at a million words. */
  sample(): Promise<void>;
  /** The median of each since the last call, which starts anew. Throws RangeError if nothing was sampled. */
  take(): Units;
  close(): Promise<unknown>;
}

export function floorSamples(dimension: number): FloorSamples {
  const thread = new Worker(new URL('./floorUnits.js', import.meta.url), { workerData: { dimension } });
  let samples: Units[] = [];
  return {
    async sample() {
      const answered = once(thread, 'message') as Promise<[Units]>;
      thread.postMessage('sample');
      samples.push((await answered)[0]);
    },
    take() {
      const [first] = samples;
      if (first === undefined) throw new RangeError('no sample was taken of the floor');
      const names = Object.keys(first) as (keyof Units)[];
      const medians = names.map((name) => [name, median(samples.map((units) => units[name]))]);
      samples = [];
      return Object.fromEntries(medians) as Units;
    },
    close: () => thread.terminate(),
  };
}

/**
 * What the protocol cannot do without, each operation counted: the masks and the inputs, the agreements, the
 * signatures with the digest of the vector that they cover. `withoutDigestsMs` leaves that digest out.
 */
export function floorOf(
  { members: n, maxColluders, drops, rounds }: SecaggCase,
  graph: Pick<Graph, 'kind' | 'shareholders' | 'threshold'>,
  units: Units,
): Floor {
  const slots = rounds === 1 ? 1 : rounds + 1;
  const degree = graph.kind === 'harary' ? graph.shareholders : n - 1;
  const alive = n - drops;
  const signatures = Math.max(graph.threshold, quorumOf(n, maxColluders));
  const agreements = Math.round((drops * degree * alive) / (n - 1));
  const masked = (streams: number) => streams * (units.aes + units.add);
  const clientMs = masked(1 + degree) + 3 * units.sign + (signatures - 1) * units.verify;
  const coordinatorMs =
    masked(alive + agreements) +
    alive * units.fold +
    (agreements + drops) * units.x25519 +
    3 * alive * units.verify;
  return {
    client: {
      cpuMs: clientMs + units.digest,
      withoutDigestsMs: clientMs,
      setUpMs: (1 + slots + degree * (slots + 1)) * units.x25519 + 2 * units.sign + n * units.verify,
    },
    coordinator: {
      cpuMs: coordinatorMs + alive * units.digest,
      withoutDigestsMs: coordinatorMs,
      setUpMs: 2 * n * units.verify,
    },
  };
}

/** Wall time of one thread's AES over that of two threads that do as much each: 2 where there are two whole cores. */
export async function measureCores(): Promise<number> {
  const ratios: number[] = [];
  for (let i = 0; i < 5; i++) {
    const alone = await aesThreads(1);
    const together = await aesThreads(2);
    ratios.push((2 * alone) / together);
  }
  return Math.min(2, median(ratios));
}

const AES_THREAD = `
  const { createCipheriv } = require('node:crypto');
  const { parentPort } = require('node:worker_threads');
  const zeros = Buffer.alloc(${4 * KEYSTREAM_PIECE_WORDS});
  const run = (pieces) => {
    const cipher = createCipheriv('aes-256-ctr', zeros.subarray(0, 32), zeros.subarray(0, 16));
    for (let i = 0; i < pieces; i++) cipher.update(zeros);
  };
  run(50);
  parentPort.once('message', () => {
    const began = performance.now();
    run(1000);
    parentPort.postMessage(performance.now() - began);
  });
  parentPort.postMessage('ready');`;

/** The longest of the threads' own times, 62 MiB of key stream each. */
async function aesThreads(count: number): Promise<number> {
  const workers = Array.from({ length: count }, () => new Worker(AES_THREAD, { eval: true }));
  const next = (worker: Worker) => new Promise<unknown>((resolve) => worker.once('message', resolve));
  await Promise.all(workers.map(next));
  const times = workers.map(next);
  for (const worker of workers) worker.postMessage('go');
  return Math.max(...((await Promise.all(times)) as number[]));
}

export const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
