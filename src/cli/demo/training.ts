import type { Cast, Member, Stage } from './cast.js';
import { type Conducted, conduct } from './conduct.js';
import type { DemoPlan } from './plan.js';

/** Killed with SIGKILL in the middle of the run. */
const VICTIM = 'southwest';

export interface Training extends Conducted {
  /** The members that were alive to the end. */
  readonly survivors: readonly Member[];
}

/** Half-way through the GAN's training one member is killed, in whatever it is doing. */
export async function train(stage: Stage, cast: Cast, plan: DemoPlan): Promise<Training> {
  const { terminal } = stage;
  const victim = cast.members.find((member) => member.id === VICTIM)!;
  const survivors = cast.members.filter((member) => member !== victim);
  let epsilon = 0;
  for (const { process } of survivors)
    process.onLine((line) => (epsilon = Math.max(epsilon, Number(line.epsilon ?? 0))));
  let killed = false;
  const conducted = await conduct(stage, cast, proposalOf('gan', plan.gan), {
    proposed: ({ runId, steps }) =>
      terminal.step('run', `Run ${runId}: a GAN in ${steps} private sums; its generator never meets a row`, {
        run: runId,
        steps,
        options: plan.gan,
      }),
    progressed(step, steps, roundsPerSecond) {
      terminal.progress(step, steps, { epsilon, roundsPerSecond });
      if (killed || step < Math.floor(steps / 2)) return;
      killed = true;
      victim.process.kill();
      terminal.note(
        `${victim.name} was killed (SIGKILL) after sum ${step}: the others' shares open what it left behind.`,
      );
    },
  });
  return { ...conducted, survivors };
}

/** The second synthesizer, on the same federation, ledger and limit, without the member that was lost. */
export async function trainMarginals(stage: Stage, cast: Cast, plan: DemoPlan): Promise<Conducted> {
  return conduct(stage, cast, proposalOf('marginals', plan.marginals), {
    proposed: ({ runId, steps }) =>
      stage.terminal.step(
        'run',
        `Run ${runId}: marginals, ${steps} noisy sums of counts and a graphical model`,
        {
          run: runId,
          steps,
          options: plan.marginals,
        },
      ),
  });
}

function proposalOf(synthesizer: string, options: Readonly<Record<string, unknown>>): readonly string[] {
  return ['run', 'propose', '--synthesizer', synthesizer, '--options', JSON.stringify(options)];
}
