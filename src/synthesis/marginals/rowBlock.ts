import type { Rng } from '../../crypto/rng.js';
import { stratified } from '../stratified.js';
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
