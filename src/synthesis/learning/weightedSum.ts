import type { LearningEngine } from '../engine.js';
import type { ExactSum } from './exactSum.js';
import { eachTableRow } from './norms.js';
import { ROWS } from './sensitivity.js';
import type { DirectTerm, GradientTerm, ProductTerm, ScatterTerm } from './terms.js';

/**
 * Adds Σ factorᵢ ∇ᵢ over the records of consecutive slots, `sizes` records each. A record of factor 0 adds nothing, not even its NaNs:
 * 0 · NaN would spoil everybody else's (hazard P5).
 */
export function addWeighted(
  engine: LearningEngine,
  term: GradientTerm,
  sizes: readonly number[],
  factors: Float64Array,
  sum: ExactSum,
): void {
  if (term.kind === 'product') addProducts(engine, term, sizes, factors, sum);
  else addOneByOne(term, factors, sum);
}

function addOneByOne(term: DirectTerm | ScatterTerm, factors: Float64Array, sum: ExactSum): void {
  factors.forEach((factor, record) => {
    if (factor === 0) return;
    if (term.kind === 'direct') sum.add(term.offset, term.values, record * term.size, term.size, factor);
    else
      eachTableRow(term, record, (id, row) => {
        sum.add(term.offset + id * term.width, row, 0, term.width, factor);
      });
  });
}

/** Aᵀ(c∘G) over the rows of a slot, at most ROWS at a time. */
function addProducts(
  engine: LearningEngine,
  term: ProductTerm,
  sizes: readonly number[],
  factors: Float64Array,
  sum: ExactSum,
): void {
  let products: Float32Array[] = [];
  let start = 0;
  for (const size of sizes)
    for (const end = start + size * term.rows; start < end; ) {
      const length = Math.min(ROWS, end - start);
      products.push(weightedProduct(engine, term, start, length, factors));
      start += length;
      const [a, b, c, d] = products;
      if (a === undefined || b === undefined || c === undefined || d === undefined) continue;
      sum.addFour(term.offset, [a, b, c, d]);
      products = [];
    }
  for (const product of products) sum.add(term.offset, product, 0, product.length);
}

/**
 * A is turned by copying: a transpose flag makes WebAssembly's product ten times slower (its fast path takes plain products
 * alone).
 */
function weightedProduct(
  engine: LearningEngine,
  { rows, left, right, bias, a, g }: ProductTerm,
  start: number,
  length: number,
  factors: Float64Array,
): Float32Array {
  const height = left + (bias ? 1 : 0);
  const turned = new Float32Array(height * length);
  const scaled = new Float32Array(length * right);
  for (let row = 0; row < length; row++) {
    const factor = factors[Math.floor((start + row) / rows)] as number;
    if (factor === 0) continue;
    for (let i = 0, from = (start + row) * left, to = row; i < left; i++, to += length)
      turned[to] = a[from + i] as number;
    for (let j = 0, from = (start + row) * right, to = row * right; j < right; j++)
      scaled[to + j] = factor * (g[from + j] as number);
  }
  if (bias) turned.fill(1, left * length);
  return engine.multiply(
    { rows: height, columns: length, data: turned },
    { rows: length, columns: right, data: scaled },
  );
}
