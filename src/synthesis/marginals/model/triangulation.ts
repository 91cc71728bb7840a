import { cellsIn, checkAttributes, type Domain } from './domain.js';

/**
 * The maximal cliques of a triangulation of the graph in which the attributes of each given clique are joined: all that a
 * model of these cliques needs tables over. Greedy elimination by two criteria, the least fill-in and the smallest
 * table, of which the one with fewer cells in all is taken (Kjærulff 1990; Koller and Friedman 2009, section
 * 9.4.3.2). Ties go to the lower attribute: the same cliques give the same result.
 * @returns in reverse order of elimination, attributes ascending; every attribute of the domain is in at least one.
 * @throws InvalidModelInput
 */
export function triangulate(domain: Domain, cliques: readonly (readonly number[])[]): number[][] {
  const graph = new Graph(domain.sizes.length);
  for (const clique of cliques) {
    checkAttributes(domain, clique, 'cliques');
    graph.join(clique);
  }
  const byFill = eliminate(domain, graph.copy(), (fill, cells) => [fill, cells]);
  const byCells = eliminate(domain, graph, (fill, cells) => [cells, fill]);
  return totalCells(domain, byCells) < totalCells(domain, byFill) ? byCells : byFill;
}

/**
 * Cells of all clique tables of the junction tree that `cliques` lead to; a table of doubles takes eight bytes each, and a
 * model in estimation holds a handful of such sets. Nothing is allocated, so this is what to ask before measuring more.
 * @throws InvalidModelInput
 */
export function cellsOf(domain: Domain, cliques: readonly (readonly number[])[]): number {
  return totalCells(domain, triangulate(domain, cliques));
}

export function totalCells(domain: Domain, cliques: readonly (readonly number[])[]): number {
  return cliques.reduce((sum, clique) => sum + cellsIn(domain, clique), 0);
}

type Criterion = (fill: number, cells: number) => readonly [number, number];

function eliminate(domain: Domain, graph: Graph, criterion: Criterion): number[][] {
  const left = new Set(domain.sizes.keys());
  const maximal: { low: number; high: number; attributes: number[] }[] = [];
  while (left.size > 0) {
    let best = -1;
    let first = Infinity;
    let second = Infinity;
    for (const v of left) {
      const [a, b] = criterion(graph.fillOf(v), graph.cellsOf(v, domain));
      if (a < first || (a === first && b < second)) [best, first, second] = [v, a, b];
    }
    const { low, high } = graph.closure(best);
    if (!maximal.some((clique) => (low & ~clique.low) === 0 && (high & ~clique.high) === 0))
      maximal.push({ low, high, attributes: attributesOf(low, high) });
    graph.eliminate(best);
    left.delete(best);
  }
  return maximal.reverse().map((clique) => clique.attributes);
}

/** An undirected graph of up to 64 attributes: each one's neighbours as bits of two words. */
class Graph {
  readonly #low: Int32Array;
  readonly #high: Int32Array;

  constructor(size: number, low = new Int32Array(size), high = new Int32Array(size)) {
    this.#low = low;
    this.#high = high;
  }

  copy(): Graph {
    return new Graph(this.#low.length, this.#low.slice(), this.#high.slice());
  }

  join(attributes: readonly number[]): void {
    const [low, high] = bitsOf(attributes);
    this.#joinBits(attributes, low, high);
  }

  /** v and its neighbours: the clique that eliminating v makes. */
  closure(v: number): { low: number; high: number } {
    const [low, high] = bitsOf([v]);
    return { low: (this.#low[v] as number) | low, high: (this.#high[v] as number) | high };
  }

  /** Edges that eliminating v would add. */
  fillOf(v: number): number {
    const { low, high } = this.closure(v);
    let missing = 0;
    forEachBit(low, high, (u) => {
      const own = this.closure(u);
      missing += ones(low & ~own.low) + ones(high & ~own.high);
    });
    return missing / 2;
  }

  cellsOf(v: number, domain: Domain): number {
    const { low, high } = this.closure(v);
    let cells = 1;
    forEachBit(low, high, (u) => {
      cells *= domain.sizes[u] as number;
    });
    return cells;
  }

  eliminate(v: number): void {
    const low = this.#low[v] as number;
    const high = this.#high[v] as number;
    const neighbours = attributesOf(low, high);
    this.#joinBits(neighbours, low, high);
    const [ownLow, ownHigh] = bitsOf([v]);
    for (const u of neighbours) {
      this.#low[u] = (this.#low[u] as number) & ~ownLow;
      this.#high[u] = (this.#high[u] as number) & ~ownHigh;
    }
  }

  #joinBits(attributes: readonly number[], low: number, high: number): void {
    for (const u of attributes) {
      const [ownLow, ownHigh] = bitsOf([u]);
      this.#low[u] = (this.#low[u] as number) | (low & ~ownLow);
      this.#high[u] = (this.#high[u] as number) | (high & ~ownHigh);
    }
  }
}

function bitsOf(attributes: readonly number[]): [low: number, high: number] {
  let low = 0;
  let high = 0;
  for (const a of attributes)
    if (a < 32) low |= 1 << a;
    else high |= 1 << (a - 32);
  return [low, high];
}

function forEachBit(low: number, high: number, visit: (attribute: number) => void): void {
  for (let bits = low; bits !== 0; bits &= bits - 1) visit(31 - Math.clz32(bits & -bits));
  for (let bits = high; bits !== 0; bits &= bits - 1) visit(63 - Math.clz32(bits & -bits));
}

function attributesOf(low: number, high: number): number[] {
  const out: number[] = [];
  forEachBit(low, high, (a) => out.push(a));
  return out;
}

/** Ones of a word (Warren, Hacker's Delight, section 5-1). */
function ones(word: number): number {
  let x = word - ((word >>> 1) & 0x55555555);
  x = (x & 0x33333333) + ((x >>> 2) & 0x33333333);
  x = (x + (x >>> 4)) & 0x0f0f0f0f;
  return Math.imul(x, 0x01010101) >>> 24;
}
