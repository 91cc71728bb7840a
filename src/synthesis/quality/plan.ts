import { canonicalJson } from '../../crypto/canonical.js';
import { planEncoding } from '../../privacy/quantization.js';
import type { SumQuery } from '../../privacy/sumQuery.js';
import { MAX_SCALE, mostRecords } from '../counts/weights.js';
import { InvalidOptions } from '../errors.js';
import type { SynthesisContext } from '../synthesizer.js';
import { type TableEncoding, tableEncoding } from '../table/encoding.js';
import { fineCells } from '../table/fineCells.js';
import type { QualityOptions } from './options.js';

export const QUALITY_COUNTS = 'quality/counts';
/** The names of a query's models: what is counted, and the synthetic rows of the attack. */
export const QUESTION = 'question';
export const REFERENCES = 'references';

/** As many columns as the marginals have, so that every pair has a weight. */
export const MAX_COLUMNS = 64;
/** Of a label with many categories only the most frequent are scored, each against all others. */
export const MAX_CLASSES = 8;
export const MOST_COARSE = 8;
const MOST_SCORE_BINS = 256;
const FEWEST_SCORE_BINS = 8;

/**
 * Parts of the squared sensitivity that a held-out record spends on each measure. A training record is in the attack's second
 * table only, and spends everything there: a record is in exactly one part (table/holdOut.ts).
 */
const PARTS = { ones: 0.25, pairs: 0.4, scores: 0.2, membership: 0.15 };
const PARTS_WITHOUT_LABEL = { ones: 0.3, pairs: 0.5, scores: 0, membership: 0.2 };

/** A class is scored if its records are so many deviations of the noise in their number, summed over the bins. */
const STANDS_OUT = 6;

/** Distances of a record to a reference that a participant's processor does at most: some seconds. */
const MOST_COMPARISONS = 2 ** 31;
const FEWEST_REFERENCES = 50;

/** The evaluation's shape, public before a row is read. */
export interface QualityPlan {
  readonly context: SynthesisContext;
  readonly options: QualityOptions;
  /** The cells of fidelity: those of `chorale evaluate`. */
  readonly cells: TableEncoding;
  /** The cells of the classifier and the attack, before they are merged. */
  readonly fine: TableEncoding;
  /** Index of the categorical label; undefined where the schema has none, or it is a range. */
  readonly label: number | undefined;
  /** Classes that are scored, each against the others. */
  readonly classes: number;
  readonly scoreBins: number;
  /** Fewest records, by the declared counts, that a class and its complement need each to stand out of the noise. */
  readonly fewestScored: number;
  /** Held-out records by the declared counts. */
  readonly expected: number;
  /** Most cells of a column in a pair. */
  readonly coarse: number;
  readonly references: number;
  /** The sensitivity: √Σ weight² over what one record is counted in. */
  readonly scale: number;
  /** √ of the parts of scale²: what each measure's weights may have together. */
  readonly parts: Readonly<Record<keyof typeof PARTS, number>>;
  readonly dimension: number;
}

/** @throws InvalidOptions where the charter holds no records out, or the schema has one column or too many. */
export function qualityPlan(context: SynthesisContext, options: QualityOptions): QualityPlan {
  const { schema, members, holdOut } = context;
  if (holdOut === undefined)
    throw new InvalidOptions(
      'kind',
      'quality needs held-out records: the charter names no "holdOut"; propose one that does, e.g. 0.2',
    );
  const columns = schema.fields.length;
  if (columns < 2 || columns > MAX_COLUMNS)
    throw new InvalidOptions(
      'kind',
      `quality takes tables of 2 to ${MAX_COLUMNS} columns, this one has ${columns}`,
    );
  const cells = tableEncoding(schema);
  const labelled = schema.fields.findIndex((field) => field.label && field.domain === 'categories');
  const categories = labelled < 0 ? 0 : categoriesOf(cells, labelled);
  const label = categories < 2 ? undefined : labelled;
  const classes = label === undefined ? 0 : categories === 2 ? 1 : Math.min(MAX_CLASSES, categories);
  const shares = label === undefined ? PARTS_WITHOUT_LABEL : PARTS;
  const pairs = (columns * (columns - 1)) / 2;
  const scale = scaleOf(context, pairs, shares.pairs);
  const parts = {
    ones: Math.floor(Math.sqrt(shares.ones) * scale),
    pairs: Math.floor(Math.sqrt(shares.pairs) * scale),
    scores: Math.floor(Math.sqrt(shares.scores) * scale),
    membership: Math.floor(Math.sqrt(shares.membership) * scale),
  };
  const expected = holdOut * members.reduce((sum, { declaredRecords }) => sum + declaredRecords, 0);
  const coarse = coarseCells(expected, options.noiseMultiplier / Math.sqrt(shares.pairs / pairs));
  const scoreDeviation = classes === 0 ? 0 : options.noiseMultiplier / Math.sqrt(shares.scores / classes);
  const scoreBins = classes === 0 ? 0 : binsFor(expected, scoreDeviation);
  const largest = Math.max(...members.map(({ declaredRecords }) => declaredRecords));
  const references = Math.min(
    options.references,
    Math.max(FEWEST_REFERENCES, Math.floor(MOST_COMPARISONS / (largest * columns))),
  );
  const ofPairs = pairCells(cells, coarse);
  const dimension = cells.width + ofPairs + 2 * classes * scoreBins + 2 * (columns + 1);
  return {
    ...{ context, options, cells, fine: fineCells(schema), label, classes, scoreBins, coarse },
    ...{ expected, fewestScored: STANDS_OUT * scoreDeviation * Math.sqrt(scoreBins) },
    ...{ references, scale, parts, dimension },
  };
}

