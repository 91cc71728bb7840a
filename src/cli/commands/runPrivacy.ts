import { existsSync, readFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { BudgetStatement } from '../../federation/ports.js';
import { describeOrders } from '../../privacy/filterOrders.js';
import { ask, type ConnectionOptions, connectionOf, FAILURE, print, withConnection } from '../connection.js';
import { CliError, EXIT } from '../exits.js';

/** `chorale run plan | privacy | refusals`: what a run would cost, what it cost and against whom, and who refused. */

/** Null where nothing bounds it. */
interface Interval {
  readonly lower: number;
  readonly upper: number | null;
}

interface PlanView {
  readonly epsilon: number | null;
  readonly interval: Interval;
  readonly epsilonAfter: number | null;
  readonly epsilonLimit: number;
  readonly delta: number;
  readonly orders: readonly number[];
  readonly steps: number;
  readonly fits: boolean;
  readonly remainingSteps: number;
  readonly planDigest: string;
  readonly target: {
    readonly epsilon: number | null;
    readonly noiseMultiplier: number | null;
    readonly steps: number;
  };
}

interface ObserverView {
  readonly observer: string;
  readonly epsilon: number | null;
  readonly interval: Interval;
  readonly curve: readonly {
    readonly epsilon: number;
    readonly deltaLower: number;
    readonly deltaUpper: number;
  }[];
}

interface RefusalView {
  readonly roundId: string;
  readonly participantId: string;
  readonly reason: string;
  readonly participant: BudgetStatement;
  readonly coordinator: BudgetStatement;
  readonly createdAt: string;
}

const PLAN_FIELDS =
  'epsilon interval { lower upper } epsilonAfter epsilonLimit delta orders steps fits remainingSteps planDigest target { epsilon noiseMultiplier steps }';
const STATEMENT = '{ epsilonSpent epsilonAsked epsilonLimit }';

/** The headline first, as the coordinator sends them. */
const OBSERVERS: Readonly<Record<string, string>> = {
  COORDINATOR_WITH_COLLUDERS: 'coordinator with colluders',
  COORDINATOR_ALONE: 'coordinator alone',
  ANOTHER_MEMBER: 'another member',
  PUBLIC: 'the public',
  SECURE_AGGREGATION_BROKEN: 'were single vectors seen',
};

/** JSON text, or the file that holds it. */
export function readOptions(text: string): unknown {
  try {
    return JSON.parse(existsSync(text) ? readFileSync(text, 'utf8') : text);
  } catch (cause) {
    throw new CliError('--options must be JSON, or a file that holds JSON.', EXIT.usage, 'InvalidInput', {
      cause,
    });
  }
}

function readEpsilon(text: string): number {
  const epsilon = Number(text);
  if (!(epsilon > 0 && epsilon < Number.POSITIVE_INFINITY))
    throw new CliError(
      `--target-epsilon must be a positive number, got "${text}".`,
      EXIT.usage,
      'InvalidInput',
    );
  return epsilon;
}

export function registerRunPrivacy(run: Command): void {
  withConnection(run.command('plan'))
    .description('what a run would cost, before anything is spent (operator or approver token)')
    .option('--synthesizer <kind>', 'which synthesizer', 'gan')
    .option('--options <json>', 'its options, as JSON or a file', '{}')
    .option(
      '--target-epsilon <epsilon>',
      'also find the noise, or the number of sums, for this ε; without it, for what is left of the budget',
    )
    .addHelpText(
      'after',
      `\nExample:\n  $ chorale run plan --token-file operator.token --target-epsilon 2 --options '{"steps":300,"samplingRate":0.1,"noiseMultiplier":2}'`,
    )
    .action(
      async (
        options: ConnectionOptions & { synthesizer: string; options: string; targetEpsilon?: string },
        command: Command,
      ) => {
        const targetEpsilon =
          options.targetEpsilon === undefined ? undefined : readEpsilon(options.targetEpsilon);
        const preview = await ask<PlanView>(
          connectionOf(options),
          `query ($synthesizer: String!, $options: JSON!, $targetEpsilon: Float) { previewRun(synthesizer: $synthesizer, options: $options, targetEpsilon: $targetEpsilon) { ${FAILURE} ... on RunPreview { ${PLAN_FIELDS} } } }`,
          { synthesizer: options.synthesizer, options: readOptions(options.options), targetEpsilon },
        );
        print(command, { event: 'plan', ...preview }, describePlan(preview));
      },
    );

  withConnection(run.command('privacy'))
    .description(
      'ε of what a run really spent, by who looks, with δ over ε (operator, approver or auditor token)',
    )
    .argument('<run>', 'its id')
    .option('--curve', 'print δ over ε too')
    .action(async (runId: string, options: ConnectionOptions & { curve?: boolean }, command: Command) => {
      const shown = await ask<{ observerViews: ObserverView[] } | null>(
        connectionOf(options),
        'query ($id: String!) { run(id: $id) { observerViews { observer epsilon interval { lower upper } curve { epsilon deltaLower deltaUpper } } } }',
        { id: runId },
      );
      if (shown === null) throw new CliError(`There is no run ${runId}.`, EXIT.refused, 'NotFound');
      const { observerViews: views } = shown;
      const lines = views.flatMap((view) => [
        `${(OBSERVERS[view.observer] ?? view.observer).padEnd(28)}${epsilon(view.epsilon)}, by the tight accountants ${describeInterval(view.interval)}`,
        ...(options.curve === true
          ? view.curve.map(
              (point) => `    ε ${point.epsilon.toFixed(4)}  δ ≤ ${point.deltaUpper.toExponential(2)}`,
            )
          : []),
      ]);
      const text =
        lines.length === 0 ? `Nothing was spent in run ${runId}.` : ['ε against', ...lines].join('\n');
      print(command, { event: 'privacy', runId, views }, text);
    });

  withConnection(run.command('refusals'))
    .description(
      'members that refused by their own budgets where the coordinator had room, with both figures (operator, approver or auditor token)',
    )
    .argument('<run>', 'its id')
    .action(async (runId: string, options: ConnectionOptions, command: Command) => {
      const shown = await ask<{ refusals: RefusalView[] } | null>(
        connectionOf(options),
        `query ($id: String!) { run(id: $id) { refusals { roundId participantId reason participant ${STATEMENT} coordinator ${STATEMENT} createdAt } } }`,
        { id: runId },
      );
      if (shown === null) throw new CliError(`There is no run ${runId}.`, EXIT.refused, 'NotFound');
      const { refusals } = shown;
      const text =
        refusals.length === 0
          ? `No member refused a round of run ${runId} over its budget.`
          : refusals
              .map(
                ({ participantId, roundId, participant, coordinator }) =>
                  `${participantId} refused round ${roundId}: by its own record ${describeStatement(participant)}; by the coordinator’s ledger ${describeStatement(coordinator)}.`,
              )
              .join('\n');
      print(command, { event: 'refusals', runId, refusals }, text);
    });
}

function describePlan(plan: PlanView): string {
  const { target } = plan;
  const aim = target.epsilon === null ? 'For what is left of the budget' : `For ε = ${target.epsilon}`;
  const noise =
    target.noiseMultiplier === null
      ? 'no noise multiplier is enough'
      : `noise multiplier ${target.noiseMultiplier} with ${plan.steps} sums`;
  return [
    `At most ${epsilon(plan.epsilon)} over ${plan.steps} sums at δ = ${plan.delta} (by the tight accountants ${describeInterval(plan.interval)}).`,
    `With what was spent and reserved before, ${epsilon(plan.epsilonAfter)} of ${plan.epsilonLimit} at ${describeOrders(plan.orders)}: ${
      plan.fits ? 'the budget covers it' : 'the budget does NOT cover it, the run would stop early'
    }.`,
    `What is left covers ${plan.remainingSteps} sums with this noise.`,
    `${aim}: ${noise}, or ${target.steps} sums with the noise as asked.`,
  ].join('\n');
}

function epsilon(value: number | null): string {
  return value === null ? 'ε unbounded' : `ε = ${value.toFixed(4)}`;
}

function describeInterval({ lower, upper }: Interval): string {
  return upper === null ? 'unbounded' : `${lower.toFixed(4)} to ${upper.toFixed(4)}`;
}

function describeStatement({ epsilonSpent, epsilonAsked, epsilonLimit }: BudgetStatement): string {
  return `ε ${epsilonSpent.toFixed(4)} is spent and this sum makes it ${epsilonAsked.toFixed(4)}, limit ${epsilonLimit}`;
}
