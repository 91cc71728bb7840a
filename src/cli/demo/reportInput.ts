import { cpus, totalmem } from 'node:os';
import type { Evaluation } from '../../evaluation/evaluate.js';
import type { ReportData } from '../../evaluation/report/reportData.js';
import { readCharter } from '../../federation/charter.js';
import { epsilonOfUnits } from '../../privacy/filter.js';
import { addUnits } from '../../privacy/units.js';
import type { EpsilonViews } from '../../privacy/views.js';
import type { LedgerFile } from '../ledgerFile.js';

export interface ReportInput {
  readonly ledger: LedgerFile;
  readonly run: {
    readonly runId: string;
    readonly synthesizer: string;
    readonly status: string;
    readonly reason: string | null;
    readonly planDigest: string;
    readonly totalSteps: number;
    readonly options: Readonly<Record<string, unknown>>;
    readonly epsilonViews: EpsilonViews | null;
  };
  readonly evaluation: Evaluation;
  readonly durationMs: number;
  readonly engine: string;
  readonly now: Date;
}

/** What the report shows, from what an auditor may ask and the demo's own evaluation. */
export function reportInput({ ledger, run, evaluation, durationMs, engine, now }: ReportInput): ReportData {
  const charter = readCharter(ledger.charter.body);
  const limit = charter.privacy;
  let planned = limit.orders.map(() => 0n);
  const views = run.epsilonViews;
  const finite = (epsilon: number) => (Number.isFinite(epsilon) ? epsilon : null);
  return {
    title: 'Chorale demo: bird strikes at eight airlines',
    generatedAt: now.toISOString(),
    run: {
      id: run.runId,
      synthesizer: run.synthesizer,
      status: run.status.toLowerCase() as ReportData['run']['status'],
      ...(run.reason === null ? {} : { reason: run.reason }),
      charterDigest: ledger.charter.digest,
      planDigest: run.planDigest,
      plannedRounds: run.totalSteps,
      durationMs,
      engine,
      machine: machine(),
      options: Object.fromEntries(
        Object.entries(run.options).map(([name, value]) => [
          name,
          typeof value === 'number' || typeof value === 'boolean' ? value : String(value),
        ]),
      ),
    },
    privacy: {
      epsilonLimit: limit.epsilon,
      delta: limit.delta,
      epsilonSpent: ledger.budget.epsilonSpent,
      ...charter.cohort,
      accountant: `Rényi differential privacy at order ${limit.orders.join(', ')}, fixed in the charter`,
      views:
        views === null
          ? []
          : [
              { viewer: 'coordinator-and-colluders', epsilon: finite(views.coordinatorWithColluders) },
              { viewer: 'public', epsilon: finite(views.public) },
              { viewer: 'another-member', epsilon: finite(views.anotherMember) },
              { viewer: 'coordinator-alone', epsilon: finite(views.coordinatorAlone) },
              { viewer: 'secure-aggregation-broken', epsilon: finite(views.secureAggregationBroken) },
            ],
    },
    participants: charter.members.map(({ id, name, declaredRecords }) => ({ id, name, declaredRecords })),
    rounds: ledger.rounds.map((round) => ({
      id: round.roundId,
      step: round.step,
      attempt: round.attempt,
      outcome: round.phase === 'COMPLETED' ? 'completed' : 'aborted',
      ...(round.abortReason === null ? {} : { abortReason: round.abortReason }),
      expected: round.expected,
      survivors: round.contributors ?? [],
      // Every survivor opens its share of every lost member's mask key.
      recoveredShares: (round.contributors?.length ?? 0) * (round.dropped?.length ?? 0),
      bytesReceived: round.bytesReceived,
      timings: round.timings,
    })),
    ledger: ledger.entries.map((entry) => {
      planned = addUnits(
        planned,
        entry.status === 'VOIDED' ? planned.map(() => 0n) : entry.reservedUnits.map(BigInt),
      );
      return {
        sequence: entry.sequence,
        roundId: entry.roundId,
        status: entry.status.toLowerCase() as 'reserved' | 'committed' | 'voided',
        epsilonAfter: entry.epsilonAfter,
        plannedEpsilonAfter: epsilonOfUnits(limit, planned),
      };
    }),
    evaluation,
  };
}

export function machine(): string {
  const [first] = cpus();
  return `${cpus().length} × ${first?.model.trim() ?? 'unknown processor'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.versions.node}`;
}
