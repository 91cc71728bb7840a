import { type BinnedFeatures, type FeatureBinning, STATISTICS } from './features.js';
import { bestSplit, type Split } from './treeSplit.js';

/**
 * Gradient boosting of the logistic loss over histograms: Friedman 2001 ("Greedy Function Approximation", Algorithm 5, with the
 * Newton leaves of Friedman, Hastie, Tibshirani 2000) grown leaf by leaf as in LightGBM (Ke et al. 2017). No library on npm does this
 * fast without a native build. The parameters are the usual defaults and fixed for every table: nothing is tuned, so nothing can be
 * tuned on test rows (hazard D9).
 */
export const BOOSTING = {
  iterations: 100,
  learningRate: 0.1,
  leaves: 31,
  /** Below so many rows in a leaf a split is not made. */
  rowsInLeaf: 20,
} as const;

/** P(positive) of each row. */
export type Scorer = (features: BinnedFeatures) => Float64Array;

interface TreeNode {
  /** Of a leaf; added to the log-odds. */
  value: number;
  split?: Split;
  left?: TreeNode;
  right?: TreeNode;
}

/** A node that may still be split: its rows lie at [from, to) of the order. */
interface OpenNode {
  readonly node: TreeNode;
  readonly from: number;
  readonly to: number;
  readonly histogram: Float64Array;
  readonly split: Split | undefined;
}

/** Time is iterations × rows × features × about half the depth. Equal input, equal model: nothing is drawn. */
export function fitBoostedTrees(
  binning: FeatureBinning,
  features: BinnedFeatures,
  positive: Uint8Array,
): Scorer {
  const { rows } = features;
  const share = positive.reduce((sum, one) => sum + one, 0) / rows;
  // With one class only there is nothing to learn.
  if (!(share > 0 && share < 1)) return (other) => new Float64Array(other.rows).fill(share > 0 ? 1 : 0);
  const start = Math.log(share / (1 - share));
  const logOdds = new Float64Array(rows).fill(start);
  const gradients = new Float64Array(rows);
  const hessians = new Float64Array(rows);
  const cells = histogramCells(binning, features);
  const trees: TreeNode[] = [];
  for (let iteration = 0; iteration < BOOSTING.iterations; iteration++) {
    for (let row = 0; row < rows; row++) {
      const p = 1 / (1 + Math.exp(-logOdds[row]!));
      gradients[row] = p - positive[row]!;
      hessians[row] = p * (1 - p);
    }
    trees.push(growTree(binning, features, cells, gradients, hessians, logOdds));
  }
  return (other) => {
    const scores = new Float64Array(other.rows).fill(start);
    for (const tree of trees)
      for (let row = 0; row < other.rows; row++) scores[row]! += leafOf(tree, other.columns, row).value;
    return scores.map((score) => 1 / (1 + Math.exp(-score)));
  };
}

/** Where a row's bins lie in a histogram, row by row: what is next to each other in memory is used together. */
interface HistogramCells {
  /** rows × features. */
  readonly indices: Uint32Array;
  /** Of each feature's first bin. */
  readonly offsets: readonly number[];
  /** Bins of all features. */
  readonly width: number;
  /** 0 … rows − 1. */
  readonly rows: Uint32Array;
}

function histogramCells({ bins }: FeatureBinning, { rows, columns }: BinnedFeatures): HistogramCells {
  const offsets = bins.map((_, f) => STATISTICS * bins.slice(0, f).reduce((sum, count) => sum + count, 0));
  const indices = new Uint32Array(rows * columns.length);
  for (const [f, column] of columns.entries())
    for (let row = 0; row < rows; row++)
      indices[row * columns.length + f] = offsets[f]! + STATISTICS * column[row]!;
  const width = bins.reduce((sum, count) => sum + count, 0);
  return { indices, offsets, width, rows: Uint32Array.from({ length: rows }, (_, i) => i) };
}

