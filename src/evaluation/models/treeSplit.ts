import { type FeatureBinning, MAX_FEATURE_BINS, STATISTICS } from './features.js';

/** A question to one feature: rows whose bin has a 1 in `left` go left. */
export interface Split {
  readonly feature: number;
  readonly gain: number;
  readonly left: Uint8Array;
}

/** A split with less Hessian on a side is unstable. */
const LEAST_HESSIAN = 1e-3;
/** Added to the Hessian of a category where categories are put into an order, and the rows below which one is left out of it. */
const CATEGORY_SMOOTHING = 10;
const CATEGORY_ROWS = 10;

/**
 * The split of largest gain G_L²/H_L + G_R²/H_R − G²/H (Chen, Guestrin 2016, eq. 7, λ = 0), or undefined if none gains. The categories
 * of a feature are ordered by gradient over Hessian, which finds their best division into two sets (Fisher 1958; Ke et al. 2017).
 */
export function bestSplit(
  histogram: Float64Array,
  { categorical, bins }: FeatureBinning,
  offsets: readonly number[],
  rowsInLeaf: number,
): Split | undefined {
  let [gradient, hessian, rows] = [0, 0, 0];
  for (let bin = 0; bin < bins[0]!; bin++) {
    gradient += histogram[STATISTICS * bin]!;
    hessian += histogram[STATISTICS * bin + 1]!;
    rows += histogram[STATISTICS * bin + 2]!;
  }
  const whole = (gradient * gradient) / Math.max(hessian, LEAST_HESSIAN);
  let bestGain = 1e-9;
  let best:
    | { readonly feature: number; readonly sequence: readonly number[]; readonly taken: number }
    | undefined;
  for (let feature = 0; feature < bins.length; feature++) {
    const base = offsets[feature]!;
    const sequence = categorical[feature]!
      ? categoriesInOrder(histogram, base, bins[feature]!)
      : ordered(bins[feature]!);
    let [g, h, n] = [0, 0, 0];
    for (let taken = 1; taken <= sequence.length; taken++) {
      const at = base + STATISTICS * sequence[taken - 1]!;
      g += histogram[at]!;
      h += histogram[at + 1]!;
      n += histogram[at + 2]!;
      if (n < rowsInLeaf || h < LEAST_HESSIAN) continue;
      if (rows - n < rowsInLeaf || hessian - h < LEAST_HESSIAN) break;
      const gain = (g * g) / h + (gradient - g) ** 2 / (hessian - h) - whole;
      if (gain > bestGain) {
        bestGain = gain;
        best = { feature, sequence, taken };
      }
    }
  }
  if (best === undefined) return undefined;
  const left = new Uint8Array(MAX_FEATURE_BINS);
  for (const bin of best.sequence.slice(0, best.taken)) left[bin] = 1;
  return { feature: best.feature, gain: bestGain, left };
}

const SEQUENCES: (readonly number[])[] = [];
function ordered(bins: number): readonly number[] {
  return (SEQUENCES[bins] ??= Array.from({ length: bins }, (_, bin) => bin));
}

/** Rare categories, and those that training never met, are in no sequence: they go right. */
function categoriesInOrder(histogram: Float64Array, base: number, bins: number): number[] {
  const ratio = (bin: number): number =>
    histogram[base + STATISTICS * bin]! / (histogram[base + STATISTICS * bin + 1]! + CATEGORY_SMOOTHING);
  const frequent = ordered(bins).filter((bin) => histogram[base + STATISTICS * bin + 2]! >= CATEGORY_ROWS);
  return frequent.sort((a, b) => ratio(a) - ratio(b));
}
