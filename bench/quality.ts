import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A synthesizer, a table and ε, as the judge's README has yardsticks for. */
const SETS = [
  { synthesizer: 'marginals', data: 'adult', epsilon: 1 },
  { synthesizer: 'marginals', data: 'adult', epsilon: 3 },
  { synthesizer: 'marginals', data: 'acs_national2019', epsilon: 1 },
  { synthesizer: 'marginals', data: 'acs_national2019', epsilon: 3 },
  { synthesizer: 'gan', data: 'adult', epsilon: 3 },
] as const;
const SPLITS = ['iid', 'noniid'] as const;
const DELTA = 1e-9;
const SEEDS = 3;

/** What the judge says of a table, as far as it is compared. */
interface Verdict {
  readonly tvd1: number;
  readonly tvd2: number;
  readonly tvd3: number;
  readonly auc: number;
  readonly bad: number;
  readonly leak: boolean;
}

/**
 * Quality of `marginals` and `gan` by an independent judge that shares no code with this project: `chorale simulate` with five participants and
 * secure sums, then the judge on what it wrote; the mean of three seeds. The judge's folder is CHORALE_JUDGE (../shared/judge
 * if left out), and its Python, which needs numpy, pandas and scikit-learn, is CHORALE_JUDGE_PYTHON.
 */
export async function* benchQuality(): AsyncIterable<object> {
  const judge = resolve(process.env.CHORALE_JUDGE ?? '../shared/judge');
  const python = process.env.CHORALE_JUDGE_PYTHON ?? 'python3';
  if (!existsSync(join(judge, 'evaluate_synth.py')))
    return yield { bench: 'quality', skipped: `there is no judge at ${judge}` };
  if ((await run(python, ['-c', 'import numpy, pandas, sklearn'])) === undefined)
    return yield {
      bench: 'quality',
      skipped: `${python} has not what the judge needs (its requirements.txt)`,
    };
  const folder = await mkdtemp(join(tmpdir(), 'chorale-quality-'));
  try {
    for (const { synthesizer, data, epsilon } of SETS) {
      const set = join(folder, data);
      if (!existsSync(set)) await prepare(python, judge, data, set);
      for (const split of SPLITS) {
        const runs: (Verdict & { readonly seconds: number })[] = [];
        for (let seed = 1; seed <= SEEDS; seed++)
          runs.push(await measure({ python, judge, set, synthesizer, split, epsilon, seed }));
        const mean = (of: (run: Verdict & { readonly seconds: number }) => number): number =>
          Number((runs.reduce((sum, one) => sum + of(one), 0) / runs.length).toFixed(4));
        yield {
          ...{ bench: 'quality', synthesizer, data, split, epsilon, delta: DELTA, seeds: SEEDS },
          ...{ tvd1: mean((one) => one.tvd1), tvd2: mean((one) => one.tvd2), tvd3: mean((one) => one.tvd3) },
          ...{ auc: mean((one) => one.auc), invalidRows: mean((one) => one.bad) },
          leaks: runs.filter((one) => one.leak).length,
          seconds: mean((one) => one.seconds),
        };
      }
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function prepare(python: string, judge: string, data: string, set: string): Promise<void> {
  await wanted(python, [join(judge, 'datasets.py'), data, set]);
  const schema = await wanted(python, [join(judge, 'table_schema.py'), join(set, 'schema.json')]);
  await writeFile(join(set, 'table.json'), schema);
}

async function measure(one: {
  readonly python: string;
  readonly judge: string;
  readonly set: string;
  readonly synthesizer: string;
  readonly split: string;
  readonly epsilon: number;
  readonly seed: number;
}): Promise<Verdict & { readonly seconds: number }> {
  const { python, judge, set, synthesizer, split, epsilon, seed } = one;
  const main = fileURLToPath(new URL('../src/cli/main.js', import.meta.url));
  const out = join(set, 'synthetic.csv');
  const report = join(set, 'report.json');
  const { train } = JSON.parse(await readFile(join(set, 'about.json'), 'utf8')) as { readonly train: number };
  const started = performance.now();
  await wanted(process.execPath, [
    ...[main, '--json', 'simulate', '--schema', join(set, 'table.json')],
    ...['--participants', join(set, 'participants', split, '*.csv'), '--synthesizer', synthesizer],
    ...['--epsilon', String(epsilon), '--delta', String(DELTA), '--rows', String(train)],
    ...['--seed', String(seed), '--out', out],
  ]);
  const seconds = (performance.now() - started) / 1000;
  await wanted(python, [
    ...[join(judge, 'evaluate_synth.py'), '--train', join(set, 'train.csv'), '--test', join(set, 'test.csv')],
    ...['--synthetic', out, '--schema', join(set, 'schema.json'), '--out', report],
  ]);
  const verdict = JSON.parse(await readFile(report, 'utf8'));
  await rm(out);
  const { synthetic } = verdict.fidelity;
  return {
    ...{ tvd1: synthetic.tvd1, tvd2: synthetic.tvd2, tvd3: synthetic.tvd3 },
    ...{ auc: verdict.utility.tstr.gb.auc, bad: verdict.validity.violating_rows },
    ...{ leak: verdict.privacy.leak, seconds },
  };
}

/** Standard output of a command; throws if it fails. */
async function wanted(command: string, args: readonly string[]): Promise<string> {
  const output = await run(command, args);
  if (output === undefined) throw new Error(`benchQuality: "${command} ${args[0]}" failed`);
  return output;
}

/** Standard output of a command, undefined if it can't be started or fails. */
function run(command: string, args: readonly string[]): Promise<string | undefined> {
  return new Promise((done) => {
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { ...process.env, OMP_NUM_THREADS: '1' },
    });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    child.once('error', () => done(undefined));
    child.once('close', (code) => done(code === 0 ? output : undefined));
  });
}
