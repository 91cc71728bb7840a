import { cellsIn, checkAttributes, contains, type Domain } from './domain.js';
import { InvalidModelInput } from './errors.js';
import { type JunctionTree, requireClique } from './junctionTree.js';
import { addExpanded, addProjected, type Bins, binsIn, type Projection, projection } from './projection.js';

/** Noisy counts of a marginal, or of one on coarser bins: a linear function of the marginal plus noise of known variance. */
export interface Measurement {
  readonly attributes: readonly number[];
  /** Row-major over the attributes' values, or over their bins. */
  readonly values: Float64Array;
  /** Of the noise in each cell: one for all, or one a cell. */
  readonly variance: number | Float64Array;
  /** What the measurement counts in the objective beyond its variance; 1 unless given. */
  readonly weight?: number;
  /** For each attribute the bin of each of its values (0, 1, …), or undefined where they are counted apart. */
  readonly bins?: Bins;
}

/** @throws InvalidModelInput */
export function checkMeasurement(domain: Domain, measurement: Measurement, index: number): void {
  const { attributes, values, variance, weight = 1, bins = [] } = measurement;
  const wrong = (message: string) => new InvalidModelInput(`measurement ${index}`, message);
  checkAttributes(domain, attributes, `measurement ${index}`);
  let cells = 1;
  for (const [i, attribute] of attributes.entries()) {
    const map = bins[i];
    if (map !== undefined && (map.length !== domain.sizes[attribute] || map.some((bin) => bin < 0)))
      throw wrong(
        `attribute ${attribute} needs one bin, from 0, for each of its ${domain.sizes[attribute]} values`,
      );
    cells *= binsIn(domain, attribute, map);
  }
  if (values.length !== cells) throw wrong(`has ${values.length} values for ${cells} cells`);
  if (!values.every(Number.isFinite)) throw wrong('has values that are not numbers');
  if (typeof variance !== 'number' && variance.length !== cells)
    throw wrong(`has ${variance.length} variances for ${cells} cells`);
  const variances = typeof variance === 'number' ? [variance] : variance;
  if (!variances.every((v: number) => v > 0 && Number.isFinite(v)))
    throw wrong('needs positive variances: of an exact count give that of its rounding');
  if (!(weight > 0 && Number.isFinite(weight))) throw wrong(`weight ${weight} is not positive`);
}

/** One measurement's place: its cells from `offset`, summed from a clique's table or from an earlier measurement's cells. */
interface Node {
  readonly offset: number;
  /** Of the source: in the vector of clique tables, or in that of the measured cells. */
  readonly sourceOffset: number;
  readonly ofClique: boolean;
  readonly projection: Projection;
}

/**
 * A: from the clique marginals of a junction tree to what all measurements would count without noise, one after the other. A
 * measurement whose attributes are within those of another, unbinned one is summed from that one's cells rather than
 * from the clique's table, which is mostly far larger.
 */
export interface MeasurementOperator {
  readonly cells: number;
  /** First cell of each measurement, in the order in which they were given. */
  readonly offsets: readonly number[];
  /** y. */
  readonly values: Float64Array;
  /** Weight / variance of each cell. */
  readonly precision: Float64Array;
  /** out = A·marginals. */
  apply(marginals: Float64Array, out: Float64Array): void;
  /** tables += Aᵀ·cells. Spoils `cells`. */
  addTransposed(cells: Float64Array, tables: Float64Array): void;
}

/** @throws InvalidModelInput: a measurement is malformed, or no clique holds it. */
export function measurementOperator(
  tree: JunctionTree,
  measurements: readonly Measurement[],
): MeasurementOperator {
  const { domain } = tree;
  for (const [index, measurement] of measurements.entries()) checkMeasurement(domain, measurement, index);
  const unbinned = ({ bins = [] }: Measurement) => bins.every((map) => map === undefined);
  // Larger tables first, so that every possible source comes before what is summed from it.
  const ordered = [...measurements.entries()].sort(
    ([, a], [, b]) =>
      Number(unbinned(b)) - Number(unbinned(a)) ||
      cellsIn(domain, b.attributes) - cellsIn(domain, a.attributes),
  );
  const cells = measurements.reduce((sum, { values }) => sum + values.length, 0);
  const values = new Float64Array(cells);
  const precision = new Float64Array(cells);
  const sources: { attributes: readonly number[]; offset: number; cells: number }[] = [];
  const nodes: Node[] = [];
  const offsets = new Array<number>(measurements.length).fill(0);
  let offset = 0;
  for (const [index, measurement] of ordered) {
    offsets[index] = offset;
    const { attributes, bins, variance, weight = 1 } = measurement;
    let source: { attributes: readonly number[]; offset: number; cells: number } | undefined;
    for (const candidate of sources)
      if (contains(candidate.attributes, attributes) && candidate.cells < (source?.cells ?? Infinity))
        source = candidate;
    const from = source ?? requireClique(tree, attributes, 'measurements');
    nodes.push({
      offset,
      sourceOffset: from.offset,
      ofClique: source === undefined,
      projection: projection(domain, from.attributes, attributes, bins),
    });
    values.set(measurement.values, offset);
    for (let i = 0; i < measurement.values.length; i++)
      precision[offset + i] = weight / (typeof variance === 'number' ? variance : (variance[i] as number));
    if (unbinned(measurement)) sources.push({ attributes, offset, cells: measurement.values.length });
    offset += measurement.values.length;
  }
  return {
    cells,
    offsets,
    values,
    precision,
    apply(marginals, out) {
      out.fill(0);
      for (const node of nodes)
        addProjected(node.projection, node.ofClique ? marginals : out, node.sourceOffset, out, node.offset);
    },
    addTransposed(own, tables) {
      for (let n = nodes.length - 1; n >= 0; n--) {
        const node = nodes[n] as Node;
        addExpanded(node.projection, own, node.offset, node.ofClique ? tables : own, node.sourceOffset);
      }
    },
  };
}
