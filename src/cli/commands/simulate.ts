import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Json } from '../../crypto/canonical.js';
import { isJson } from '../connection.js';
import { CliError, EXIT } from '../exits.js';
import type { Transport } from '../simulate/federation.js';
import { wholeNumber } from './coordinator.js';
import { readOptions } from './runPrivacy.js';

interface SimulateOptions {
  readonly schema: string;
  readonly participants: readonly string[];
  readonly clamp?: boolean;
  readonly synthesizer: string;
  readonly options: string;
  readonly epsilon: number;
  readonly delta: number;
  readonly minParticipants?: number;
  readonly maxColluders: number;
  readonly rows: number;
  readonly seed?: string;
  readonly transport: Transport;
  readonly out: string;
  readonly report?: string;
}

/** Of a charter (federation/charter.ts). */
const LARGEST_DELTA = 1e-2;

export function registerSimulate(program: Command): void {
  program
    .command('simulate')
    .description('a whole federation in one process, from your own CSV files to a synthetic table')
    .requiredOption('--schema <file>', 'Table Schema (JSON) that all files follow')
    .requiredOption('--participants <csv...>', 'a CSV file for each participant: paths, or a quoted pattern')
    .option(
      '--clamp',
      'move what is outside the public bounds or constraints to the nearest within, instead of refusing',
    )
    .option(
      '--synthesizer <kind>',
      'which synthesizer; bootstrap, of one file, draws its real rows again: a yardstick without privacy',
      'marginals',
    )
    .option('--options <json>', 'its options but the noise, as JSON or a file', '{}')
    .requiredOption(
      '--epsilon <number>',
      'ε of the charter, against the coordinator and its colluders',
      above0(2 ** 40),
    )
    .requiredOption('--delta <number>', `δ of the charter, at most ${LARGEST_DELTA}`, above0(LARGEST_DELTA))
    .option(
      '--min-participants <number>',
      'fewest contributions in a sum; all if left out',
      wholeNumber(3, 1024),
    )
    .option(
      '--max-colluders <number>',
      'participants that may conspire with the coordinator',
      wholeNumber(1, 1022),
      1,
    )
    .option('--rows <number>', 'synthetic rows to draw', wholeNumber(1, 10_000_000), 10_000)
    .option('--seed <text>', 'same seed and files, same table: for experiments only, see below')
    .option(
      '--report <file>',
      'HTML page on what the table is worth, tested on rows held out of the training',
    )
    .addOption(
      new Option('--transport <kind>', 'direct calls, or signed HTTP on this machine')
        .choices(['memory', 'http'])
        .default('memory'),
    )
    .requiredOption('--out <file>', 'CSV file to write; it appears only when it is whole')
    .addHelpText(
      'after',
      `
The protocol, noise, accountant and filter of a deployment, without its network (--transport http: with it). The noise is the least with which
the whole run fits ε. Each participant declares its file's number of rows rounded to the nearest 50 (at least 50):
here it follows from the file, in a deployment people declare it, since it is public.
Under --seed the noise, too, follows from the seed, and whoever knows it can subtract it: a table made so is for
experiments and is not to be published. Without --seed every draw is the system's.

Examples:
  $ chorale simulate --schema schema.json --participants 'parts/*.csv' --epsilon 1 --delta 1e-9 --out synthetic.csv
  $ chorale simulate --schema schema.json --participants a.csv b.csv c.csv --synthesizer gan \\
      --options '{"steps":200}' --epsilon 3 --delta 1e-6 --rows 40000 --seed 7 --out synthetic.csv --json`,
    )
    .action(async ({ options: json, clamp, ...settings }: SimulateOptions, command: Command) => {
      const options = readOptions(json);
      if (typeof options !== 'object' || options === null || Array.isArray(options))
        throw new CliError('--options must be a JSON object.', EXIT.usage, 'InvalidInput');
      const { createTerminal } = await import('../demo/terminal.js');
      const { bootstrapTable } = await import('../simulate/bootstrap.js');
      const { simulate } = await import('../simulate/simulate.js');
      const { summarize } = await import('../simulate/summary.js');
      const terminal = createTerminal({
        json: isJson(command),
        isTty: process.stdout.isTTY === true && !isJson(command),
        write: console.log,
      });
      const outOfBounds = clamp === true ? 'clamp' : 'refuse';
      if (settings.synthesizer === 'bootstrap') return bootstrapTable({ ...settings, outOfBounds }, terminal);
      // By way of the exit, where the folder with the database is taken away.
      const interrupt = () => process.exit(EXIT.interrupted);
      process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
      try {
        const simulation = await simulate(
          {
            ...settings,
            options: options as Readonly<Record<string, Json>>,
            outOfBounds,
          },
          terminal,
        );
        summarize(terminal, simulation);
      } finally {
        terminal.settle();
        process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
      }
    });
}

function above0(most: number): (text: string) => number {
  return (text) => {
    const value = text.trim() === '' ? Number.NaN : Number(text);
    if (!(value > 0 && value <= most))
      throw new InvalidArgumentError(
        most < 1 ? `a number above 0, at most ${most}, is wanted.` : 'a positive number is wanted.',
      );
    return value;
  };
}
