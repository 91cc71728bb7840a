import { type DirectTerm, formsPerRecord, type GradientTerm, type ProductTerm } from './terms.js';

/** A product whose per-record gradient is smaller than its T × T inner products, formed; any other term as it was. */
export function formedIfSmall(term: GradientTerm, records: number): GradientTerm {
  return term.kind === 'product' && formsPerRecord(term.rows, term.left, term.right)
    ? perRecordGradients(term, records)
    : term;
}

/**
 * ∇ᵢ = Σ_t a_t g_tᵀ for each record, in float64, then float32. Here and not in the engine: these are many products of a few
 * hundred thousand multiplications, each of which costs WebAssembly 70 µs and more for 100 µs here (145 × 49 × 32: a call
 * packs its right factor anew, and its batched kernel is the naive one).
 */
function perRecordGradients(
  { offset, rows, left, right, bias, a, g }: ProductTerm,
  records: number,
): DirectTerm {
  const height = left + (bias ? 1 : 0);
  const size = height * right;
  const values = new Float32Array(records * size);
  // Both factors in strips, so that a tile of 2 × 4 sums reads both from one end to the other; zeros fill the last strip.
  const stripsOfA = new Float64Array((height + (height % 2)) * rows);
  const stripsOfG = new Float64Array(4 * Math.ceil(right / 4) * rows);
  if (bias) for (let t = 0; t < rows; t++) stripsOfA[stripIndex(t, left, rows, 2)] = 1;
  for (let record = 0; record < records; record++) {
    intoStrips(a, record * rows * left, left, rows, 2, stripsOfA);
    intoStrips(g, record * rows * right, right, rows, 4, stripsOfG);
    const start = record * size;
    for (let i = 0; i < height; i += 2)
      for (let j = 0; j < right; j += 4) {
        let a0 = 0;
        let a1 = 0;
        let a2 = 0;
        let a3 = 0;
        let b0 = 0;
        let b1 = 0;
        let b2 = 0;
        let b3 = 0;
        for (let p = i * rows, q = j * rows, end = p + 2 * rows; p < end; p += 2, q += 4) {
          const upper = stripsOfA[p] as number;
          const lower = stripsOfA[p + 1] as number;
          const g0 = stripsOfG[q] as number;
          const g1 = stripsOfG[q + 1] as number;
          const g2 = stripsOfG[q + 2] as number;
          const g3 = stripsOfG[q + 3] as number;
          a0 += upper * g0;
          a1 += upper * g1;
          a2 += upper * g2;
          a3 += upper * g3;
          b0 += lower * g0;
          b1 += lower * g1;
          b2 += lower * g2;
          b3 += lower * g3;
        }
        const columns = right - j;
        const at = start + i * right + j;
        values[at] = a0;
        if (columns > 1) values[at + 1] = a1;
        if (columns > 2) values[at + 2] = a2;
        if (columns > 3) values[at + 3] = a3;
        if (i + 1 === height) continue;
        values[at + right] = b0;
        if (columns > 1) values[at + right + 1] = b1;
        if (columns > 2) values[at + right + 2] = b2;
        if (columns > 3) values[at + right + 3] = b3;
      }
  }
  return { kind: 'direct', offset, size, values };
}

/** Row t, column j of a matrix that is stored in strips of `width` columns, each row by row. */
function stripIndex(t: number, j: number, rows: number, width: number): number {
  return (j - (j % width)) * rows + t * width + (j % width);
}

function intoStrips(
  from: Float32Array,
  start: number,
  columns: number,
  rows: number,
  width: number,
  to: Float64Array,
): void {
  for (let first = 0; first < columns; first += width) {
    const count = Math.min(width, columns - first);
    for (let t = 0; t < rows; t++)
      for (let j = 0; j < count; j++)
        to[first * rows + t * width + j] = from[start + t * columns + first + j] as number;
  }
}
