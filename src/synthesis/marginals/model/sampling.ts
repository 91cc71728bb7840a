import type { Domain } from './domain.js';
import { InvalidModelInput } from './errors.js';
import type { Clique } from './junctionTree.js';
import type { Model } from './model.js';
import { strideOf } from './projection.js';

/** What sampling needs of a model, computed once. */
export interface SamplingPlan {
  readonly domain: Domain;
  /** Uniforms a row: one a clique. */
  readonly draws: number;
  readonly cliques: readonly CliqueDraw[];
  /** Of P(residual | separator) in each separator value's cells, which end with 1. */
  readonly cumulative: Float64Array;
}

/** How one clique's residual is drawn once the row has the separator's values. */
export interface CliqueDraw {
  readonly offset: number;
  readonly separator: Int32Array;
  /** Cells from one value of a separator attribute to the next. */
  readonly strides: Int32Array;
  readonly residual: Int32Array;
  readonly residualSizes: Int32Array;
  readonly residualCells: number;
}

export function samplingPlan({ tree, calibration }: Model): SamplingPlan {
  const cumulative = calibration.conditionals.slice();
  for (const { offset, separatorCells, residualCells } of tree.cliques)
    for (let s = 0; s < separatorCells; s++) {
      const begin = offset + s * residualCells;
      const end = begin + residualCells;
      let sum = 0;
      let last = end;
      for (let i = begin; i < end; i++) {
        if ((cumulative[i] as number) > 0) last = i;
        cumulative[i] = sum += cumulative[i] as number;
      }
      cumulative.fill(1, last, end); // where the sum is 1 but for rounding; a separator value that can't occur keeps its zeros
    }
  return {
    domain: tree.domain,
    draws: tree.cliques.length,
    cliques: tree.cliques.map((clique) => cliqueDraw(tree.domain, clique)),
    cumulative,
  };
}

/**
 * Exact samples, by ancestral sampling along the junction tree (Koller and Friedman 2009, section 12.1): the root's cell, then each clique's residual given its separator,
 * by inversion of the cumulative distribution. A row depends on its own uniforms only, so rows can be drawn in pages,
 * in any order, anywhere. A cell of probability 0 is never drawn; one far below the uniforms' resolution hardly ever.
 * @param uniforms in the open interval (0, 1), row after row, `draws` each.
 * @returns rows × attributes.
 * @throws InvalidModelInput
 */
export function sampleRows(plan: SamplingPlan, uniforms: Float64Array): Uint16Array {
  const { draws, cliques, cumulative } = plan;
  const rows = rowsOf(uniforms, draws);
  const width = plan.domain.sizes.length;
  const out = new Uint16Array(rows * width);
  for (let row = 0; row < rows; row++)
    for (let c = 0; c < draws; c++)
      drawResidual(
        cliques[c] as CliqueDraw,
        cumulative,
        uniforms[row * draws + c] as number,
        out,
        row * width,
      );
  return out;
}

/** @throws InvalidModelInput */
export function rowsOf(uniforms: Float64Array, draws: number): number {
  if (uniforms.length % draws !== 0)
    throw new InvalidModelInput(
      'uniforms',
      `${uniforms.length} are no rows of ${draws}: give each row ${draws}`,
    );
  return uniforms.length / draws;
}

function cliqueDraw(domain: Domain, clique: Clique): CliqueDraw {
  return {
    offset: clique.offset,
    separator: Int32Array.from(clique.separator),
    strides: Int32Array.from(clique.separator, (a) => strideOf(domain, clique.attributes, a)),
    residual: Int32Array.from(clique.residual),
    residualSizes: Int32Array.from(clique.residual, (a) => domain.sizes[a] as number),
    residualCells: clique.residualCells,
  };
}

/** Writes the residual's values into the row that begins at `at`. */
export function drawResidual(
  clique: CliqueDraw,
  cumulative: Float64Array,
  uniform: number,
  out: Uint16Array,
  at: number,
): void {
  let begin = clique.offset;
  for (let i = 0; i < clique.separator.length; i++)
    begin += (clique.strides[i] as number) * (out[at + (clique.separator[i] as number)] as number);
  const cell = firstAbove(cumulative, begin, begin + clique.residualCells, uniform) - begin;
  writeCell(cell, clique.residual, clique.residualSizes, out, at);
}

/** The first index in [begin, end) whose value is above `target`; the values ascend, the last one is above it. */
export function firstAbove(values: Float64Array, begin: number, end: number, target: number): number {
  let low = begin;
  let high = end - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((values[middle] as number) > target) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The values of a cell of a row-major table. */
export function writeCell(
  cell: number,
  attributes: Int32Array,
  sizes: Int32Array,
  out: Uint16Array,
  at: number,
): void {
  let rest = cell;
  for (let i = attributes.length - 1; i >= 0; i--) {
    const size = sizes[i] as number;
    const quotient = Math.trunc(rest / size);
    out[at + (attributes[i] as number)] = rest - quotient * size;
    rest = quotient;
  }
}
