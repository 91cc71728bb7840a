import { seededRng, uniforms } from '../synthesis/randomness.js';
import { JointCounts } from './jointCounts.js';

/** Random numbers drawn at once. */
const BATCH_ROWS = 1024;

/**
 * The yardstick 'independent columns': `rows` rows whose columns are drawn independently from the real 1-way
 * marginals. Nothing that keeps the columns' distributions and no relation between them does better, so a generator
 * worth its ε should come below it on pairs. Equal seed, equal rows.
 */
export function independentColumns(real: JointCounts, rows: number, seed: Uint8Array): JointCounts {
  const sampled = new JointCounts(real.columns);
  const cumulative = real.columns.map((_, i) => cumulate(real.marginal(i)));
  const rng = seededRng(seed, 'independent columns');
  const cells = new Int32Array(real.columns.length);
  for (let done = 0; done < rows; done += BATCH_ROWS) {
    const batch = Math.min(BATCH_ROWS, rows - done);
    const draws = uniforms(rng, batch * cells.length);
    for (let row = 0; row < batch; row++) {
      for (let i = 0; i < cells.length; i++) {
        const sums = cumulative[i]!;
        let cell = 0;
        while (draws[row * cells.length + i]! >= sums[cell]!) cell++;
        cells[i] = cell;
      }
      sampled.addCells(cells);
    }
  }
  return sampled;
}

/** Running sums, 1 from the last cell with any mass on: rounding may leave them at 1 − 1e-16. */
function cumulate(shares: Float64Array): Float64Array {
  let sum = 0;
  const last = shares.findLastIndex((share) => share > 0);
  return shares.map((share, cell) => (cell >= last ? 1 : (sum += share)));
}
