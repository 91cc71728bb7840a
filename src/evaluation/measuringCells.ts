import type { Field, RangeField, TableSchema } from '../synthesis/table/schema.js';
import { type ColumnNames, columnNames, MISSING_LABEL, ordinalText } from './cells.js';
import { bytesOf, type CodedTable } from './codedTable.js';

/**
 * Cells on which tables are compared: chosen from the training rows, so that they do not depend on the generator's own bins,
 * which would hide every error within a bin.
 */
export interface MeasuringCells extends ColumnNames {
  readonly kind: 'categories' | 'bins';
  readonly labels: readonly string[];
  readonly cellOf: (code: number) => number;
  /** The coarse cell of each cell, at most COARSE_CELLS of them: for triples of columns, and for groups of rows. */
  readonly coarse: Uint8Array;
  readonly coarseCells: number;
}

/** Bins of a range: values that at least 1/BINS of the training rows hold get one of their own, the others are of equal mass. */
const BINS = 10;
/** Of categories the most frequent stay, the others are together in the last cell. */
const MAX_CELLS = 255;
const COARSE_CELLS = 8;

/** The columns of a schema in its order. */
export function measuringCells(schema: TableSchema, train: CodedTable): MeasuringCells[] {
  const names = columnNames(schema);
  return schema.fields.map((field, i) => {
    const codes = train.columns[i]!;
    const { labels, cellOf } =
      field.domain === 'categories' ? categoryCells(field, codes) : rangeCells(field, codes);
    const kind = field.domain === 'categories' ? 'categories' : 'bins';
    const all = field.required ? labels : [...labels, MISSING_LABEL];
    const missing = all.length - 1;
    const cell = (code: number): number => (Number.isNaN(code) ? missing : cellOf(code));
    const counts = new Float64Array(all.length);
    for (const code of codes) counts[cell(code)]!++;
    const coarse = coarseOf(counts, kind, field.required ? all.length : missing);
    return { ...names[i]!, kind, labels: all, cellOf: cell, coarse, coarseCells: 1 + Math.max(...coarse) };
  });
}

/** The cells of every row, by column. */
export function cellsOfTable(cells: readonly MeasuringCells[], table: CodedTable): Uint8Array[] {
  return cells.map(({ cellOf }, i) => bytesOf(table.columns[i]!, cellOf));
}

interface ValueCells {
  readonly labels: readonly string[];
  readonly cellOf: (code: number) => number;
}

function categoryCells(field: Field & { readonly domain: 'categories' }, codes: Float64Array): ValueCells {
  const texts = field.categories.map(String);
  const most = MAX_CELLS - Number(!field.required);
  if (texts.length <= most) return { labels: texts, cellOf: (code) => code };
  const counts = new Float64Array(texts.length);
  for (const code of codes) if (!Number.isNaN(code)) counts[code]!++;
  const kept = [...counts.keys()].sort((a, b) => counts[b]! - counts[a]!).slice(0, most - 1);
  const cellByCode = new Map(kept.map((code, cell) => [code, cell]));
  return {
    labels: [...kept.map((code) => texts[code]!), `${texts.length - kept.length} others`],
    cellOf: (code) => cellByCode.get(code) ?? kept.length,
  };
}

function rangeCells(field: RangeField, codes: Float64Array): ValueCells {
  const present = codes.filter((code) => !Number.isNaN(code)).sort();
  const heavy: number[] = [];
  for (let from = 0; from < present.length; ) {
    let to = from + 1;
    while (to < present.length && present[to] === present[from]) to++;
    if (to - from >= codes.length / BINS) heavy.push(present[from]!);
    from = to;
  }
  const heavies = new Set(heavy);
  const rest = present.filter((code) => !heavies.has(code));
  const bins = BINS - heavy.length;
  // The smallest value whose empirical distribution reaches k/bins.
  const quantiles = Array.from({ length: Math.max(0, bins - 1) }, (_, k) =>
    rest.length === 0 ? Number.NaN : rest[Math.ceil(((k + 1) / bins) * rest.length) - 1]!,
  );
  const cuts = [...new Set(quantiles.filter((cut) => !Number.isNaN(cut)))];

  // In the order of the values: a heavy value stands after the bin around it.
  const edges = [field.minimum, ...cuts, Number.POSITIVE_INFINITY];
  const labels: string[] = [];
  const cellOfBin: number[] = [];
  const cellOfHeavy = new Map<number, number>();
  for (let bin = 0; bin + 1 < edges.length; bin++) {
    const [low, high] = [edges[bin]!, edges[bin + 1]!];
    const inside = heavy.filter((value) => value >= low && value < high);
    cellOfBin.push(labels.length);
    labels.push(binLabel(field, low, high, inside));
    for (const value of inside) {
      cellOfHeavy.set(value, labels.length);
      labels.push(ordinalText(field, value));
    }
  }
  return {
    labels,
    cellOf: (code) => {
      const own = cellOfHeavy.get(code);
      if (own !== undefined) return own;
      let bin = 0;
      while (bin < cuts.length && cuts[bin]! <= code) bin++;
      return cellOfBin[bin]!;
    },
  };
}

function binLabel(field: RangeField, low: number, high: number, without: readonly number[]): string {
  const whole = field.type !== 'number';
  const last = high === Number.POSITIVE_INFINITY;
  const end = last ? field.maximum : whole ? high - 1 : high;
  const range =
    low === end
      ? ordinalText(field, low)
      : `${ordinalText(field, low)} – ${whole || last ? '' : '<'}${ordinalText(field, end)}`;
  return without.length === 0
    ? range
    : `${range}, not ${without.map((v) => ordinalText(field, v)).join(', ')}`;
}

/** The map to coarse cells: neighbouring bins are merged, the lightest first; of categories the rarest go together. Missing stays. */
function coarseOf(counts: Float64Array, kind: MeasuringCells['kind'], values: number): Uint8Array {
  const most = COARSE_CELLS - Number(values < counts.length);
  let sets: { readonly cells: readonly number[]; readonly mass: number }[] = Array.from(
    { length: values },
    (_, cell) => ({ cells: [cell], mass: counts[cell]! }),
  );
  if (kind === 'categories') {
    sets.sort((a, b) => b.mass - a.mass);
    const rest = sets.slice(most - 1);
    if (sets.length > most)
      sets = [...sets.slice(0, most - 1), { cells: rest.flatMap(({ cells }) => cells), mass: 0 }];
  } else {
    while (sets.length > most) {
      let lightest = 0;
      const mass = (i: number) => sets[i]!.mass + sets[i + 1]!.mass;
      for (let i = 1; i + 1 < sets.length; i++) if (mass(i) < mass(lightest)) lightest = i;
      const cells = [...sets[lightest]!.cells, ...sets[lightest + 1]!.cells];
      sets.splice(lightest, 2, { cells, mass: mass(lightest) });
    }
  }
  const coarse = new Uint8Array(counts.length).fill(sets.length);
  for (const [index, { cells }] of sets.entries()) for (const cell of cells) coarse[cell] = index;
  return coarse;
}
