/**
 * Exact tails of the hypergeometric distribution: X of k draws without replacement from `population`, of which
 * `marked` are marked, Pr[X = x] = C(marked, x)·C(population − marked, k − x) / C(population, k). Integers only:
 * both sides of the protocol, and another language, must come to the same decision at every boundary.
 */

/** C(n, 0) … C(n, n). */
function binomials(n: number): bigint[] {
  const row = [1n];
  for (let i = 0; i < n; i++) row.push((row[i]! * BigInt(n - i)) / BigInt(i + 1));
  return row;
}

export interface Rarity {
  readonly population: number;
  readonly marked: number;
  /** The factor of a union bound and of the probability allowed, together: n·2^40, say. Above 1. */
  readonly weight: bigint;
  /** 'at most': weight · Pr ≤ 1; 'below': weight · Pr < 1. */
  readonly bound: 'at most' | 'below';
}

/**
 * For every number of draws k = 0 … population the least x for which weight · Pr[X ≥ x] stays in bounds, 1 ≤ x ≤
 * marked + 1.
 *
 * S(k, x), the number of k-sets with x or more marked, follows from k − 1: put one more element into a set of k − 1.
 * Each k-set arises k times, from a set that had x or more already (any of the population − k + 1 others joins it) or
 * from one with x − 1 (one of the marked − x + 1 others joins it):
 *   k·S(k, x) = (population − k + 1)·S(k−1, x) + (marked − x + 1)·#{(k−1)-sets with exactly x − 1}.
 * With k the least x can only grow (X grows stochastically), so that a few operations for each k suffice.
 */
export function leastRareCounts({ population, marked, weight, bound }: Rarity): number[] {
  const inside = binomials(marked);
  const outside = binomials(population - marked);
  const sets = (draws: number, x: number): bigint => (inside[x] ?? 0n) * (outside[draws - x] ?? 0n);
  const least: number[] = [];
  let x = 0;
  let tail = 1n;
  for (const [k, all] of binomials(population).entries()) {
    if (k > 0)
      tail = (BigInt(population - k + 1) * tail + BigInt(marked - x + 1) * sets(k - 1, x - 1)) / BigInt(k);
    while (bound === 'below' ? weight * tail >= all : weight * tail > all) tail -= sets(k, x++);
    least.push(x);
  }
  return least;
}

/** log2 Pr[X ≥ x] as a float, −∞ when it cannot happen: for people to read, never for a decision. */
export function log2Tail(population: number, marked: number, draws: number, x: number): number {
  const inside = binomials(marked);
  const outside = binomials(population - marked);
  let tail = 0n;
  for (let i = Math.max(0, x); i <= Math.min(marked, draws); i++)
    tail += inside[i]! * (outside[draws - i] ?? 0n);
  return log2(tail) - log2(binomials(population)[draws]!);
}

function log2(value: bigint): number {
  const dropped = Math.max(0, value.toString(2).length - 64);
  return Math.log2(Number(value >> BigInt(dropped))) + dropped;
}
