import type { SynthesisContext } from '../synthesizer.js';

/** The largest `scale`: √Σ weight² over what a record is counted in is at most that, the sensitivity of a sum. */
export const MAX_SCALE = 1024;

/**
 * Whole weights ∝ cells^⅓, but 1 at least, with √Σ weight² ≤ scale. With noise of one deviation σ in every cell of the sum the
 * expected L1 error of a marginal is ∝ cells/weight; their sum is smallest at these weights (Lagrange).
 * @param scale √(the marginals) at least.
 */
export function weightsFor(cells: readonly number[], scale: number): number[] {
  const wanted = cells.map((count) => count ** (1 / 3));
  const descending = wanted.toSorted((a, b) => b - a);
  let factor = 0;
  let square = 0;
  // As many of the largest as get 1 or more when they share what weights of 1 leave of scale².
  for (const [last, weight] of descending.entries()) {
    square += weight ** 2;
    const left = scale ** 2 - (cells.length - 1 - last);
    if (weight ** 2 * left >= square) factor = Math.sqrt(left / square);
  }
  return wanted.map((weight) => Math.max(1, Math.floor(factor * weight)));
}

/** Twice what a member has declared, a power of two: what its counts are clamped to. */
export function mostRecords({ members }: SynthesisContext): number {
  const largest = Math.max(...members.map((member) => member.declaredRecords));
  return 2 ** Math.ceil(Math.log2(2 * Math.max(1, largest)));
}

/**
 * The finer the weights the better; but the counts of all members, times it, have to fit into the ring. Every pair of columns can
 * have a weight of 1.
 */
export function scaleOf(context: SynthesisContext): number {
  const columns = context.schema.fields.length;
  const room = 2 ** 29 / (mostRecords(context) * context.members.length);
  const least = 2 ** Math.ceil(Math.log2(Math.max(32, Math.sqrt((columns * (columns - 1)) / 2))));
  return Math.min(MAX_SCALE, Math.max(least, 2 ** Math.floor(Math.log2(room))));
}
