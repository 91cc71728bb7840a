import type { Rng } from '../../../src/crypto/rng.js';
import { cellsIn, type Domain, domainOf } from '../../../src/synthesis/marginals/model/domain.js';
import type { Measurement } from '../../../src/synthesis/marginals/model/measurements.js';
import type { Factor, StructuralZeros } from '../../../src/synthesis/marginals/model/model.js';
import { normals, uniforms } from '../../../src/synthesis/randomness.js';

/** The same questions as the model's, answered from a table of every cell of the domain. None of the model's numerics is used. */

/** The values of cell `index` of a row-major table over `sizes`. */
export function valuesOf(sizes: readonly number[], index: number): number[] {
  const out: number[] = [];
  let rest = index;
  for (const size of [...sizes].reverse()) {
    out.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return out;
}

export function indexOf(domain: Domain, attributes: readonly number[], row: ArrayLike<number>): number {
  return attributes.reduce((index, a) => index * (domain.sizes[a] as number) + (row[a] as number), 0);
}

/** Probabilities of all cells, and the logarithm of what they were divided by. */
export function jointOf(
  domain: Domain,
  factors: readonly Factor[],
  zeros: readonly StructuralZeros[] = [],
): { joint: Float64Array; logPartition: number } {
  const logs = Float64Array.from({ length: cellsIn(domain, domain.sizes.keys()) }, (_, cell) => {
    const row = valuesOf(domain.sizes, cell);
    const barred = zeros.some(({ attributes, cells }) => {
      for (let t = 0; t < cells.length; t += attributes.length)
        if (attributes.every((a, i) => row[a] === cells[t + i])) return true;
      return false;
    });
    if (barred) return -Infinity;
    return factors.reduce(
      (sum, f) => sum + (f.logPotentials[indexOf(domain, f.attributes, row)] as number),
      0,
    );
  });
  const largest = logs.reduce((a, b) => Math.max(a, b), -Infinity);
  const sum = logs.reduce((a, b) => a + Math.exp(b - largest), 0);
  return { joint: logs.map((l) => Math.exp(l - largest) / sum), logPartition: largest + Math.log(sum) };
}

export function marginalOfJoint(
  domain: Domain,
  joint: Float64Array,
  attributes: readonly number[],
): Float64Array {
  const out = new Float64Array(cellsIn(domain, attributes));
  for (const [cell, p] of joint.entries()) {
    const i = indexOf(domain, attributes, valuesOf(domain.sizes, cell));
    out[i] = (out[i] as number) + p;
  }
  return out;
}

/** The cells of a measurement that the cells of the domain fall into. */
export function measuredCells(
  domain: Domain,
  { attributes, bins = [] }: Pick<Measurement, 'attributes' | 'bins'>,
): Int32Array {
  return Int32Array.from({ length: cellsIn(domain, domain.sizes.keys()) }, (_, cell) => {
    const row = valuesOf(domain.sizes, cell);
    return attributes.reduce((index, a, i) => {
      const bin = bins[i];
      const count = bin === undefined ? (domain.sizes[a] as number) : Math.max(...bin) + 1;
      return index * count + (bin?.[row[a] as number] ?? (row[a] as number));
    }, 0);
  });
}

export function counted(cells: Int32Array, joint: Float64Array, length: number): Float64Array {
  const out = new Float64Array(length);
  for (const [cell, i] of cells.entries()) out[i] = (out[i] as number) + (joint[cell] as number);
  return out;
}

export function objectiveOf(
  domain: Domain,
  joint: Float64Array,
  measurements: readonly Measurement[],
): number {
  return measurements.reduce((sum, m) => {
    const mean = counted(measuredCells(domain, m), joint, m.values.length);
    return (
      sum +
      m.values.reduce(
        (s, y, i) => s + (m.weight ?? 1) * 0.5 * ((mean[i] as number) - y) ** 2 * (1 / varianceOf(m, i)),
        0,
      )
    );
  }, 0);
}

const varianceOf = ({ variance }: Measurement, i: number): number =>
  typeof variance === 'number' ? variance : (variance[i] as number);

/**
 * The least objective over all tables of `total` records with the barred cells 0: accelerated projected gradient (Beck and
 * Teboulle 2009) onto the simplex (Duchi et al. 2008, figure 1), with a fixed step and many of them.
 */
export function leastObjective(
  domain: Domain,
  measurements: readonly Measurement[],
  total: number,
  barred: (row: number[]) => boolean = () => false,
  steps = 20_000,
): number {
  const cells = cellsIn(domain, domain.sizes.keys());
  const free = Array.from({ length: cells }, (_, c) => c).filter((c) => !barred(valuesOf(domain.sizes, c)));
  const maps = measurements.map((m) => measuredCells(domain, m));
  // ‖AᵀA‖ is at most the sum over measurements of the cells that fall into one.
  const lipschitz = measurements.reduce((sum, m, k) => {
    const fallen = counted(maps[k] as Int32Array, new Float64Array(cells).fill(1), m.values.length);
    return sum + Math.max(...fallen.map((n, i) => (n * (m.weight ?? 1)) / varianceOf(m, i)));
  }, 0);
  let x = new Float64Array(cells);
  for (const c of free) x[c] = total / free.length;
  let y = x.slice();
  let t = 1;
  for (let step = 0; step < steps; step++) {
    const gradient = new Float64Array(cells);
    for (const [k, m] of measurements.entries()) {
      const map = maps[k] as Int32Array;
      const mean = counted(map, y, m.values.length);
      for (const c of free) {
        const i = map[c] as number;
        const residual = (mean[i] as number) - (m.values[i] as number);
        gradient[c] = (gradient[c] as number) + ((m.weight ?? 1) * residual) / varianceOf(m, i);
      }
    }
    const moved = free.map((c) => (y[c] as number) - (gradient[c] as number) / lipschitz);
    const threshold = simplexThreshold(moved, total);
    const next = new Float64Array(cells);
    for (const [j, c] of free.entries()) next[c] = Math.max(0, (moved[j] as number) - threshold);
    const tNext = (1 + Math.sqrt(1 + 4 * t * t)) / 2;
    y = next.map((v, c) => v + ((t - 1) / tNext) * (v - (x[c] as number)));
    x = next;
    t = tNext;
  }
  return objectiveOf(domain, x, measurements);
}

function simplexThreshold(values: readonly number[], total: number): number {
  let sum = 0;
  let threshold = 0;
  for (const [j, v] of [...values].sort((a, b) => b - a).entries()) {
    sum += v;
    if (v - (sum - total) / (j + 1) > 0) threshold = (sum - total) / (j + 1);
  }
  return threshold;
}

/** What a test draws, reproducibly. */
export interface Draws {
  /** 0 … below − 1. */
  readonly integer: (below: number) => number;
  readonly normal: (count: number) => Float64Array;
}

export function drawsOf(rng: Rng): Draws {
  return {
    integer: (below) => Math.floor((uniforms(rng, 1)[0] as number) * below),
    normal: (count) => Float64Array.from(normals(rng, count)),
  };
}

/** 2 to `most` attributes of 1 to 4 values, and sets of 1 to 3 of them: trees, loops, parts that share nothing. */
export function randomSets(draws: Draws, most: number): { domain: Domain; sets: number[][] } {
  const attributes = 2 + draws.integer(most - 1);
  const domain = domainOf(Array.from({ length: attributes }, () => 1 + draws.integer(4)));
  const sets = Array.from({ length: 1 + draws.integer(2 * attributes) }, () => [
    ...new Set(Array.from({ length: 1 + draws.integer(3) }, () => draws.integer(attributes))),
  ]);
  return { domain, sets };
}

export function randomFactors(
  draws: Draws,
  domain: Domain,
  sets: readonly (readonly number[])[],
  spread = 1.5,
): Factor[] {
  return sets.map((attributes) => ({
    attributes,
    logPotentials: draws.normal(cellsIn(domain, attributes)).map((z) => spread * z),
  }));
}

/** The largest difference of two tables. */
export function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Infinity;
  return Array.from(a).reduce((most, v, i) => Math.max(most, Math.abs(v - (b[i] as number))), 0);
}
