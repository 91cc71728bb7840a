import { type Axis, cellsOfMarginal, columnOf, type Measured } from '../counts/measured.js';
import type { TableEncoding } from '../table/encoding.js';
import { type Grid, gridsOf, type OneWay } from '../table/grids.js';
import { type Domain, domainOf } from './model/domain.js';
import { type Estimate, estimate } from './model/estimation.js';
import type { Measurement } from './model/measurements.js';
import type { StructuralZeros } from './model/model.js';
import { totalOf } from './model/total.js';
import type { ChosenPair } from './pairs.js';
import { COARSE_CELLS, type MarginalsPlan, MOST_BINS, PARTS } from './question.js';
import type { Sum } from './state.js';
import { structureOf, unmergedColumns } from './structure.js';

/** One marginal of an opened sum, in records. */
export interface Counted {
  readonly columns: readonly number[];
  readonly axes: readonly Axis[];
  readonly counts: Float64Array;
  readonly variance: number;
}

export function countedIn({ measured, values, variance }: Sum, fine: TableEncoding): readonly Counted[] {
  let offset = 0;
  return measured.marginals.map((marginal) => {
    const cells = cellsOfMarginal(measured, marginal, fine);
    const { axes, weight } = marginal;
    const counts = values.slice(offset, offset + cells).map((value) => value / weight);
    offset += cells;
    return {
      columns: axes.map((axis) => columnOf(measured, axis)),
      axes,
      counts,
      variance: variance / weight ** 2,
    };
  });
}

/** Everything that follows from the first sum: records, cells, and the noisy one-ways. */
export interface Base {
  readonly total: number;
  readonly ones: readonly OneWay[];
  readonly grids: readonly Grid[];
  readonly domain: Domain;
  /** Of the schema's constraints: what no row may be in. */
  readonly structuralZeros: readonly StructuralZeros[];
}

/** Fewest cells of a range in the model. */
const FEWEST_BINS = 8;

/**
 * Bins of a range: a table of b² cells has a noise of ≈ 0.4·σ·b²/n in total variation, and what it cannot resolve is ∝ 1/b; the sum
 * is smallest near b = (n/0.4σ)^⅓. σ is that of a pair's count where the third sum has two pairs a column.
 */
function binsFor({ options, fine }: MarginalsPlan, total: number): number {
  const deviation = options.noiseMultiplier * Math.sqrt((2 * fine.blocks.length) / PARTS[2]);
  const bins = Math.round(Math.cbrt(total / (0.4 * deviation)));
  return Math.min(MOST_BINS, Math.max(FEWEST_BINS, bins));
}

/** Every later sum asks for it again. */
const bases = new WeakMap<Sum, { readonly plan: MarginalsPlan; readonly base: Base }>();

export function baseOf(plan: MarginalsPlan, first: Sum): Base {
  const kept = bases.get(first);
  if (kept?.plan === plan) return kept.base;
  const base = newBase(plan, first);
  bases.set(first, { plan, base });
  return base;
}

function newBase(plan: MarginalsPlan, first: Sum): Base {
  const ones = countedIn(first, plan.fine);
  const fineDomain = domainOf(plan.fine.blocks.map(({ cells }) => cells));
  const total = Math.max(
    1,
    totalOf(
      fineDomain,
      ones.map(({ columns, counts, variance }) => ({ attributes: columns, values: counts, variance })),
    ),
  );
  const unmerged = unmergedColumns(plan.context.schema);
  const grids = gridsOf(plan.fine, ones, binsFor(plan, total), COARSE_CELLS, unmerged);
  const { structuralZeros } = structureOf(
    plan.fine,
    grids.map(({ full, fullCells }) => ({
      ...{ cellOf: full, cells: fullCells },
      shares: new Float64Array(full.length),
    })),
  );
  const domain = domainOf(grids.map(({ fullCells }) => fullCells));
  return { total, ones, grids, domain, structuralZeros };
}

/** What was counted, as a measurement of the model's cells. */
function measurementOf(
  { axes, columns, counts, variance }: Counted,
  { grids }: Base,
  sum: Measured,
): Measurement {
  const [column] = columns as [number];
  if (columns.length > 1)
    return {
      attributes: columns,
      values: counts,
      variance,
      bins: axes.map((axis, i) => binsOf(axis, grids[columns[i] as number] as Grid, sum)),
    };
  // A column on its fine cells: they are added up, and so is their noise.
  const { full, fullCells } = grids[column] as Grid;
  const values = new Float64Array(fullCells);
  const variances = new Float64Array(fullCells);
  full.forEach((cell, k) => {
    values[cell] = (values[cell] as number) + (counts[k] as number);
    variances[cell] = (variances[cell] as number) + variance;
  });
  return { attributes: columns, values, variance: variances };
}

/** The map of an axis from the column's fine cells, as one from its full cells; undefined where they are the same. */
function binsOf(axis: Axis, { full, fullCells }: Grid, { maps }: Measured): Int32Array | undefined {
  if ('column' in axis) return undefined;
  const { cells } = maps[axis.map] as Measured['maps'][number];
  const bins = new Int32Array(fullCells);
  full.forEach((cell, k) => {
    bins[cell] = cells[k] as number;
  });
  return bins.every((bin, cell) => bin === cell) ? undefined : bins;
}

/** Coarse counts of pairs that were not counted again, as far as they can be trusted (shrunkPairs.ts). */
export interface Hints {
  readonly pairs: readonly Counted[];
  /** The sum that they are of. */
  readonly of: Sum;
}

/**
 * The model of what was opened so far: of every column, and of the `chosen` pairs, which make its junction tree; `hints` are used as
 * well, where given.
 */
export function fitModel(
  plan: MarginalsPlan,
  base: Base,
  sums: readonly Sum[],
  chosen: readonly Edge[],
  hints?: Hints,
): Estimate {
  const { iterations, modelCells } = plan.options;
  const known = new Set(chosen.map(({ a, b }) => keyOf([a, b])));
  const used = sums.map((sum) => ({
    sum,
    counted: countedIn(sum, plan.fine).filter(
      ({ columns }) => columns.length === 1 || known.has(keyOf(columns)),
    ),
  }));
  if (hints !== undefined) used.push({ sum: hints.of, counted: [...hints.pairs] });
  const measurements = used.flatMap(({ sum, counted }) =>
    counted.map((one) => measurementOf(one, base, sum.measured)),
  );
  // Σ (μ − y)²/2σ² over k cells varies by √(2/k) of itself: a fit that is better by less than that is no better than the noise can tell,
  // and would only follow it further.
  const cells = measurements.reduce((sum, { values }) => sum + values.length, 0);
  return estimate(base.domain, measurements, {
    ...{ total: base.total, maxIterations: iterations },
    ...{ tolerance: Math.sqrt(2 / cells), cellLimit: modelCells },
    structuralZeros: base.structuralZeros,
  });
}

export type Edge = Pick<ChosenPair, 'a' | 'b'>;

export function keyOf(columns: readonly number[]): string {
  return columns.join();
}

/** Attribute sets for a junction tree: the pairs, and what the constraints hold together. */
export function cliquesOf(
  { structuralZeros }: Base,
  chosen: readonly Edge[],
): readonly (readonly number[])[] {
  return [...chosen.map(({ a, b }) => [a, b]), ...structuralZeros.map(({ attributes }) => attributes)];
}
