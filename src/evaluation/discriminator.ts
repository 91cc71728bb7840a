import { seededRng } from '../synthesis/randomness.js';
import type { TableSchema } from '../synthesis/table/schema.js';
import { type CodedTable, concatRows, selectRows } from './codedTable.js';
import { drawIndices } from './draws.js';
import type { MeasuringCells } from './measuringCells.js';
import { fitBoostedTrees } from './models/boostedTrees.js';
import { binFeatures } from './models/features.js';
import { fitLogisticRegression, logisticScores } from './models/logisticRegression.js';
import { rankOfIndicators } from './models/rank.js';
import { type AucInterval, aucInterval, type RocPoint, rocCurve, thinned, Z95 } from './rocCurve.js';
import { type CellColumns, coarsen } from './tupleDistances.js';

export interface Discriminator {
  /** Rows of each kind. */
  readonly rows: number;
  /** ½: synthetic rows cannot be told from real ones. 95 % (DeLong). */
  readonly auc: AucInterval;
  readonly roc: readonly RocPoint[];
}

const ROWS = 10_000;
const FOLDS = 5;
const ROC_POINTS = 120;

/**
 * Boosted trees that tell synthetic rows from as many hold-out rows, five-fold: every row is judged by a model that never met it.
 * Hold-out and not training rows, so that a generator gains nothing by copying.
 */
export function discriminator(
  schema: TableSchema,
  holdOut: CodedTable,
  synthetic: CodedTable,
  seed: Uint8Array,
): Discriminator {
  const rng = seededRng(seed, 'discriminator');
  const each = Math.min(ROWS, holdOut.rows, synthetic.rows);
  const rows = concatRows(
    selectRows(holdOut, drawIndices(rng, holdOut.rows, each)),
    selectRows(synthetic, drawIndices(rng, synthetic.rows, each)),
  );
  const scores = new Float64Array(2 * each);
  const order = drawIndices(rng, each);
  for (let fold = 0; fold < FOLDS; fold++) {
    // As many of either kind in every fold.
    const chosen = order.filter((_, i) => i % FOLDS === fold);
    const tested = Uint32Array.from([...chosen, ...chosen.map((row) => each + row)]);
    const left = new Set(tested);
    const learnt = Uint32Array.from({ length: 2 * each }, (_, row) => row).filter((row) => !left.has(row));
    const train = selectRows(rows, learnt);
    const binning = binFeatures(schema, train, []);
    const scorer = fitBoostedTrees(
      binning,
      binning.apply(train),
      Uint8Array.from(learnt, (row) => Number(row >= each)),
    );
    const found = scorer(binning.apply(selectRows(rows, tested)));
    for (const [i, row] of tested.entries()) scores[row] = found[i]!;
  }
  const isSynthetic = new Uint8Array(2 * each).fill(1, each);
  return {
    rows: each,
    auc: aucInterval(scores, isSynthetic, Z95),
    roc: thinned(rocCurve(scores, isSynthetic), ROC_POINTS),
  };
}

/** Propensity score mean squared error, with what it would be for a right synthesis. */
export interface PropensityError {
  readonly pmse: number;
  readonly expected: number;
  readonly deviation: number;
  /** pmse / expected: 1 for a right synthesis. */
  readonly ratio: number;
}

/** Coarse cells in a design at most: its rank takes their number cubed. */
const MAX_DESIGN = 1000;
/** A trace of a penalty, since indicators of all cells are collinear. */
const PROPENSITY = { penalty: 1e-3, tolerance: 1e-5 } as const;

/**
 * pMSE = mean of (p̂ − c)², p̂ from a logistic regression on the coarse cells of training and synthetic rows together, c the synthetic
 * share. If both came from one distribution, with the synthesis fitted to these very rows, its mean were (k − 1)(1 − c)²c/N and its
 * standard deviation √(2(k − 1))·(1 − c)²c/N, k being the parameters with the intercept (Snoke, Raab, Nowok, Dibben, Slavkovic 2018,
 * Theorem 1 and §3). Main effects only: it sees single columns. Undefined above MAX_DESIGN cells.
 */
export function propensityError(
  cells: readonly MeasuringCells[],
  train: CellColumns,
  synthetic: CellColumns,
): PropensityError | undefined {
  const coarse = coarsen(cells);
  const width = coarse.sizes.reduce((sum, size) => sum + size, 0);
  if (width > MAX_DESIGN) return undefined;
  const [real, made] = [coarse.of(train), coarse.of(synthetic)];
  const [n, m] = [real[0]!.length, made[0]!.length];
  let start = 0;
  const blocks = coarse.sizes.map((size, i) => {
    const index = new Uint32Array(n + m);
    index.set(Uint32Array.from(real[i]!, (cell) => start + cell));
    index.set(
      Uint32Array.from(made[i]!, (cell) => start + cell),
      n,
    );
    start += size;
    return { index };
  });
  const design = { rows: n + m, width, blocks };
  const scores = logisticScores(
    design,
    fitLogisticRegression(design, new Uint8Array(n + m).fill(1, n), PROPENSITY),
  );
  const c = m / (n + m);
  const pmse = scores.reduce((sum, p) => sum + (p - c) ** 2, 0) / (n + m);
  // The indicators' rank counts the intercept, which is the sum of any block.
  const free = rankOfIndicators(design) - 1;
  const unit = ((1 - c) ** 2 * c) / (n + m);
  return { pmse, expected: free * unit, deviation: Math.sqrt(2 * free) * unit, ratio: pmse / (free * unit) };
}
