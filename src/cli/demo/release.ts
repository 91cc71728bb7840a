import { writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Audit } from '../../evaluation/audit/oneRun.js';
import { type Evaluation, evaluate } from '../../evaluation/evaluate.js';
import { renderReport } from '../../evaluation/report/renderReport.js';
import { parseTableSchema } from '../../synthesis/index.js';
import type { ReportView } from '../commands/runQuality.js';
import { ask } from '../connection.js';
import { CliError, EXIT } from '../exits.js';
import { type LedgerFile, verifyLedger } from '../ledgerFile.js';
import type { BirdStrikes } from './birdstrikes.js';
import type { Cast, Stage } from './cast.js';
import { readRows } from './files.js';
import { inPairs } from './processes.js';
import { type ReportInput, reportInput } from './reportInput.js';

/** What the demo leaves in its folder, and the figures in it. */
export interface Release {
  readonly ledger: LedgerFile;
  readonly verdict: ReturnType<typeof verifyLedger>;
  readonly measured: readonly ReportView[];
  /** Of the marginals' table, by the demo itself. */
  readonly evaluation: Evaluation;
  readonly audited: Audit;
  readonly durationMs: number;
  readonly paths: {
    readonly synthetic: string;
    readonly gan: string;
    readonly ledger: string;
    readonly report: string;
    readonly applicationToken: string;
    readonly auditorToken: string;
  };
}

/**
 * What an application and an auditor may have, and no more: the table is drawn with an application's token, the ledger taken home and
 * checked with an auditor's. The evaluation meets the real rows: only a demo with public records may do so.
 * `started` is the demo's beginning (ms since the epoch). Throws CliError if the ledger does not add up.
 */
export async function release(
  stage: Stage,
  cast: Cast,
  strikes: BirdStrikes,
  order: {
    readonly ganRunId: string;
    /** The release whose table is looked at from near: that of the marginals. */
    readonly runId: string;
    readonly measured: readonly ReportView[];
    readonly rows: number;
    /** Of all runs. */
    readonly plannedRounds: number;
    readonly audited: Audit;
    readonly started: number;
  },
): Promise<Release> {
  const { processes, terminal, folder } = stage;
  const { runId, ganRunId, measured, audited } = order;
  const paths = {
    synthetic: join(folder, 'synthetic.csv'),
    gan: join(folder, 'synthetic-gan.csv'),
    ledger: join(folder, 'ledger.json'),
    report: join(folder, 'report.html'),
    applicationToken: join(folder, 'application.token'),
    auditorToken: join(folder, 'auditor.token'),
  };
  await inPairs(
    [
      ['auditor', paths.auditorToken],
      ['application', paths.applicationToken],
    ] as const,
    ([role, out]) =>
      processes.run('operator', [
        ...['budget', 'token', '--role', role, '--name', `the demo's ${role}`, '--out', out],
        ...cast.operator,
      ]),
  );
  await Promise.all([
    ...[
      [runId, paths.synthetic],
      [ganRunId, paths.gan],
    ].map(([run, out]) =>
      processes.run('application', [
        ...['sample', run as string, '--rows', String(order.rows), '--seed', 'demo', '--out', out as string],
        ...[...cast.at, '--token-file', paths.applicationToken],
      ]),
    ),
    processes.run('auditor', [
      ...['budget', 'export', '--out', paths.ledger],
      ...[...cast.at, '--token-file', paths.auditorToken],
    ]),
  ]);
  const ledger = JSON.parse(await readFile(paths.ledger, 'utf8')) as LedgerFile;
  const verdict = verifyLedger(ledger);
  if (verdict.faults.length > 0)
    throw new CliError(`The ledger does not add up: ${verdict.faults.join('; ')}.`, EXIT.bug, 'LedgerFault');

  const schema = parseTableSchema(strikes.schema);
  const evaluation = await evaluate({
    schema,
    real: strikes.groups.flatMap((group) => group.rows),
    holdOut: strikes.holdOut,
    synthetic: readRows(paths.synthetic, schema),
    seed: new TextEncoder().encode('chorale demo'),
  });
  const auditor = { url: cast.url, token: (await readFile(paths.auditorToken, 'utf8')).trim() };
  const run = await ask<ReportInput['run']>(
    auditor,
    'query ($id: String!) { run(id: $id) { runId synthesizer status reason planDigest options } }',
    { id: ganRunId },
  );
  const durationMs = Date.now() - order.started;
  writeFileSync(
    paths.report,
    renderReport(
      reportInput({
        ...{ ledger, run, measured, evaluation, audited, durationMs, plannedRounds: order.plannedRounds },
        ...{ engine: cast.engine, now: new Date() },
      }),
    ),
  );
  terminal.step(
    'released',
    'Released: both synthetic tables drawn, the ledger of all runs checked against its events',
    { run: runId },
  );
  return { ledger, verdict, measured, evaluation, audited, durationMs, paths };
}
