import { InvalidModelInput } from './errors.js';
import type { JunctionTree } from './junctionTree.js';
import { addExpanded, addProjected } from './projection.js';

/** What the potentials of a junction tree say, clique after clique in the tree's layout. Written anew by each `calibrate`. */
export interface Calibration {
  /** P(residual | separator): 1 in sum over the cells of each separator value that can occur, 0 where it cannot. */
  readonly conditionals: Float64Array;
  /** Each clique's marginal, `total` in sum. */
  readonly marginals: Float64Array;
  /** log Σ exp(Σ potentials) over all cells of the domain. */
  logPartition: number;
  /** One separator's values at a time: scratch, so that calibrating allocates nothing. */
  readonly separators: Float64Array;
}

export function emptyCalibration(tree: JunctionTree): Calibration {
  return {
    conditionals: new Float64Array(tree.cells),
    marginals: new Float64Array(tree.cells),
    logPartition: 0,
    separators: new Float64Array(Math.max(...tree.cliques.map((clique) => clique.separatorCells))),
  };
}

/**
 * Belief propagation in two passes (Koller and Friedman 2009, section 10.2; the marginal oracle of McKenna, Sheldon, Miklau 2019).
 * Upwards in logarithms: the cells of a separator value are divided by their log-sum-exp,
 * which leaves P(residual | separator) and is the message. Downwards only products: P(separator) from the parent times
 * that. One exponential a cell, and a cell is compared with the largest of its own separator value, so nothing that
 * matters underflows however far the potentials are apart.
 * @param potentials log-potentials, −∞ allowed (a structural zero).
 * @returns false when no cell of the domain can occur; `out` then has no marginals.
 * @throws InvalidModelInput when a potential is NaN or +∞.
 */
export function calibrate(
  tree: JunctionTree,
  potentials: Float64Array,
  total: number,
  out: Calibration,
): boolean {
  const { conditionals, marginals, separators } = out;
  conditionals.set(potentials);
  for (let c = tree.cliques.length - 1; c >= 0; c--) {
    const clique = tree.cliques[c] as JunctionTree['cliques'][number];
    normalise(conditionals, clique.offset, clique.separatorCells, clique.residualCells, separators);
    const parent = tree.cliques[clique.parent];
    if (parent === undefined) out.logPartition = separators[0] as number;
    else addExpanded(clique.fromParent, separators, 0, conditionals, parent.offset);
  }
  if (out.logPartition === -Infinity) return false;
  if (!Number.isFinite(out.logPartition))
    throw new InvalidModelInput('potentials', 'have to be numbers or −∞');
  for (const clique of tree.cliques) {
    const parent = tree.cliques[clique.parent];
    if (parent === undefined) separators[0] = total;
    else {
      separators.fill(0, 0, clique.separatorCells);
      addProjected(clique.fromParent, marginals, parent.offset, separators, 0);
    }
    let i = clique.offset;
    for (let s = 0; s < clique.separatorCells; s++) {
      const mass = separators[s] as number;
      for (const end = i + clique.residualCells; i < end; i++)
        marginals[i] = mass * (conditionals[i] as number);
    }
  }
  return true;
}

/** Each block of `width` logarithms becomes probabilities; `logSums` takes what they were divided by. */
function normalise(
  values: Float64Array,
  offset: number,
  blocks: number,
  width: number,
  logSums: Float64Array,
): void {
  let begin = offset;
  for (let block = 0; block < blocks; block++) {
    const end = begin + width;
    let largest = -Infinity;
    for (let i = begin; i < end; i++) if (!((values[i] as number) <= largest)) largest = values[i] as number; // a NaN shows
    if (largest === -Infinity) {
      values.fill(0, begin, end);
      logSums[block] = -Infinity;
    } else {
      let sum = 0;
      for (let i = begin; i < end; i++) sum += values[i] = Math.exp((values[i] as number) - largest);
      const scale = 1 / sum;
      for (let i = begin; i < end; i++) values[i] = (values[i] as number) * scale;
      logSums[block] = largest + Math.log(sum);
    }
    begin = end;
  }
}
