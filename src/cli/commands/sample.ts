import type { Command } from 'commander';
import type { Release } from '../../../clients/application/index.js';
import type { Published } from '../../synthesis/sampling.js';
import { type ConnectionOptions, isJson, print, withConnection } from '../connection.js';
import { CliError, EXIT } from '../exits.js';
import type { Draw } from '../sample/draw.js';
import { wholeNumber } from './coordinator.js';

interface SampleOptions extends ConnectionOptions {
  readonly out?: string;
  readonly rows: number;
  readonly seed: string;
  readonly where: readonly string[];
  readonly balance?: string;
  readonly complete?: string;
  readonly columns?: string;
  readonly hybrid?: string;
  readonly release?: string;
  readonly charter?: string;
  readonly download?: string;
}

export function registerSample(program: Command): void {
  withConnection(program.command('sample'))
    .description('draw synthetic rows from a release into a CSV file; costs no privacy')
    .argument('[run]', 'the run’s id, at a coordinator (application token); or give --release and --charter')
    .option('--out <file>', 'CSV file to write; it appears only when it is whole')
    .option('--rows <number>', 'how many', wholeNumber(1, 10_000_000), 1000)
    .option('--seed <text>', 'the same seed gives the same rows', '0')
    .option(
      '--where <condition>',
      'only rows like this, exactly: age>=65, state=NY|NJ, income= (missing); may be repeated, all hold',
      (text: string, before: readonly string[]) => [...before, text],
      [],
    )
    .option('--balance <shares>', 'other shares of one column’s values, e.g. income=>50K:0.5,<=50K:0.5')
    .option('--complete <csv>', 'keep the --columns of your own records, and draw the others given them')
    .option('--columns <names>', 'with --complete: the columns to keep, separated by commas')
    .option(
      '--hybrid <csv>',
      'your own records beside synthetic rows, told apart by the column chorale:origin',
    )
    .option('--release <file>', 'a release on this machine, instead of a run at a coordinator')
    .option('--charter <file>', 'with --release: the charter of its run')
    .option(
      '--download <file>',
      'write the release and, beside it, its charter; then no coordinator is needed',
    )
    .addHelpText(
      'after',
      `
--complete and --hybrid read your records on this machine and send nothing of them: the release comes here. What they
write holds real records: only you may read the file (mode 0600), and it is not synthetic data to be passed on.
--where and --balance are held exactly by marginals; a kind that cannot says so. docs/sampling.md tells more.

Examples:
  $ chorale sample 3f9a2c51d07e --token-file app.token --rows 10000 --out synthetic.csv
  $ chorale sample 3f9a2c51d07e --token-file app.token --where 'age>=65' --where 'sex=F' --out older.csv
  $ chorale sample 3f9a2c51d07e --token-file app.token --download adult.release
  $ chorale sample --release adult.release --charter adult.release.charter.json --hybrid own.csv --out hybrid.csv`,
    )
    .action(async (run: string | undefined, options: SampleOptions, command: Command) => {
      assertTogether(run, options);
      // Loaded late: most commands draw nothing.
      const { balanceOf, whereOf } = await import('../sample/conditions.js');
      const { applicationOf, downloadSamples, reaching } = await import('../sample/remote.js');
      const where = whereOf(options.where);
      const balance = balanceOf(options.balance);
      const { rows, seed, out } = options;
      const conditions = { ...(where !== undefined && { where }), ...(balance !== undefined && { balance }) };
      const isLocal =
        options.release !== undefined || options.complete !== undefined || options.hybrid !== undefined;
      if (!isLocal && options.download === undefined) {
        const draw = { rows, seed, out: out as string, ...conditions };
        const { client, url } = applicationOf(options);
        await reaching(url, () => downloadSamples(client, run as string, draw));
        print(command, { event: 'sampled', run, rows, out }, `${rows} rows in ${out}`);
        return;
      }
      const published = await publishedOf(run, options, command);
      if (out !== undefined) await drawHere(published, { rows, seed, out, ...conditions }, options, command);
    });
}

/** The release that was asked for, from its file or from the coordinator, and kept where --download says so. */
async function publishedOf(
  run: string | undefined,
  options: SampleOptions,
  command: Command,
): Promise<Published> {
  const { charterFileOf, publishedFrom, readRelease, writeRelease } = await import(
    '../sample/releaseFile.js'
  );
  const { applicationOf, reaching } = await import('../sample/remote.js');
  if (options.release !== undefined) return readRelease(options.release, options.charter as string);
  const { client, url } = applicationOf(options);
  const release: Release = await reaching(url, () => client.release({ run: run as string }));
  const { download } = options;
  if (download !== undefined) {
    writeRelease(download, release);
    const charter = charterFileOf(download);
    print(
      command,
      { event: 'downloaded', run, release: download, charter, digest: release.digest },
      `the release in ${download}, its charter in ${charter}`,
    );
  }
  return publishedFrom(release);
}

/** Rows that are drawn on this machine. */
async function drawHere(
  published: Published,
  draw: Draw,
  { complete, columns: names = '', hybrid }: SampleOptions,
  command: Command,
): Promise<void> {
  const { drawCompleted, drawHybrid, drawSynthetic } = await import('../sample/draw.js');
  const { out } = draw;
  if (complete !== undefined) {
    const columns = names.split(',').map((name) => name.trim());
    const rows = await drawCompleted(published, draw, { file: complete, columns });
    warn(command, out, `holds the ${columns.join(', ')} of your own records`);
    print(command, { event: 'completed', rows, columns, out, mode: '0600' }, `${rows} rows in ${out}`);
  } else if (hybrid !== undefined) {
    const { real, synthetic } = await drawHybrid(published, draw, hybrid);
    warn(command, out, `holds ${real} of your own records as they are`);
    print(
      command,
      { event: 'hybrid', real, synthetic, out, mode: '0600' },
      `${real} real and ${synthetic} synthetic rows in ${out}`,
    );
  } else {
    const rows = await drawSynthetic(published, draw);
    print(command, { event: 'sampled', rows, out }, `${rows} rows in ${out}`);
  }
}

function warn(command: Command, out: string, what: string): void {
  if (!isJson(command))
    console.error(
      `Warning: ${out} ${what}. It is no synthetic table: keep it where the records themselves may be.`,
    );
}

/** @throws CliError where options are given that say nothing together. */
function assertTogether(run: string | undefined, options: SampleOptions): void {
  const { release, charter, complete, columns, hybrid, download, out } = options;
  const isConditional = options.where.length > 0 || options.balance !== undefined;
  const faults: readonly (readonly [boolean, string])[] = [
    [
      (run === undefined) === (release === undefined),
      'Name a run at a coordinator, or --release: one of them.',
    ],
    [(release === undefined) !== (charter === undefined), '--release and --charter belong together.'],
    [(complete === undefined) !== (columns === undefined), '--complete and --columns belong together.'],
    [complete !== undefined && hybrid !== undefined, '--complete and --hybrid are two tables: ask for one.'],
    [
      complete !== undefined && isConditional,
      '--complete gives each row its own values: --where and --balance do not go with it.',
    ],
    [download !== undefined && release !== undefined, '--download is of a run at a coordinator.'],
    [out === undefined && download === undefined, '--out <file> says where the rows go.'],
  ];
  const fault = faults.find(([is]) => is);
  if (fault !== undefined) throw new CliError(fault[1], EXIT.usage, 'InvalidInput');
}
