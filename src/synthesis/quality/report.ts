import { z } from 'zod';
import { canonicalJson, type Json } from '../../crypto/canonical.js';
import { MalformedBytes } from '../errors.js';

const share = z.number().min(0).max(1);
const estimate = z.strictObject({ estimate: share, lower: share, upper: share });
const name = z.string().max(1000);

const reportJson = z.strictObject({
  version: z.literal(1),
  /** What was evaluated. */
  run: name,
  release: z.string().regex(/^[0-9a-f]{64}$/),
  synthesizer: name,
  syntheticRows: z.number().int().min(1),
  /** Ids of the members whose held-out records were counted. */
  contributors: z.array(name),
  confidence: z.literal(0.95),
  /** Held-out records of all of them, by the noisy counts. */
  records: z.strictObject({
    estimate: z.number().min(0),
    lower: z.number().min(0),
    upper: z.number().min(0),
  }),
  /** Total variation of single columns, on the cells of `chorale evaluate`. */
  oneWay: z.strictObject({
    mean: estimate,
    /** What the mean would be of a perfect table, from so few held-out records. */
    sampling: share,
    /** Worst first. */
    columns: z.array(z.strictObject({ column: name, distance: estimate })),
  }),
  /** Of pairs of columns, on at most `cells` cells a column. */
  twoWay: z.strictObject({
    cells: z.number().int().min(2),
    mean: estimate,
    sampling: share,
    /** The same of the real columns, were they independent: a table that is worth its ε comes below. */
    independentColumns: estimate,
    /** Worst first, ten at most. */
    worst: z.array(z.strictObject({ columns: z.tuple([name, name]), distance: estimate })),
  }),
  /**
   * Trained on synthetic rows, tested on held-out records: area under the ROC curve of a logistic regression for the label. The mean
   * over its classes, each against the others; of two classes there is one. Null where the schema has no categorical label.
   */
  label: z.nullable(
    z.strictObject({
      column: name,
      area: estimate,
      classes: z.array(
        z.strictObject({ category: z.union([z.string(), z.number(), z.boolean()]), area: estimate }),
      ),
    }),
  ),
  /**
   * Advantage of telling training records from held-out ones by their distance to the nearest of `references` synthetic rows: a
   * smoke test of copying. What protects every record is ε.
   */
  attack: z.strictObject({ advantage: estimate, references: z.number().int().min(1) }),
});

/** What a quality run publishes: figures of one noisy sum, each with its interval. */
export type QualityReport = Readonly<z.infer<typeof reportJson>>;

export function encodeReport(report: QualityReport): Uint8Array {
  return new TextEncoder().encode(canonicalJson(report as unknown as Json));
}

/** @throws MalformedBytes unless the bytes are a quality report. */
export function decodeReport(bytes: Uint8Array): QualityReport {
  try {
    return reportJson.parse(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)));
  } catch (cause) {
    throw new MalformedBytes('these bytes are no quality report', { cause });
  }
}
