import type { Rng } from '../crypto/rng.js';
import { type Probabilities, predictedClasses } from './classScores.js';
import { drawIndices } from './draws.js';
import type { LabelTask } from './labelTask.js';
import type { MeasuringCells } from './measuringCells.js';
import { auc, Z99 } from './rocCurve.js';
import {
  type CellColumns,
  chooseTuples,
  coarsen,
  MAX_PAIRS,
  mean,
  selectCells,
  tupleDistances,
} from './tupleDistances.js';
import type { TestedRows } from './utility.js';

/** How the groups of one protected column fare; the worst stands beside the mean, which hides it (hazard D10). */
export interface GroupScores {
  readonly column: string;
  readonly title: string;
  readonly groups: readonly GroupScore[];
  /** Differences between the groups of at least FEWEST_ROWS test rows, where the label has two classes. */
  readonly fairness?: { readonly onSynthetic: Fairness; readonly onReal: Fairness };
}

export interface GroupScore {
  readonly group: string;
  readonly share: { readonly train: number; readonly synthetic: number };
  readonly rows: { readonly train: number; readonly synthetic: number; readonly test: number };
  /**
   * Mean 2-way distance on coarse cells of the group's synthetic rows, and of its hold-out rows, from its training rows, the first two of
   * equal number. Left out for fewer than FEWEST_ROWS.
   */
  readonly twoWay?: { readonly rows: number; readonly synthetic: number; readonly holdOut: number };
  /** Boosted trees on the group's test rows. Left out for fewer than FEWEST_ROWS. */
  readonly prediction?: {
    readonly onSynthetic: GroupPrediction;
    readonly onReal: GroupPrediction;
    /** How much higher the error rate is when trained on synthetic rows; 99 %, from the rows on which the two models differ. */
    readonly errorRise: { readonly share: number; readonly lower: number; readonly upper: number };
  };
}

export interface GroupPrediction {
  readonly error: number;
  /** Of the positive class where there are two, otherwise left out; also where the group has one class only. */
  readonly auc?: number;
  readonly truePositiveRate?: number;
  readonly falsePositiveRate?: number;
  /** Share of the group that is predicted positive. */
  readonly selectionRate?: number;
}

export interface Fairness {
  /** Largest difference of selection rates (Dwork et al. 2012; Fairlearn's definition). */
  readonly demographicParity: number;
  /** The larger of the largest differences of true and of false positive rates (Hardt, Price, Srebro 2016). */
  readonly equalizedOdds: number;
}

/** Below that a rate is mostly chance, and would say much about few people. */
export const FEWEST_ROWS = 50;

export interface GroupTables {
  readonly train: CellColumns;
  readonly holdOut: CellColumns;
  readonly synthetic: CellColumns;
}

/**
 * @param column index of the protected column; its groups are its coarse cells
 * @param tested the label's test rows, where there is a label
 */
export function groupScores(
  cells: readonly MeasuringCells[],
  column: number,
  tables: GroupTables,
  tested: { readonly task: LabelTask; readonly test: TestedRows } | undefined,
  rng: Rng,
): GroupScores {
  const { name, title, labels, kind, coarse: coarseOf, cellOf } = cells[column]!;
  // Categories are groups as they are; of a number its coarse bins are.
  const groupOf = (cell: number): number => (kind === 'categories' ? cell : coarseOf[cell]!);
  const names = kind === 'categories' ? labels : coarseLabels(cells[column]!);
  const coarse = coarsen(cells);
  const others = cells.flatMap((_, i) => (i === column ? [] : [i]));
  const pairs = chooseTuples(others.length, 2, MAX_PAIRS, rng).map((pair) => pair.map((i) => others[i]!));
  const rowsIn = (table: CellColumns): Uint32Array[] => {
    const rows = names.map((): number[] => []);
    for (const [row, cell] of table[column]!.entries()) rows[groupOf(cell)]!.push(row);
    return rows.map((list) => Uint32Array.from(list));
  };
  const [train, holdOut, synthetic] = [
    rowsIn(tables.train),
    rowsIn(tables.holdOut),
    rowsIn(tables.synthetic),
  ];
  const testGroups = tested?.test.rows.columns[column] ?? new Float64Array(0);
  const groups = names.flatMap((group, g): GroupScore[] => {
    const rows = { train: train[g]!.length, synthetic: synthetic[g]!.length, test: holdOut[g]!.length };
    if (rows.train + rows.synthetic + rows.test === 0) return [];
    const equal = Math.min(rows.synthetic, rows.test);
    const select = (table: CellColumns, indices: Uint32Array): CellColumns =>
      coarse.of(selectCells(table, indices));
    const sample = (indices: Uint32Array): Uint32Array =>
      drawIndices(rng, indices.length, equal).map((i) => indices[i]!);
    const twoWay = (): GroupScore['twoWay'] => {
      const [made, kept] = tupleDistances(
        select(tables.train, train[g]!),
        [select(tables.synthetic, sample(synthetic[g]!)), select(tables.holdOut, sample(holdOut[g]!))],
        coarse.sizes,
        pairs,
      );
      return { rows: equal, synthetic: mean(made!), holdOut: mean(kept!) };
    };
    const predictions = (): GroupScore['prediction'] => {
      if (tested === undefined) return undefined;
      const members = Uint32Array.from(
        [...testGroups.keys()].filter((row) => groupOf(cellOf(testGroups[row]!)) === g),
      );
      if (members.length < FEWEST_ROWS) return undefined;
      const of = (probabilities: Probabilities) =>
        prediction(probabilities, tested.test.truth, members, tested.task.classes.length === 2);
      const { onSynthetic, onReal, truth } = tested.test;
      return {
        onSynthetic: of(onSynthetic),
        onReal: of(onReal),
        errorRise: errorRise(predictedClasses(onSynthetic), predictedClasses(onReal), truth, members),
      };
    };
    const predicted = predictions();
    return [
      {
        group,
        share: {
          train: rows.train / tables.train[column]!.length,
          synthetic: rows.synthetic / tables.synthetic[column]!.length,
        },
        rows,
        ...(equal >= FEWEST_ROWS && pairs.length > 0 ? { twoWay: twoWay()! } : {}),
        ...(predicted === undefined ? {} : { prediction: predicted }),
      },
    ];
  });
  const binary = tested !== undefined && tested.task.classes.length === 2;
  const compared = groups.flatMap(({ prediction }) => (prediction === undefined ? [] : [prediction]));
  return {
    column: name,
    title,
    groups,
    ...(binary && compared.length >= 2
      ? {
          fairness: {
            onSynthetic: fairness(compared.map(({ onSynthetic }) => onSynthetic)),
            onReal: fairness(compared.map(({ onReal }) => onReal)),
          },
        }
      : {}),
  };
}

