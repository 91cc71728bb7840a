import type { Block } from './encoding.js';
import { HEAVY, type OneWay } from './grids.js';

/**
 * Noisy counts of a column's fine cells, as rows are drawn by them. A single value that was cut out of a long range (fineCells.ts: zero, a
 * bound, a round amount) has the noise of a whole interval; drawn by its count, values that nobody has would stand out as if many
 * had them. So it counts as one value among those of the interval beside it, unless its count says with HEAVY standard
 * deviations that more records have it. Sums stay as they are; counts may be negative.
 */
export function settledCounts({ field, edges }: Block, { counts, variance }: OneWay): Float64Array {
  const settled = counts.slice();
  // Categories, and bins of the schema's own, are what somebody asked for.
  if (edges === undefined || field.domain === 'categories' || typeof field.bins === 'object') return settled;
  const whole = field.type !== 'number';
  const widths = edges.slice(1).map((edge, k) => edge - (edges[k] as number));
  // The last cell is closed; of whole values it has one more.
  if (whole) widths[widths.length - 1] = (widths.at(-1) as number) + 1;
  const widest = widths.reduce((a, b) => Math.max(a, b), 0);
  const isInterval = (k: number): boolean =>
    (widths[k] as number) > (whole ? Math.min(1, widest / 2) : widest / 2 ** 20);
  const heavy = HEAVY * Math.sqrt(variance);
  let group: number[] = [];
  const settle = (): void => {
    const records = group.reduce((sum, k) => sum + (counts[k] as number), 0);
    const values = group.reduce((sum, k) => sum + (widths[k] as number), 0);
    if (group.some(isInterval))
      for (const k of group) settled[k] = (records * (widths[k] as number)) / values;
    group = [];
  };
  for (let k = 0; k < widths.length; k++) {
    if (!isInterval(k) && (counts[k] as number) >= heavy) continue;
    if (isInterval(k) && group.some(isInterval)) settle();
    group.push(k);
  }
  settle();
  return settled;
}
