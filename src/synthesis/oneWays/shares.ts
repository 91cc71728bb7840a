import type { Block, TableEncoding } from '../table/encoding.js';
import { settledCounts } from '../table/settledCounts.js';
import { byColumn, type OneWays } from './oneWays.js';

/**
 * The number of records: each column's counts add up to an unbiased estimate of it; weighted by their inverse variances, which is the
 * unbiased estimate of least variance. At least 1.
 */
export function totalOf({ blocks }: TableEncoding, { counts, variances }: OneWays): number {
  let weighted = 0;
  let precisions = 0;
  blocks.forEach(({ start, cells }, column) => {
    const precision = 1 / (cells * (variances[column] as number));
    for (let k = start; k < start + cells; k++) weighted += precision * (counts[k] as number);
    precisions += precision;
  });
  return Math.max(1, weighted / precisions);
}

/** By column, the share of each of its cells: none negative, 1 in all. One array for all columns, length `fine.width`. */
export function sharesOf(fine: TableEncoding, ones: OneWays): Float64Array {
  const total = totalOf(fine, ones);
  const shares = new Float64Array(fine.width);
  byColumn(fine, ones).forEach((one, column) => {
    const block = fine.blocks[column] as Block;
    shares.set(nearestShares(settledCounts(block, one), total), block.start);
  });
  return shares;
}

/** `nearestCounts` over `total`. */
export function nearestShares(counts: Float64Array, total: number): Float64Array {
  return nearestCounts(counts, total).map((count) => count / total);
}

/**
 * The point of {x ≥ 0, Σx = total} that is nearest to the counts: x = max(0, count − τ) (Held, Wolfe, Crowder 1974). As
 * "Norm-Sub" it is among the best of ten ways to make noisy counts consistent in Wang et al. 2020 (NDSS): what noise
 * adds to empty cells is taken off all, instead of being kept where it is positive.
 */
export function nearestCounts(counts: Float64Array, total: number): Float64Array {
  const descending = counts.toSorted().reverse();
  let sum = 0;
  let threshold = 0;
  for (let k = 0; k < descending.length; k++) {
    sum += descending[k] as number;
    const candidate = (sum - total) / (k + 1);
    if ((descending[k] as number) <= candidate) break;
    threshold = candidate;
  }
  return counts.map((count) => Math.max(0, count - threshold));
}

/** Running sums of one column's shares, 1 from the last cell that has any: rounding leaves them at 1 − 1e-16. */
export function cumulated(shares: Float64Array): Float64Array {
  const last = shares.findLastIndex((share) => share > 0);
  let below = 0;
  return shares.map((share, cell) => {
    below += share;
    return cell >= last ? 1 : Math.min(1, below);
  });
}

/** The first index whose value is above `x`; the last where none is. `ascending` is not empty. */
export function firstAbove(ascending: Float64Array, x: number): number {
  let low = 0;
  let high = ascending.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ascending[middle] as number) > x) high = middle;
    else low = middle + 1;
  }
  return low;
}