function prediction(
  probabilities: Probabilities,
  truth: Int8Array,
  members: Uint32Array,
  binary: boolean,
): GroupPrediction {
  const own = probabilities.map((p) => Float64Array.from(members, (row) => p[row]!));
  const predicted = predictedClasses(own);
  const actual = Int8Array.from(members, (row) => truth[row]!);
  const share = (of: (row: number) => boolean, among: (row: number) => boolean = () => true): number => {
    const rows = [...actual.keys()].filter(among);
    return rows.filter(of).length / rows.length;
  };
  const error = share((row) => predicted[row] !== actual[row]);
  const positive = Uint8Array.from(actual, (one) => Number(one === 1));
  const positives = positive.reduce((sum, one) => sum + one, 0);
  if (!binary) return { error };
  const chosen = (row: number): boolean => predicted[row] === 1;
  return {
    error,
    selectionRate: share(chosen),
    ...(positives > 0 && positives < positive.length
      ? {
          auc: auc(own[1]!, positive),
          truePositiveRate: share(chosen, (row) => positive[row] === 1),
          falsePositiveRate: share(chosen, (row) => positive[row] === 0),
        }
      : {}),
  };
}

/**
 * A difference of paired proportions with the interval of Wald (Agresti 2013, §11.1.1): only rows on which one model is right and the
 * other wrong count (McNemar 1947).
 */
function errorRise(
  onSynthetic: Int8Array,
  onReal: Int8Array,
  truth: Int8Array,
  members: Uint32Array,
): { readonly share: number; readonly lower: number; readonly upper: number } {
  let [worse, better] = [0, 0];
  for (const row of members) {
    const [made, real] = [onSynthetic[row] === truth[row], onReal[row] === truth[row]];
    worse += Number(real && !made);
    better += Number(made && !real);
  }
  const n = members.length;
  const share = (worse - better) / n;
  const half = (Z99 * Math.sqrt(Math.max(0, worse + better - (worse - better) ** 2 / n))) / n;
  return { share, lower: share - half, upper: share + half };
}

function fairness(groups: readonly GroupPrediction[]): Fairness {
  const range = (rate: (group: GroupPrediction) => number | undefined): number => {
    const rates = groups.map(rate).filter((value) => value !== undefined);
    return rates.length === 0 ? 0 : Math.max(...rates) - Math.min(...rates);
  };
  return {
    demographicParity: range(({ selectionRate }) => selectionRate),
    equalizedOdds: Math.max(
      range(({ truePositiveRate }) => truePositiveRate),
      range(({ falsePositiveRate }) => falsePositiveRate),
    ),
  };
}

function coarseLabels({ labels, coarse, coarseCells }: MeasuringCells): string[] {
  return Array.from({ length: coarseCells }, (_, group) => {
    const merged = labels.filter((_label, cell) => coarse[cell] === group);
    return merged.length === 1 ? merged[0]! : `${merged[0]!} … ${merged.at(-1)!}`;
  });
}