/** Adds the tree's values to `logOdds` of the rows it was grown on. */
function growTree(
  binning: FeatureBinning,
  features: BinnedFeatures,
  cells: HistogramCells,
  gradients: Float64Array,
  hessians: Float64Array,
  logOdds: Float64Array,
): TreeNode {
  const { rows, columns } = features;
  const order = cells.rows.slice();
  const histogramOf = (from: number, to: number): Float64Array => {
    const histogram = new Float64Array(STATISTICS * cells.width);
    countCells(histogram, cells.indices, columns.length, order, from, to, gradients, hessians);
    return histogram;
  };
  const open = (node: TreeNode, from: number, to: number, histogram: Float64Array): OpenNode => {
    const split =
      to - from < 2 * BOOSTING.rowsInLeaf
        ? undefined
        : bestSplit(histogram, binning, cells.offsets, BOOSTING.rowsInLeaf);
    return { node, from, to, histogram, split };
  };

  const root: TreeNode = { value: 0 };
  let nodes = [open(root, 0, rows, histogramOf(0, rows))];
  while (nodes.length < BOOSTING.leaves) {
    const best = nodes.reduce((a, b) => ((b.split?.gain ?? 0) > (a.split?.gain ?? 0) ? b : a));
    if (best.split === undefined) break;
    const { node, from, to, split } = best;
    const middle = partition(order, from, to, columns[split.feature]!, split);
    node.split = split;
    node.left = { value: 0 };
    node.right = { value: 0 };
    // Only the smaller child is counted; the other one is what is left of the parent.
    const leftIsSmaller = middle - from <= to - middle;
    const counted = leftIsSmaller ? histogramOf(from, middle) : histogramOf(middle, to);
    const rest = best.histogram;
    for (let i = 0; i < rest.length; i++) rest[i]! -= counted[i]!;
    const [left, right] = leftIsSmaller ? [counted, rest] : [rest, counted];
    nodes = nodes.filter((other) => other !== best);
    nodes.push(open(node.left, from, middle, left), open(node.right, middle, to, right));
  }
  for (const { node, from, to } of nodes) {
    let [gradient, hessian] = [0, 0];
    for (let i = from; i < to; i++) {
      gradient += gradients[order[i]!]!;
      hessian += hessians[order[i]!]!;
    }
    node.value = (-BOOSTING.learningRate * gradient) / Math.max(hessian, 1e-12);
    for (let i = from; i < to; i++) logOdds[order[i]!]! += node.value;
  }
  return root;
}

/** The innermost loop, by itself so that it is compiled by itself. */
function countCells(
  histogram: Float64Array,
  cells: Uint32Array,
  features: number,
  order: Uint32Array,
  from: number,
  to: number,
  gradients: Float64Array,
  hessians: Float64Array,
): void {
  for (let i = from; i < to; i++) {
    const row = order[i]!;
    const gradient = gradients[row]!;
    const hessian = hessians[row]!;
    const end = (row + 1) * features;
    for (let k = row * features; k < end; k++) {
      const at = cells[k]!;
      histogram[at]! += gradient;
      histogram[at + 1]! += hessian;
      histogram[at + 2]! += 1;
    }
  }
}

/** Reorders rows [from, to) so that those that go left come first, each side in its old order; where the right side begins. */
function partition(order: Uint32Array, from: number, to: number, column: Uint8Array, split: Split): number {
  const right = new Uint32Array(to - from);
  let [lefts, rights] = [from, 0];
  for (let i = from; i < to; i++) {
    const row = order[i]!;
    if (split.left[column[row]!] === 1) order[lefts++] = row;
    else right[rights++] = row;
  }
  order.set(right.subarray(0, rights), lefts);
  return lefts;
}

function leafOf(tree: TreeNode, columns: readonly Uint8Array[], row: number): TreeNode {
  let node = tree;
  while (node.split !== undefined)
    node = node.split.left[columns[node.split.feature]![row]!] === 1 ? node.left! : node.right!;
  return node;
}
