import { statSync, writeFileSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { evaluate } from '../../evaluation/evaluate.js';
import { renderReport } from '../../evaluation/report/renderReport.js';
import { calibrateNoise } from '../../privacy/calibration.js';
import { parseTableSchema, synthesizerOf } from '../../synthesis/index.js';
import { ask } from '../connection.js';
import { CliError, EXIT } from '../exits.js';
import { type LedgerFile, verifyLedger } from '../ledgerFile.js';
import { loadBirdStrikes, writeGroupCsv } from './birdstrikes.js';
import { freePort, freshFolder, readRows } from './files.js';
import { createProcesses, type LongRunning, type Processes } from './processes.js';
import { type ReportInput, reportInput } from './reportInput.js';
import { createTerminal, type Terminal } from './terminal.js';

export interface DemoOptions {
  readonly quick: boolean;
  readonly keep: boolean;
  readonly json: boolean;
  readonly out: string;
  readonly port: number;
  readonly rows: number;
}

const FEDERATION = 'bird-strikes';
const EPSILON = 3;
const DELTA = 1e-6;
/** 8 members with a threshold of 6: two may be lost from a round. */
const MIN_SURVIVORS = 6;
/** Killed with SIGKILL in the middle of the run. */
const VICTIM = 'southwest';

interface Member {
  readonly id: string;
  readonly name: string;
  readonly dir: string;
  readonly records: string;
  readonly process: LongRunning;
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
    await perform(options, terminal, folder, processes);
  } catch (error) {
    // While we are being interrupted, every process ends: that is not the demo's failure.
    if (!interrupted) throw error;
  } finally {
    if (!interrupted) await processes.endAll();
  }
}

