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

export interface SampleRequest {
  readonly seed: Uint8Array;
  /** Index of the first row; row i depends on (release, seed, i) alone, so pages fit together. */
  readonly offset: number;
  readonly count: number;
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
  initialState(context: SynthesisContext, options: Options, seed: Uint8Array): Promise<State>;
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
  /** What sampling needs, and nothing else: the published artefact. */
  release(state: State): Uint8Array;
  sample(
    context: SynthesisContext,
    options: Options,
    release: Uint8Array,
    request: SampleRequest,
  ): AsyncIterable<Row>;
  /** Public figures for people, e.g. { step, criticFakeAccuracy }: post-processing only. */
  progress(state: State): Readonly<Record<string, number>>;
}
