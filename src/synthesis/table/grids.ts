import type { Block, TableEncoding } from './encoding.js';

/** One column's noisy counts over its fine cells, in records; the noise's variance is that of one count. */
export interface OneWay {
  readonly counts: Float64Array;
  readonly variance: number;
}

/** Cells of a column in the model, and fewer for pairs of columns; both as the cell that each fine cell is in. */
export interface Grid {
  /** A range, whose neighbouring cells are alike; else categories. */
  readonly ordered: boolean;
  readonly full: readonly number[];
  readonly fullCells: number;
  readonly coarse: readonly number[];
  readonly coarseCells: number;
}

/** A category below so many standard deviations may as well be nobody's: it is merged with the others. */
const RARE = 3;
/** A value with half of a cell's share gets one, where so many standard deviations say that it has. */
export const HEAVY = 5;

/**
 * Cells by what the first sum shows, and by its noise: categories that do not rise above the noise become one; a range is cut
 * into cells of about equal mass, its heavy values (DESIGN §6: 0, a cap, a round amount) kept apart. `bins`: most
 * cells of a range in the model; `unmerged`: columns whose categories all keep a cell. Post-processing of noisy counts.
 */
export function gridsOf(
  fine: TableEncoding,
  ones: readonly OneWay[],
  bins: number,
  coarseCells: number,
  unmerged: ReadonlySet<number> = new Set(),
): readonly Grid[] {
  return fine.blocks.map((block, column) =>
    gridOf(block, ones[column] as OneWay, bins, coarseCells, unmerged.has(column) ? 0 : RARE),
  );
}

function gridOf(block: Block, { counts, variance }: OneWay, bins: number, most: number, rare: number): Grid {
  const missing = block.field.required ? undefined : block.cells - 1;
  const full =
    block.edges === undefined
      ? withoutRare(counts, rare === 0 ? -Infinity : rare * Math.sqrt(variance), missing)
      : equalMass(counts, bins, HEAVY * Math.sqrt(variance), missing);
  const fullCells = cellsIn(full);
  const merged = new Float64Array(fullCells);
  full.forEach((cell, k) => {
    merged[cell] = (merged[cell] as number) + (counts[k] as number);
  });
  const missingCell = missing === undefined ? undefined : full[missing];
  const few =
    fullCells <= most
      ? merged.map((_, cell) => cell)
      : equalMass(merged, most, Number.POSITIVE_INFINITY, missingCell);
  const coarse = full.map((cell) => few[cell] as number);
  return { ordered: block.edges !== undefined, full, fullCells, coarse, coarseCells: cellsIn(coarse) };
}

/** The likely ones each a cell, and one for all the others. */
function withoutRare(counts: Float64Array, threshold: number, missing: number | undefined): number[] {
  const isRare = (k: number): boolean => k !== missing && (counts[k] as number) < threshold;
  const rare = counts.reduce((sum, _, k) => sum + (isRare(k) ? 1 : 0), 0);
  if (rare < 2) return Array.from(counts, (_, k) => k);
  const kept = counts.length - rare;
  let next = 0;
  return Array.from(counts, (_, k) => (isRare(k) ? kept : next++));
}

/**
 * At most `bins` cells: single fine cells that hold an equal share and stand out of the noise, the missing values, and the rest in
 * order, cut into equal parts of its mass; a heavy value in between does not cut. Negative counts are none.
 */
function equalMass(
  counts: Float64Array,
  bins: number,
  threshold: number,
  missing: number | undefined,
): number[] {
  const mass = counts.map((count) => Math.max(0, count));
  const total = mass.reduce((sum, own, k) => sum + (k === missing ? 0 : own), 0);
  const room = Math.max(1, bins - (missing === undefined ? 0 : 1));
  const share = total / room;
  const apart = new Set(missing === undefined ? [] : [missing]);
  const heaviest = Array.from(mass, (_, k) => k)
    .filter((k) => k !== missing && (mass[k] as number) >= Math.min(share, Math.max(share / 2, threshold)))
    .sort((a, b) => (mass[b] as number) - (mass[a] as number) || a - b);
  for (const k of heaviest.slice(0, room - 1)) apart.add(k);
  const rest = mass.reduce((sum, own, k) => sum + (apart.has(k) ? 0 : own), 0);
  const parts = Math.max(1, room - [...apart].filter((k) => k !== missing).length);
  const cells = new Array<number>(counts.length).fill(-1);
  let next = 0;
  let current = -1;
  let below = 0;
  let part = -1;
  for (let k = 0; k < counts.length; k++) {
    if (apart.has(k)) {
      cells[k] = next++;
      continue;
    }
    const own = mass[k] as number;
    // By the middle of its own mass, so that no cut depends on which side a heavy cell is counted.
    const wanted = rest > 0 ? Math.min(parts - 1, Math.floor((parts * (below + own / 2)) / rest)) : 0;
    if (current < 0 || wanted > part) {
      part = wanted;
      current = next++;
    }
    cells[k] = current;
    below += own;
  }
  return cells;
}

function cellsIn(map: ArrayLike<number>): number {
  let cells = 0;
  for (let i = 0; i < map.length; i++) cells = Math.max(cells, (map[i] as number) + 1);
  return cells;
}
