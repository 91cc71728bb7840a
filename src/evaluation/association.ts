import type { JointCounts } from './jointCounts.js';

/**
 * Bias-corrected Cramér's V (Bergsma 2013, "A bias-correction for Cramér's V and Tschuprow's T", eq. 5 to 8):
 * φ̃² = max(0, φ² − (r − 1)(c − 1)/(n − 1)), V = √(φ̃² / min(r̃ − 1, c̃ − 1)), r̃ = r − (r − 1)²/(n − 1).
 * Without the correction independent columns with many cells look associated. Cells that never occur do not
 * count in r and c. 0 where a column has one value only.
 *
 * @param shares the joint shares of a pair, row-major, height × width, adding up to 1
 * @param rows how many rows they come from
 */
export function cramersV(shares: Float64Array, height: number, width: number, rows: number): number {
  if (shares.length !== height * width) throw new RangeError('cramersV: shares are not height × width');
  const down = new Float64Array(height);
  const across = new Float64Array(width);
  for (let a = 0; a < height; a++) {
    for (let b = 0; b < width; b++) {
      const share = shares[a * width + b]!;
      down[a]! += share;
      across[b]! += share;
    }
  }
  const r = down.reduce((count, share) => count + Number(share > 0), 0);
  const c = across.reduce((count, share) => count + Number(share > 0), 0);
  if (r < 2 || c < 2 || rows < 2) return 0;

  // φ² = Σ p²/(p_a p_b) − 1; pairs of cells that never meet add nothing to the sum.
  let phi2 = -1;
  for (let a = 0; a < height; a++) {
    for (let b = 0; b < width; b++) {
      const share = shares[a * width + b]!;
      if (share > 0) phi2 += (share * share) / (down[a]! * across[b]!);
    }
  }
  const corrected = Math.max(0, phi2 - ((r - 1) * (c - 1)) / (rows - 1));
  const rCorrected = r - (r - 1) ** 2 / (rows - 1);
  const cCorrected = c - (c - 1) ** 2 / (rows - 1);
  const scale = Math.min(rCorrected - 1, cCorrected - 1);
  return scale > 0 ? Math.min(1, Math.sqrt(corrected / scale)) : 0;
}

/** Cramér's V of every pair of columns, columns × columns, symmetric, ones on the diagonal. */
export function associationMatrix(counts: JointCounts): number[][] {
  const sizes = counts.columns.map(({ labels }) => labels.length);
  return associationBetween(sizes, (i, j) => counts.pair(i, j), counts.rows);
}

/** The same of pairs from anywhere: `pair` gives the joint shares of columns i < j, `sizes[i]` × `sizes[j]`. */
export function associationBetween(
  sizes: readonly number[],
  pair: (i: number, j: number) => Float64Array,
  rows: number,
): number[][] {
  const matrix = sizes.map((_, i) => sizes.map((__, j) => Number(i === j)));
  for (let i = 0; i < sizes.length; i++) {
    for (let j = i + 1; j < sizes.length; j++) {
      const v = cramersV(pair(i, j), sizes[i]!, sizes[j]!, rows);
      matrix[i]![j] = v;
      matrix[j]![i] = v;
    }
  }
  return matrix;
}
