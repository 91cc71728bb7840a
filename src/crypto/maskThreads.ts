import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import {
  agreedKeys,
  agreementRanges,
  type MaskTask,
  maskPass,
  perform,
  type TaskOutcome,
  wipeTasks,
} from './maskTasks.js';
import { inlineMaskWork, type MaskWork } from './maskWork.js';
import { nodePrimitives } from './nodePrimitives.js';
import { assertBytes, CryptoError } from './primitives.js';

export interface MaskThreads extends MaskWork {
  /** Ends the threads. What is under way is rejected, and so is what is asked later. */
  close(): Promise<void>;
}

/** Masks × words below which the calling thread is done before another is awake (about 2 ms). */
const INLINE_WORDS = 2 ** 21;
/** And below which it takes its part with the others: the last to wake is late by as much as such a job lasts (about 80 ms). */
const SHARED_WORDS = 2 ** 26;
/** The same for agreements, at some 60 µs each. */
const INLINE_AGREEMENTS = 64;
/** So that a thread that the machine kept from running does not keep the others waiting for its half. */
const AGREEMENT_TASKS_PER_THREAD = 2;

/**
 * MaskWork on worker threads over disjoint parts of a vector, so that memory stays O(model) and the calling thread
 * answers others meanwhile. A vector in a SharedArrayBuffer is worked on where it lies, any other is copied there
 * and back. Small jobs run on the calling thread, which has a part in those that last no longer than it can be missed.
 *
 * Threads start when first needed and do not keep the process alive while nothing is asked. One that dies rejects
 * the job that it had a part of, and another takes its place.
 * @param threads at least 1; by default as many as the process may run at once.
 */
export function createMaskThreads({
  threads = availableParallelism(),
}: {
  readonly threads?: number;
} = {}): MaskThreads {
  if (!Number.isSafeInteger(threads) || threads < 1)
    throw new RangeError(`createMaskThreads: threads is a whole number from 1, not ${threads}`);
  const inline = inlineMaskWork(nodePrimitives);
  const crew = createCrew(threads);
  /** At most one, of the size used last: a run's vectors are all of one size. */
  let spare: Uint32Array | undefined;
  return {
    async agree(jobs) {
      crew.assertOpen();
      if (jobs.length < INLINE_AGREEMENTS) return inline.agree(jobs);
      const tasks = agreementRanges(jobs, threads * AGREEMENT_TASKS_PER_THREAD);
      try {
        await crew.perform(tasks);
        return agreedKeys(tasks);
      } finally {
        wipeTasks(tasks);
      }
    },
    async addMasks(target, masks) {
      crew.assertOpen();
      if (target.length * masks.length < INLINE_WORDS) return inline.addMasks(target, masks);
      for (const { key } of masks) assertBytes('a keystream key', key, 32);
      const shared = target.buffer instanceof SharedArrayBuffer ? target : sharedCopy(target);
      const pass = maskPass(shared, masks, threads);
      const joins = target.length * masks.length < SHARED_WORDS;
      try {
        const others = crew.perform(Array<MaskTask>(joins ? threads - 1 : threads).fill(pass));
        try {
          if (joins) perform(nodePrimitives, pass);
        } finally {
          await others;
        }
        if (shared !== target) target.set(shared);
      } finally {
        wipeTasks([pass]);
        if (shared !== target) shared.fill(0);
      }
    },
    // Below this no number of masks that is likely fills a job for threads.
    vector(words) {
      if (words < INLINE_WORDS / 64) return new Uint32Array(words);
      const taken = spare;
      spare = undefined;
      return taken?.length === words ? taken : sharedWords(words);
    },
    release(vector) {
      vector.fill(0);
      if (vector.buffer instanceof SharedArrayBuffer) spare = vector;
    },
    close: () => crew.close(),
  };
}

function sharedCopy(words: Uint32Array): Uint32Array {
  const copy = sharedWords(words.length);
  copy.set(words);
  return copy;
}

function sharedWords(words: number): Uint32Array {
  return new Uint32Array(new SharedArrayBuffer(4 * words));
}

interface Assignment {
  readonly task: MaskTask;
  done(): void;
  fail(error: Error): void;
}

interface Thread {
  readonly worker: Worker;
  current?: Assignment | undefined;
  cause?: unknown;
}

interface Crew {
  /** Resolves or rejects when no thread touches any of the tasks any more. */
  perform(tasks: readonly MaskTask[]): Promise<void>;
  assertOpen(): void;
  close(): Promise<void>;
}

function createCrew(size: number): Crew {
  const threads = new Set<Thread>();
  const queue: Assignment[] = [];
  let closed = false;
  const closedError = (): Error => new Error('The mask threads were closed: create others for what is left.');

  function dispatch(): void {
    while (queue.length > 0) {
      const idle = [...threads].find(({ current }) => current === undefined);
      if (idle === undefined && threads.size >= size) return;
      const assignment = queue.shift()!;
      let thread: Thread;
      try {
        thread = idle ?? start();
      } catch (error) {
        // No memory, no thread: the job fails when those that have begun are done.
        assignment.fail(error as Error);
        continue;
      }
      thread.current = assignment;
      thread.worker.ref();
      thread.worker.postMessage(thread.current.task);
    }
  }

  function start(): Thread {
    // Nothing of ours is for the thread: not the loaders of a test runner, not the environment's secrets.
    const worker = new Worker(threadFile(), { name: 'chorale masks', execArgv: [], env: {} });
    const thread: Thread = { worker };
    threads.add(thread);
    worker.on('message', (outcome: TaskOutcome) => {
      const ended = thread.current;
      thread.current = undefined;
      worker.unref();
      dispatch();
      if (outcome.kind === 'done') ended?.done();
      else
        ended?.fail(
          outcome.code ? new CryptoError(outcome.code, outcome.message) : new Error(outcome.message),
        );
    });
    worker.on('error', (error) => (thread.cause = error));
    worker.on('exit', (exitCode) => {
      threads.delete(thread);
      thread.current?.fail(closed ? closedError() : deathOf(thread, exitCode));
      if (!closed) dispatch();
    });
    return thread;
  }

  return {
    async perform(tasks) {
      const parts = tasks.map((task) => new Promise<void>((done, fail) => queue.push({ task, done, fail })));
      dispatch();
      // All of them, also after one failed: a thread may still be writing.
      for (const part of await Promise.allSettled(parts)) if (part.status === 'rejected') throw part.reason;
    },
    assertOpen() {
      if (closed) throw closedError();
    },
    async close() {
      closed = true;
      for (const { fail } of queue.splice(0)) fail(closedError());
      await Promise.all([...threads].map(({ worker }) => worker.terminate()));
    },
  };
}

function deathOf({ cause }: Thread, exitCode: number): Error {
  const why = cause instanceof Error ? `: ${cause.message}` : '';
  return new Error(`A mask thread ended (exit code ${exitCode}) before its task was done${why}. Ask again.`, {
    cause,
  });
}

/** Node 20 runs no TypeScript: where this file is run from source (vitest), the threads run what was built of it. */
function threadFile(): URL {
  const here = import.meta.url;
  return here.endsWith('.ts')
    ? new URL('../../dist/src/crypto/maskThread.js', here)
    : new URL('./maskThread.js', here);
}
