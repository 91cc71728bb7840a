import { createHash } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import { nodePrimitives } from '../src/crypto/nodePrimitives.js';
import { KEYSTREAM_PIECE_WORDS } from '../src/crypto/primitives.js';
import { ringPiece } from '../src/crypto/ringPiece.js';

/** Milliseconds of CPU time for one operation in the fastest form that we have in Node, keys parsed beforehand. */
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

/** Small operations timed together: one alone is below what a clock of CPU time tells apart. */
const SMALL = 20;

/**
 * The program of a thread that times every operation once when it is asked to. A thread of its own, because its heap is
 * small: beside a thousand members' states, one collection of garbage costs more than what is measured.
 */
function answerSamples(dimension: number): void {
  const key = new Uint8Array(32).fill(7);
  const publicKey = nodePrimitives.x25519PublicKey(new Uint8Array(32).fill(9));
  const identity = nodePrimitives.ed25519PublicKey(key);
  const message = new Uint8Array(150).fill(1);
  const signature = nodePrimitives.ed25519Sign(key, message);
  const piece = ringPiece();
  const bytes = new Uint8Array(dimension * 4);
  const from = new Uint32Array(dimension).fill(3);
  const into = new Uint32Array(dimension).fill(1);
  // Of the process: its other threads wait for the answer, but for the collection of garbage.
  const once = (act: () => unknown, times = 1): number => {
    const began = process.cpuUsage();
    for (let i = 0; i < times; i++) act();
    const { user, system } = process.cpuUsage(began);
    return (user + system) / 1000 / times;
  };
  /** Small vectors several times, as a round masks them: one pass finds nothing in the cache. */
  const passes = Math.ceil(2_000_000 / dimension);
  const sample = (): Units => ({
    aes: once(() => keystream(key, dimension, piece.incoming), passes),
    add: once(() => addOnly(dimension, piece), passes),
    fold: once(() => foldOnly(from, into, piece)),
    digest: once(() => createHash('sha256').update(bytes).digest()),
    x25519: once(() => nodePrimitives.x25519SharedSecret(key, publicKey), SMALL),
    sign: once(() => nodePrimitives.ed25519Sign(key, message), SMALL),
    verify: once(() => nodePrimitives.ed25519Verify(identity, message, signature), SMALL),
  });
  // The first is not counted: it finds nothing compiled and nothing in the cache.
  sample();
  parentPort?.on('message', () => parentPort?.postMessage(sample()));
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

answerSamples((workerData as { readonly dimension: number }).dimension);
