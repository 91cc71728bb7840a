/**
 * Who shares a pairwise mask with whom, and who holds shares of whose secrets (Bell et al. 2020, 3.1). Members
 * are roster indices. The complete graph is the one implementation now; a Harary graph over a permutation, drawn
 * from the signed adverts, is to stand behind the same interface.
 */
export interface Graph {
  /** Hashed into the setup transcript: members that see another graph have another transcript. */
  readonly descriptor: string;
  /** Shares needed to reconstruct, and signatures needed before one answers. */
  readonly threshold: number;
  /** The members with whom `member` shares a pairwise mask. */
  neighbours(member: number): readonly number[];
  /** Those who hold shares of `member`'s secrets and whose signatures it counts. */
  shareholders(member: number): readonly number[];
  /** Those of whose secrets `holder` has shares. */
  dealers(holder: number): readonly number[];
}

/**
 * t = max(⌈2k/3⌉, ⌊(k + colluders)/2⌋ + 1), k the number of shareholders.
 *
 * The second term is the safety of the protocol: for two different sets of survivors a lying server needs 2t
 * signatures, of which only colluders give two; 2t > k + colluders makes that impossible, so it never collects
 * both the seed and the key of one member (Bonawitz et al. 2017, 6.2).
 */
export function shareThreshold(shareholders: number, maxColluders: number): number {
  return Math.max(Math.ceil((2 * shareholders) / 3), Math.floor((shareholders + maxColluders) / 2) + 1);
}

/** Every member is a shareholder of every member, itself included: k = n. */
export function completeGraph(members: readonly number[], maxColluders: number): Graph {
  const all = [...members].sort((a, b) => a - b);
  const threshold = shareThreshold(all.length, maxColluders);
  return {
    descriptor: `complete k=${all.length} t=${threshold}`,
    threshold,
    neighbours: (member) => all.filter((other) => other !== member),
    shareholders: () => all,
    dealers: () => all,
  };
}

/** A shareholder's place on the polynomial: its roster index, from 1. */
export function abscissa(member: number): number {
  return member + 1;
}

/** |U₂| ≥ nMin, and never below t: fewer survivors could not unmask anything. */
export function survivorFloor(config: { readonly minSurvivors: number }, graph: Graph): number {
  return Math.max(config.minSurvivors, graph.threshold);
}
