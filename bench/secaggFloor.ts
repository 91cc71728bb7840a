import { createHash } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import { nodePrimitives } from '../src/crypto/nodePrimitives.js';
import { KEYSTREAM_PIECE_WORDS } from '../src/crypto/primitives.js';
import { ringPiece } from '../src/crypto/ringPiece.js';
import { type Graph, quorumOf } from '../src/secagg/graph.js';
import type { SecaggCase } from './secaggCase.js';

/** Milliseconds of CPU time for one operation in the fastest form that Node has, keys parsed beforehand. */
export interface Units {
  /** AES-256-CTR of one vector's key stream. */
  readonly aes: number;
  /** One vector added to another. */
  readonly add: number;
  /** One vector of megabytes folded into another, both in memory and not in the cache. */
  readonly fold: number;
  /** SHA-256 of one vector: an Ed25519 signature has to read what it signs. */
  readonly digest: number;
  readonly x25519: number;
  readonly sign: number;
  readonly verify: number;
}

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

/** Small operations timed together: one alone is below what a clock of CPU time tells. */
const SMALL = 20;

/**
 * The units of one size of vector, sampled all along what they are held against: a shared machine is at one minute
 * twice as fast as at the next.
 */
export interface FloorSamples {
  /** Times every operation once: about 10 ms at a million words. */
  sample(): void;
  /** The median of each since the last call, which starts anew. Throws RangeError if nothing was sampled. */
  take(): Units;
}

export function floorSamples(dimension: number): FloorSamples {
  const key = new Uint8Array(32).fill(7);
  const publicKey = nodePrimitives.x25519PublicKey(new Uint8Array(32).fill(9));
  const identity = nodePrimitives.ed25519PublicKey(key);
  const message = new Uint8Array(150).fill(1);
  const signature = nodePrimitives.ed25519Sign(key, message);
  const piece = ringPiece();
  const bytes = new Uint8Array(dimension * 4);
  const from = new Uint32Array(dimension).fill(3);
  const into = new Uint32Array(dimension).fill(1);
  const small = (act: () => unknown) => () => {
    for (let i = 0; i < SMALL; i++) act();
  };
  const operations: Record<keyof Units, () => unknown> = {
    aes: () => keystream(key, dimension, piece.incoming),
    add: () => addOnly(dimension, piece),
    fold: () => foldOnly(from, into, piece),
    digest: () => createHash('sha256').update(bytes).digest(),
    x25519: small(() => nodePrimitives.x25519SharedSecret(key, publicKey)),
    sign: small(() => nodePrimitives.ed25519Sign(key, message)),
    verify: small(() => nodePrimitives.ed25519Verify(identity, message, signature)),
  };
  const divisors: Partial<Record<keyof Units, number>> = { x25519: SMALL, sign: SMALL, verify: SMALL };
  const names = Object.keys(operations) as (keyof Units)[];
  // The first of each is not counted: it finds nothing compiled and nothing in the cache.
  for (const name of names) operations[name]();
  let samples: Units[] = [];
  const all = (value: (name: keyof Units) => number) =>
    Object.fromEntries(names.map((name) => [name, value(name)])) as unknown as Units;
  return {
    sample: () => void samples.push(all((name) => cpuMs(operations[name]) / (divisors[name] ?? 1))),
    take() {
      if (samples.length === 0) throw new RangeError('no sample was taken of the floor');
      const taken = samples;
      samples = [];
      return all((name) => median(taken.map((units) => units[name])));
    },
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

function keystream(key: Uint8Array, words: number, into: Uint8Array): void {
  const stream = nodePrimitives.keystream(key);
  for (let from = 0; from < words; from += KEYSTREAM_PIECE_WORDS)
    stream.fill(into.subarray(0, 4 * Math.min(KEYSTREAM_PIECE_WORDS, words - from)));
}

function addOnly(words: number, piece: ReturnType<typeof ringPiece>): void {
  for (let from = 0; from < words; from += KEYSTREAM_PIECE_WORDS)
    piece.add(Math.min(KEYSTREAM_PIECE_WORDS, words - from));
}

function foldOnly(from: Uint32Array, into: Uint32Array, piece: ReturnType<typeof ringPiece>): void {
  const incoming = new Uint32Array(piece.incoming.buffer, piece.incoming.byteOffset, KEYSTREAM_PIECE_WORDS);
  for (let at = 0; at < into.length; at += KEYSTREAM_PIECE_WORDS) {
    const end = Math.min(at + KEYSTREAM_PIECE_WORDS, into.length);
    piece.sum.set(into.subarray(at, end));
    incoming.set(from.subarray(at, end));
    piece.add(end - at);
    into.set(piece.sum.subarray(0, end - at), at);
  }
}

function cpuMs(act: () => unknown): number {
  const before = process.cpuUsage();
  act();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

export const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
