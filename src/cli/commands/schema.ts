import { writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { isJson, print } from '../connection.js';
import { CliError, EXIT, readJsonFile } from '../exits.js';
import { wholeNumber } from './coordinator.js';

const MAX_CATEGORIES = 1024;
const DEFAULT_CATEGORIES = 64;

export function registerSchema(program: Command): void {
  const schema = program
    .command('schema')
    .description('the Table Schema that all members follow: drafted and checked here, sent nowhere');

  schema
    .command('init')
    .description(
      'draft a Table Schema from your own CSV file; every bound read from it is marked unconfirmed',
    )
    .argument('<csv>', 'a file with a header')
    .option('--out <file>', 'file to write, which must not be there yet; printed if left out')
    .option(
      '--max-categories <number>',
      'a text column with more different texts is left out',
      wholeNumber(1, MAX_CATEGORIES),
      DEFAULT_CATEGORIES,
    )
    .addHelpText(
      'after',
      `
Bounds are rounded outward to round numbers, which is not privacy: whatever is marked "chorale:unconfirmed" was
read from your records. Put public knowledge in its place, then delete the mark; a charter refuses it.

Example:
  $ chorale schema init north.csv --out schema.json`,
    )
    .action(async (csv: string, options: { out?: string; maxCategories: number }, command: Command) => {
      const { draftSchema } = await import('../schema/draft.js');
      const { draftInWords } = await import('../schema/words.js');
      const draft = await draftSchema(csv, options.maxCategories);
      const { out } = options;
      if (out === undefined) console.log(JSON.stringify(draft.schema, undefined, isJson(command) ? 0 : 2));
      else {
        writeNew(out, `${JSON.stringify(draft.schema, undefined, 2)}\n`);
        if (isJson(command)) {
          const { unconfirmed, leftOut } = draft;
          const fields = draft.schema.fields.map(({ name }) => name);
          console.log(JSON.stringify({ event: 'drafted', out, fields, unconfirmed, leftOut }));
        }
      }
      console.error(draftInWords(draft, csv));
    });

  schema
    .command('check')
    .description('say what a Table Schema says, and how many values of your own file are outside it')
    .argument('<schema>', 'Table Schema (JSON)')
    .argument('[csv]', 'a file of records; what is counted in it is printed here and goes nowhere else')
    .addHelpText(
      'after',
      `
Exit code 3 if the schema is not valid, or if a participant would refuse the file.

Examples:
  $ chorale schema check schema.json
  $ chorale schema check schema.json north.csv`,
    )
    .action(async (file: string, csv: string | undefined, _: unknown, command: Command) => {
      const { checkCsv, parseTableSchema, unconfirmedFields } = await import('../../synthesis/index.js');
      const { findingsInWords, isRefused, schemaInWords } = await import('../schema/words.js');
      const parsed = parseTableSchema(readJsonFile(file));
      const figures = {
        event: 'schema',
        fields: parsed.fields.map(({ name, type }) => ({ name, type })),
        constraints: parsed.constraints.length,
        unconfirmed: unconfirmedFields(parsed),
      };
      print(command, figures, schemaInWords(parsed));
      if (csv === undefined) return;
      const findings = await checkCsv(csv, parsed);
      const refused = isRefused(parsed, findings);
      const faults = [...findings.faults].map(([column, counts]) => ({
        column,
        ...Object.fromEntries(counts),
      }));
      const { records, broken, missing } = findings;
      print(
        command,
        { event: 'records', records, faults, broken, missing: Object.fromEntries(missing), refused },
        findingsInWords(parsed, findings, csv),
      );
      if (refused) process.exitCode = EXIT.refused;
    });
}

/** Never over a schema that somebody has already put work into. */
function writeNew(file: string, text: string): void {
  try {
    writeFileSync(file, text, { flag: 'wx' });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
    throw new CliError(
      `${file} is there already and stays as it is: name another file, or remove it first.`,
      EXIT.refused,
      'EEXIST',
      { cause },
    );
  }
}
