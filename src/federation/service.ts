import type { Json } from '../crypto/canonical.js';
import type { PrivacyInterval } from '../privacy/accountants/pld/interval.js';
import type { ObserverView } from '../privacy/observerViews.js';
import type { SumQuery } from '../privacy/sumQuery.js';
import type { EpsilonViews } from '../privacy/views.js';
import type { QualityReport } from '../synthesis/quality/report.js';
import type { Row, SampleConditions } from '../synthesis/synthesizer.js';
import type { ReleaseGates } from './charter.js';
import type { GateResult } from './gates.js';
import type {
  AccessTokenRecord,
  BudgetStatement,
  CharterRecord,
  ParticipantRecord,
  RefusalRecord,
  Role,
  RunRecord,
} from './ports.js';

/**
 * What the coordinator does for its callers. Every method throws FederationError for expected failures; the API
 * turns them into typed results. Who may call what is decided by the API (scopes), what is legal here.
 */
export interface CoordinatorService {
  readonly enrolment: Enrolment;
  readonly runs: Runs;
  readonly exchange: Exchange;
  readonly compliance: Compliance;
  readonly samples: Samples;
  readonly quality: Quality;
}

export interface Enrolment {
  /** `proof`: hex Ed25519 signature of `enrolmentStatement(input)`: possession of the key, bound to federation and name. */
  enroll(input: EnrolmentInput): Promise<ParticipantRecord>;
  participantByKey(publicKey: string): Promise<ParticipantRecord | null>;
  approve(participantId: string): Promise<ParticipantRecord>;
  revoke(participantId: string): Promise<ParticipantRecord>;
  /** Makes the next charter version from the approved participants. Its members then sign the digest. */
  proposeCharter(input: CharterInput): Promise<CharterRecord>;
  /** The newest charter, signed by all or not yet. */
  charter(): Promise<CharterRecord | null>;
  /** Active once every member has signed. */
  signCharter(participantId: string, digest: string, signature: string): Promise<CharterRecord>;
  createToken(
    name: string,
    role: Role,
  ): Promise<{ readonly token: string; readonly record: AccessTokenRecord }>;
  /** The live token with this secret, or null. Compared by hash. */
  authenticate(token: string): Promise<AccessTokenRecord | null>;
  revokeToken(id: string): Promise<void>;
}

export interface EnrolmentInput {
  readonly federation: string;
  readonly name: string;
  readonly publicKey: string;
  readonly declaredRecords: number;
  readonly proof: string;
}

export interface CharterInput {
  readonly schema: Json;
  readonly epsilon: number;
  readonly delta: number;
  /** Rényi orders (from 2) at which the limit is enforced, or 1 for Gaussian DP, fixed now; δ is divided by their number. */
  readonly orders: readonly number[];
  readonly minSurvivors: number;
  readonly maxColluders: number;
  /** Share of its records that each member keeps from training, at most a half; left out: none. */
  readonly holdOut?: number;
  readonly releaseGates?: ReleaseGates;
}

export interface Runs {
  propose(input: {
    readonly synthesizer: string;
    readonly options: Json;
    readonly proposedBy: string;
  }): Promise<RunRecord>;
  /** A second person's word; the run starts. */
  approve(runId: string, approvedBy: string): Promise<RunRecord>;
  cancel(runId: string, by: string): Promise<RunRecord>;
  run(runId: string): Promise<RunRecord | null>;
  /** Emits the run whenever it moved on; ends when it is finished. */
  watch(runId: string, signal: AbortSignal): AsyncIterable<RunRecord>;
}

/** What a participant is asked to do next. Sent again after a reconnect: handling one twice is harmless. */
export type Task =
  | {
      readonly kind: 'advertise-keys';
      readonly blockId: string;
      readonly runId: string;
      readonly config: Json;
      readonly upload: Ticket;
    }
  | {
      readonly kind: 'share-keys';
      readonly blockId: string;
      readonly adverts: readonly Uint8Array[];
      readonly upload: Ticket;
    }
  /** No answer: who is in U₁, with what everyone dealt, and the shares that were dealt to this participant. */
  | {
      readonly kind: 'receive-shares';
      readonly blockId: string;
      readonly bundle: Uint8Array;
    }
  | {
      readonly kind: 'masked-input';
      readonly blockId: string;
      readonly slot: number;
      readonly runId: string;
      readonly roundId: string;
      readonly step: number;
      readonly attempt: number;
      readonly query: SumQuery;
      readonly expected: readonly string[];
      readonly upload: Ticket;
    }
  | {
      readonly kind: 'consistency-check';
      readonly blockId: string;
      readonly slot: number;
      readonly survivors: readonly string[];
      readonly upload: Ticket;
    }
  | {
      readonly kind: 'unmasking';
      readonly blockId: string;
      readonly slot: number;
      readonly checks: readonly Uint8Array[];
      readonly upload: Ticket;
    };

/** Where the answer may be PUT: a path of this coordinator, and the most bytes it takes there. */
export interface Ticket {
  readonly path: string;
  readonly maxBytes: number;
}

/** Message phases on the wire and in the store. */
export const PHASES = [
  'advertise-keys',
  'share-keys',
  'masked-input',
  'consistency-check',
  'unmasking',
] as const;
export type Phase = (typeof PHASES)[number];

