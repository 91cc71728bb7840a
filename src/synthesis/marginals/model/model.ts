import { type Calibration, calibrate, emptyCalibration } from './calibration.js';
import { cellsIn, checkAttributes, type Domain } from './domain.js';
import { ImpossibleEvidence, InvalidModelInput } from './errors.js';
import { type JunctionTree, junctionTree, requireClique } from './junctionTree.js';
import { addExpanded, projection } from './projection.js';

/** One term of the log-density, up to a constant. Row-major over the attributes. */
export interface Factor {
  readonly attributes: readonly number[];
  readonly logPotentials: Float64Array;
}

/** Cells of a marginal that no record can be in: their potential is −∞ and their count exactly 0. */
export interface StructuralZeros {
  readonly attributes: readonly number[];
  /** One value an attribute, tuple after tuple. */
  readonly cells: Int32Array;
}

/**
 * A discrete graphical model: density ∝ exp(Σ factors) off the structural zeros, scaled to `total` records. The factors alone
 * make it, on any junction tree that holds them; the rest is that tree and what it says.
 */
export interface Model {
  readonly tree: JunctionTree;
  readonly total: number;
  readonly factors: readonly Factor[];
  readonly structuralZeros: readonly StructuralZeros[];
  readonly calibration: Readonly<Calibration>;
}

export interface ModelOptions {
  readonly total: number;
  readonly structuralZeros?: readonly StructuralZeros[];
  /** Most cells of the junction tree; a model holds three times as many numbers, estimation four. */
  readonly cellLimit?: number;
}

/** @throws InvalidModelInput, ModelTooLarge */
export function modelOf(domain: Domain, factors: readonly Factor[], options: ModelOptions): Model {
  const { structuralZeros = [], cellLimit } = options;
  const sets = [...factors, ...structuralZeros].map(({ attributes }) => attributes);
  return modelOn(junctionTree(domain, sets, cellLimit), factors, structuralZeros, options.total);
}

/** On a tree that holds the factors and the zeros. */
export function modelOn(
  tree: JunctionTree,
  factors: readonly Factor[],
  structuralZeros: readonly StructuralZeros[],
  total: number,
): Model {
  checkTotal(total);
  const calibration = emptyCalibration(tree);
  if (!calibrate(tree, potentialsOf(tree, factors, structuralZeros), total, calibration)) throw nothingLeft();
  return { tree, total, factors, structuralZeros, calibration };
}

export const nothingLeft = () =>
  new InvalidModelInput('structuralZeros', 'leave no cell of the domain: lift some of them');

/** @throws InvalidModelInput */
export function checkTotal(total: number): void {
  if (!(total > 0 && Number.isFinite(total)))
    throw new InvalidModelInput('total', `${total} is not a positive number of records`);
}

/**
 * Each factor is added to the table of one clique that holds it; which one makes no difference.
 * @returns log-potentials, clique after clique in the tree's layout.
 * @throws InvalidModelInput
 */
export function potentialsOf(
  tree: JunctionTree,
  factors: readonly Factor[],
  structuralZeros: readonly StructuralZeros[],
): Float64Array {
  const out = new Float64Array(tree.cells);
  for (const { attributes, logPotentials } of [
    ...factors,
    ...structuralZeros.map((z) => barring(tree.domain, z)),
  ]) {
    checkAttributes(tree.domain, attributes, 'factors');
    if (logPotentials.length !== cellsIn(tree.domain, attributes))
      throw new InvalidModelInput(
        'factors',
        `${logPotentials.length} potentials for the ${cellsIn(tree.domain, attributes)} cells of ${attributes.join(', ')}`,
      );
    const clique = requireClique(tree, attributes, 'factors');
    addExpanded(projection(tree.domain, clique.attributes, attributes), logPotentials, 0, out, clique.offset);
  }
  return out;
}

/** The zeros as a factor of 0 and −∞. */
function barring(domain: Domain, { attributes, cells }: StructuralZeros): Factor {
  checkAttributes(domain, attributes, 'structuralZeros');
  const width = attributes.length;
  if (width === 0 || cells.length % width !== 0)
    throw new InvalidModelInput('structuralZeros', `${cells.length} values are no tuples of ${width}`);
  const logPotentials = new Float64Array(cellsIn(domain, attributes));
  for (let tuple = 0; tuple < cells.length; tuple += width) {
    let index = 0;
    for (let i = 0; i < width; i++) {
      const size = domain.sizes[attributes[i] as number] as number;
      const value = cells[tuple + i] as number;
      if (value < 0 || value >= size)
        throw new InvalidModelInput(
          'structuralZeros',
          `attribute ${attributes[i]} has ${size} values, ${value} is none`,
        );
      index = index * size + value;
    }
    logPotentials[index] = -Infinity;
  }
  return { attributes, logPotentials };
}

/** What is known of a row: for each cell of a marginal how likely it is there, up to a constant; 0 forbids the cell. */
export interface Evidence {
  readonly attributes: readonly number[];
  /** Row-major over the attributes, none below 0. */
  readonly weights: ArrayLike<number>;
}

/**
 * The model given what is known (virtual evidence: Pearl 1988, section 2.2.2; a value that must be so has the weight 1 and all
 * others 0): the weights become factors, so this is exact. One calibration.
 * @throws ImpossibleEvidence
 * @throws InvalidModelInput when no clique holds the attributes, or the weights are none.
 */
export function condition(model: Model, evidence: readonly Evidence[]): Model {
  const { tree, total } = model;
  const known = evidence.map(({ attributes, weights }): Factor => {
    checkAttributes(tree.domain, attributes, 'evidence');
    const logPotentials = Float64Array.from(weights, Math.log);
    if (logPotentials.length !== cellsIn(tree.domain, attributes) || logPotentials.some(isNoWeight))
      throw new InvalidModelInput(
        'evidence',
        `attributes ${attributes.join(', ')} need a weight from 0 for each of their cells`,
      );
    return { attributes, logPotentials };
  });
  const factors = [...model.factors, ...known];
  const calibration = emptyCalibration(tree);
  if (!calibrate(tree, potentialsOf(tree, factors, model.structuralZeros), total, calibration))
    throw new ImpossibleEvidence(undefined);
  return { ...model, factors, calibration };
}

const isNoWeight = (log: number): boolean => Number.isNaN(log) || log === Infinity;
