import type { Rng } from '../../crypto/rng.js';
import type { LearningEngine, Matrix } from '../engine.js';
import type { Column, Columns, Layout } from '../oneWays/columns.js';
import { firstAbove } from '../oneWays/shares.js';
import { normals, uniforms } from '../randomness.js';
import { forward, initialParameters, type Layer, layersOf, type Widths } from './network.js';

/** Of each row the column that it is conditioned on, and the cell that it must have there. */
export interface Conditions {
  readonly columns: Uint16Array;
  readonly cells: Uint16Array;
}

export interface Generated {
  /** Inputs of every layer, then the logits. */
  readonly activations: readonly Matrix[];
  readonly conditions: Conditions;
  /** Of each cell, by column a softmax of the logits; the column of the condition is one-hot: rows × width. */
  readonly probabilities: Matrix;
}

/** A latent vector and the one-hot condition → logits of all cells. */
export function generatorWidths(
  { width }: Layout,
  options: { readonly latent: number; readonly generatorHidden: readonly number[] },
): Widths {
  return [options.latent + width, ...options.generatorHidden, width];
}

/**
 * He initialisation, but for the last layer: its weights start near 0 and its biases at the logarithms of the noisy one-ways, so that the
 * first rows are those of independent columns and the critic has only dependence to teach.
 */
export function initialGenerator(widths: Widths, latent: number, columns: Columns, rng: Rng): Float32Array {
  const parameters = initialParameters(widths, latent + 1, rng);
  const last = layersOf(widths).at(-1) as Layer;
  for (let i = last.weights; i < last.bias; i++) parameters[i]! *= NEAR_ZERO;
  for (const { start, shares } of columns.columns)
    shares.forEach((share, cell) => {
      parameters[last.bias + start + cell] = Math.log(share);
    });
  return parameters;
}
const NEAR_ZERO = 0.1;

/** Conditions as the noisy one-ways have them: a column of the layout's, any as likely as the others, and a cell of it by its share. */
export function drawConditions({ layout, columns }: Columns, rows: number, rng: Rng): Conditions {
  const uniform = uniforms(rng, 2 * rows);
  const out = { columns: new Uint16Array(rows), cells: new Uint16Array(rows) };
  const cumulated = columns.map(({ shares }) => {
    let below = 0;
    return shares.map((share) => (below += share));
  });
  for (let row = 0; row < rows; row++) {
    const column = conditionColumn(layout, uniform[2 * row] as number);
    out.columns[row] = column;
    out.cells[row] = firstAbove(cumulated[column] as Float64Array, uniform[2 * row + 1] as number);
  }
  return out;
}

/**
 * The condition of each record's fake: a column at random, the record's own cell in it. It enters only that record's vector, and one draw
 * a record is taken, in their order.
 */
export function conditionsOfRecords({ layout, columns }: Columns, cells: Uint16Array, rng: Rng): Conditions {
  const rows = cells.length / columns.length;
  const chosen = Uint16Array.from(uniforms(rng, rows), (uniform) => conditionColumn(layout, uniform));
  return {
    columns: chosen,
    cells: chosen.map((column, row) => cells[row * columns.length + column] as number),
  };
}

function conditionColumn({ conditions }: Layout, uniform: number): number {
  return conditions[Math.min(conditions.length - 1, Math.floor(conditions.length * uniform))] as number;
}

/** Row r uses the r-th latents alone, whatever the batch. */
export function generate(
  engine: LearningEngine,
  columns: Columns,
  layers: readonly Layer[],
  parameters: Float32Array,
  conditions: Conditions,
  latents: Rng,
): Generated {
  const { width } = columns.layout;
  const rows = conditions.columns.length;
  const inputs = (layers[0] as Layer).inputs;
  const latent = inputs - width;
  const draws = normals(latents, rows * latent);
  const data = new Float32Array(rows * inputs);
  for (let row = 0; row < rows; row++) {
    data.set(draws.subarray(row * latent, (row + 1) * latent), row * inputs);
    const { start } = columns.columns[conditions.columns[row] as number] as Column;
    data[row * inputs + latent + start + (conditions.cells[row] as number)] = 1;
  }
  const activations = forward(engine, layers, parameters, { rows, columns: inputs, data });
  const probabilities = { rows, columns: width, data: new Float32Array(rows * width) };
  const logits = (activations.at(-1) as Matrix).data;
  for (let row = 0; row < rows; row++)
    columns.columns.forEach(({ start, cells }, column) => {
      const at = row * width + start;
      if (conditions.columns[row] === column) probabilities.data[at + (conditions.cells[row] as number)] = 1;
      else softmax(logits, probabilities.data, at, cells);
    });
  return { activations, conditions, probabilities };
}

function softmax(logits: Float32Array, out: Float32Array, start: number, count: number): void {
  let top = Number.NEGATIVE_INFINITY;
  for (let i = start; i < start + count; i++) if ((logits[i] as number) > top) top = logits[i] as number;
  let total = 0;
  for (let i = start; i < start + count; i++) total += out[i] = Math.exp((logits[i] as number) - top);
  for (let i = start; i < start + count; i++) out[i]! /= total;
}

/** A cell of each column of each row by its probabilities; row r uses the r-th draws alone, one a column. */
export function drawCells({ columns }: Columns, { probabilities }: Generated, rng: Rng): Uint16Array {
  const { rows, columns: width, data } = probabilities;
  const uniform = uniforms(rng, rows * columns.length);
  const out = new Uint16Array(uniform.length);
  for (let row = 0, i = 0; row < rows; row++)
    for (const { start, cells } of columns) {
      let below = 0;
      let cell = 0;
      for (const first = row * width + start; cell < cells - 1; cell++) {
        below += data[first + cell] as number;
        if ((uniform[i] as number) < below) break;
      }
      out[i++] = cell;
    }
  return out;
}
