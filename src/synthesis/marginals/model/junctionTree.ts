import { cellsIn, contains, type Domain } from './domain.js';
import { InvalidModelInput, ModelTooLarge } from './errors.js';
import { type Projection, projection } from './projection.js';
import { totalCells, triangulate } from './triangulation.js';

/** A node of the tree and where its table lies in the vector of all tables. */
export interface Clique {
  /** Separator first: the cells of one separator value lie together, the residual's values in row-major order. */
  readonly attributes: readonly number[];
  /** The attributes shared with the parent; none at the root. */
  readonly separator: readonly number[];
  /** The others: never empty, since cliques are maximal. */
  readonly residual: readonly number[];
  readonly separatorCells: number;
  readonly residualCells: number;
  /** Of the table: the product of both. */
  readonly cells: number;
  /** First cell in a vector of all clique tables. */
  readonly offset: number;
  /** Index of the parent, which is lower than its own; −1 at the root. */
  readonly parent: number;
  /** The parent's cells to the separator's. */
  readonly fromParent: Projection;
}

/**
 * A tree of maximal cliques with the running intersection property: what two cliques share is in every clique between them.
 * Parts that share nothing are joined by empty separators, so there is always one root. A set of tables, one a clique,
 * is one Float64Array of `cells`.
 */
export interface JunctionTree {
  readonly domain: Domain;
  /** Parents before children. */
  readonly cliques: readonly Clique[];
  /** As `cellsOf` foretells. */
  readonly cells: number;
}

/** Cells are numbered in Int32Array. */
const INDEX_LIMIT = 2 ** 31 - 1;

/**
 * A spanning tree of the maximal cliques of most shared attributes, which for a triangulated graph is a junction tree (Jensen
 * and Jensen 1994; Koller and Friedman 2009, section 10.4.2), by Prim's algorithm. Of equal edges the one from the
 * smaller table is taken: a message to or from a parent goes over all its cells.
 * @throws InvalidModelInput, ModelTooLarge before anything is allocated.
 */
export function junctionTree(
  domain: Domain,
  cliques: readonly (readonly number[])[],
  cellLimit = Infinity,
): JunctionTree {
  const maximal = triangulate(domain, cliques);
  const cells = totalCells(domain, maximal);
  const limit = Math.min(cellLimit, INDEX_LIMIT);
  if (cells > limit) throw new ModelTooLarge(cells, limit, 'the junction tree');
  return laidOut(domain, spanningTree(domain, maximal));
}

/** The same tree hung up at another clique. */
export function rerooted(tree: JunctionTree, root: number): JunctionTree {
  const order = [root];
  const placed: Placed[] = [];
  const parents = [-1];
  for (const [at, clique] of order.entries()) {
    placed.push({
      attributes: (tree.cliques[clique] as Clique).attributes,
      parent: parents[at] as number,
    });
    for (const neighbour of neighboursOf(tree, clique))
      if (!order.includes(neighbour)) {
        order.push(neighbour);
        parents.push(at);
      }
  }
  return laidOut(tree.domain, placed);
}

/** The parent and the children of a clique. */
export function neighboursOf(tree: JunctionTree, clique: number): number[] {
  const own = (tree.cliques[clique] as Clique).parent;
  return [...tree.cliques.keys()].filter((c) => c === own || tree.cliques[c]?.parent === clique);
}

/** A clique and its parent's place, which comes before. */
interface Placed {
  readonly attributes: readonly number[];
  readonly parent: number;
}

function laidOut(domain: Domain, placed: readonly Placed[]): JunctionTree {
  let offset = 0;
  const cliques: Clique[] = [];
  for (const { attributes, parent } of placed) {
    const from = placed[parent]?.attributes ?? [];
    const separator = attributes.filter((a) => from.includes(a));
    const residual = attributes.filter((a) => !from.includes(a));
    const separatorCells = cellsIn(domain, separator);
    const residualCells = cellsIn(domain, residual);
    cliques.push({
      attributes: [...separator, ...residual],
      separator,
      residual,
      separatorCells,
      residualCells,
      cells: separatorCells * residualCells,
      offset,
      parent,
      fromParent: projection(domain, cliques[parent]?.attributes ?? [], separator),
    });
    offset += separatorCells * residualCells;
  }
  return { domain, cliques, cells: offset };
}

/** By Prim's algorithm from the first clique on. */
function spanningTree(domain: Domain, [first = [], ...others]: readonly number[][]): Placed[] {
  const placed: Placed[] = [{ attributes: first, parent: -1 }];
  const left = new Set(others);
  while (left.size > 0) {
    let best = { attributes: first, parent: -1, shared: -1, cells: Infinity };
    for (const attributes of left)
      for (const [parent, { attributes: placedThere }] of placed.entries()) {
        const shared = attributes.filter((a) => placedThere.includes(a)).length;
        const cells = cellsIn(domain, placedThere);
        if (shared > best.shared || (shared === best.shared && cells < best.cells))
          best = { attributes, parent, shared, cells };
      }
    left.delete(best.attributes);
    placed.push({ attributes: best.attributes, parent: best.parent });
  }
  return placed;
}

/** The smallest clique that contains the attributes, or undefined. */
export function cliqueContaining(tree: JunctionTree, attributes: readonly number[]): Clique | undefined {
  let best: Clique | undefined;
  for (const clique of tree.cliques)
    if (contains(clique.attributes, attributes) && (best === undefined || clique.cells < best.cells))
      best = clique;
  return best;
}

/** @throws InvalidModelInput when no clique does. */
export function requireClique(tree: JunctionTree, attributes: readonly number[], argument: string): Clique {
  const clique = cliqueContaining(tree, attributes);
  if (clique === undefined)
    throw new InvalidModelInput(
      argument,
      `no clique of the junction tree holds attributes ${attributes.join(', ')}: give them as a clique when it is built`,
    );
  return clique;
}
