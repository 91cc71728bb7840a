import type { Grid } from '../table/grids.js';

/** Two columns, a < b, and what the coarse counts say of them. */
export interface Pair {
  readonly a: number;
  readonly b: number;
  /** ‖y − expected‖₁ less what noise alone would make of it, in records: the dependence that can be seen. */
  readonly score: number;
}

/** A pair, and on which cells of its columns it is counted. */
export interface ChosenPair extends Pair {
  readonly levels: readonly [Level, Level];
  readonly cells: number;
}

export type Level = 'full' | 'coarse';

/** E|N(0, 1)|. */
const MEAN_ABSOLUTE = Math.sqrt(2 / Math.PI);

/** How far counts are from what is expected of them, beyond their noise. */
export function scoreOf(counts: ArrayLike<number>, expected: ArrayLike<number>, variance: number): number {
  let distance = 0;
  for (let i = 0; i < counts.length; i++)
    distance += Math.abs((counts[i] as number) - (expected[i] as number));
  return distance - MEAN_ABSOLUTE * Math.sqrt(variance) * counts.length;
}

/** Largest spanning tree by score (Prim); edges without a positive one are left out, so it may be a forest. */
export function spanningTree(pairs: readonly Pair[], columns: number): readonly Pair[] {
  const inside = new Set([0]);
  const tree: Pair[] = [];
  while (inside.size < columns) {
    let best: Pair | undefined;
    for (const pair of pairs)
      if (inside.has(pair.a) !== inside.has(pair.b) && (best === undefined || pair.score > best.score))
        best = pair;
    if (best === undefined) break;
    inside.add(best.a).add(best.b);
    if (best.score > 0) tree.push(best);
  }
  return tree;
}

export interface Room {
  /** Deviation of a count with the whole of the sum's budget, in records. */
  readonly deviation: number;
  /** Cells that the sum has. */
  readonly cells: number;
  /** Would the model still have room with these pairs? */
  fits(pairs: readonly Pair[]): boolean;
}

/**
 * Of `candidates`, in this order, those that are worth a part of one sum. With weights ∝ cells^⅓ (measured.ts) a marginal of c
 * cells has deviation σ·√(Σ cells^⅔)/c^⅓ in each, so each pair that is added makes all others noisier. A pair is taken if that
 * is outweighed: if Σ (score − noise) over the chosen ones grows by it. Of the four choices of levels it is counted on the one where
 * what it shows, less the noise, is most, if that noise stays below its score.
 */
export function worthCounting(
  candidates: readonly Pair[],
  grids: readonly Grid[],
  room: Room,
): readonly ChosenPair[] {
  let chosen: readonly ChosenPair[] = [];
  for (const pair of candidates) {
    const before = worthOf(chosen, room.deviation);
    const added = clearest(pair, grids, (cells) => {
      const more = [...chosen, { ...pair, cells }];
      return cellsIn(more) <= room.cells
        ? noiseOf(cells, room.deviation, normOf(more))
        : Number.POSITIVE_INFINITY;
    });
    if (added === undefined) continue;
    const more = [...chosen, added];
    const after = worthOf(more, room.deviation);
    if (after <= before || !room.fits(more)) continue;
    chosen = more;
  }
  return chosen;
}

type Counted = Pick<ChosenPair, 'cells' | 'score'>;

function worthOf(chosen: readonly Counted[], deviation: number): number {
  const norm = normOf(chosen);
  return chosen.reduce((sum, { score, cells }) => sum + score - noiseOf(cells, deviation, norm), 0);
}

function normOf(chosen: readonly Counted[]): number {
  return Math.sqrt(chosen.reduce((sum, { cells }) => sum + cells ** (2 / 3), 0));
}

function cellsIn(chosen: readonly Counted[]): number {
  return chosen.reduce((sum, { cells }) => sum + cells, 0);
}

/** What the fit leaves of a marginal's noise: counts are never negative, and columns agree with what else is known of them. */
const DENOISED = 0.7;

/** Expected L1 norm of the noise of a marginal, after the fit. */
function noiseOf(cells: number, deviation: number, norm: number): number {
  return DENOISED * MEAN_ABSOLUTE * deviation * norm * cells ** (2 / 3);
}

const LEVELS: readonly (readonly [Level, Level])[] = [
  ['full', 'full'],
  ['full', 'coarse'],
  ['coarse', 'full'],
  ['coarse', 'coarse'],
];

function clearest(
  pair: Pair,
  grids: readonly Grid[],
  noiseIn: (cells: number) => number,
): ChosenPair | undefined {
  const [left, right] = [grids[pair.a] as Grid, grids[pair.b] as Grid];
  let best: ChosenPair | undefined;
  let most = Number.NEGATIVE_INFINITY;
  for (const levels of LEVELS) {
    const cells = sizeAt(left, levels[0]) * sizeAt(right, levels[1]);
    const noise = noiseIn(cells);
    const shown = pair.score * (1 - lostAt(left, levels[0]) - lostAt(right, levels[1])) - noise;
    if (noise > pair.score || shown <= most) continue;
    best = { ...pair, levels, cells };
    most = shown;
  }
  return best;
}

/**
 * Part of a dependence that a column's coarse cells don't show: of a range what so many cells cannot resolve, ∝ 1/cells; of categories,
 * which are merged in the order of the schema and not by likeness, the part of them that lose their own cell.
 */
function lostAt({ ordered, fullCells, coarseCells }: Grid, level: Level): number {
  if (level === 'full') return 0;
  return ordered ? 1 / coarseCells - 1 / fullCells : 1 - coarseCells / fullCells;
}

export function sizeAt(grid: Grid, level: Level): number {
  return level === 'full' ? grid.fullCells : grid.coarseCells;
}

export function mapAt(grid: Grid, level: Level): readonly number[] {
  return level === 'full' ? grid.full : grid.coarse;
}
