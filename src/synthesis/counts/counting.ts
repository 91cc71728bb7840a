import type { TableEncoding } from '../table/encoding.js';
import { columnOf, type Measured, sizeOf } from './measured.js';

/** Marginals as index arithmetic: cell = offset + Σ stride · places[fine cell of the column]. */
export interface Counter {
  readonly offset: number;
  readonly weight: number;
  readonly axes: readonly {
    readonly column: number;
    readonly stride: number;
    readonly places: Uint16Array;
  }[];
}

/** Adds every marginal's weight to the cell of each record. `cells`: of `columns` columns, one record after the other. */
export function addCounts(
  counters: readonly Counter[],
  cells: Uint16Array,
  columns: number,
  sum: Float64Array,
): void {
  for (const { offset, weight, axes } of counters)
    for (let record = 0; record < cells.length; record += columns) {
      let place = offset;
      for (const { column, stride, places } of axes)
        place += stride * (places[cells[record + column] as number] as number);
      sum[place] = (sum[place] as number) + weight;
    }
}

export function countersOf(measured: Measured, fine: TableEncoding): readonly Counter[] {
  let offset = 0;
  // Once a map, not once a marginal: a document of a few bytes more could ask for a gigabyte.
  const maps = measured.maps.map((map) => Uint16Array.from(map.cells));
  const identities = fine.blocks.map((block) => Uint16Array.from({ length: block.cells }, (_, cell) => cell));
  return measured.marginals.map(({ axes, weight }) => {
    let stride = 1;
    const counter: Counter = {
      offset,
      weight,
      axes: axes.toReversed().map((axis) => {
        const step = stride;
        stride *= sizeOf(measured, axis, fine);
        const places = 'map' in axis ? maps[axis.map] : identities[axis.column];
        return { column: columnOf(measured, axis), stride: step, places: places as Uint16Array };
      }),
    };
    offset += stride;
    return counter;
  });
}
