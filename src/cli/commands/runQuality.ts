import type { Command } from 'commander';
import {
  ask,
  type ConnectionOptions,
  connectionOf,
  FAILURE,
  idempotencyKey,
  print,
  withConnection,
} from '../connection.js';
import { CliError, EXIT } from '../exits.js';
import { readOptions } from './runPrivacy.js';

/** `chorale run quality | report | gates`: measure a released run in the federation, what was found, and what holds it back. */

const ESTIMATE = '{ estimate lower upper }';
export const REPORT_FIELDS = `run qualityRun epsilon releaseDigest synthesizer syntheticRows contributors confidence records ${ESTIMATE}
  oneWay { mean ${ESTIMATE} sampling columns { column distance ${ESTIMATE} } }
  twoWay { cells mean ${ESTIMATE} sampling independentColumns ${ESTIMATE} worst { columns distance ${ESTIMATE} } }
  label { column area ${ESTIMATE} classes { category area ${ESTIMATE} } } attackAdvantage ${ESTIMATE}`;

interface Estimate {
  readonly estimate: number;
  readonly lower: number;
  readonly upper: number;
}

/** A quality report as GraphQL answers it. */
export interface ReportView {
  readonly run: string;
  readonly qualityRun: string;
  readonly epsilon: number | null;
  readonly releaseDigest: string;
  readonly synthesizer: string;
  readonly syntheticRows: number;
  readonly contributors: readonly string[];
  readonly confidence: number;
  readonly records: Estimate;
  readonly oneWay: {
    readonly mean: Estimate;
    readonly sampling: number;
    readonly columns: readonly { readonly column: string; readonly distance: Estimate }[];
  };
  readonly twoWay: {
    readonly cells: number;
    readonly mean: Estimate;
    readonly sampling: number;
    readonly independentColumns: Estimate;
    readonly worst: readonly { readonly columns: readonly [string, string]; readonly distance: Estimate }[];
  };
  readonly label: {
    readonly column: string;
    readonly area: Estimate;
    readonly classes: readonly { readonly category: string; readonly area: Estimate }[];
  } | null;
  readonly attackAdvantage: Estimate;
}

interface GateView {
  readonly gate: string;
  readonly wanted: number;
  readonly found: number | null;
  readonly state: string;
}

export function registerRunQuality(run: Command): void {
  withConnection(run.command('quality'))
    .description(
      'propose to measure a released run on the held-out records: one more sum, with its own ε (operator token)',
    )
    .argument('<run>', 'id of the run to measure')
    .option(
      '--options <json>',
      'of the measurement, as JSON or a file: noiseMultiplier, rows, references',
      '{}',
    )
    .addHelpText(
      'after',
      `
Example:
  $ chorale run quality 3f9a2c51d07e --token-file operator.token --options '{"noiseMultiplier":6}'

A second person approves it; "chorale run report" then shows what was found, and
"chorale run plan --synthesizer quality --options …" what it would cost.`,
    )
    .action(async (runId: string, options: ConnectionOptions & { options: string }, command: Command) => {
      const own = readOptions(options.options);
      if (typeof own !== 'object' || own === null || Array.isArray(own))
        throw new CliError('--options must be a JSON object.', EXIT.usage, 'InvalidInput');
      const proposed = await ask<{ readonly runId: string; readonly totalSteps: number }>(
        connectionOf(options),
        `mutation ($input: ProposeRunInput!) { proposeRun(input: $input) { ${FAILURE} ... on Run { runId synthesizer status step totalSteps planDigest } } }`,
        {
          input: {
            synthesizer: 'quality',
            options: { ...own, run: runId },
            idempotencyKey: idempotencyKey(),
          },
        },
      );
      print(
        command,
        { event: 'proposed', ...proposed },
        `Run ${proposed.runId} measures run ${runId} by one sum. A second person approves it: chorale run approve ${proposed.runId}`,
      );
    });

  withConnection(run.command('report'))
    .description(
      'how good a released run is, as the federation measured it (operator, approver or auditor token)',
    )
    .argument('<run>', 'id of the run that was measured')
    .action(async (runId: string, options: ConnectionOptions, command: Command) => {
      const report = await ask<ReportView>(
        connectionOf(options),
        `query ($run: String!) { qualityReport(run: $run) { ${FAILURE} ... on QualityReport { ${REPORT_FIELDS} } } }`,
        { run: runId },
      );
      print(command, { event: 'quality', ...report }, describeReport(report));
    });

  withConnection(run.command('gates'))
    .description(
      'what the charter asks of a run’s release, and what was found (operator, approver or auditor token)',
    )
    .argument('<run>', 'its id')
    .action(async (runId: string, options: ConnectionOptions, command: Command) => {
      const shown = await ask<{ readonly gates: readonly GateView[] } | null>(
        connectionOf(options),
        'query ($id: String!) { run(id: $id) { gates { gate wanted found state } } }',
        { id: runId },
      );
      if (shown === null) throw new CliError(`There is no run ${runId}.`, EXIT.refused, 'NotFound');
      const lines = shown.gates.map(
        ({ gate, wanted, found, state }) =>
          `${gate.padEnd(22)}wanted ${wanted}, found ${found === null ? 'nothing' : found.toFixed(4)}: ${state.toLowerCase().replace('_', ' ')}`,
      );
      const text = lines.length === 0 ? 'The charter asks nothing of a release.' : lines.join('\n');
      print(command, { event: 'gates', runId, gates: shown.gates }, text);
    });
}

export function inWords({ estimate, lower, upper }: Estimate): string {
  return `${estimate.toFixed(3)} (${lower.toFixed(3)} to ${upper.toFixed(3)})`;
}

function describeReport(report: ReportView): string {
  const { oneWay, twoWay, label, attackAdvantage, epsilon } = report;
  return [
    `Run ${report.run} (${report.synthesizer}), measured by run ${report.qualityRun} on about ${Math.round(report.records.estimate)} held-out records of ${report.contributors.length} members; intervals of ${100 * report.confidence} %.`,
    `Total variation of single columns    ${inWords(oneWay.mean)}; a perfect table ${oneWay.sampling.toFixed(3)}`,
    `Total variation of pairs             ${inWords(twoWay.mean)}; a perfect table ${twoWay.sampling.toFixed(3)}, independent columns ${inWords(twoWay.independentColumns)}`,
    ...(twoWay.worst[0] === undefined
      ? []
      : [
          `Worst pair                           ${twoWay.worst[0].columns.join(', ')}: ${inWords(twoWay.worst[0].distance)}`,
        ]),
    ...(label === null
      ? ['No classifier: the schema has no categorical label.']
      : [`Area under ROC for ${label.column}, trained on synthetic rows: ${inWords(label.area)}`]),
    `Advantage of a membership attack     ${inWords(attackAdvantage)}: a smoke test, no proof of privacy`,
    `ε of this measurement                ${epsilon === null ? 'unbounded' : epsilon.toFixed(4)}`,
  ].join('\n');
}
