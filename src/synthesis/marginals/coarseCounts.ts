import type { Grid, OneWay } from '../table/grids.js';
import type { Base } from './fitting.js';
import { marginalOf } from './model/elimination.js';
import type { Model } from './model/model.js';

/** What the coarse counts of two columns would be if the columns knew nothing of each other. */
export function independent({ ones, grids, total }: Base, a: number, b: number): Float64Array {
  const [left, right] = [a, b].map((column) => coarseCounts(ones[column] as OneWay, grids[column] as Grid));
  const out = new Float64Array((left as Float64Array).length * (right as Float64Array).length);
  let i = 0;
  for (const x of left as Float64Array) for (const y of right as Float64Array) out[i++] = (x * y) / total;
  return out;
}

/** What they would be by the model. */
export function modelled({ grids }: Base, model: Model, a: number, b: number): Float64Array {
  const counts = marginalOf(model, [a, b]);
  const [left, right] = [grids[a] as Grid, grids[b] as Grid];
  const [rows, columns] = [left, right].map(coarseOfFull) as [Int32Array, Int32Array];
  const out = new Float64Array(left.coarseCells * right.coarseCells);
  for (let x = 0, i = 0; x < left.fullCells; x++)
    for (let y = 0; y < right.fullCells; y++, i++) {
      const cell = (rows[x] as number) * right.coarseCells + (columns[y] as number);
      out[cell] = (out[cell] as number) + (counts[i] as number);
    }
  return out;
}

function coarseOfFull({ full, fullCells, coarse }: Grid): Int32Array {
  const map = new Int32Array(fullCells);
  full.forEach((cell, k) => {
    map[cell] = coarse[k] as number;
  });
  return map;
}

function coarseCounts({ counts }: OneWay, { coarse, coarseCells }: Grid): Float64Array {
  const out = new Float64Array(coarseCells);
  coarse.forEach((cell, k) => {
    out[cell] = (out[cell] as number) + (counts[k] as number);
  });
  return out;
}
