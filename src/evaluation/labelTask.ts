import type { TableSchema } from '../synthesis/table/schema.js';
import { columnNames, ordinalText } from './cells.js';
import type { CodedTable } from './codedTable.js';

/** What a model is asked to predict: a column as classes, from all other columns. */
export interface LabelTask {
  readonly column: number;
  readonly name: string;
  readonly title: string;
  readonly classes: readonly string[];
  /** The class of a row's code, −1 where the label is missing. */
  readonly classOf: (code: number) => number;
}

/** More classes than that are scored together as one: each costs a model of its own. */
const MAX_CLASSES = 12;

/**
 * A categorical label as it is; the rarest of many categories together. Of a number: whether it is above the median of the training
 * rows. Two classes: the second one, the schema's last category, is the positive one.
 */
export function labelTask(schema: TableSchema, train: CodedTable, name: string): LabelTask {
  const column = schema.fields.findIndex((field) => field.name === name);
  const field = schema.fields[column];
  if (field === undefined) throw new RangeError(`labelTask: no column ${name}`);
  const base = { column, ...columnNames(schema)[column]! };
  const codes = train.columns[column]!;
  if (field.domain === 'range') {
    const present = codes.filter((code) => !Number.isNaN(code)).sort();
    const median = present[Math.floor((present.length - 1) / 2)] ?? field.minimum;
    const text = ordinalText(field, median);
    return {
      ...base,
      classes: [`at most ${text}`, `above ${text}`],
      classOf: (code) => (Number.isNaN(code) ? -1 : Number(code > median)),
    };
  }
  const texts = field.categories.map(String);
  if (texts.length <= MAX_CLASSES)
    return { ...base, classes: texts, classOf: (code) => (Number.isNaN(code) ? -1 : code) };
  const counts = new Float64Array(texts.length);
  for (const code of codes) if (!Number.isNaN(code)) counts[code]!++;
  const kept = [...counts.keys()].sort((a, b) => counts[b]! - counts[a]!).slice(0, MAX_CLASSES - 1);
  const classes = new Map(kept.map((code, index) => [code, index]));
  return {
    ...base,
    classes: [...kept.map((code) => texts[code]!), `${texts.length - kept.length} others`],
    classOf: (code) => (Number.isNaN(code) ? -1 : (classes.get(code) ?? kept.length)),
  };
}

/** The classes of every row. */
export function classesOf(task: LabelTask, table: CodedTable): Int8Array {
  return Int8Array.from(table.columns[task.column]!, task.classOf);
}
