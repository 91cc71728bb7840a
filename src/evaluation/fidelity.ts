import { associationMatrix } from './association.js';
import { EvaluationError } from './errors.js';
import { type JointCounts, totalVariation } from './jointCounts.js';

export interface PairDistance {
  readonly columns: readonly [string, string];
  readonly totalVariation: number;
}

/** How far a table is from the real one; 0 is equal, 1 the worst. */
export interface Fidelity {
  /** Valid rows that were compared; a small table is further away by sampling error alone. */
  readonly rows: number;
  readonly oneWay: {
    readonly mean: number;
    readonly worst: { readonly column: string; readonly totalVariation: number };
  };
  readonly twoWay: { readonly mean: number; readonly worst: PairDistance };
  /** Mean absolute difference of Cramér's V over all pairs. */
  readonly associationError: number;
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** Total variation of every single column, in the schema's order. */
export function columnDistances(real: JointCounts, other: JointCounts): number[] {
  return real.columns.map((_, i) => totalVariation(real.marginal(i), other.marginal(i)));
}

/** Total variation of every pair of columns, worst first. */
export function pairDistances(real: JointCounts, other: JointCounts): PairDistance[] {
  const { columns } = real;
  const pairs: PairDistance[] = [];
  for (let i = 0; i < columns.length; i++) {
    for (let j = i + 1; j < columns.length; j++) {
      const distance = totalVariation(real.pair(i, j), other.pair(i, j));
      pairs.push({ columns: [columns[i]!.name, columns[j]!.name], totalVariation: distance });
    }
  }
  return pairs.sort((a, b) => b.totalVariation - a.totalVariation);
}

/** Throws EvaluationError `EmptyTable` or `NoPairs`: a mean over nothing is not a number. */
export function fidelity(real: JointCounts, other: JointCounts): Fidelity {
  if (real.rows === 0 || other.rows === 0) {
    throw new EvaluationError('EmptyTable', 'fidelity needs at least one valid row on each side');
  }
  if (real.columns.length < 2) {
    throw new EvaluationError('NoPairs', 'fidelity compares pairs of columns: the schema needs at least two');
  }
  const singles = columnDistances(real, other);
  const pairs = pairDistances(real, other);
  const worstColumn = singles.indexOf(Math.max(...singles));
  const [realV, otherV] = [associationMatrix(real), associationMatrix(other)];
  const differences: number[] = [];
  for (let i = 0; i < singles.length; i++) {
    for (let j = i + 1; j < singles.length; j++) differences.push(Math.abs(realV[i]![j]! - otherV[i]![j]!));
  }
  return {
    rows: other.rows,
    oneWay: {
      mean: mean(singles),
      worst: { column: real.columns[worstColumn]!.name, totalVariation: singles[worstColumn]! },
    },
    twoWay: { mean: mean(pairs.map((pair) => pair.totalVariation)), worst: pairs[0]! },
    associationError: mean(differences),
  };
}
