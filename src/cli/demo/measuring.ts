import { inWords, type ReportView } from '../commands/runQuality.js';
import type { Cast, Stage } from './cast.js';
import { conduct } from './conduct.js';
import type { DemoPlan } from './plan.js';

/** The federation measures a released run on the rows that nobody trained on: one more noisy sum, in the same ledger. */
export async function measure(stage: Stage, cast: Cast, plan: DemoPlan, runId: string): Promise<ReportView> {
  const { processes, terminal } = stage;
  const options = Object.fromEntries(Object.entries(plan.quality).filter(([name]) => name !== 'run'));
  await conduct(stage, cast, ['run', 'quality', runId, '--options', JSON.stringify(options)]);
  const lines = await processes.run('operator', ['run', 'report', runId, ...cast.operator]);
  const report = lines.find((line) => line.event === 'quality') as unknown as ReportView;
  const { mean, sampling } = report.twoWay;
  const area =
    report.label === null ? '' : `; area under ROC for ${report.label.column} ${inWords(report.label.area)}`;
  terminal.step(
    'measured',
    `Measured by a noisy sum over ${Math.round(report.records.estimate)} held-out rows: ${report.synthesizer} is ${mean.estimate.toFixed(3)} from the real pairs of columns (${mean.lower.toFixed(3)} to ${mean.upper.toFixed(3)}; a perfect table ${sampling.toFixed(3)})${area}`,
    { run: runId, report },
  );
  return report;
}
