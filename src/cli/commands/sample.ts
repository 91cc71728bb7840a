import { createWriteStream, renameSync, rmSync } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Command } from 'commander';
import { type ConnectionOptions, connectionOf, print, withConnection } from '../connection.js';
import { CliError, EXIT } from '../exits.js';
import { wholeNumber } from './coordinator.js';

export function registerSample(program: Command): void {
  withConnection(program.command('sample'))
    .description(
      'draw synthetic rows from a released run into a CSV file; costs no privacy (application token)',
    )
    .argument('<run>', 'its id')
    .requiredOption('--out <file>', 'CSV file to write; it appears only when it is whole')
    .option('--rows <number>', 'how many', wholeNumber(1, 10_000_000), 1000)
    .option('--seed <text>', 'the same seed gives the same rows', '0')
    .addHelpText(
      'after',
      '\nExample:\n  $ chorale sample 3f9a2c51d07e --token-file app.token --rows 10000 --out synthetic.csv',
    )
    .action(
      async (
        runId: string,
        options: ConnectionOptions & { out: string; rows: number; seed: string },
        command: Command,
      ) => {
        const { url, token } = connectionOf(options);
        const target = `${url}/samples/${encodeURIComponent(runId)}.csv?rows=${options.rows}&seed=${encodeURIComponent(options.seed)}`;
        const response = await fetch(target, {
          headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
        }).catch((cause: unknown) => {
          throw new CliError(`The coordinator at ${url} does not answer.`, EXIT.unreachable, 'Unreachable', {
            cause,
          });
        });
        if (!response.ok || response.body === null) {
          const problem = (await response.json().catch(() => ({}))) as { code?: string; detail?: string };
          throw new CliError(
            problem.detail ?? `The coordinator answered with status ${response.status}.`,
            EXIT.refused,
            problem.code ?? 'Refused',
          );
        }
        const draft = `${options.out}.part`;
        try {
          await pipeline(
            Readable.fromWeb(response.body as Parameters<typeof Readable.fromWeb>[0]),
            createWriteStream(draft),
          );
        } catch (error) {
          rmSync(draft, { force: true });
          throw error;
        }
        renameSync(draft, options.out);
        print(
          command,
          { event: 'sampled', run: runId, rows: options.rows, out: options.out },
          `${options.rows} rows in ${options.out}`,
        );
      },
    );
}
