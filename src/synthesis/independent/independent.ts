import { z } from 'zod';
import type { SumQuery } from '../../privacy/sumQuery.js';
import { decodeArtefact, encodeArtefact } from '../artefact.js';
import { plannedCost } from '../counts/countingQuery.js';
import { InvalidOptions, MalformedBytes } from '../errors.js';
import { independentRows } from '../oneWays/independentRows.js';
import {
  assertSameQuery,
  contributeOneWays,
  type OneWays,
  oneWaysQuery,
  openedOneWays,
} from '../oneWays/oneWays.js';
import { sharesOf } from '../oneWays/shares.js';
import { optionsOf } from '../optionsOf.js';
import type { Row, SampleRequest, SynthesisContext, Synthesizer } from '../synthesizer.js';
import type { TableEncoding } from '../table/encoding.js';
import { fineCells } from '../table/fineCells.js';

const optionsJson = z.strictObject({
  /** Standard deviation of the noise on a count of one column alone, in records: the run costs one Gaussian mechanism of it. */
  noiseMultiplier: z.number().positive().max(1e6).default(6),
});
export type IndependentOptions = Readonly<z.infer<typeof optionsJson>>;

export interface IndependentState {
  readonly context: SynthesisContext;
  readonly options: IndependentOptions;
  readonly fine: TableEncoding;
  /** Undefined before the sum. */
  readonly ones: OneWays | undefined;
}

/**
 * Every column by itself, from one sum: the yardstick that a synthesizer has to beat on pairs of columns, and on one column can hardly.
 */
export const independentSynthesizer: Synthesizer<IndependentOptions, IndependentState> = {
  kind: 'independent',
  parseOptions: (input) => optionsOf(optionsJson, 'independent', input),

  plan(context, options) {
    return [plannedCost(context, queryOf(context, options))];
  },

  async initialState(context, options) {
    queryOf(context, options); // what no ring holds is refused here, not when it is asked
    return { context, options, fine: fineCells(context.schema), ones: undefined };
  },

  nextQuery({ context, options, ones }) {
    return ones === undefined ? { query: queryOf(context, options), models: new Map() } : undefined;
  },

  assertQuery: (context, options, query) => assertSameQuery(query, queryOf(context, options)),
  contribute: (query, _models, records, rng) => contributeOneWays(query, records, rng),

  async absorb(state, query, sum) {
    if (state.ones !== undefined) throw new InvalidOptions('sum', 'was not asked');
    return { ...state, ones: openedOneWays(state.fine, query, sum) };
  },

  encodeState({ ones }) {
    const variances = ones === undefined ? null : [...ones.variances];
    return encodeArtefact({ magic: STATE, version: 1, variances }, ones === undefined ? [] : [ones.counts]);
  },

  async decodeState(context, options, bytes) {
    const fine = fineCells(context.schema);
    const artefact = decodeArtefact(bytes, stateJson, 'a state of independent');
    const { variances } = artefact.header;
    if (variances !== null && variances.length !== fine.blocks.length)
      throw new MalformedBytes('the state is of another schema');
    const ones = variances === null ? undefined : { counts: artefact.take(fine.width), variances };
    artefact.end();
    return { context, options, fine, ones };
  },

  release({ fine, ones }) {
    if (ones === undefined) throw new InvalidOptions('release', 'there is none before the sum is opened');
    return encodeArtefact({ magic: RELEASE, version: 1 }, [sharesOf(fine, ones)]);
  },

  sample: (context, _options, release, request) => sampleRelease(context, release, request),
  progress: ({ ones }) => ({ step: ones === undefined ? 0 : 1, steps: 1 }),
};

const STATE = 'chorale/independent state';
const RELEASE = 'chorale/independent release';
const stateJson = z.strictObject({
  magic: z.literal(STATE),
  version: z.literal(1),
  variances: z.array(z.number().positive()).nullable(),
});
const releaseJson = z.strictObject({ magic: z.literal(RELEASE), version: z.literal(1) });

function queryOf(context: SynthesisContext, { noiseMultiplier }: IndependentOptions): SumQuery {
  return oneWaysQuery(context, fineCells(context.schema), noiseMultiplier);
}

/** @throws MalformedBytes when the release is not of this schema. */
async function* sampleRelease(
  { schema }: SynthesisContext,
  release: Uint8Array,
  request: SampleRequest,
): AsyncGenerator<Row> {
  const fine = fineCells(schema);
  const artefact = decodeArtefact(release, releaseJson, 'a release of independent');
  const shares = artefact.take(fine.width);
  artefact.end();
  for (const { start, cells } of fine.blocks) {
    const own = shares.subarray(start, start + cells);
    if (own.some((share) => share < 0) || !own.some((share) => share > 0))
      throw new MalformedBytes('the release has a column without shares');
  }
  yield* independentRows(fine, shares, request, 'independent');
}
