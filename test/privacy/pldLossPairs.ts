import { dominatingLaw, type LatticeLaw } from '../../src/privacy/accountants/pld/discretization.js';
import { dominatedLaw } from '../../src/privacy/accountants/pld/dominatedLaw.js';
import { type LossPair, noTails } from '../../src/privacy/accountants/pld/lossPair.js';

/** δ at ε of a pair, and of a law on a lattice. */
export function deltaOf(pair: LossPair, epsilon: number): number {
  const tails = noTails();
  pair.tails(epsilon, tails);
  return tails.pAbove - tails.scaledAbove;
}

export function deltaOfLaw(law: LatticeLaw, { width, offset }: Lattice, epsilon: number): number {
  let delta = law.infinite;
  law.indices.forEach((k, i) => {
    const loss = offset + k * width;
    if (loss > epsilon) delta -= (law.masses[i] as number) * Math.expm1(epsilon - loss);
  });
  return delta;
}

interface Lattice {
  readonly width: number;
  readonly offset: number;
}

export interface Discretized {
  readonly lattice: Lattice;
  readonly dominating: LatticeLaw;
  readonly dominated: LatticeLaw;
}

export function discretized(pair: LossPair, lattice: Lattice, nodes: readonly number[]): Discretized {
  const at = Float64Array.from(nodes);
  return {
    lattice,
    dominating: dominatingLaw(pair, lattice, at),
    dominated: dominatedLaw(pair, lattice, at),
  };
}

/** What a careless accountant does: each loss goes to the nearest lattice point. */
export function nearestLaw(pair: LossPair, { width, offset }: Lattice, nodes: readonly number[]): LatticeLaw {
  const tails = noTails();
  const below = (loss: number): number => {
    pair.tails(loss, tails);
    return tails.pBelow;
  };
  const masses = nodes.map((k) => below(offset + (k + 0.5) * width) - below(offset + (k - 0.5) * width));
  return { indices: Float64Array.from(nodes), masses: Float64Array.from(masses), infinite: 0 };
}