async function perform(
  options: DemoOptions,
  terminal: Terminal,
  folder: string,
  processes: Processes,
): Promise<void> {
  const here = (path: string) => relative(process.cwd(), path) || path;
  const chorale = `node ${here(fileURLToPath(new URL('../main.js', import.meta.url)))}`;
  const started = Date.now();
  terminal.title('Eight airlines make one synthetic table of bird strikes. No row leaves its airline.');

  // 1. The coordinator.
  const dataDir = join(folder, 'coordinator');
  const { coordinator, listening } = await startCoordinator(processes, dataDir, options.port);
  const url = String(listening.url);
  const [operatorToken, approverToken] = listening.tokenFiles as [string, string];
  const engine = String(listening.engine);
  const at = ['--url', url];
  const operator = [...at, '--token-file', operatorToken];
  terminal.step(
    'coordinator',
    `Coordinator at ${url}/graphql, embedded PostgreSQL in ${here(dataDir)}, ${engine}`,
    { url, engine },
  );

  // 2. Eight participants, each with its own rows, key and spending record.
  const strikes = loadBirdStrikes();
  const files = await writeGroupCsv(join(folder, 'records'));
  const members: Member[] = await inPairs(files, async ({ id, name, path, rows }) => {
    const dir = join(folder, 'participants', id);
    await mkdir(join(folder, 'participants'), { recursive: true });
    await processes.run(id, [
      ...['participant', 'init', '--dir', dir, '--coordinator', url, '--federation', FEDERATION],
      ...['--name', name, '--declared-records', String(declared(rows))],
    ]);
    const child = processes.start(id, ['participant', 'start', '--dir', dir, '--records', path]);
    await child.line('waiting for an operator to approve');
    return { id, name, dir, records: path, process: child };
  });
  terminal.step(
    'participants',
    `${members.length} participants, each a process with its own rows and key: ${members.map((m) => m.name).join(', ')}`,
    {
      participants: members.map(({ id, name, process: { pid } }) => ({ id, name, pid })),
    },
  );

  // 3. Enrolment is approved, all sign the charter.
  const enrolled = await processes.run('operator', ['charter', 'members', ...operator]);
  const idsByName = new Map(enrolled.map((line) => [String(line.name), String(line.participantId)]));
  await processes.run('operator', ['charter', 'approve', ...idsByName.values(), ...operator]);
  const plan = planRun(options.quick);
  const schemaFile = join(folder, 'schema.json');
  writeFileSync(schemaFile, `${JSON.stringify(strikes.schema, null, 2)}\n`);
  const [proposed] = await processes.run('operator', [
    ...['charter', 'propose', '--schema', schemaFile, '--epsilon', String(EPSILON), '--delta', String(DELTA)],
    ...['--min-survivors', String(MIN_SURVIVORS), '--orders', String(plan.order), ...operator],
  ]);
  const digest = String(proposed?.digest);
  const signing = members.map((member) => member.process.line('charter signed'));
  await inPairs(members, ({ id, dir }) =>
    processes.run(id, ['charter', 'sign', '--dir', dir, '--digest', digest]),
  );
  await Promise.all(signing);
  terminal.step(
    'charter',
    `All ${members.length} signed the charter ${digest.slice(0, 12)}…: ε ≤ ${EPSILON} at δ = ${DELTA}, at least ${MIN_SURVIVORS} in every sum, one colluder assumed`,
    {
      digest,
      epsilonLimit: EPSILON,
      delta: DELTA,
    },
  );

  // 4. One person proposes the run, another approves it.
  const [run] = await processes.run('operator', [
    'run',
    'propose',
    '--synthesizer',
    'gan',
    '--options',
    JSON.stringify(plan.options),
    ...operator,
  ]);
  const runId = String(run?.runId);
  const total = Number(run?.totalSteps);
  const watching = processes.start('watch', ['run', 'watch', runId, ...operator]);
  const training = Date.now();
  let firstSum: number | undefined;
  let lastSum = training;
  let epsilon = 0;
  let killedAt: number | undefined;
  let step = 0;
  for (const member of members)
    if (member.id !== VICTIM)
      member.process.onLine((line) => (epsilon = Math.max(epsilon, Number(line.epsilon ?? 0))));
  const victim = members.find((member) => member.id === VICTIM)!;
  watching.onLine((line) => {
    if (line.event !== 'progress') return;
    step = Number(line.step);
    if (step > 0) {
      firstSum ??= Date.now();
      lastSum = Date.now();
    }
    terminal.progress(step, total, { epsilon, roundsPerSecond: perSecond(step, firstSum, lastSum) });
    // 5. One is killed in the middle, in whatever it is doing.
    if (killedAt === undefined && step >= Math.floor(total / 2)) {
      killedAt = step;
      victim.process.kill();
      terminal.note(
        `${victim.name} was killed (SIGKILL) after sum ${step}: the others' shares open what it left behind.`,
      );
    }
  });
  terminal.step('run', `Run ${runId}: ${total} private critic steps; the generator never meets a row`, {
    run: runId,
    steps: total,
    options: plan.options,
  });
  const approver = [...at, '--token-file', approverToken];
  await processes.run('approver', ['run', 'approve', runId, ...approver]);
  const exit = await watching.ended;
  terminal.settle();
  if (exit !== 0 && exit !== EXIT.overBudget)
    throw new CliError(
      `The run did not finish: see ${here(join(folder, 'logs', 'watch.log'))}.`,
      EXIT.aborted,
      'QuorumNotReached',
    );
  const roundsPerSecond = perSecond(step, firstSum, lastSum);

  // 6. What an application and an auditor may have.
  const tokenFile = (role: string) => join(folder, `${role}.token`);
  await inPairs(['auditor', 'application'], (role) =>
    processes.run('operator', [
      'budget',
      'token',
      '--role',
      role,
      '--name',
      `the demo's ${role}`,
      '--out',
      tokenFile(role),
      ...operator,
    ]),
  );
  const csv = join(folder, 'synthetic.csv');
  const ledgerPath = join(folder, 'ledger.json');
  const reportPath = join(folder, 'report.html');
  await inPairs(
    [
      [
        'application',
        [
          'sample',
          runId,
          '--rows',
          String(options.rows),
          '--seed',
          'demo',
          '--out',
          csv,
          ...at,
          '--token-file',
          tokenFile('application'),
        ],
      ],
      ['auditor', ['budget', 'export', '--out', ledgerPath, ...at, '--token-file', tokenFile('auditor')]],
    ] as const,
    ([name, args]) => processes.run(name, args),
  );
  const ledger = JSON.parse(await readFile(ledgerPath, 'utf8')) as LedgerFile;
  const verdict = verifyLedger(ledger);
  if (verdict.faults.length > 0)
    throw new CliError(`The ledger does not add up: ${verdict.faults.join('; ')}.`, EXIT.bug, 'LedgerFault');

  const schema = parseTableSchema(strikes.schema);
  const evaluation = await evaluate({
    schema,
    real: strikes.groups.flatMap((group) => group.rows),
    holdOut: strikes.holdOut,
    synthetic: readRows(csv, schema),
    seed: new TextEncoder().encode('chorale demo'),
  });
  const auditor = { url, token: (await readFile(tokenFile('auditor'), 'utf8')).trim() };
  const finished = await ask<ReportInput['run']>(
    auditor,
    'query ($id: String!) { run(id: $id) { runId synthesizer status reason planDigest totalSteps options epsilonViews { coordinatorWithColluders coordinatorAlone anotherMember public secureAggregationBroken } } }',
    { id: runId },
  );
  const durationMs = Date.now() - started;
  writeFileSync(
    reportPath,
    renderReport(reportInput({ ledger, run: finished, evaluation, durationMs, engine, now: new Date() })),
  );
  terminal.step(
    'released',
    'Released: the generator is trained, the synthetic table drawn, the ledger checked against its events',
    { run: runId },
  );

  // 7. In short.
  const dropped = ledger.rounds
    .filter((round) => round.phase === 'COMPLETED')
    .reduce((sum, round) => sum + (round.dropped?.length ?? 0), 0);
  const completed = ledger.rounds.filter((round) => round.phase === 'COMPLETED').length;
  const bytes = median(
    members.filter((m) => m.id !== VICTIM).map((m) => bytesOf(ledger, idsByName.get(m.name) ?? '')),
  );
  const { yardsticks } = evaluation;
  const tvd = (value: { readonly twoWay: { readonly mean: number } }) => value.twoWay.mean.toFixed(3);
  terminal.table(
    'summary',
    [
      [
        'privacy spent',
        `ε = ${verdict.epsilon.toFixed(3)} of ${EPSILON} at δ = ${DELTA}, against the coordinator and one colluding airline`,
      ],
      [
        'sums',
        `${completed} opened, ${verdict.voided} voided, ${roundsPerSecond.toFixed(1)} a second; ${dropped} with a lost member, recovered from shares`,
      ],
      [
        'sent by each participant',
        `${(bytes / 1e6).toFixed(1)} MB, ${(bytes / completed / 1e3).toFixed(1)} kB a sum`,
      ],
      [
        'pairwise distance to real',
        `synthetic ${tvd(yardsticks.synthetic)}, independent columns ${tvd(yardsticks.independentColumns)}, real hold-out ${tvd(yardsticks.realHoldOut)} (${yardsticks.rows} rows each)`,
      ],
      ['synthetic rows', `${evaluation.rows.synthetic}, all valid by the schema`],
      ['whole demo', `${(durationMs / 1000).toFixed(0)} s`],
      ['report', here(reportPath)],
      ['table', `${here(csv)} (${(statSync(csv).size / 1e6).toFixed(1)} MB)`],
      ['ledger', `${here(ledgerPath)}; check it: ${chorale} budget verify ${here(ledgerPath)}`],
    ],
    {
      epsilon: verdict.epsilon,
      delta: DELTA,
      rounds: completed,
      dropped,
      voided: verdict.voided,
      roundsPerSecond,
      bytesPerParticipant: bytes,
      fidelity: {
        synthetic: yardsticks.synthetic,
        independentColumns: yardsticks.independentColumns,
        holdOut: yardsticks.realHoldOut,
      },
      durationMs,
      files: { report: reportPath, synthetic: csv, ledger: ledgerPath },
    },
  );

  if (options.keep) {
    terminal.step('kept', `Still up at ${url}/graphql until Ctrl-C. Paste this:`, { url });
    terminal.note(
      `curl -s ${url}/graphql -H "authorization: Bearer $(cat ${here(tokenFile('application'))})" -H 'content-type: application/json' \\\n` +
        `      -d '{"query":"{ syntheticSamples(run: \\"${runId}\\", first: 3) { ... on SyntheticSamples { rows } } }"}'`,
    );
    terminal.note(`${chorale} budget --url ${url} --token-file ${here(tokenFile('auditor'))}`);
    await coordinator.ended;
  }
}

