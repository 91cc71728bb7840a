/**
 * Logistic regression on one-hot features, the same for everybody who has the same rows: what a simple model learns of a label
 * from the synthetic table. Trained on synthetic rows alone, so it costs nothing and may be published.
 */

const STEPS = 300;
/** Ridge on each coefficient, in rows: as if one row of each feature had told nothing. */
const RIDGE = 1;

/**
 * One coefficient for each feature. There is no intercept: every row has exactly one feature of each column, so the columns' own
 * coefficients hold it, and ranks need none.
 *
 * Nesterov's method (1983) on the diagonal majorizer of the loss: the Hessian is at most XᵀX/4 (Böhning, Lindsay 1988), and with d
 * ones in each row XᵀX ≼ d·diag(XᵀX) by Cauchy and Schwarz. A rare feature is so learnt as fast as a frequent one.
 * @param features `rows × columns`, index of the one feature of each column among all, row-major.
 * @param isPositive of each row.
 * @param width Features of all columns together.
 */
export function trainClassifier(
  features: Uint32Array,
  columns: number,
  isPositive: Uint8Array,
  width: number,
): Float64Array {
  const rows = isPositive.length;
  const step = new Float64Array(width);
  for (const feature of features) step[feature] = (step[feature] as number) + 1;
  for (let j = 0; j < width; j++) step[j] = 1 / ((columns * (step[j] as number)) / 4 + RIDGE);
  let current = new Float64Array(width);
  let ahead = new Float64Array(width);
  const gradient = new Float64Array(width);
  for (let k = 0; k < STEPS; k++) {
    for (let j = 0; j < width; j++) gradient[j] = RIDGE * (ahead[j] as number);
    for (let row = 0; row < rows; row++) {
      const first = row * columns;
      let score = 0;
      for (let c = first; c < first + columns; c++) score += ahead[features[c] as number] as number;
      const residual = 1 / (1 + Math.exp(-score)) - (isPositive[row] as number);
      for (let c = first; c < first + columns; c++) {
        const j = features[c] as number;
        gradient[j] = (gradient[j] as number) + residual;
      }
    }
    const next = new Float64Array(width);
    const momentum = k / (k + 3);
    const beyond = new Float64Array(width);
    for (let j = 0; j < width; j++) {
      next[j] = (ahead[j] as number) - (step[j] as number) * (gradient[j] as number);
      beyond[j] = (next[j] as number) + momentum * ((next[j] as number) - (current[j] as number));
    }
    current = next;
    ahead = beyond;
  }
  return current;
}

/** Edges of `bins` bins that hold about equally many of the scores. Sorts `scores`. */
export function edgesOf(scores: Float64Array, bins: number): number[] {
  scores.sort();
  return Array.from(
    { length: bins - 1 },
    (_, k) => scores[Math.min(scores.length - 1, Math.floor((scores.length * (k + 1)) / bins))] as number,
  );
}

/** Bin 0 … edges.length: edges that are at most the score. What is no number is in the first. */
export function binOf(score: number, edges: readonly number[]): number {
  let low = 0;
  let high = edges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((edges[middle] as number) <= score) low = middle + 1;
    else high = middle;
  }
  return low;
}
