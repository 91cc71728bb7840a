import { cpus, totalmem } from 'node:os';
import type { Audit } from '../../evaluation/audit/oneRun.js';
import type { Evaluation } from '../../evaluation/evaluate.js';
import type { ReportData, Viewer } from '../../evaluation/report/reportData.js';
import { readCharter } from '../../federation/charter.js';
import { epsilonBounds } from '../../privacy/epsilonBounds.js';
import { type PrivacyEvent, parseEvent } from '../../privacy/events.js';
import { epsilonOfUnits } from '../../privacy/filter.js';
import { compositionOf, observerViews } from '../../privacy/observerViews.js';
import { addUnits } from '../../privacy/units.js';
import { countEqual, type Observer } from '../../privacy/views.js';
import type { ReportView } from '../commands/runQuality.js';
import type { LedgerFile } from '../ledgerFile.js';

const VIEWERS: Readonly<Record<Observer, Viewer>> = {
  coordinatorWithColluders: 'coordinator-and-colluders',
  public: 'public',
  anotherMember: 'another-member',
  coordinatorAlone: 'coordinator-alone',
  secureAggregationBroken: 'secure-aggregation-broken',
};

export interface ReportInput {
  readonly ledger: LedgerFile;
  readonly run: {
    readonly runId: string;
    readonly synthesizer: string;
    readonly status: string;
    readonly reason: string | null;
    readonly planDigest: string;
    readonly options: Readonly<Record<string, unknown>>;
  };
  /** Of each release, as the federation measured it. */
  readonly measured: readonly ReportView[];
  /** Sums of all runs. */
  readonly plannedRounds: number;
  readonly evaluation: Evaluation;
  readonly audited: Audit;
  readonly durationMs: number;
  readonly engine: string;
  readonly now: Date;
}

/** What the report shows, from what an auditor may ask and the demo's own evaluation. */
export function reportInput(input: ReportInput): ReportData {
  const { ledger, run, measured, evaluation, audited, durationMs, engine, now } = input;
  const charter = readCharter(ledger.charter.body);
  const limit = charter.privacy;
  const inForce = { ...limit, orders: ledger.budget.orders };
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
      plannedRounds: input.plannedRounds,
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
      // Of all that was asked, by whoever has the ledger: every run is in it.
      views: observerViews(inForce, committedEvents(ledger)).map(
        ({ observer, epsilon, interval, curve }) => ({
          viewer: VIEWERS[observer],
          epsilon,
          interval,
          curve: curve.map((point) => ({ epsilon: point.epsilon, delta: point.deltaUpper })),
        }),
      ),
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
    measured: measured.map(({ run: runId, contributors, ...report }) => ({
      ...report,
      runId,
      contributors: contributors.length,
      epsilon: epsilonOfRun(ledger, limit.delta, runId),
      epsilonOfMeasurement: report.epsilon,
    })),
    evaluated: 'marginals',
    evaluation,
  };
}

function committedEvents({ entries }: Pick<LedgerFile, 'entries'>): readonly PrivacyEvent[] {
  return entries.flatMap(({ committedEvent }) =>
    committedEvent === null ? [] : [parseEvent(committedEvent)],
  );
}

/** What a run's own sums cost, alone: upper end by the tight accountants. */
function epsilonOfRun(ledger: LedgerFile, delta: number, runId: string): number {
  const entries = ledger.entries.filter((entry) => entry.runId === runId);
  const whole = compositionOf(countEqual(committedEvents({ entries })));
  return epsilonBounds(whole, { delta }).epsilon.upper;
}

export function machine(): string {
  const [first] = cpus();
  return `${cpus().length} × ${first?.model.trim() ?? 'unknown processor'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.versions.node}`;
}
