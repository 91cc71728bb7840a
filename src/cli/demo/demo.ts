import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EXIT } from '../exits.js';
import { audit } from './audit.js';
import { loadBirdStrikes } from './birdstrikes.js';
import { type Cast, type Stage, startCast } from './cast.js';
import { freshFolder } from './files.js';
import { measure } from './measuring.js';
import { orderFor, planRuns } from './plan.js';
import { createProcesses } from './processes.js';
import { type Release, release } from './release.js';
import { summarize } from './summary.js';
import { createTerminal } from './terminal.js';
import { train, trainMarginals } from './training.js';

export interface DemoOptions {
  readonly quick: boolean;
  readonly keep: boolean;
  readonly json: boolean;
  readonly out: string;
  readonly port: number;
  readonly rows: number;
}

/** The whole story once: eight organisations' rows in, a released table and its true ε out. */
export async function runDemo(options: DemoOptions): Promise<void> {
  const terminal = createTerminal({
    json: options.json,
    isTty: process.stdout.isTTY === true && !options.json,
    write: console.log,
  });
  const folder = freshFolder(options.out);
  const processes = createProcesses(join(folder, 'logs'));
  let interrupted = false;
  const interrupt = () => {
    if (interrupted) process.exit(EXIT.interrupted);
    interrupted = true;
    terminal.settle();
    void processes.endAll().then(() => process.exit(EXIT.interrupted));
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  try {
    await perform(options, { terminal, processes, folder, here });
  } catch (error) {
    // While we are being interrupted, every process ends: that is not the demo's failure.
    if (!interrupted) throw error;
  } finally {
    if (!interrupted) await processes.endAll();
  }
}

async function perform(options: DemoOptions, stage: Stage): Promise<void> {
  const chorale = `node ${here(fileURLToPath(new URL('../main.js', import.meta.url)))}`;
  const started = Date.now();
  stage.terminal.title('Eight airlines make one synthetic table of bird strikes. No row leaves its airline.');
  const strikes = loadBirdStrikes();
  const cast = await startCast(stage, strikes, orderFor(options.quick), options.port);
  const plan = await planRuns(stage, cast, options.quick);
  const training = await train(stage, cast, plan);
  const marginals = await trainMarginals(stage, cast, plan);
  const measured = [
    await measure(stage, cast, plan, training.runId),
    await measure(stage, cast, plan, marginals.runId),
  ];
  const audited = await audit(stage, cast, plan);
  const released = await release(stage, cast, strikes, {
    ganRunId: training.runId,
    runId: marginals.runId,
    plannedRounds: training.steps + marginals.steps + measured.length,
    ...{ measured, audited, started, rows: options.rows },
  });
  summarize(stage, training, released, chorale);
  if (options.keep) await stayUp(stage, cast, released, marginals.runId, chorale);
}

/** Leaves the coordinator for the user to ask, until it is interrupted. */
async function stayUp(
  { terminal }: Stage,
  { coordinator, url }: Cast,
  { paths }: Release,
  runId: string,
  chorale: string,
): Promise<void> {
  terminal.step('kept', `Still up at ${url}/graphql until Ctrl-C. Paste this:`, { url });
  terminal.note(
    `curl -s ${url}/graphql -H "authorization: Bearer $(cat ${here(paths.applicationToken)})" -H 'content-type: application/json' \\\n` +
      `      -d '{"query":"{ syntheticSamples(run: \\"${runId}\\", first: 3) { ... on SyntheticSamples { rows } } }"}'`,
  );
  terminal.note(`${chorale} budget --url ${url} --token-file ${here(paths.auditorToken)}`);
  await coordinator.ended;
}

function here(path: string): string {
  return relative(process.cwd(), path) || path;
}
