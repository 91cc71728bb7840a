import { cpus, totalmem } from 'node:os';
import type { Audit } from '../../evaluation/audit/oneRun.js';
import type { Evaluation } from '../../evaluation/evaluate.js';
import type { ReportData } from '../../evaluation/report/reportData.js';
import { readCharter } from '../../federation/charter.js';
import { epsilonOfUnits } from '../../privacy/filter.js';
import { addUnits } from '../../privacy/units.js';
import type { LedgerFile } from '../ledgerFile.js';

const VIEWERS = {
  COORDINATOR_WITH_COLLUDERS: 'coordinator-and-colluders',
  PUBLIC: 'public',
  ANOTHER_MEMBER: 'another-member',
  COORDINATOR_ALONE: 'coordinator-alone',
  SECURE_AGGREGATION_BROKEN: 'secure-aggregation-broken',
} as const;

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
    /** As GraphQL answers it. */
    readonly observerViews: readonly {
      readonly observer: keyof typeof VIEWERS;
      readonly epsilon: number | null;
      readonly interval: { readonly lower: number; readonly upper: number | null };
      readonly curve: readonly { readonly epsilon: number; readonly deltaUpper: number }[];
    }[];
  };
  readonly evaluation: Evaluation;
  readonly audited: Audit;
  readonly durationMs: number;
  readonly engine: string;
  readonly now: Date;
}

/** What the report shows, from what an auditor may ask and the demo's own evaluation. */
export function reportInput(input: ReportInput): ReportData {
  const { ledger, run, evaluation, audited, durationMs, engine, now } = input;
  const charter = readCharter(ledger.charter.body);
  const limit = charter.privacy;
  let planned = limit.orders.map(() => 0n);
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
      views: run.observerViews.map(({ observer, epsilon, interval, curve }) => ({
        viewer: VIEWERS[observer],
        epsilon,
        interval,
        curve: curve.map((point) => ({ epsilon: point.epsilon, delta: point.deltaUpper })),
      })),
      audit: audited,
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
