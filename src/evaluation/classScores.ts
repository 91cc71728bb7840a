import { type AucInterval, aucInterval, type RocPoint, rocCurve, thinned, Z95 } from './rocCurve.js';

/** How well one class is told from the others. */
export interface ClassScore {
  readonly class: string;
  /** Rows of the class among those that were tested. */
  readonly rows: number;
  /** 95 % (DeLong). */
  readonly auc: AucInterval;
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
}

export interface ModelScore {
  /** Of two classes: that of the positive one. Of more: the mean over the classes that occur (macro). */
  readonly auc: number;
  readonly f1: number;
  readonly accuracy: number;
  readonly classes: readonly ClassScore[];
  /** By class, in the order of `classes`; of two classes the positive one only. */
  readonly roc: readonly { readonly class: string; readonly points: readonly RocPoint[] }[];
}

/** Of a curve in a report. */
const ROC_POINTS = 120;

/** P(class) of each row, by class. */
export type Probabilities = readonly Float64Array[];

/** The most probable class of each row; of two classes the positive one from ½ on. */
export function predictedClasses(probabilities: Probabilities): Int8Array {
  const predicted = new Int8Array(probabilities[0]!.length);
  for (let row = 0; row < predicted.length; row++) {
    let best = 0;
    for (let k = 1; k < probabilities.length; k++)
      if (probabilities[k]![row]! >= probabilities[best]![row]!) best = k;
    predicted[row] = best;
  }
  return predicted;
}

/** @param truth the class of each row, all of them known */
export function modelScore(
  names: readonly string[],
  probabilities: Probabilities,
  truth: Int8Array,
): ModelScore {
  const predicted = predictedClasses(probabilities);
  const binary = names.length === 2;
  const classes: ClassScore[] = [];
  const roc: { readonly class: string; readonly points: readonly RocPoint[] }[] = [];
  for (const [k, name] of names.entries()) {
    let [rows, found, right] = [0, 0, 0];
    const positive = Uint8Array.from(truth, (one) => Number(one === k));
    for (let row = 0; row < truth.length; row++) {
      rows += positive[row]!;
      found += Number(predicted[row] === k);
      right += Number(predicted[row] === k && positive[row] === 1);
    }
    if (rows === 0 || rows === truth.length) continue;
    const precision = found === 0 ? 0 : right / found;
    const recall = right / rows;
    const f1 = right === 0 ? 0 : (2 * precision * recall) / (precision + recall);
    classes.push({
      class: name,
      rows,
      auc: aucInterval(probabilities[k]!, positive, Z95),
      precision,
      recall,
      f1,
    });
    if (!binary || k === 1)
      roc.push({ class: name, points: thinned(rocCurve(probabilities[k]!, positive), ROC_POINTS) });
  }
  const scored = binary ? classes.slice(-1) : classes;
  const over = (value: (score: ClassScore) => number, none: number): number =>
    scored.length === 0 ? none : scored.reduce((sum, score) => sum + value(score), 0) / scored.length;
  const right = predicted.reduce((sum, one, row) => sum + Number(one === truth[row]), 0);
  return {
    auc: over((score) => score.auc.auc, 0.5),
    f1: over((score) => score.f1, 0),
    accuracy: right / truth.length,
    classes,
    roc,
  };
}
