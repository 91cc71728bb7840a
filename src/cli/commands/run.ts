import type { Command } from 'commander';
import {
  ask,
  type ConnectionOptions,
  connectionOf,
  FAILURE,
  idempotencyKey,
  isJson,
  print,
  withConnection,
} from '../connection.js';
import { CliError, EXIT } from '../exits.js';
import { readOptions, registerRunPrivacy } from './runPrivacy.js';
import { registerRunQuality } from './runQuality.js';

const RUN_FIELDS = 'runId synthesizer status step totalSteps planDigest progress reason releaseDigest';

interface RunView {
  readonly runId: string;
  readonly synthesizer: string;
  readonly status: string;
  readonly step: number;
  readonly totalSteps: number;
  readonly planDigest: string;
  readonly progress: Readonly<Record<string, number>>;
  readonly reason: string | null;
  readonly releaseDigest: string | null;
}

export function registerRun(program: Command): void {
  const run = program
    .command('run')
    .description('train a synthesizer: proposed by one person, approved by another');

  registerRunPrivacy(run);
  registerRunQuality(run);

  withConnection(run.command('propose'))
    .description('propose a run under the active charter (operator token)')
    .option('--synthesizer <kind>', 'which synthesizer', 'gan')
    .option('--options <json>', 'its options, as JSON or a file', '{}')
    .addHelpText(
      'after',
      `\nExample:\n  $ chorale run propose --token-file operator.token --options '{"steps":300,"samplingRate":0.1,"noiseMultiplier":2}'`,
    )
    .action(
      async (options: ConnectionOptions & { synthesizer: string; options: string }, command: Command) => {
        const proposed = await ask<RunView>(
          connectionOf(options),
          `mutation ($input: ProposeRunInput!) { proposeRun(input: $input) { ${FAILURE} ... on Run { ${RUN_FIELDS} } } }`,
          {
            input: {
              synthesizer: options.synthesizer,
              options: readOptions(options.options),
              idempotencyKey: idempotencyKey(),
            },
          },
        );
        print(
          command,
          { event: 'proposed', ...proposed },
          `Run ${proposed.runId}: ${proposed.totalSteps} sums. A second person approves it: chorale run approve ${proposed.runId}`,
        );
      },
    );

  withConnection(run.command('approve'))
    .description('approve a run that somebody else proposed; it starts (approver token)')
    .argument('<run>', 'its id')
    .action(async (runId: string, options: ConnectionOptions, command: Command) => {
      const approved = await ask<RunView>(
        connectionOf(options),
        `mutation ($input: ApproveRunInput!) { approveRun(input: $input) { ${FAILURE} ... on Run { ${RUN_FIELDS} } } }`,
        { input: { runId, idempotencyKey: idempotencyKey() } },
      );
      print(
        command,
        { event: 'approved', ...approved },
        `Run ${runId} is ${approved.status.toLowerCase()}. Watch it: chorale run watch ${runId}`,
      );
    });

  withConnection(run.command('cancel'))
    .description('stop a run; what was spent stays spent (operator or approver token)')
    .argument('<run>', 'its id')
    .action(async (runId: string, options: ConnectionOptions, command: Command) => {
      const cancelled = await ask<RunView>(
        connectionOf(options),
        `mutation ($input: CancelRunInput!) { cancelRun(input: $input) { ${FAILURE} ... on Run { ${RUN_FIELDS} } } }`,
        { input: { runId, idempotencyKey: idempotencyKey() } },
      );
      print(
        command,
        { event: 'cancelled', ...cancelled },
        `Run ${runId} is ${cancelled.status.toLowerCase()}.`,
      );
    });

  withConnection(run.command('show'))
    .description('where a run stands (any token)')
    .argument('<run>', 'its id')
    .action(async (runId: string, options: ConnectionOptions, command: Command) => {
      const shown = await ask<RunView | null>(
        connectionOf(options),
        `query ($id: String!) { run(id: $id) { ${RUN_FIELDS} } }`,
        { id: runId },
      );
      if (shown === null) throw new CliError(`There is no run ${runId}.`, EXIT.refused, 'NotFound');
      print(command, { event: 'run', ...shown }, describe(shown));
    });

  withConnection(run.command('watch'))
    .description('follow a run to its end (any token); exit code 6 if it was aborted')
    .argument('<run>', 'its id')
    .action(async (runId: string, options: ConnectionOptions, command: Command) => {
      const { createClient } = await import('graphql-sse');
      const { url, token } = connectionOf(options);
      const client = createClient({
        url: `${url}/graphql`,
        headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
        // The coordinator may be restarted in the middle: the run goes on, and so do we.
        retryAttempts: 60,
        retry: (retries) =>
          new Promise((resolve) => setTimeout(resolve, Math.min(5_000, 250 * 2 ** retries))),
      });
      type Progress = Pick<RunView, 'runId' | 'status' | 'step' | 'totalSteps' | 'progress' | 'reason'>;
      let last: Progress | undefined;
      const document =
        'subscription ($run: String!) { runProgress(run: $run) { runId status step totalSteps progress reason } }';
      for await (const { data, errors } of client.iterate<{ runProgress: Progress }>({
        query: document,
        variables: { run: runId },
      })) {
        if (errors !== undefined) throw new CliError(errors[0]!.message);
        if (data == null) continue;
        last = data.runProgress;
        if (isJson(command)) console.log(JSON.stringify({ event: 'progress', ...last }));
        else if (last.status !== 'RUNNING' || last.step % 10 === 0) console.log(describe(last));
      }
      client.dispose();
      if (last?.status === 'ABORTED')
        throw new CliError(last.reason ?? 'The run was aborted.', EXIT.aborted, 'QuorumNotReached');
      if (last?.status === 'STOPPED')
        throw new CliError(last.reason ?? 'The run was stopped.', EXIT.overBudget, 'BudgetExceeded');
    });
}

function describe({
  runId,
  status,
  step,
  totalSteps,
  reason,
}: Pick<RunView, 'runId' | 'status' | 'step' | 'totalSteps' | 'reason'>): string {
  return `Run ${runId}: ${status.toLowerCase()}, ${step} of ${totalSteps} sums${reason === null ? '' : ` (${reason})`}`;
}