/** On the first free port; another process may take it between the look and the start, then the next one is tried. */
async function startCoordinator(processes: Processes, dataDir: string, wanted: number) {
  for (let port = await freePort(wanted); ; port = await freePort(port + 1)) {
    const coordinator = processes.start('coordinator', [
      ...['coordinator', 'start', '--data', dataDir, '--federation', FEDERATION, '--port', String(port)],
      ...[
        '--reconnect-grace',
        '1500',
        '--phase-deadline',
        '20000',
        '--gather',
        '3000',
        '--quorum-wait',
        '30000',
      ],
    ]);
    try {
      return { coordinator, listening: await coordinator.line('listening') };
    } catch (error) {
      if (!(error instanceof CliError) || error.code !== 'EADDRINUSE') throw error;
      await coordinator.ended;
    }
  }
}

/** The defaults, in as many steps as two minutes on two cores allow. */
const FULL = { steps: 450 };

/** A tenth of the steps need larger ones: more records in each, and higher learning rates. Rough, but the same machinery. */
const QUICK = { steps: 45, samplingRate: 0.1, criticLearningRate: 0.05, generatorLearningRate: 0.005 };

/** The run's options with the noise that the limit needs over all of its steps, and the order at which it is cheapest. */
function planRun(quick: boolean): { readonly order: number; readonly options: Record<string, unknown> } {
  const options = synthesizerOf('gan').parseOptions(quick ? QUICK : FULL) as {
    readonly steps: number;
    readonly samplingRate: number;
  };
  const { samplingRate, steps } = options;
  const { noiseMultiplier, order } = calibrateNoise({ epsilon: EPSILON, delta: DELTA, samplingRate, steps });
  return { order, options: { ...options, noiseMultiplier } };
}

/** A public, rounded undertaking: to the nearest fifty. */
function declared(rows: number): number {
  return Math.max(50, Math.round(rows / 50) * 50);
}

/** Two at a time: this machine may have two cores only. */
async function inPairs<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let i = 0; i < items.length; i += 2)
    results.push(...(await Promise.all(items.slice(i, i + 2).map(work))));
  return results;
}

function perSecond(step: number, first: number | undefined, last: number): number {
  return first === undefined || last <= first ? 0 : ((step - 1) * 1000) / (last - first);
}

function bytesOf(ledger: LedgerFile, participantId: string): number {
  return ledger.rounds.reduce((sum, round) => sum + (round.bytesReceived[participantId] ?? 0), 0);
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
