import { parentPort } from 'node:worker_threads';
import { type MaskTask, perform, type TaskOutcome } from './maskTasks.js';
import { nodePrimitives } from './nodePrimitives.js';
import { CryptoError } from './primitives.js';

/** The program of a mask thread: one task after the other. maskThreads.ts starts it. */
parentPort?.on('message', (task: MaskTask) => parentPort?.postMessage(outcome(task)));

function outcome(task: MaskTask): TaskOutcome {
  try {
    perform(nodePrimitives, task);
    return { kind: 'done' };
  } catch (error) {
    return error instanceof CryptoError
      ? { kind: 'failed', message: error.message, code: error.code }
      : { kind: 'failed', message: String(error) };
  }
}
