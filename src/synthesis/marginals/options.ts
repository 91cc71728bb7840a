import { z } from 'zod';
import { optionsOf } from '../optionsOf.js';

/**
 * Public constants of a run: part of the approved plan, never chosen from the records. The shares of the four sums and the
 * sizes follow the house plan (DESIGN §6); they hold for every table.
 */
const marginalsOptionsJson = z.strictObject({
  /**
   * Standard deviation, in records, of the noise that one count would have if it were all that is asked: the whole run
   * costs what one Gaussian mechanism of this multiplier does.
   */
  noiseMultiplier: z.number().positive().max(1e6).default(6),
  /** Cells that the junction tree's tables may have together. */
  modelCells: z.number().int().min(1000).max(20_000_000).default(400_000),
  /** Steps of mirror descent for each of the two fits. */
  iterations: z.number().int().min(10).max(20_000).default(1000),
});

export type MarginalsOptions = Readonly<z.infer<typeof marginalsOptionsJson>>;

/** @throws InvalidOptions */
export function parseMarginalsOptions(input: unknown): MarginalsOptions {
  return optionsOf(marginalsOptionsJson, 'marginals', input);
}
