import { cellsIn, checkAttributes, contains, type Domain } from './domain.js';
import { ModelTooLarge } from './errors.js';
import { type Clique, cliqueContaining } from './junctionTree.js';
import type { Model } from './model.js';
import { addProjected, multiplyExpanded, projection } from './projection.js';

/** Row-major over its attributes. */
interface Table {
  readonly attributes: readonly number[];
  readonly values: Float64Array;
}

/** Cells of 128 MiB. */
export const MARGINAL_CELL_LIMIT = 2 ** 24;

/**
 * The model's marginal over any attributes, within one clique or not (Koller and Friedman 2009, section 10.3.3.2):
 * variable elimination over the cliques between those that hold the
 * attributes, the one of least cells first.
 * @returns row-major over `attributes` in the order given, the model's total in sum.
 * @throws InvalidModelInput
 * @throws ModelTooLarge when it, or a table on the way to it, has more than `cellLimit` cells.
 */
export function marginalOf(
  model: Model,
  attributes: readonly number[],
  cellLimit = MARGINAL_CELL_LIMIT,
): Float64Array {
  const { domain } = model.tree;
  checkAttributes(domain, attributes, 'attributes');
  checkSize(domain, attributes, cellLimit);
  const clique = cliqueContaining(model.tree, attributes);
  if (clique !== undefined) {
    const out = new Float64Array(cellsIn(domain, attributes));
    const map = projection(domain, clique.attributes, attributes);
    addProjected(map, model.calibration.marginals, clique.offset, out, 0);
    return out;
  }
  let tables = tablesBetween(model, attributes);
  for (;;) {
    const group = cheapestGroup(domain, tables, attributes);
    if (group === undefined) return product(domain, tables, attributes);
    const rest = tables.filter((table) => !group.includes(table));
    const all = union(group);
    checkSize(domain, all, cellLimit);
    const whole = group.length === 1 ? (group[0] as Table).values : product(domain, group, all);
    const kept = all.filter(
      (a) => attributes.includes(a) || rest.some((table) => table.attributes.includes(a)),
    );
    const map = projection(domain, group.length === 1 ? (group[0] as Table).attributes : all, kept);
    const values = new Float64Array(map.cells);
    addProjected(map, whole, 0, values, 0);
    tables = [...rest, { attributes: kept, values }];
  }
}

/**
 * The cliques that the attributes' values depend on: a clique with none of them in its residual, nor below it, sums to 1 and
 * goes, and so does the root where all it would tell is in the marginal of its only child.
 */
function tablesBetween({ tree, calibration }: Model, attributes: readonly number[]): Table[] {
  const kept = tree.cliques.map((clique) => clique.residual.some((a) => attributes.includes(a)));
  for (let c = tree.cliques.length - 1; c > 0; c--)
    if (kept[c]) kept[(tree.cliques[c] as Clique).parent] = true;
  let top = 0;
  for (;;) {
    const children = [...tree.cliques.keys()].filter((c) => kept[c] && tree.cliques[c]?.parent === top);
    const only = children[0] as number;
    const asked = (tree.cliques[top] as Clique).attributes.filter((a) => attributes.includes(a));
    if (children.length !== 1 || !contains((tree.cliques[only] as Clique).separator, asked)) break;
    kept[top] = false;
    top = only;
  }
  return [...tree.cliques.keys()]
    .filter((c) => kept[c])
    .map((c) => {
      const { attributes: own, offset, cells } = tree.cliques[c] as Clique;
      const source = c === top ? calibration.marginals : calibration.conditionals;
      return { attributes: own, values: source.subarray(offset, offset + cells) };
    });
}

/** The tables that hold the attribute whose elimination makes the smallest product; undefined when none is left. */
function cheapestGroup(
  domain: Domain,
  tables: readonly Table[],
  asked: readonly number[],
): readonly Table[] | undefined {
  let best: readonly Table[] | undefined;
  let least = Infinity;
  for (const attribute of union(tables)) {
    if (asked.includes(attribute)) continue;
    const group = tables.filter((table) => table.attributes.includes(attribute));
    const cells = cellsIn(domain, union(group));
    if (cells < least || best === undefined) [best, least] = [group, cells];
  }
  return best;
}

function product(domain: Domain, tables: readonly Table[], over: readonly number[]): Float64Array {
  const out = new Float64Array(cellsIn(domain, over)).fill(1);
  for (const table of tables) multiplyExpanded(projection(domain, over, table.attributes), table.values, out);
  return out;
}

function union(tables: readonly Table[]): number[] {
  return [...new Set(tables.flatMap((table) => table.attributes))];
}

function checkSize(domain: Domain, attributes: readonly number[], limit: number): void {
  const cells = cellsIn(domain, attributes);
  if (cells > limit)
    throw new ModelTooLarge(cells, limit, `a table over attributes ${attributes.join(', ')}`);
}