/** Categories of a label, missing left out: who has no label is in no class. */
export function categoriesOf({ blocks }: TableEncoding, column: number): number {
  const block = blocks[column];
  return block?.field.domain === 'categories' ? block.field.categories.length : 0;
}

/** As marginals (question.ts): as fine as the ring has room for, and at least 1 for each pair. */
function scaleOf(context: SynthesisContext, pairs: number, share: number): number {
  const room = 2 ** 29 / (mostRecords(context) * context.members.length);
  const least = 2 ** Math.ceil(Math.log2(Math.max(32, 2 * Math.sqrt(pairs / share))));
  return Math.min(MAX_SCALE, Math.max(least, 2 ** Math.floor(Math.log2(room))));
}

/** E|N(0, 1)|. */
const MEAN_ABSOLUTE = Math.sqrt(2 / Math.PI);
/** The noise alone may look like so much total variation in one pair; its expectation is taken off again (distances.ts). */
const MOST_NOISE = 0.15;

/** The most cells a column with which the noise of a pair, ½·k²·√(2/π)·σ/n in total variation, stays below MOST_NOISE. */
function coarseCells(records: number, deviation: number): number {
  const cells = Math.sqrt((2 * MOST_NOISE * records) / (MEAN_ABSOLUTE * deviation));
  return Math.max(2, Math.min(MOST_COARSE, Math.floor(cells)));
}

/**
 * Score bins, a power of two: what they cannot resolve of an area under the curve is ∝ 1/B, the noise's deviation in it ∝ √B·σ/n;
 * the sum is smallest near (n/σ)^⅔.
 */
function binsFor(records: number, deviation: number): number {
  const bins = 2 ** Math.floor(Math.log2(Math.max(1, (records / deviation) ** (2 / 3))));
  return Math.max(FEWEST_SCORE_BINS, Math.min(MOST_SCORE_BINS, bins));
}

function pairCells({ blocks }: TableEncoding, coarse: number): number {
  const sizes = blocks.map((block) => Math.min(block.cells, coarse));
  let cells = 0;
  for (let b = 1; b < sizes.length; b++)
    for (let a = 0; a < b; a++) cells += (sizes[a] as number) * (sizes[b] as number);
  return cells;
}

/** The one sum, to which the documents are still to be added. Throws PrivacyError where no ring holds it. */
export function qualityQuery({ context, options, scale, dimension }: QualityPlan): Omit<SumQuery, 'models'> {
  return {
    version: 1,
    kind: QUALITY_COUNTS,
    dimension,
    l2Sensitivity: scale,
    samplingRate: 1,
    encoding: planEncoding({
      dimension,
      l2Sensitivity: scale,
      noiseMultiplier: options.noiseMultiplier,
      maxCoordinate: scale * mostRecords(context),
      cohort: context.cohort,
      members: context.members.length,
      rounding: 'exact',
      grid: 1,
    }),
    parameters: {},
  };
}

/** @throws InvalidOptions unless the query is the plan's own, but for what its documents say. */
export function assertQualityQuery(plan: QualityPlan, query: SumQuery): void {
  const { models, ...asked } = query;
  if (canonicalJson(asked) !== canonicalJson(qualityQuery(plan)))
    throw new InvalidOptions('query', 'is not the one that the options of the run ask');
  if (models.length !== 2 || models[0]?.name !== QUESTION || models[1]?.name !== REFERENCES)
    throw new InvalidOptions('query.models', 'are what is counted and the synthetic rows, and no others');
}
