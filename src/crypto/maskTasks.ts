import { type Agreement, addMasks, agreedKey, type MaskStream } from './maskWork.js';
import { type CryptoErrorCode, KEYSTREAM_PIECE_WORDS, type Primitives } from './primitives.js';

/**
 * What a mask thread is told and answers. Everything secret lies in shared memory, once, so that whoever asked can
 * wipe it; a message itself is copied, and the copies could not be.
 */
export type MaskTask = MaskPass | AgreementRange;

/** One vector and all its masks: told to several threads, each of which takes the next range that nobody has taken. */
export interface MaskPass {
  readonly kind: 'masks';
  /** Shared. */
  readonly target: Uint32Array;
  /** Words of a range, a multiple of 4; the last may be shorter. */
  readonly rangeWords: number;
  /** Shared: one word, the number of ranges that were taken. */
  readonly taken: Int32Array;
  /** Shared: 32 bytes a mask. */
  readonly keys: Uint8Array;
  readonly signs: Int8Array;
}

export interface AgreementRange {
  readonly kind: 'agreements';
  /** Shared: every distinct array once. Array i is bytes[starts[i], starts[i + 1]). */
  readonly bytes: Uint8Array;
  readonly starts: Uint32Array;
  /** Four arrays a job: private key, public key, salt, info. */
  readonly jobs: Uint32Array;
  /** Shared: 32 bytes a job. */
  readonly keys: Uint8Array;
}

export type TaskOutcome =
  | { readonly kind: 'done' }
  /** `code` where it was a CryptoError. */
  | { readonly kind: 'failed'; readonly message: string; readonly code?: CryptoErrorCode };

const KEY_BYTES = 32;
const ARRAYS_PER_JOB = 4;

/** Opening the streams costs as much as 2,000 words of each: few ranges, of whole pieces where there are enough. */
const RANGES_PER_THREAD = 4;
const MIN_RANGE_WORDS = 4096;

/** A vector of shared memory and its masks, for `threads` threads. Every key has 32 bytes. */
export function maskPass(target: Uint32Array, masks: readonly MaskStream[], threads: number): MaskPass {
  const keys = sharedBytes(KEY_BYTES * masks.length);
  for (const [i, { key }] of masks.entries()) keys.set(key, KEY_BYTES * i);
  const pieces = Math.ceil(target.length / KEYSTREAM_PIECE_WORDS / (RANGES_PER_THREAD * threads));
  const fairPart = 4 * Math.ceil(target.length / threads / 4);
  return {
    kind: 'masks',
    target,
    rangeWords: Math.max(MIN_RANGE_WORDS, Math.min(fairPart, KEYSTREAM_PIECE_WORDS * pieces)),
    taken: new Int32Array(new SharedArrayBuffer(4)),
    keys,
    signs: Int8Array.from(masks, ({ sign }) => sign),
  };
}

/** Jobs in at most `count` parts; `keys` of one follows on that of the part before, all in one shared array. */
export function agreementRanges(jobs: readonly Agreement[], count: number): AgreementRange[] {
  const index = new Map<Uint8Array, number>();
  const starts = [0];
  const indexOf = (array: Uint8Array): number => {
    const known = index.get(array);
    if (known !== undefined) return known;
    starts.push(starts[index.size]! + array.length);
    index.set(array, index.size);
    return index.size - 1;
  };
  const indices = Uint32Array.from(
    jobs.flatMap(({ privateKey, publicKey, salt, info }) => [privateKey, publicKey, salt, info].map(indexOf)),
  );
  const bytes = sharedBytes(starts[index.size]!);
  for (const [array, i] of index) bytes.set(array, starts[i]!);
  const keys = sharedBytes(KEY_BYTES * jobs.length);
  const size = Math.ceil(jobs.length / count);
  return Array.from({ length: Math.ceil(jobs.length / size) }, (_, i) => ({
    kind: 'agreements',
    bytes,
    starts: Uint32Array.from(starts),
    jobs: indices.slice(ARRAYS_PER_JOB * size * i, ARRAYS_PER_JOB * size * (i + 1)),
    keys: keys.subarray(KEY_BYTES * size * i, KEY_BYTES * size * (i + 1)),
  }));
}

/** The keys of all the ranges, copied out of shared memory, 32 bytes each. */
export function agreedKeys(ranges: readonly AgreementRange[]): Uint8Array[] {
  return ranges.flatMap(({ keys }) =>
    Array.from({ length: keys.length / KEY_BYTES }, (_, i) => keys.slice(KEY_BYTES * i, KEY_BYTES * (i + 1))),
  );
}

/** Overwrites the secrets that these tasks shared. */
export function wipeTasks(tasks: readonly MaskTask[]): void {
  for (const task of tasks) {
    task.keys.fill(0);
    if (task.kind === 'agreements') task.bytes.fill(0);
  }
}

/** Does a task on this thread. Throws CryptoError. */
export function perform(primitives: Primitives, task: MaskTask): void {
  // A key object is made of the array, so each array is copied out of shared memory once, and wiped in the end.
  const copies = new Map<number, Uint8Array>();
  try {
    if (task.kind === 'masks') addRanges(primitives, task, masksOf(task, copies));
    else agreeRange(primitives, task, copies);
  } finally {
    for (const copy of copies.values()) copy.fill(0);
  }
}

function addRanges(
  primitives: Primitives,
  { target, rangeWords, taken }: MaskPass,
  masks: readonly MaskStream[],
): void {
  for (;;) {
    const from = rangeWords * Atomics.add(taken, 0, 1);
    if (from >= target.length) return;
    addMasks(primitives, target.subarray(from, from + rangeWords), masks, from);
  }
}

function masksOf({ keys, signs }: MaskPass, copies: Map<number, Uint8Array>): MaskStream[] {
  return Array.from(signs, (sign, i) => {
    const key = keys.slice(KEY_BYTES * i, KEY_BYTES * (i + 1));
    copies.set(i, key);
    return { key, sign: sign === 1 ? 1 : -1 };
  });
}

function agreeRange(primitives: Primitives, task: AgreementRange, copies: Map<number, Uint8Array>): void {
  const { bytes, starts, jobs, keys } = task;
  const arrayAt = (at: number): Uint8Array => {
    const i = jobs[at]!;
    const copy = copies.get(i) ?? bytes.slice(starts[i], starts[i + 1]);
    copies.set(i, copy);
    return copy;
  };
  for (let job = 0; job < jobs.length / ARRAYS_PER_JOB; job++) {
    const at = ARRAYS_PER_JOB * job;
    const key = agreedKey(primitives, {
      privateKey: arrayAt(at),
      publicKey: arrayAt(at + 1),
      salt: arrayAt(at + 2),
      info: arrayAt(at + 3),
    });
    keys.set(key, KEY_BYTES * job);
    key.fill(0);
  }
}

function sharedBytes(length: number): Uint8Array {
  return new Uint8Array(new SharedArrayBuffer(length));
}
