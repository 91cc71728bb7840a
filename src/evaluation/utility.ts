import { seededRng } from '../synthesis/randomness.js';
import type { TableSchema } from '../synthesis/table/schema.js';
import { type ModelScore, modelScore, type Probabilities } from './classScores.js';
import { type CodedTable, selectRows } from './codedTable.js';
import { drawIndices } from './draws.js';
import { classesOf, type LabelTask } from './labelTask.js';
import { fitBoostedTrees } from './models/boostedTrees.js';
import { designOf } from './models/design.js';
import { binFeatures } from './models/features.js';
import { fitLogisticRegression, logisticScores } from './models/logisticRegression.js';

/**
 * Train on synthetic, test on real, beside train on real, test on real (Esteban, Hyland, Rätsch 2017): the same models with the same
 * fixed parameters, tested on hold-out rows that neither the generator nor a model has met (hazard D9).
 */
export interface Utility {
  readonly label: { readonly name: string; readonly title: string; readonly classes: readonly string[] };
  /** Rows with a label: to train on at most, and to test on. */
  readonly rows: { readonly synthetic: number; readonly train: number; readonly test: number };
  readonly models: readonly {
    readonly model: ModelName;
    readonly trainedOnSynthetic: ModelScore;
    readonly trainedOnReal: ModelScore;
  }[];
}

export type ModelName = 'boosted trees' | 'logistic regression';

/** P(class) for the rows of a table, by class. */
export type Classifier = (table: CodedTable) => Probabilities;

/** Rows to train on, times classes beyond two: what keeps the whole page within half a minute. */
const TRAINING_ROWS = 50_000;
const FEWEST_TRAINING_ROWS = 5_000;

/** Also what the boosted trees give for the test rows, for the figures by group. */
export function utility(
  schema: TableSchema,
  task: LabelTask,
  tables: { readonly train: CodedTable; readonly holdOut: CodedTable; readonly synthetic: CodedTable },
  seed: Uint8Array,
): { readonly utility: Utility; readonly test: TestedRows } {
  const test = labelled(task, tables.holdOut);
  const truth = classesOf(task, test);
  const rng = seededRng(seed, 'utility');
  const most = Math.max(FEWEST_TRAINING_ROWS, Math.floor((2 * TRAINING_ROWS) / task.classes.length));
  const source = (table: CodedTable): CodedTable => {
    const all = labelled(task, table);
    return all.rows <= most ? all : selectRows(all, drawIndices(rng, all.rows, most));
  };
  const [synthetic, train] = [source(tables.synthetic), source(tables.train)];
  const fitted = MODELS.map(({ model, learn }) => ({
    model,
    onSynthetic: learn(schema, task, synthetic)(test),
    onReal: learn(schema, task, train)(test),
  }));
  const { name, title, classes } = task;
  return {
    utility: {
      label: { name, title, classes },
      rows: { synthetic: synthetic.rows, train: train.rows, test: test.rows },
      models: fitted.map(({ model, onSynthetic, onReal }) => ({
        model,
        trainedOnSynthetic: modelScore(classes, onSynthetic, truth),
        trainedOnReal: modelScore(classes, onReal, truth),
      })),
    },
    test: { rows: test, truth, onSynthetic: fitted[0]!.onSynthetic, onReal: fitted[0]!.onReal },
  };
}

/** Hold-out rows with a label, and what the boosted trees say of them. */
export interface TestedRows {
  readonly rows: CodedTable;
  readonly truth: Int8Array;
  readonly onSynthetic: Probabilities;
  readonly onReal: Probabilities;
}

const MODELS: readonly {
  readonly model: ModelName;
  readonly learn: (schema: TableSchema, task: LabelTask, table: CodedTable) => Classifier;
}[] = [
  {
    model: 'boosted trees',
    learn: (schema, task, table) => {
      const binning = binFeatures(schema, table, [task.column]);
      const features = binning.apply(table);
      const scorers = oneVersusRest(task, table, (positive) => fitBoostedTrees(binning, features, positive));
      return (other) => {
        const binned = binning.apply(other);
        return probabilities(scorers.map((score) => score(binned)));
      };
    },
  },
  {
    model: 'logistic regression',
    learn: (schema, task, table) => {
      const design = designOf(schema, table, [task.column]);
      const rows = design(table);
      const weights = oneVersusRest(task, table, (positive) => fitLogisticRegression(rows, positive));
      return (other) => {
        const designed = design(other);
        return probabilities(weights.map((w) => logisticScores(designed, w)));
      };
    },
  },
];

/** One model a class; of two classes one, for the positive class. */
function oneVersusRest<T>(task: LabelTask, table: CodedTable, learn: (positive: Uint8Array) => T): T[] {
  const classes = classesOf(task, table);
  const wanted = task.classes.length === 2 ? [1] : [...task.classes.keys()];
  return wanted.map((k) => learn(Uint8Array.from(classes, (one) => Number(one === k))));
}

/** Scores of one class against the rest, brought to add up to 1. */
function probabilities(scores: readonly Float64Array[]): Probabilities {
  const [only] = scores;
  if (scores.length === 1) return [only!.map((p) => 1 - p), only!];
  const sums = scores.reduce(
    (sum, score) => sum.map((p, row) => p + score[row]!),
    new Float64Array(only!.length),
  );
  return scores.map((score) => score.map((p, row) => p / (sums[row]! || 1)));
}

function labelled(task: LabelTask, table: CodedTable): CodedTable {
  const classes = classesOf(task, table);
  if (classes.every((one) => one >= 0)) return table;
  return selectRows(table, Uint32Array.from([...classes.keys()].filter((row) => classes[row]! >= 0)));
}
