import { cellsIn, type Domain } from './domain.js';

/**
 * Which cell of a table over fewer attributes (`onto`, each perhaps coarsened to bins) a cell of a table over `from` falls
 * into. Tables are row-major: the last attribute varies fastest. The index is a sum of one term an attribute, so the map
 * is kept as the sum of two, one over the leading and one over the trailing attributes: cell h·tail.length + t falls
 * into head[h] + tail[t]. That is two short arrays where one entry a cell would be as large as half the table.
 */
export interface Projection {
  /** Cells of the table projected onto. */
  readonly cells: number;
  readonly head: Int32Array;
  readonly tail: Int32Array;
}

/** For each attribute of `onto` the bin of each value, or undefined where values are kept apart. */
export type Bins = readonly (Int32Array | undefined)[];

export function binsIn(domain: Domain, attribute: number, bins: Int32Array | undefined): number {
  return bins === undefined
    ? (domain.sizes[attribute] as number)
    : bins.reduce((a, b) => Math.max(a, b), -1) + 1;
}

/** @param onto a subset of `from`, in any order. */
export function projection(
  domain: Domain,
  from: readonly number[],
  onto: readonly number[],
  bins: Bins = [],
): Projection {
  const terms = new Map<number, Int32Array>();
  let stride = 1;
  for (let i = onto.length - 1; i >= 0; i--) {
    const attribute = onto[i] as number;
    const bin = bins[i];
    terms.set(
      attribute,
      Int32Array.from({ length: domain.sizes[attribute] as number }, (_, v) => stride * (bin?.[v] ?? v)),
    );
    stride *= binsIn(domain, attribute, bin);
  }
  return { cells: stride, ...sumOfTerms(domain, from, terms) };
}

/** Where the cells of a table over `free`, some of the attributes of `of`, lie in that one while the others are 0. */
export function slice(domain: Domain, of: readonly number[], free: readonly number[]): Projection {
  const terms = new Map<number, Int32Array>();
  for (const attribute of free) {
    const stride = strideOf(domain, of, attribute);
    terms.set(
      attribute,
      Int32Array.from({ length: domain.sizes[attribute] as number }, (_, v) => stride * v),
    );
  }
  return { cells: cellsIn(domain, of), ...sumOfTerms(domain, free, terms) };
}

/** What one value more of the attribute adds to the index of a cell in a table over `attributes`. */
export function strideOf(domain: Domain, attributes: readonly number[], attribute: number): number {
  return cellsIn(domain, attributes.slice(attributes.indexOf(attribute) + 1));
}

function sumOfTerms(
  domain: Domain,
  from: readonly number[],
  terms: ReadonlyMap<number, Int32Array>,
): { head: Int32Array; tail: Int32Array } {
  const sums = (attributes: readonly number[]): Int32Array => {
    let out = new Int32Array(1);
    for (const attribute of attributes) {
      const size = domain.sizes[attribute] as number;
      const term = terms.get(attribute);
      const next = new Int32Array(out.length * size);
      for (let i = 0; i < out.length; i++)
        for (let v = 0; v < size; v++) next[i * size + v] = (out[i] as number) + (term?.[v] ?? 0);
      out = next;
    }
    return out;
  };
  const cells = cellsIn(domain, from);
  let split = from.length;
  for (let tail = 1; split > 0 && tail * tail < cells; )
    tail *= domain.sizes[from[--split] as number] as number;
  return { head: sums(from.slice(0, split)), tail: sums(from.slice(split)) };
}

/** target[c] += Σ source over the cells that fall into c. */
export function addProjected(
  { head, tail }: Projection,
  source: Float64Array,
  sourceOffset: number,
  target: Float64Array,
  targetOffset: number,
): void {
  let i = sourceOffset;
  for (let h = 0; h < head.length; h++) {
    const base = targetOffset + (head[h] as number);
    for (let t = 0; t < tail.length; t++) {
      const c = base + (tail[t] as number);
      target[c] = (target[c] as number) + (source[i++] as number);
    }
  }
}

/** target[i] += source[the cell that i falls into]: the transpose of `addProjected`, and the sum of log-potentials. */
export function addExpanded(
  { head, tail }: Projection,
  source: Float64Array,
  sourceOffset: number,
  target: Float64Array,
  targetOffset: number,
): void {
  let i = targetOffset;
  for (let h = 0; h < head.length; h++) {
    const base = sourceOffset + (head[h] as number);
    for (let t = 0; t < tail.length; t++) {
      target[i] = (target[i] as number) + (source[base + (tail[t] as number)] as number);
      i++;
    }
  }
}

/** target[i] *= source[the cell that i falls into]. */
export function multiplyExpanded(
  { head, tail }: Projection,
  source: Float64Array,
  target: Float64Array,
): void {
  let i = 0;
  for (let h = 0; h < head.length; h++) {
    const base = head[h] as number;
    for (let t = 0; t < tail.length; t++) {
      target[i] = (target[i] as number) * (source[base + (tail[t] as number)] as number);
      i++;
    }
  }
}
