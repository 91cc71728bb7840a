import { z } from 'zod';
import { canonicalJson, type Json } from '../../crypto/canonical.js';
import type { SumQuery } from '../../privacy/sumQuery.js';
import { cellsOfMarginal, type Measured, measuredOf } from '../counts/measured.js';
import { MAX_SCALE } from '../counts/weights.js';
import { InvalidOptions, MalformedBytes } from '../errors.js';
import { modelNamed } from '../models.js';
import type { Models } from '../synthesizer.js';
import type { TableEncoding } from '../table/encoding.js';
import { MAX_CLASSES, QUALITY_COUNTS, QUESTION, REFERENCES } from './plan.js';

/**
 * What the sum counts, one table after the other: the marginals of `counts`; for each class of the label, over the score's bins, the
 * records that are of it, then those that are not; the attack's distances 0 … columns of the held-out records, then of the
 * training records. Made of synthetic rows alone; a public document that the query names by digest.
 */
export interface Question {
  readonly version: 1;
  /** Over the cells of fidelity (QualityPlan.cells). */
  readonly counts: Measured;
  /** Of each column, the feature 0, 1, … of each of its fine cells: what the classifier and the attack see. */
  readonly features: readonly (readonly number[])[];
  readonly label: Scored | null;
  readonly membership: {
    readonly weight: number;
    readonly trainingWeight: number;
    /** Rows of the second document. */
    readonly references: number;
  };
}

export interface Scored {
  readonly column: number;
  readonly classes: readonly ScoredClass[];
}

/** Logistic regression for one class against the others, and where its score is cut into bins. */
export interface ScoredClass {
  /** Index of the category. */
  readonly category: number;
  readonly weight: number;
  /** Of each column and feature; none of the label's own column. */
  readonly coefficients: readonly (readonly number[])[];
  /** Ascending: bin k holds scores from edge k − 1 on, below edge k. */
  readonly edges: readonly number[];
}

const MAX_QUESTION_BYTES = 16 * 2 ** 20;
const MOST_FEATURES = 65_535;

const index = z.number().int().min(0).max(MOST_FEATURES);
const weight = z.number().int().min(1).max(MAX_SCALE);
/** Checked by hand: zod would list what is wrong with every item, of a million too. */
const listOf = (isItem: (item: unknown) => boolean) =>
  z.custom<readonly number[]>((list) => Array.isArray(list) && list.length <= 65_536 && list.every(isItem));
const cellList = listOf(
  (item) => Number.isInteger(item) && (item as number) >= 0 && (item as number) <= MOST_FEATURES,
);
const numberList = listOf((item) => Number.isFinite(item));
const questionJson = z.strictObject({
  version: z.literal(1),
  counts: z.unknown(),
  features: z.array(cellList).max(512),
  label: z.nullable(
    z.strictObject({
      column: index,
      classes: z
        .array(
          z.strictObject({
            category: index,
            weight,
            coefficients: z.array(numberList).max(512),
            edges: numberList,
          }),
        )
        .min(1)
        .max(MAX_CLASSES),
    }),
  ),
  membership: z.strictObject({
    weight,
    trainingWeight: weight,
    references: z.number().int().min(1).max(4000),
  }),
});

export function encodeQuestion(question: Question): Uint8Array {
  return new TextEncoder().encode(canonicalJson(question as unknown as Json));
}

/**
 * Reads a document that came from the coordinator, who may lie: whatever it says, a record moves the sum by at most `scale`.
 * @throws MalformedBytes
 */
