import type { Design } from './logisticRegression.js';

/** A pivot below this share of the largest one is rounding. */
const TOLERANCE = 1e-9;

/**
 * The rank of a design of indicators (entries 1, no intercept), from the Cholesky decomposition with complete pivoting of XᵀX
 * (Higham 2002, §10.3). XᵀX takes rows × blocks² steps, its decomposition width³/3.
 */
export function rankOfIndicators({ rows, width, blocks }: Design): number {
  const gram = new Float64Array(width * width);
  for (const { index: a } of blocks)
    for (const { index: b } of blocks)
      for (let row = 0; row < rows; row++) gram[a[row]! * width + b[row]!]!++;
  const left = new Set(Array.from({ length: width }, (_, i) => i));
  let first = 0;
  for (let rank = 0; ; rank++) {
    let pivot = -1;
    let largest = 0;
    for (const i of left) {
      const value = gram[i * width + i]!;
      if (value > largest) [pivot, largest] = [i, value];
    }
    first = Math.max(first, largest);
    if (pivot < 0 || largest <= TOLERANCE * first) return rank;
    left.delete(pivot);
    for (const i of left) {
      const factor = gram[i * width + pivot]! / largest;
      if (factor !== 0) for (const j of left) gram[i * width + j]! -= factor * gram[pivot * width + j]!;
    }
  }
}
