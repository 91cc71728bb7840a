import type { Rng } from '../crypto/rng.js';
import type { PrivacyEvent } from '../privacy/events.js';
import type { Cohort, SumQuery } from '../privacy/sumQuery.js';
import type { RecordSource } from './table/records.js';
import type { TableSchema } from './table/schema.js';

/** What is public before any data is touched: the parts of the charter that a synthesizer may use. */
export interface SynthesisContext {
  readonly schema: TableSchema;
  /** Charter order; declared counts are public undertakings, not measurements. */
  readonly members: readonly { readonly id: string; readonly declaredRecords: number }[];
  readonly cohort: Cohort;
  /** Share of each member's records that only evaluation may see; undefined where all are trained on. */
  readonly holdOut?: number;
}

/** `count` queries in a row, each costing at most `event` (reserved with contributors = minSurvivors). */
export interface PlannedCost {
  readonly event: PrivacyEvent;
  readonly count: number;
}

export type Models = ReadonlyMap<string, Uint8Array>;

export interface Step {
  readonly query: SumQuery;
  /** The bytes behind `query.models`, by name. */
  readonly models: Models;
}

export interface NoisySum {
  /** Real units, length `query.dimension`. */
  readonly values: Float64Array;
  /** Ids of the members whose vectors are in the sum: public, so constants may be chosen by it. */
  readonly contributors: readonly string[];
}

/** A row as the Table Schema writes it; null is a missing value. */
export type Row = Readonly<Record<string, string | number | boolean | null>>;

export type CellValue = Row[string];

/**
 * Which values of a column rows may have: those listed (null: missing), or those of a number or date between bounds, as the
 * schema writes them; `above` and `below` leave the bound itself out. A range never lets a missing value through.
 */
export type ColumnCondition =
  | { readonly in: readonly CellValue[] }
  | {
      readonly from?: string | number;
      readonly to?: string | number;
      readonly above?: string | number;
      readonly below?: string | number;
    };

/** The share that rows with the value, or with those of the condition, shall have of all rows drawn. */
export type BalancedShare = ({ readonly value: CellValue } | ColumnCondition) & { readonly share: number };

export interface SampleConditions {
  /** By column; all hold. Rows have the model's law given that they do. */
  readonly where?: Readonly<Record<string, ColumnCondition>>;
  /**
   * Other shares of one column's values; of the rest of the row given that value the model's law stays. What the shares leave
   * of 1 is for all other values, in their own proportions.
   */
  readonly balance?: { readonly column: string; readonly shares: readonly BalancedShare[] };
}

export interface SampleRequest extends SampleConditions {
  readonly seed: Uint8Array;
  /** Index of the first row; row i depends on (release, seed, conditions, i) alone, so pages fit together. */
  readonly offset: number;
  readonly count: number;
}

/** A run whose release another run builds on, as its coordinator gives it. */
export interface ReleasedRun {
  readonly runId: string;
  /** SHA-256 of the release, lower-case hex. */
  readonly digest: string;
  /** The kind of synthesizer that made it. */
  readonly kind: string;
  rows(request: SampleRequest): AsyncIterable<Row>;
}

/** Partial synthesis: some columns are given, the others drawn. */
export interface CompletionRequest {
  readonly seed: Uint8Array;
  /** Names of those given; the same for all rows. */
  readonly columns: readonly string[];
  /** Each with a value of every given column, as the schema writes it. They are read as rows are asked for, and kept nowhere. */
  readonly rows: AsyncIterable<Row>;
}

/**
 * An adaptive sequence of sum queries plus a sampler. The coordinator calls nextQuery/absorb, a participant
 * contribute, anyone sample. Randomness is an argument; coordinator-side randomness is derived from the public seed, so
 * that a replay after a crash reaches the same state.
 */
export interface Synthesizer<Options, State> {
  readonly kind: string;
  /** Throws InvalidOptions with what was wrong and what to do. */
  parseOptions(input: unknown): Options;
  /** The worst-case costs of the whole run, in order; committed by hash before the first query. */
  plan(context: SynthesisContext, options: Options): readonly PlannedCost[];
  /** Ids of the released runs of the same federation and schema that this one builds on; left out: none. */
  inputs?(options: Options): readonly string[];
  /** `inputs`: the releases that were asked for, in that order. */
  initialState(
    context: SynthesisContext,
    options: Options,
    seed: Uint8Array,
    inputs?: readonly ReleasedRun[],
  ): Promise<State>;
  nextQuery(state: State): Step | undefined;
  /**
   * Throws InvalidOptions unless the query is, but for the digests of its models, the one that these options ask. A participant
   * demands it before it looks at a record: no other sensitivity, grid, shape or parameter reaches `contribute`.
   */
  assertQuery(context: SynthesisContext, options: Options, query: SumQuery): void;
  /** The sum of the participant's clipped per-record vectors, real units, length `query.dimension`. */
  contribute(
    query: SumQuery,
    models: Models,
    records: RecordSource,
    rng: Rng,
  ): Promise<Float32Array | Float64Array>;
  absorb(state: State, query: SumQuery, sum: NoisySum): Promise<State>;
  encodeState(state: State): Uint8Array;
  decodeState(context: SynthesisContext, options: Options, bytes: Uint8Array): Promise<State>;
  /** What sampling needs, and nothing else: the published artefact. Throws InvalidOptions (`release`) where there is none yet. */
  release(state: State): Uint8Array;
  sample(
    context: SynthesisContext,
    options: Options,
    release: Uint8Array,
    request: SampleRequest,
  ): AsyncIterable<Row>;
  /** True where `sample` holds `where` and `balance` exactly; whoever has it not is never asked (sampling.ts). */
  readonly conditional?: true;
  /**
   * One row for each given one: its given values, and the others drawn from the model given them. Row i depends on (release, seed,
   * its given values, i) alone. Absent where a kind cannot do it exactly.
   * @throws InvalidCondition naming the row whose values cannot occur.
   */
  complete?(
    context: SynthesisContext,
    options: Options,
    release: Uint8Array,
    request: CompletionRequest,
  ): AsyncIterable<Row>;
  /** Public figures for people, e.g. { step, criticFakeAccuracy }: post-processing only. */
  progress(state: State): Readonly<Record<string, number>>;
}
