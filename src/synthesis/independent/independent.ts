import { z } from 'zod';
import { eventOf } from '../../privacy/quantization.js';
import type { SumQuery } from '../../privacy/sumQuery.js';
import { decodeArtefact, encodeArtefact } from '../artefact.js';
import { InvalidOptions, MalformedBytes } from '../errors.js';
import {
  assertSameQuery,
  contributeOneWays,
  type OneWays,
  oneWaysQuery,
  openedOneWays,
} from '../oneWays/oneWays.js';
import { cumulated, firstAbove, sharesOf } from '../oneWays/shares.js';
import { optionsOf } from '../optionsOf.js';
import { seededRng, uniforms } from '../randomness.js';
import { stratified } from '../stratified.js';
import type { Row, SampleRequest, SynthesisContext, Synthesizer } from '../synthesizer.js';
import type { TableEncoding } from '../table/encoding.js';
import { fineCells } from '../table/fineCells.js';
import { blocksOf, rowOfCells } from '../table/rowBlocks.js';

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
    return [
      { event: eventOf(queryOf(context, options), context.cohort.minSurvivors, context.cohort), count: 1 },
    ];
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

/** Rows whose draws are stratified together: as many of each cell as its share says, in random order. */
const BLOCK_ROWS = 16_384;

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
  const columns = fine.blocks.map(({ start, cells }) => shares.subarray(start, start + cells));
  if (columns.some((own) => own.some((share) => share < 0) || !own.some((share) => share > 0)))
    throw new MalformedBytes('the release has a column without shares');
  const below = columns.map(cumulated);
  for (const { block, from, to } of blocksOf(request, BLOCK_ROWS)) {
    const rng = (part: string) => seededRng(request.seed, `independent/sample/${block}/${part}`);
    const draws = columns.map((_, column) => stratified(new Int32Array(BLOCK_ROWS), rng(`column ${column}`)));
    const within = uniforms(rng('values'), BLOCK_ROWS * columns.length);
    const cells = new Uint16Array(columns.length);
    for (let row = from; row < to; row++) {
      for (const [column, own] of draws.entries())
        cells[column] = firstAbove(below[column] as Float64Array, own[row] as number);
      yield rowOfCells(fine, cells, within.subarray(row * columns.length, (row + 1) * columns.length), 0);
    }
  }
}
