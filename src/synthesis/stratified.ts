import type { Rng } from '../crypto/rng.js';
import { uniforms } from './randomness.js';

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