export function questionOf(
  json: unknown,
  { cells, fine }: { readonly cells: TableEncoding; readonly fine: TableEncoding },
  scale: number,
): Question {
  const parsed = questionJson.safeParse(json);
  if (!parsed.success) throw new MalformedBytes('the question is not of the form that it has');
  const counts = measuredOf(parsed.data.counts, cells, scale);
  const { label, membership, features } = parsed.data;
  if (
    features.length !== fine.blocks.length ||
    features.some((map, f) => map.length !== fine.blocks[f]?.cells)
  )
    throw new MalformedBytes('the features are not one for each cell of the schema');
  const sizes = features.map(sizeOfMap);
  for (const { coefficients, edges } of label?.classes ?? []) {
    const fits =
      coefficients.length === sizes.length &&
      coefficients.every((own, f) => own.length === (f === label?.column ? 0 : sizes[f]));
    if (!fits) throw new MalformedBytes('the classifier has not one coefficient for each feature');
    if (edges.some((edge, k) => k > 0 && edge < (edges[k - 1] as number)))
      throw new MalformedBytes('the edges of the score do not ascend');
    if (edges.length !== label?.classes[0]?.edges.length)
      throw new MalformedBytes('the classes have not the same number of score bins');
  }
  if (label !== null && cells.blocks[label.column]?.field.domain !== 'categories')
    throw new MalformedBytes('the label is no categorical column');
  const held = [...counts.marginals, ...(label?.classes ?? []), membership];
  const square = held.reduce((sum, { weight: own }) => sum + own ** 2, 0);
  if (square > scale ** 2 || membership.trainingWeight > scale)
    throw new MalformedBytes(`the weights allow a record to move the sum by more than ${scale}`);
  return { version: 1, counts, features, label, membership };
}

/** Cells of a map that names cells 0, 1, … */
export function sizeOfMap(map: readonly number[]): number {
  let size = 0;
  for (const cell of map) size = Math.max(size, cell + 1);
  return size;
}

/** Where each table of the sum begins; `end` is how many coordinates are used. */
export function layoutOf(question: Question, cells: TableEncoding) {
  const columns = cells.blocks.length;
  const scores = question.counts.marginals.reduce(
    (sum, marginal) => sum + cellsOfMarginal(question.counts, marginal, cells),
    0,
  );
  const classes = question.label?.classes ?? [];
  const scoreBins = (classes[0]?.edges.length ?? -1) + 1;
  const heldOut = scores + 2 * classes.length * scoreBins;
  const training = heldOut + columns + 1;
  return { scores, scoreBins, heldOut, training, end: training + columns + 1 };
}

/** Features of the reference rows, row-major, 16 bits each, little endian. */
export function encodeReferences(rows: Uint16Array): Uint8Array {
  const bytes = new Uint8Array(rows.length * 2);
  const view = new DataView(bytes.buffer);
  rows.forEach((feature, i) => {
    view.setUint16(2 * i, feature, true);
  });
  return bytes;
}

export function decodeReferences(bytes: Uint8Array): Uint16Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Uint16Array.from({ length: bytes.length / 2 }, (_, i) => view.getUint16(2 * i, true));
}

/**
 * What a participant counts, and the reference rows. Read before a record is: documents that do not fit their query are refused for
 * what they are.
 * @throws InvalidOptions, MalformedBytes
 */
export function readQuestion(
  query: SumQuery,
  models: Models,
  encodings: { readonly cells: TableEncoding; readonly fine: TableEncoding },
): { readonly question: Question; readonly references: Uint16Array } {
  const { l2Sensitivity, encoding } = query;
  if (query.kind !== QUALITY_COUNTS)
    throw new InvalidOptions('query.kind', `quality does not answer ${query.kind}`);
  const isScale = Number.isInteger(l2Sensitivity) && l2Sensitivity >= 1 && l2Sensitivity <= MAX_SCALE;
  if (!isScale || encoding.rounding !== 'exact' || encoding.grid !== 1 || query.samplingRate !== 1)
    throw new InvalidOptions('query', 'must count whole numbers, of all records');
  const bytes = modelNamed(query, models, QUESTION);
  if (bytes.length > MAX_QUESTION_BYTES)
    throw new MalformedBytes(`the question takes more than ${MAX_QUESTION_BYTES} bytes`);
  const question = questionOf(jsonOf(bytes), encodings, l2Sensitivity);
  if (layoutOf(question, encodings.cells).end > query.dimension)
    throw new MalformedBytes('the question counts more cells than the query has coordinates');
  const rows = modelNamed(query, models, REFERENCES);
  if (rows.length !== 2 * question.membership.references * question.features.length)
    throw new MalformedBytes('the synthetic rows are not as many as the question says');
  return { question, references: decodeReferences(rows) };
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}
