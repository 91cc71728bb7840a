import { cellsIn, checkAttributes } from './domain.js';
import { type Clique, type JunctionTree, neighboursOf, rerooted } from './junctionTree.js';
import { type Model, modelOn } from './model.js';
import { type Projection, projection, slice, strideOf } from './projection.js';
import { type SamplingPlan, samplingPlan } from './sampling.js';

/** What sampling rows with given values needs of a model, computed once for a set of given attributes. */
export interface ConditionalPlan {
  readonly given: readonly number[];
  /** Uniforms a row: one a clique, whether the given values leave it anything to draw or not. */
  readonly draws: number;
  readonly unconditional: SamplingPlan;
  /** P(residual | separator) of every clique. */
  readonly conditionals: Float64Array;
  /** One a clique: undefined where what is given changes nothing. */
  readonly informed: readonly (InformedClique | undefined)[];
}

/** A clique whose residual, or that of one below it, has given attributes: its table has to be weighed for each row. */
export interface InformedClique {
  readonly parent: number;
  readonly offset: number;
  /** Given attributes of the clique, by their place in `given`. */
  readonly given: Int32Array;
  readonly givenStrides: Int32Array;
  /** The cells that the given values leave, the separator's attributes first. */
  readonly cells: Projection;
  readonly cellCount: number;
  /** Separator attributes that are not given, and what their values add to the block's number. */
  readonly separator: Int32Array;
  readonly separatorStrides: Int32Array;
  readonly blocks: number;
  readonly residual: Int32Array;
  readonly residualSizes: Int32Array;
  readonly blockCells: number;
  /** The parent's cells that are left to this clique's blocks. */
  readonly fromParent: Projection;
  /** Given attributes of this clique and of those below it, by their place in `given`: all that its weights depend on. */
  readonly seen: Int32Array;
  readonly seenSizes: Int32Array;
  /** Product of `seenSizes`. */
  readonly seenValues: number;
}

/**
 * The tree is hung up where the fewest cells have to be weighed for a row: a clique must be if something is given in its
 * residual or below, and the more given attributes the root takes, the fewer are left for that.
 * @throws InvalidModelInput
 */
export function conditionalPlan(model: Model, given: readonly number[]): ConditionalPlan {
  const { domain } = model.tree;
  checkAttributes(domain, given, 'given');
  const trees = [...model.tree.cliques.keys()].map((root) => ({
    root,
    cells: cellsToWeigh(model.tree, root, given),
  }));
  const { root } = trees.reduce((a, b) => (b.cells < a.cells ? b : a));
  const tree = rerooted(model.tree, root);
  const hung = modelOn(tree, model.factors, model.structuralZeros, model.total);
  const seen = tree.cliques.map((clique) => new Set(clique.attributes.filter((a) => given.includes(a))));
  const informs = tree.cliques.map((clique) => clique.residual.some((a) => given.includes(a)));
  for (let c = tree.cliques.length - 1; c > 0; c--) {
    const { parent } = tree.cliques[c] as Clique;
    if (!informs[c]) continue;
    informs[parent] = true;
    for (const attribute of seen[c] as Set<number>) (seen[parent] as Set<number>).add(attribute);
  }
  const unconditional = samplingPlan(hung);
  return {
    given: [...given],
    draws: unconditional.draws,
    unconditional,
    conditionals: hung.calibration.conditionals,
    informed: tree.cliques.map((clique, c) =>
      informs[c] ? informedClique(tree, clique, given, seen[c] as Set<number>) : undefined,
    ),
  };
}

/** Over the cliques that would be informed were `root` the root. */
function cellsToWeigh(tree: JunctionTree, root: number, given: readonly number[]): number {
  let cells = 0;
  const visit = (c: number, from: number): boolean => {
    const { attributes } = tree.cliques[c] as Clique;
    const above = tree.cliques[from]?.attributes ?? [];
    let informs = attributes.some((a) => given.includes(a) && !above.includes(a));
    for (const next of neighboursOf(tree, c)) if (next !== from && visit(next, c)) informs = true;
    if (informs)
      cells += cellsIn(
        tree.domain,
        attributes.filter((a) => !given.includes(a)),
      );
    return informs;
  };
  visit(root, -1);
  return cells;
}

function informedClique(
  { domain, cliques }: JunctionTree,
  clique: Clique,
  given: readonly number[],
  seen: ReadonlySet<number>,
): InformedClique {
  const open = (attributes: readonly number[]) => attributes.filter((a) => !given.includes(a));
  const sizes = (attributes: readonly number[]) =>
    Int32Array.from(attributes, (a) => domain.sizes[a] as number);
  const separator = open(clique.separator);
  const residual = open(clique.residual);
  const fixed = given.filter((a) => clique.attributes.includes(a));
  const places = given.flatMap((a, place) => (seen.has(a) ? [place] : []));
  return {
    parent: clique.parent,
    offset: clique.offset,
    given: Int32Array.from(fixed, (a) => given.indexOf(a)),
    givenStrides: Int32Array.from(fixed, (a) => strideOf(domain, clique.attributes, a)),
    cells: slice(domain, clique.attributes, [...separator, ...residual]),
    cellCount: cellsIn(domain, separator) * cellsIn(domain, residual),
    separator: Int32Array.from(separator),
    separatorStrides: Int32Array.from(separator, (a) => strideOf(domain, separator, a)),
    blocks: cellsIn(domain, separator),
    residual: Int32Array.from(residual),
    residualSizes: sizes(residual),
    blockCells: cellsIn(domain, residual),
    fromParent: projection(domain, open(cliques[clique.parent]?.attributes ?? []), separator),
    seen: Int32Array.from(places),
    seenSizes: sizes(places.map((place) => given[place] as number)),
    seenValues: cellsIn(domain, seen),
  };
}
