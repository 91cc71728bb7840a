import { z } from 'zod';
import { optionsOf } from '../optionsOf.js';

/** Public constants of an evaluation: part of the approved plan, never chosen from the records. */
const qualityOptionsJson = z.strictObject({
  /** The run whose release is evaluated. */
  run: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, 'must be the id of a run'),
  /**
   * Standard deviation, in records, of the noise that one count would have if it were all that is asked: the evaluation costs
   * what one Gaussian mechanism of this multiplier does.
   */
  noiseMultiplier: z.number().positive().max(1e6).default(6),
  /** Synthetic rows that the records are compared with. */
  rows: z.number().int().min(100).max(200_000).default(20_000),
  /** Synthetic rows of the membership attack: sent to every participant, fewer where its records are many. */
  references: z.number().int().min(10).max(4000).default(2000),
});

export type QualityOptions = Readonly<z.infer<typeof qualityOptionsJson>>;

/** @throws InvalidOptions */
export function parseQualityOptions(input: unknown): QualityOptions {
  return optionsOf(qualityOptionsJson, 'quality', input);
}