export interface Exchange {
  /** First what is outstanding, then each new task, until the signal aborts. */
  tasks(participantId: string, signal: AbortSignal): AsyncIterable<Task>;
  /**
   * A protocol message, by mutation or PUT. Resolves when it is durable. An identical repeat is fine.
   * Throws PhaseClosed (late, other round), MessageRejected (bad signature, length, content; a second, different one).
   */
  submit(
    participantId: string,
    address: { readonly blockId: string; readonly slot: number; readonly phase: Phase },
    body: Uint8Array,
  ): Promise<void>;
  /**
   * A participant's own refusal to answer a task (over its budget, unknown keys after a restart, another charter): it is left
   * out of the round at once, and the reason, in words, is kept for the run. Over its budget, it says what its own record
   * has: `budget`.
   */
  decline(
    participantId: string,
    address: { readonly blockId: string; readonly slot: number; readonly phase: Phase },
    reason: string,
    budget?: BudgetStatement,
  ): Promise<void>;
  /** The address behind a ticket's path if it is this participant's and still open, with the most bytes it takes; throws PhaseClosed or NotFound. */
  upload(
    participantId: string,
    path: string,
  ): { readonly blockId: string; readonly slot: number; readonly phase: Phase; readonly maxBytes: number };
  /** A public model's bytes. */
  model(digest: string): Promise<Uint8Array | undefined>;
}

/** Figures for the limit, all at the charter's δ, against coordinator + maxColluders. */
export interface BudgetView {
  readonly charterDigest: string;
  readonly epsilonLimit: number;
  readonly delta: number;
  /** Which reckoning of costs the units come from. */
  readonly accountant: number;
  readonly orders: readonly number[];
  /** The one order in force; null while the first run's plan may still fix it among several. */
  readonly order: number | null;
  readonly epsilonSpent: number;
  /** ε if everything reserved were spent too. */
  readonly epsilonReserved: number;
  readonly epsilonRemaining: number;
  /** Exact figures: units of 2^-40 at each order, decimal. */
  readonly spentUnits: readonly string[];
  readonly reservedUnits: readonly string[];
  readonly limitUnits: readonly string[];
}

export interface Compliance {
  budget(): Promise<BudgetView>;
  /** ε of what a run really spent, by observer. */
  views(runId: string): Promise<EpsilonViews>;
  /** The same with an interval and a curve for each observer: a second or so of reckoning. */
  observerViews(runId: string): Promise<readonly ObserverView[]>;
  /** Members' own refusals over their budgets in a run, oldest first, with the coordinator's figures beside theirs. */
  refusals(runId: string): Promise<readonly RefusalRecord[]>;
  /** What a run would cost, before anything is spent. */
  preview(input: {
    readonly synthesizer: string;
    readonly options: Json;
    /** ε that the run alone shall cost; left out: what is left of the budget. */
    readonly targetEpsilon?: number;
  }): Promise<RunPreview>;
}

/** All ε at the charter's δ, against coordinator + maxColluders, every round with as few contributors as the charter allows. */
export interface RunPreview {
  /** Of this run alone, by the filter. */
  readonly epsilon: number;
  /** Of this run alone, by the tight accountants. */
  readonly interval: PrivacyInterval;
  /** Of all that was spent and reserved, and this run. */
  readonly epsilonAfter: number;
  readonly epsilonLimit: number;
  readonly delta: number;
  /** Where it would be enforced: the one order that this plan fixes, if it is the first to ask. */
  readonly orders: readonly number[];
  readonly steps: number;
  /** What is left of the budget covers it. */
  readonly fits: boolean;
  /** Rounds of this plan that what is left covers. */
  readonly remainingSteps: number;
  readonly planDigest: string;
  /** What would meet the target, the rest as asked. */
  readonly target: {
    /** Null: what is left of the budget. */
    readonly epsilon: number | null;
    /** The smallest, four digits; null where the ring holds none that is enough, or noise is no option of the synthesizer. */
    readonly noiseMultiplier: number | null;
    /** The most rounds with the noise that was asked. */
    readonly steps: number;
  };
}

export interface Quality {
  /** What the federation measured of a run on its held-out records. Throws NotFound, and ReleaseNotReady where nothing was measured. */
  report(runId: string): Promise<RunQuality>;
  /** The gates of the run's charter and how the run stands before them; none: nothing holds it back. Throws NotFound. */
  gates(runId: string): Promise<readonly GateResult[]>;
}

export interface RunQuality {
  readonly runId: string;
  /** The run that measured it. */
  readonly qualityRunId: string;
  /** What the measurement alone cost, at the charter's δ, against coordinator + maxColluders: upper end by the tight accountants. */
  readonly epsilon: number;
  readonly report: QualityReport;
}

export interface Samples {
  /**
   * Row i depends on (release, seed, conditions, i) alone. Throws ReleaseNotReady, ReleaseGated, NotFound, and InvalidInput, also for conditions
   * that no row meets, before there is a first row.
   */
  rows(
    runId: string,
    request: SampleConditions & { readonly seed: string; readonly offset: number; readonly count: number },
  ): Promise<AsyncIterable<Row>>;
  /** The published artefact itself; its SHA-256 is the run's `releaseDigest`. Throws ReleaseNotReady, ReleaseGated, NotFound. */
  release(runId: string): Promise<Uint8Array>;
}
