import { isId } from './embedding.js';
import type { DirectTerm, GradientTerm, ProductTerm, ScatterTerm } from './terms.js';

/**
 * By record. `squared` is an upper bound of ‖∇ᵢ‖², above it by less than 2⁻³⁰ of itself unless rows cancel; NaN or infinite for a
 * record with a number that is not finite. `absolute` is Σ R² over the products, R = Σ_t ‖a_t‖‖g_t‖ (sensitivity.ts).
 */
export interface Norms {
  readonly squared: Float64Array;
  readonly absolute: Float64Array;
}

export function normsOf(terms: readonly GradientTerm[], records: number): Norms {
  const norms = { squared: new Float64Array(records), absolute: new Float64Array(records) };
  for (const term of terms) {
    if (term.kind === 'direct') addDirect(term, norms);
    else if (term.kind === 'scatter') addScatter(term, norms);
    else if (term.rows === 1) addOuter(term, norms);
    else addProduct(term, norms);
  }
  return norms;
}

/** So that c·g of a record whose c·a·g counts is no subnormal float32. Inputs this long are not a model's. */
const LONGEST_SQUARED = 2 ** 128;

/** T = 1: ‖a gᵀ‖ = ‖a‖‖g‖. */
function addOuter({ left, right, bias, a, g }: ProductTerm, { squared, absolute }: Norms): void {
  for (let record = 0; record < squared.length; record++) {
    const byInput = squaredLength(a, record * left, left) + (bias ? 1 : 0);
    const norm = byInput <= LONGEST_SQUARED ? byInput * squaredLength(g, record * right, right) : Number.NaN;
    squared[record]! += norm;
    absolute[record]! += norm;
  }
}

/** Σ_{s,t} (a_s·a_t + 1)(g_s·g_t), cross terms included (hazard P20), plus what float64 may have lost of it. */
function addProduct({ rows, left, right, bias, a, g }: ProductTerm, { squared, absolute }: Norms): void {
  const lost = (left + right + rows * rows + 8) * 2 ** -52;
  const one = bias ? 1 : 0;
  for (let record = 0; record < squared.length; record++) {
    let sum = 0;
    let lengths = 0;
    for (let s = record * rows, end = s + rows, first = s; s < end; s++) {
      for (let t = first; t < s; t++)
        sum += 2 * (dot(a, s * left, t * left, left) + one) * dot(g, s * right, t * right, right);
      const byInput = dot(a, s * left, s * left, left) + one;
      const square = byInput <= LONGEST_SQUARED ? byInput * dot(g, s * right, s * right, right) : Number.NaN;
      sum += square;
      lengths += Math.sqrt(square);
    }
    squared[record]! += Math.max(0, sum) + lost * lengths ** 2;
    absolute[record]! += lengths ** 2;
  }
}

function addDirect({ size, values }: DirectTerm, { squared }: Norms): void {
  for (let record = 0; record < squared.length; record++)
    squared[record]! += squaredLength(values, record * size, size);
}

function addScatter(term: ScatterTerm, { squared }: Norms): void {
  for (let record = 0; record < squared.length; record++) {
    let sum = 0;
    for (let t = record * term.rows; t < (record + 1) * term.rows; t++)
      if (!isId(term.ids[t] as number, term.vocabulary)) sum = Number.NaN;
    eachTableRow(term, record, (_id, row) => {
      for (const value of row) sum += value * value;
    });
    squared[record]! += sum;
  }
}

/**
 * The rows of the table that a record changes, each with its whole change: an id that comes twice has one (hazard P20, shared
 * weights). The row is valid during the call.
 */
export function eachTableRow(
  { rows, width, ids, g }: ScatterTerm,
  record: number,
  use: (id: number, row: Float64Array) => void,
): void {
  const first = record * rows;
  const places = Array.from({ length: rows }, (_, t) => first + t).sort(
    (s, t) => (ids[s] as number) - (ids[t] as number) || s - t,
  );
  const row = new Float64Array(width);
  places.forEach((place, i) => {
    for (let j = 0; j < width; j++) row[j]! += g[place * width + j] as number;
    const id = ids[place] as number;
    if (ids[places[i + 1] ?? -1] === id) return;
    use(id, row);
    row.fill(0);
  });
}

/** In float64, in four running sums: one alone would wait for each addition. */
function dot(values: Float32Array, left: number, right: number, length: number): number {
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  let i = 0;
  for (; i + 3 < length; i += 4) {
    a += (values[left + i] as number) * (values[right + i] as number);
    b += (values[left + i + 1] as number) * (values[right + i + 1] as number);
    c += (values[left + i + 2] as number) * (values[right + i + 2] as number);
    d += (values[left + i + 3] as number) * (values[right + i + 3] as number);
  }
  for (; i < length; i++) a += (values[left + i] as number) * (values[right + i] as number);
  return a + b + (c + d);
}

function squaredLength(values: Float32Array, start: number, length: number): number {
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  let i = start;
  const end = start + length;
  for (; i + 3 < end; i += 4) {
    const v = values[i] as number;
    const w = values[i + 1] as number;
    const x = values[i + 2] as number;
    const y = values[i + 3] as number;
    a += v * v;
    b += w * w;
    c += x * x;
    d += y * y;
  }
  for (; i < end; i++) a += (values[i] as number) ** 2;
  return a + b + (c + d);
}
