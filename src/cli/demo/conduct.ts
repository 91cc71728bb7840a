import { join } from 'node:path';
import { CliError, EXIT } from '../exits.js';
import type { Cast, Stage } from './cast.js';

/** A run that is over. */
export interface Conducted {
  readonly runId: string;
  readonly steps: number;
  /** Opened sums per second, from the first one to the last. */
  readonly roundsPerSecond: number;
}

/** Told of a run as it is proposed, and of each sum. */
export interface Audience {
  proposed?(run: { readonly runId: string; readonly steps: number }): void;
  progressed?(step: number, steps: number, roundsPerSecond: number): void;
}

/**
 * One person proposes a run, by `proposal` as `chorale` takes it, another approves it, and it is watched to its end. Throws CliError
 * where it has none.
 */
export async function conduct(
  { processes, terminal, folder, here }: Stage,
  { operator, approver }: Pick<Cast, 'operator' | 'approver'>,
  proposal: readonly string[],
  { proposed, progressed }: Audience = {},
): Promise<Conducted> {
  const [run] = await processes.run('operator', [...proposal, ...operator]);
  const runId = String(run?.runId);
  const steps = Number(run?.totalSteps);
  const watching = processes.start('watch', ['run', 'watch', runId, ...operator]);
  let firstSum: number | undefined;
  let roundsPerSecond = 0;
  watching.onLine((line) => {
    if (line.event !== 'progress') return;
    const step = Number(line.step);
    const now = Date.now();
    if (step > 0) {
      firstSum ??= now;
      roundsPerSecond = now > firstSum ? ((step - 1) * 1000) / (now - firstSum) : 0;
    }
    progressed?.(step, steps, roundsPerSecond);
  });
  proposed?.({ runId, steps });
  await processes.run('approver', ['run', 'approve', runId, ...approver]);
  const exit = await watching.ended;
  terminal.settle();
  if (exit !== 0)
    throw new CliError(
      `Run ${runId} did not finish: see ${here(join(folder, 'logs', 'watch.log'))}.`,
      exit === EXIT.overBudget ? EXIT.overBudget : EXIT.aborted,
      exit === EXIT.overBudget ? 'BudgetExceeded' : 'QuorumNotReached',
    );
  return { runId, steps, roundsPerSecond };
}
