import type { Rng } from '../../crypto/rng.js';
import type { TableSchema } from '../../synthesis/table/schema.js';
import { type CodedTable, selectRows } from '../codedTable.js';
import { drawIndices } from '../draws.js';
import type { MeasuringCells } from '../measuringCells.js';
import { clopperPearson, type Proportion } from '../proportions.js';
import { gowerSpace, nearest } from './nearest.js';

/**
 * Guessing one column of a person from all others by the nearest synthetic row, for training rows and, as a control, for hold-out rows:
 * what succeeds on both is what the data say in general, and only the difference is about those who were in (Giomi et al. 2023,
 * Anonymeter, §4 and eq. 1). A smoke test: a better guesser may succeed where this one does not.
 */
export interface AttributeInference {
  readonly column: string;
  /** Right guesses; 99.5 % (Clopper-Pearson). */
  readonly train: Proportion;
  readonly control: Proportion;
  /** (train − control)/(1 − control): 0 no risk, 1 all of what was left to guess; with the corners of both intervals, 99 %. */
  readonly risk: { readonly share: number; readonly lower: number; readonly upper: number };
  /** Always guessing the most frequent value of the training rows. */
  readonly majority: number;
}

const ROWS = 3000;
const CONFIDENCE = 0.995;

/** @param column index of the secret; a number counts as guessed where its measuring cell is */
export function attributeInference(
  schema: TableSchema,
  cells: readonly MeasuringCells[],
  column: number,
  tables: { readonly train: CodedTable; readonly holdOut: CodedTable; readonly synthetic: CodedTable },
  rng: Rng,
): AttributeInference {
  const { train, holdOut, synthetic } = tables;
  const space = gowerSpace(schema, train, [column]);
  const known = space.encode(synthetic);
  const { cellOf, name } = cells[column]!;
  const success = (table: CodedTable): Proportion => {
    const targets = selectRows(table, drawIndices(rng, table.rows, ROWS));
    const { indices } = nearest(space.encode(targets), known);
    const truth = targets.columns[column]!;
    const guessed = synthetic.columns[column]!;
    const right = indices.filter((row, i) => cellOf(guessed[row]!) === cellOf(truth[i]!)).length;
    return clopperPearson(right, targets.rows, CONFIDENCE);
  };
  const [onTrain, control] = [success(train), success(holdOut)];
  const risk = (attack: number, general: number): number =>
    general >= 1 ? 0 : (attack - general) / (1 - general);
  const counts = new Map<number, number>();
  for (const code of train.columns[column]!) counts.set(cellOf(code), (counts.get(cellOf(code)) ?? 0) + 1);
  return {
    column: name,
    train: onTrain,
    control,
    risk: {
      share: risk(onTrain.share, control.share),
      lower: risk(onTrain.lower, control.upper),
      upper: risk(onTrain.upper, control.lower),
    },
    majority: Math.max(...counts.values()) / train.rows,
  };
}
