import type { Rng } from '../../crypto/rng.js';
import { uniforms } from '../randomness.js';
import { type CliqueDraw, drawResidual, type SamplingPlan } from './model/sampling.js';

/**
 * `rows` rows of the model at once, row-major. Every row has the model's law; together they are closer to it than independent ones: of
 * the rows that agree in a clique's separator each draws its residual in a stratum of its own (systematic sampling, Cochran
 * 1977, ch. 8: (rank + U)/n with the ranks in random order), so that the clique's table has about the counts that the model
 * says, not a sample's. Private-PGM's own sampler rounds in the same place (McKenna, Sheldon, Miklau 2019).
 */
export function drawBlock(plan: SamplingPlan, rows: number, rng: Rng): Uint16Array {
  const width = plan.domain.sizes.length;
  const out = new Uint16Array(rows * width);
  const groups = new Int32Array(rows);
  for (const clique of plan.cliques) {
    for (let row = 0; row < rows; row++) groups[row] = separatorBlock(clique, out, row * width);
    const strata = stratified(groups, rng);
    for (let row = 0; row < rows; row++)
      drawResidual(clique, plan.cumulative, strata[row] as number, out, row * width);
  }
  return out;
}

function separatorBlock({ separator, strides }: CliqueDraw, rows: Uint16Array, at: number): number {
  let block = 0;
  for (let i = 0; i < separator.length; i++)
    block += (strides[i] as number) * (rows[at + (separator[i] as number)] as number);
  return block;
}

/** For each member of each group a uniform of its own: (rank + U)/n, in random order, one U a group. */
export function stratified(groups: Int32Array, rng: Rng): Float64Array {
  const order = shuffled(groups.length, rng);
  const sizes = new Map<number, number>();
  for (const group of groups) sizes.set(group, (sizes.get(group) ?? 0) + 1);
  const starts = uniforms(rng, sizes.size);
  const ranks = new Map<number, { next: number; readonly start: number; readonly size: number }>();
  let i = 0;
  for (const [group, size] of sizes) ranks.set(group, { next: 0, start: starts[i++] as number, size });
  const out = new Float64Array(groups.length);
  for (const member of order) {
    const group = ranks.get(groups[member] as number) as { next: number; start: number; size: number };
    out[member] = (group.next++ + group.start) / group.size;
  }
  return out;
}

/** A uniform order of 0 … count − 1 (Fisher and Yates). */
function shuffled(count: number, rng: Rng): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  const draws = uniforms(rng, count);
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor((draws[i] as number) * (i + 1));
    const kept = order[i] as number;
    order[i] = order[j] as number;
    order[j] = kept;
  }
  return order;
}
