import type { Row } from '../synthesis/synthesizer.js';
import type { ColumnCells } from './cells.js';

export type Rows = Iterable<Row> | AsyncIterable<Row>;

/**
 * All 1-way and 2-way counts of a table at once: one symmetric matrix over the cells of all columns side by side
 * (the Burt table of multiple correspondence analysis). The diagonal holds the 1-way counts. Memory is the square
 * of the number of cells, whatever the number of rows.
 */
export class JointCounts {
  /** Rows counted; rows with a value outside the schema are in `invalidRows` only. */
  rows = 0;
  invalidRows = 0;
  /** Values outside the schema by column, for the message that says where. */
  readonly invalidValues: Uint32Array;
  private readonly offsets: Int32Array;
  private readonly total: number;
  private readonly counts: Float64Array;
  private readonly current: Int32Array;

  constructor(readonly columns: readonly ColumnCells[]) {
    this.offsets = new Int32Array(columns.length);
    let total = 0;
    for (const [index, column] of columns.entries()) {
      this.offsets[index] = total;
      total += column.labels.length;
    }
    this.total = total;
    this.counts = new Float64Array(total * total);
    this.current = new Int32Array(columns.length);
    this.invalidValues = new Uint32Array(columns.length);
  }

  /** False when the row has a value outside the schema; it is then not counted in any cell. */
  add(row: Row): boolean {
    const { columns, current } = this;
    let valid = true;
    for (let i = 0; i < columns.length; i++) {
      const column = columns[i]!;
      const cell = column.cellOf(row[column.name]);
      if (cell < 0) {
        this.invalidValues[i]!++;
        valid = false;
      }
      current[i] = cell;
    }
    if (valid) this.addCells(current);
    else this.invalidRows++;
    return valid;
  }

  /** One row given as its cells, column by column. */
  addCells(cells: Int32Array): void {
    const { offsets, total, counts } = this;
    for (let i = 0; i < cells.length; i++) {
      const base = (offsets[i]! + cells[i]!) * total;
      for (let j = 0; j < cells.length; j++) counts[base + offsets[j]! + cells[j]!]!++;
    }
    this.rows++;
  }

  /** Shares of column `i`'s cells; they add up to 1, or are all 0 in an empty table. */
  marginal(i: number): Float64Array {
    const start = this.offsets[i]!;
    const shares = new Float64Array(this.columns[i]!.labels.length);
    for (let a = 0; a < shares.length; a++) {
      shares[a] = this.counts[(start + a) * this.total + start + a]! / (this.rows || 1);
    }
    return shares;
  }

  /** Shares of the cells of columns `i` and `j`, row-major, |cells of i| × |cells of j|. */
  pair(i: number, j: number): Float64Array {
    const height = this.columns[i]!.labels.length;
    const width = this.columns[j]!.labels.length;
    const shares = new Float64Array(height * width);
    for (let a = 0; a < height; a++) {
      const base = (this.offsets[i]! + a) * this.total + this.offsets[j]!;
      for (let b = 0; b < width; b++) shares[a * width + b] = this.counts[base + b]! / (this.rows || 1);
    }
    return shares;
  }
}

/** ½ Σ |pᵢ − qᵢ|: the largest difference of probability over all sets of cells; 0 equal, 1 disjoint. */
export function totalVariation(p: Float64Array, q: Float64Array): number {
  if (p.length !== q.length) throw new RangeError(`totalVariation: ${p.length} cells against ${q.length}`);
  let sum = 0;
  for (let i = 0; i < p.length; i++) sum += Math.abs(p[i]! - q[i]!);
  return sum / 2;
}
