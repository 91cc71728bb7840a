import { join } from 'node:path';
import { CliError, EXIT } from '../exits.js';
import type { Cast, Member, Stage } from './cast.js';
import type { RunPlan } from './plan.js';

/** Killed with SIGKILL in the middle of the run. */
const VICTIM = 'southwest';

export interface Training {
  readonly runId: string;
  /** Opened sums per second, from the first one to the last. */
  readonly roundsPerSecond: number;
  /** The members that were alive to the end. */
  readonly survivors: readonly Member[];
}

/** One person proposes the run, another approves it; half-way through, one member is killed, in whatever it is doing. */
export async function train(stage: Stage, cast: Cast, plan: RunPlan): Promise<Training> {
  const { processes, terminal } = stage;
  const [run] = await processes.run('operator', [
    ...['run', 'propose', '--synthesizer', 'gan', '--options', JSON.stringify(plan.options)],
    ...cast.operator,
  ]);
  const runId = String(run?.runId);
  const total = Number(run?.totalSteps);
  const victim = cast.members.find((member) => member.id === VICTIM)!;
  const survivors = cast.members.filter((member) => member !== victim);

  let epsilon = 0;
  for (const { process } of survivors)
    process.onLine((line) => (epsilon = Math.max(epsilon, Number(line.epsilon ?? 0))));

  const watching = processes.start('watch', ['run', 'watch', runId, ...cast.operator]);
  let step = 0;
  let firstSum: number | undefined;
  let lastSum = 0;
  let killed = false;
  watching.onLine((line) => {
    if (line.event !== 'progress') return;
    step = Number(line.step);
    if (step > 0) {
      lastSum = Date.now();
      firstSum ??= lastSum;
    }
    terminal.progress(step, total, { epsilon, roundsPerSecond: perSecond(step, firstSum, lastSum) });
    if (!killed && step >= Math.floor(total / 2)) {
      killed = true;
      victim.process.kill();
      terminal.note(
        `${victim.name} was killed (SIGKILL) after sum ${step}: the others' shares open what it left behind.`,
      );
    }
  });
  terminal.step('run', `Run ${runId}: ${total} private critic steps; the generator never meets a row`, {
    run: runId,
    steps: total,
    options: plan.options,
  });
  await processes.run('approver', ['run', 'approve', runId, ...cast.approver]);
  const exit = await watching.ended;
  terminal.settle();
  if (exit !== 0 && exit !== EXIT.overBudget)
    throw new CliError(
      `The run did not finish: see ${stage.here(join(stage.folder, 'logs', 'watch.log'))}.`,
      EXIT.aborted,
      'QuorumNotReached',
    );
  return { runId, roundsPerSecond: perSecond(step, firstSum, lastSum), survivors };
}

/** Steps per second between two times in milliseconds; 0 before there are two. */
function perSecond(step: number, first: number | undefined, last: number): number {
  return first === undefined || last <= first ? 0 : ((step - 1) * 1000) / (last - first);
}
