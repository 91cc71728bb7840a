import { minimize } from './lbfgs.js';

/**
 * A design matrix with one non-zero entry a row in each block: `index` is the entry's column, `value` its value (1 where `value` is
 * left out). A one-hot column is a block; so is a number with its own column, and a missing one with another.
 */
export interface DesignBlock {
  readonly index: Uint32Array;
  readonly value?: Float64Array;
}

export interface Design {
  readonly rows: number;
  /** Columns, without the intercept. */
  readonly width: number;
  readonly blocks: readonly DesignBlock[];
}

/** L2 penalty ½‖w‖² beside the summed loss, as is usual (C = 1); the intercept is free. Fixed, never tuned (hazard D9). */
export const LOGISTIC = { penalty: 1, iterations: 200, tolerance: 1e-4 } as const;

/** Weights and, last, the intercept. */
export function fitLogisticRegression(
  design: Design,
  positive: Uint8Array,
  { penalty, tolerance }: { readonly penalty: number; readonly tolerance: number } = LOGISTIC,
): Float64Array {
  const { rows, width } = design;
  const odds = new Float64Array(rows);
  const weights = minimize(
    (w, gradient) => {
      linear(design, w, odds);
      gradient.fill(0);
      let loss = 0;
      for (let row = 0; row < rows; row++) {
        const z = odds[row]!;
        // log(1 + e^z) − y·z, without overflow.
        loss += Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z))) - positive[row]! * z;
        odds[row] = 1 / (1 + Math.exp(-z)) - positive[row]!;
        gradient[width]! += odds[row]!;
      }
      for (const { index, value } of design.blocks) {
        addTransposed(gradient, index, value, odds);
      }
      for (let i = 0; i < width; i++) {
        loss += (penalty / 2) * w[i]! * w[i]!;
        gradient[i]! += penalty * w[i]!;
      }
      // Per row, so that the tolerance means the same for every table.
      for (let i = 0; i <= width; i++) gradient[i]! /= rows;
      return loss / rows;
    },
    new Float64Array(width + 1),
    { iterations: LOGISTIC.iterations, tolerance, diagonal: curvatures(design, penalty) },
  );
  return weights;
}

/** The Hessian's diagonal at weights of zero, where p(1 − p) is ¼: Σ x²/4 and the penalty, per row. */
function curvatures({ rows, width, blocks }: Design, penalty: number): Float64Array {
  const sums = new Float64Array(width + 1).fill(penalty);
  sums[width] = rows / 4;
  for (const { index, value } of blocks)
    for (let row = 0; row < rows; row++) sums[index[row]!]! += (value?.[row] ?? 1) ** 2 / 4;
  return sums.map((sum) => sum / rows);
}

/** P(positive) of each row. */
export function logisticScores(design: Design, weights: Float64Array): Float64Array {
  const odds = new Float64Array(design.rows);
  linear(design, weights, odds);
  return odds.map((z) => 1 / (1 + Math.exp(-z)));
}

function linear({ rows, width, blocks }: Design, weights: Float64Array, out: Float64Array): void {
  out.fill(weights[width]!);
  for (const { index, value } of blocks) {
    if (value === undefined) for (let row = 0; row < rows; row++) out[row]! += weights[index[row]!]!;
    else for (let row = 0; row < rows; row++) out[row]! += weights[index[row]!]! * value[row]!;
  }
}

function addTransposed(
  gradient: Float64Array,
  index: Uint32Array,
  value: Float64Array | undefined,
  residuals: Float64Array,
): void {
  if (value === undefined)
    for (let row = 0; row < index.length; row++) gradient[index[row]!]! += residuals[row]!;
  else for (let row = 0; row < index.length; row++) gradient[index[row]!]! += residuals[row]! * value[row]!;
}
