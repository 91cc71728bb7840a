import { dominatingLaw } from './discretization.js';
import { dominatedLaw } from './dominatedLaw.js';
import { transform, transformError } from './fourier.js';
import type { Grid, LossTerm } from './grid.js';
import { type LatticeCurve, latticeCurve } from './latticeCurve.js';
import type { LossPair } from './lossPair.js';
import { emptySpectrum, raiser, synthesize } from './spectrum.js';
import { type TiltedLaw, tiltedLaw } from './tiltedLaw.js';

/** δ over ε of a composition: bounds that are tight near the ε the grid was made for, and true everywhere. */
export interface ComposedLoss {
  readonly upper: LatticeCurve;
  /** Absent where some term has nothing from below. */
  readonly lower: LatticeCurve | undefined;
}

/**
 * The composition of all terms by the Fourier transform (Koskela, Jälkö, Honkela 2020), of exponentially tilted laws: rounding is
 * relative to the tilted mass, which lies where δ is decided, instead of to 1 (δ = 10^-12 would drown). Upper and lower laws
 * are the real and the imaginary part of one transform.
 *
 * A step's heaviest point is left out of its transform and added to it afterwards, as the constant that it is if the lattice begins there:
 * where almost every step loses the same the transform's error is relative to the rest, and is not multiplied by half a million of them.
 */
export function composeLosses(terms: readonly LossTerm[], grid: Grid): ComposedLoss {
  const counts = terms.map(({ count }) => count);
  const uppers = terms.map((term, i) => lawOf(term.upper, dominatingLaw, grid, i));
  const pairs = terms.flatMap(({ lower }) => lower ?? []);
  const lowers =
    pairs.length === terms.length ? pairs.map((pair, i) => lawOf(pair, dominatedLaw, grid, i)) : undefined;
  const { size } = grid;
  const half = size >> 1;
  const up = emptySpectrum(half + 1);
  const low = lowers && emptySpectrum(half + 1);
  const re = new Float64Array(size);
  const im = new Float64Array(size);
  let origin = 0;
  // The most frequent first: where their power is negligible the others needn't be known.
  const order = [...counts.keys()].sort((a, b) => (counts[b] as number) - (counts[a] as number));
  for (const i of order) {
    const count = counts[i] as number;
    const upper = uppers[i] as TiltedLaw;
    const lower = lowers?.[i];
    const bulk = heaviest(upper.weights);
    const bulkIndex = upper.indices[bulk] as number;
    const upBulk = upper.weights[bulk] as number;
    const lowBulk = lower ? (lower.weights[bulk] as number) : 0;
    origin = modulo(origin + modulo(count, size) * modulo(bulkIndex, size), size);
    re.fill(0);
    im.fill(0);
    const rest = scatter(upper, bulk, re) + (lower ? scatter(lower, bulk, im) : 0);
    transform(re, im, -1);
    const error = transformError(size) * rest + BULK_ROUNDING;
    const raiseUp = raiser(up, count, error);
    const raiseLow = low && raiser(low, count, error);
    for (let j = 0; j <= half; j++) {
      const k = (size - j) & (size - 1);
      const ar = re[j] as number;
      const ai = im[j] as number;
      const br = re[k] as number;
      const bi = im[k] as number;
      raiseUp(j, (ar + br) / 2 + upBulk, (ai - bi) / 2);
      raiseLow?.(j, (ai + bi) / 2 + lowBulk, (br - ar) / 2);
    }
  }
  re.fill(0);
  im.fill(0);
  const upper = synthesize(up, re, im, false);
  const lower = low ? synthesize(low, re, im, true) : { noise: 0, modulus: 0 };
  transform(re, im, 1);
  const rounding = transformError(size) * (upper.modulus + lower.modulus);
  const curve = (end: 'upper' | 'lower', laws: readonly TiltedLaw[], masses: Float64Array, noise: number) =>
    latticeCurve({ grid, counts, laws, masses, origin, noise: noise + rounding, end });
  return {
    upper: curve('upper', uppers, re, upper.noise),
    lower: lowers && curve('lower', lowers, im, lower.noise),
  };
}

/** Sums of a few numbers of modulus 1 at most, and the weights' own sum. */
const BULK_ROUNDING = 2 ** -50;

function lawOf(pair: LossPair, discretized: typeof dominatingLaw, grid: Grid, term: number): TiltedLaw {
  const { offset, nodes } = grid.terms[term] as Grid['terms'][number];
  const { width, tilt } = grid;
  const law = discretized(pair, { width, offset }, nodes);
  return tiltedLaw(
    law,
    nodes.map((k) => offset + k * width),
    tilt,
  );
}

function heaviest(weights: Float64Array): number {
  let best = 0;
  for (let i = 0; i < weights.length; i++) if ((weights[i] as number) > (weights[best] as number)) best = i;
  return best;
}

function modulo(k: number, size: number): number {
  return ((k % size) + size) % size;
}

/** All weights but the bulk's, which becomes the origin. Returns their sum. */
function scatter({ weights, indices }: TiltedLaw, bulk: number, into: Float64Array): number {
  const size = into.length;
  const start = modulo(indices[bulk] as number, size);
  let rest = 0;
  for (let i = 0; i < weights.length; i++) {
    if (i === bulk) continue;
    const weight = weights[i] as number;
    const k = modulo(modulo(indices[i] as number, size) - start, size);
    into[k] = (into[k] as number) + weight;
    rest += weight;
  }
  return rest;
}
