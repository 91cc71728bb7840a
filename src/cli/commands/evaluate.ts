import { type Command, InvalidArgumentError } from 'commander';
import type { EvaluateSettings } from '../evaluate/evaluate.js';
import { CliError, EXIT } from '../exits.js';

interface EvaluateOptions extends Omit<EvaluateSettings, 'privacy' | 'protectedColumns'> {
  readonly protected?: readonly string[];
  readonly epsilon?: number;
  readonly delta?: number;
}

export function registerEvaluate(program: Command): void {
  program
    .command('evaluate')
    .description('judge a synthetic table against real rows that are yours: closeness, use, groups, attacks')
    .requiredOption('--real <csv>', 'real rows that the generator never met: all tests are made with them')
    .requiredOption('--train <csv>', 'the real rows that it learnt from')
    .requiredOption('--synthetic <csv>', 'the table to judge')
    .requiredOption('--schema <file>', 'Table Schema (JSON) that all three follow')
    .option('--out <html>', 'page to write; the JSON goes beside it, with the ending .json')
    .option('--label <column>', 'the column that a model would predict, where the schema marks none')
    .option(
      '--protected <columns...>',
      'columns whose groups are compared, beside those that the schema marks',
    )
    .option(
      '--epsilon <number>',
      'ε of the table: what it allows stands beside what the attacks reach',
      above0,
    )
    .option('--delta <number>', 'δ of the table, with --epsilon', above0)
    .option('--seed <text>', 'of all samples: same files and seed, same figures', 'chorale')
    .addHelpText(
      'after',
      `
Without --out the JSON is printed, with it a summary in words (with --json: the JSON as well). Every figure comes
from real rows and has no noise: showing it to others is a release that no ε covers. Keep it inside.
docs/evaluation.md says what each figure is.

Examples:
  $ chorale evaluate --real test.csv --train train.csv --synthetic synthetic.csv --schema schema.json --out report.html
  $ chorale evaluate --real test.csv --train train.csv --synthetic synthetic.csv --schema schema.json \\
      --label income --protected sex race --epsilon 1 --delta 1e-9 > quality.json`,
    )
    .action(async (options: EvaluateOptions, command: Command) => {
      const { epsilon, delta, protected: protectedColumns, ...settings } = options;
      if ((epsilon === undefined) !== (delta === undefined) || (delta ?? 0) >= 1)
        throw new CliError(
          'ε without δ says nothing: give both --epsilon and --delta (below 1), or neither.',
          EXIT.usage,
          'InvalidInput',
        );
      const { evaluateFiles } = await import('../evaluate/evaluate.js');
      const { inWords } = await import('../evaluate/summary.js');
      const { isJson } = await import('../connection.js');
      const assessment = await evaluateFiles(
        {
          ...settings,
          ...(protectedColumns && { protectedColumns }),
          ...(epsilon !== undefined && delta !== undefined && { privacy: { epsilon, delta } }),
        },
        new Date(),
      );
      const json = settings.out === undefined || isJson(command);
      console.log(json ? JSON.stringify(assessment) : inWords(assessment, settings.out!));
    });
}

function above0(text: string): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (!(value > 0 && Number.isFinite(value))) throw new InvalidArgumentError('a positive number is wanted.');
  return value;
}
