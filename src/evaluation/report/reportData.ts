import type { Audit } from '../audit/oneRun.js';
import type { Evaluation } from '../evaluate.js';
import type { MeasuredRelease } from './qualitySection.js';

/** Whoever looks, and what they can subtract from the noise. */
export type Viewer =
  | 'coordinator-and-colluders'
  | 'public'
  | 'another-member'
  | 'coordinator-alone'
  | 'secure-aggregation-broken';

/** One observer's ε at the run's δ; null where no bound holds. */
export interface ReportView {
  readonly viewer: Viewer;
  /** As the filter charges it: what is held against the limit. */
  readonly epsilon: number | null;
  /** The same release by the tight accountants: the true ε lies in it. */
  readonly interval: { readonly lower: number; readonly upper: number | null };
  /** δ over rising ε, upper ends; empty where no bound holds. */
  readonly curve: readonly { readonly epsilon: number; readonly delta: number }[];
}

export interface ReportParticipant {
  readonly id: string;
  readonly name: string;
  /** The public undertaking of the charter, not a measurement. */
  readonly declaredRecords: number;
  /** Bytes of key set-up messages received from it, where counted. */
  readonly setupBytes?: number;
}

export interface ReportRound {
  readonly id: string;
  readonly step: number;
  readonly attempt: number;
  readonly outcome: 'completed' | 'aborted';
  readonly abortReason?: string;
  /** Who was expected (U₁ of the round), and whose vectors are in the sum (U₂; empty if aborted). */
  readonly expected: readonly string[];
  readonly survivors: readonly string[];
  /** Key shares opened to take the masks of dropped members out of the sum. */
  readonly recoveredShares: number;
  readonly bytesReceived: Readonly<Record<string, number>>;
  /** Milliseconds by phase. */
  readonly timings: Readonly<Record<string, number>>;
}

export interface ReportLedgerEntry {
  readonly sequence: number;
  readonly roundId: string;
  readonly status: 'reserved' | 'committed' | 'voided';
  /** ε of all that is spent up to and with this entry, at the run's δ; null until it is settled. */
  readonly epsilonAfter: number | null;
  /** The same under the plan: every round with no more than the fewest survivors allowed. */
  readonly plannedEpsilonAfter: number;
}

/** Everything on the page. JSON; ids refer to `participants` and `rounds`. */
export interface ReportData {
  readonly title: string;
  /** ISO 8601. */
  readonly generatedAt: string;
  readonly run: {
    readonly id: string;
    readonly synthesizer: string;
    readonly status: 'completed' | 'stopped' | 'aborted';
    readonly reason?: string;
    readonly charterDigest: string;
    readonly planDigest: string;
    readonly plannedRounds: number;
    readonly durationMs: number;
    /** The learning engine, e.g. 'TensorFlow.js 4.22, WebAssembly SIMD'. */
    readonly engine: string;
    readonly machine: string;
    /** Public options of the run, for the last table. */
    readonly options: Readonly<Record<string, string | number | boolean>>;
  };
  readonly privacy: {
    readonly epsilonLimit: number;
    readonly delta: number;
    /** Of coordinator and colluders together: what the limit is about. */
    readonly epsilonSpent: number;
    readonly minSurvivors: number;
    readonly maxColluders: number;
    readonly accountant: string;
    readonly views: readonly ReportView[];
    /** What canaries showed of a training by the same plan, where there was one. */
    readonly audit?: Audit;
  };
  readonly participants: readonly ReportParticipant[];
  /** In the order in which they ran, retries included. */
  readonly rounds: readonly ReportRound[];
  readonly ledger: readonly ReportLedgerEntry[];
  /** Releases whose quality the federation measured itself: what may be published. */
  readonly measured?: readonly MeasuredRelease[];
  /** Of several releases the one whose table `evaluation` is about, by its synthesizer. */
  readonly evaluated?: string;
  readonly evaluation: Evaluation;
}

/** A member that was expected in a round and is missing from its sum. */
export interface Dropout {
  readonly participant: ReportParticipant;
  /** 1-based position in `rounds` of the first sum without it. */
  readonly round: number;
  readonly recoveredShares: number;
  readonly returned: boolean;
}

/** Each absence once, by its first completed round; whoever stays expected and missing has not dropped again. */
export function dropouts({ rounds, participants }: ReportData): Dropout[] {
  const found: Dropout[] = [];
  const absent = new Set<string>();
  for (const [index, round] of rounds.entries()) {
    if (round.outcome === 'aborted') continue;
    for (const id of round.survivors) absent.delete(id);
    for (const participant of participants) {
      const { id } = participant;
      if (!round.expected.includes(id) || round.survivors.includes(id) || absent.has(id)) continue;
      absent.add(id);
      found.push({
        participant,
        round: index + 1,
        recoveredShares: round.recoveredShares,
        returned: rounds.slice(index + 1).some((later) => later.survivors.includes(id)),
      });
    }
  }
  return found;
}

/** The value at or above a share `q` of the values (nearest rank); NaN of nothing. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN;
}
