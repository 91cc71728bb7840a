import { canonicalJson } from '../../crypto/canonical.js';
import { planEncoding } from '../../privacy/quantization.js';
import type { SumQuery } from '../../privacy/sumQuery.js';
import { cellsOfMarginal, decodeMeasured, type Measured } from '../counts/measured.js';
import { MAX_SCALE, mostRecords, scaleOf } from '../counts/weights.js';
import { InvalidOptions, MalformedBytes } from '../errors.js';
import { modelNamed } from '../models.js';
import type { Models, SynthesisContext } from '../synthesizer.js';
import type { TableEncoding } from '../table/encoding.js';
import { fineCells } from '../table/fineCells.js';
import type { MarginalsOptions } from './options.js';
import { assertFits } from './structure.js';

export const MARGINAL_COUNTS = 'marginals/counts';
export const MEASURED = 'measured';

/**
 * The four sums and the parts of the budget that they take: all columns, all pairs on coarse cells, the pairs of the tree, the
 * pairs that the model then misses most (DESIGN §6). Parts of ρ: noise multipliers are the run's over √part, and four
 * Gaussian mechanisms then cost what one of the run's multiplier does.
 */
export const PARTS = [0.15, 0.2, 0.35, 0.3] as const;
export const SUMS = PARTS.length;

/** Most cells of a column in the second sum, and in the model. */
export const COARSE_CELLS = 8;
/** Most cells of a range in the model. */
export const MOST_BINS = 32;
/** So many columns the junction tree can hold. */
export const MAX_COLUMNS = 64;
/** Room of the third and the fourth sum, a column; and every column on its fine cells fits. */
const PAIR_CELLS_A_COLUMN = 1024;

/** A run's shape, public before a row is read. */
export interface MarginalsPlan {
  readonly context: SynthesisContext;
  readonly options: MarginalsOptions;
  readonly fine: TableEncoding;
  readonly scale: number;
  /** Length of each sum. What a sum does not use of it stays zero. */
  readonly dimensions: readonly number[];
}

/** @throws InvalidOptions where the schema has one column, or more than the model can hold. */
export function marginalsPlan(context: SynthesisContext, options: MarginalsOptions): MarginalsPlan {
  const columns = context.schema.fields.length;
  if (columns < 2 || columns > MAX_COLUMNS)
    throw new InvalidOptions(
      'kind',
      `marginals takes tables of 2 to ${MAX_COLUMNS} columns, this schema has ${columns}; leave columns out`,
    );
  const fine = fineCells(context.schema);
  assertFits(fine, options, MOST_BINS);
  const coarse = fine.blocks.map(({ cells }) => Math.min(cells, COARSE_CELLS));
  let pairs = 0;
  for (let a = 0; a < columns; a++)
    for (let b = 0; b < a; b++) pairs += (coarse[a] as number) * (coarse[b] as number);
  const chosen = Math.max(fine.width, PAIR_CELLS_A_COLUMN * columns);
  return { context, options, fine, scale: scaleOf(context), dimensions: [fine.width, pairs, chosen, chosen] };
}

/** Sum `step` (0 … 3), to which the document that says what is counted is still to be added. */
export function countsQuery(plan: MarginalsPlan, step: number): Omit<SumQuery, 'models'> {
  const { context, options, scale } = plan;
  const dimension = plan.dimensions[step] as number;
  return {
    version: 1,
    kind: MARGINAL_COUNTS,
    dimension,
    l2Sensitivity: scale,
    samplingRate: 1,
    encoding: planEncoding({
      dimension,
      l2Sensitivity: scale,
      noiseMultiplier: options.noiseMultiplier / Math.sqrt(PARTS[step] as number),
      maxCoordinate: scale * mostRecords(context),
      cohort: context.cohort,
      members: context.members.length,
      // Weights are whole numbers, and so is every sum of them.
      rounding: 'exact',
      grid: 1,
    }),
    parameters: { sum: step + 1 },
  };
}

/** @throws InvalidOptions unless the query is one of the plan's own, but for what its document says. */
export function assertCountsQuery(plan: MarginalsPlan, query: SumQuery): void {
  const { models, ...asked } = query;
  const step = PARTS.findIndex(
    (_, candidate) => canonicalJson({ sum: candidate + 1 }) === canonicalJson(query.parameters),
  );
  if (step < 0 || canonicalJson(asked) !== canonicalJson(countsQuery(plan, step)))
    throw new InvalidOptions('query', 'is not one that the options of the run ask');
  if (models.length !== 1 || models[0]?.name !== MEASURED)
    throw new InvalidOptions('query.models', 'is the document that says what is counted, and no other');
}

/**
 * What a participant counts. Read before a record is: a document that does not fit its query is refused for what it is.
 * @throws InvalidOptions, MalformedBytes
 */
export function readQuestion(query: SumQuery, models: Models, fine: TableEncoding): Measured {
  if (query.kind !== MARGINAL_COUNTS)
    throw new InvalidOptions('query.kind', `marginals does not answer ${query.kind}`);
  const { l2Sensitivity, encoding } = query;
  const isScale = Number.isInteger(l2Sensitivity) && l2Sensitivity >= 1 && l2Sensitivity <= MAX_SCALE;
  if (!isScale || encoding.rounding !== 'exact' || encoding.grid !== 1 || query.samplingRate !== 1)
    throw new InvalidOptions('query', 'must count whole numbers, of all records');
  const measured = decodeMeasured(modelNamed(query, models, MEASURED), fine, l2Sensitivity);
  const cells = measured.marginals.reduce(
    (sum, marginal) => sum + cellsOfMarginal(measured, marginal, fine),
    0,
  );
  if (cells > query.dimension)
    throw new MalformedBytes('the document counts more cells than the query has coordinates');
  return measured;
}
