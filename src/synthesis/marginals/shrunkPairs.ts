import { gaussianKernel, scaledNormalTail } from '../../privacy/accountants/pld/normal.js';
import { independent, modelled } from './coarseCounts.js';
import { type Base, type Counted, cliquesOf, countedIn, type Edge, keyOf } from './fitting.js';
import type { Model } from './model/model.js';
import { cellsOf } from './model/triangulation.js';
import { scoreOf } from './pairs.js';
import type { MarginalsPlan } from './question.js';
import type { Sum } from './state.js';

/** Of the pairs that are used, the share that stands out by noise alone, in expectation. */
const FALSE_SHARE = 0.2;
/**
 * So many pairs are compared with the model at most, those furthest from independence: each is an elimination in a model that may be as
 * large as allowed (30 ms), and the event loop waits. A table of 20 columns has fewer.
 */
const MOST_COMPARED = 200;
/** So many that have no room end the search for more: each is a triangulation, and the event loop waits. */
const MOST_WITHOUT_ROOM = 16;

/** Counts drawn toward what was expected of them. */
export interface Shrunk {
  readonly counts: Float64Array;
  /** Of what is left of the noise, in each cell. */
  readonly variance: number;
  /** How much L1 error they are expected to take off the expectation's. */
  readonly gain: number;
  /** Probability that noise alone deviates as much. */
  readonly pValue: number;
}

/**
 * The positive-part estimator of James and Stein (1961, section 2; Efron and Morris 1973, eq. 1.4) of k > 2 noisy counts around an
 * expectation e: e + w·(y − e) with w = 1 − (k − 2)σ²/‖y − e‖². Whatever the truth, its expected squared error is below that of
 * y; it is below that of e where the truth is far enough from it, which is what the p-value is for. The variance is that of the
 * posterior for which w is the weight: w·σ². The deviation that was left, √(‖y − e‖² − kσ²), becomes √(1 − w) of it, and an L1 norm
 * of k cells is ∝ √k.
 * @returns undefined for fewer than three cells, and where w would not be positive.
 */
export function shrunk(
  counts: ArrayLike<number>,
  expected: ArrayLike<number>,
  variance: number,
): Shrunk | undefined {
  const cells = counts.length;
  let square = 0;
  for (let i = 0; i < cells; i++) square += ((counts[i] as number) - (expected[i] as number)) ** 2;
  if (cells < 3 || square <= variance * (cells - 2)) return undefined;
  const weight = 1 - ((cells - 2) * variance) / square;
  return {
    counts: Float64Array.from(expected, (e, i) => e + weight * ((counts[i] as number) - e)),
    variance: weight * variance,
    gain: Math.sqrt(cells * Math.max(0, square - cells * variance)) * (1 - Math.sqrt(1 - weight)),
    pValue: chiSquareTail(square / variance, cells),
  };
}

/**
 * P(χ²_k > x) by the cube root, which is nearly normal (Wilson, Hilferty 1931); 1 below its median, where nobody asks. Within an eighth of
 * itself for k ≥ 4 down to 10⁻³.
 */
function chiSquareTail(x: number, degrees: number): number {
  const spread = 2 / (9 * degrees);
  const z = (Math.cbrt(x / degrees) - (1 - spread)) / Math.sqrt(spread);
  return z <= 0 ? 1 : gaussianKernel(z) * scaledNormalTail(z);
}

/**
 * The smallest of `candidates` by p-value, as many as keep the expected share of false ones among them at FALSE_SHARE (Benjamini,
 * Hochberg 1995, section 3); where all are noise, none at all but for one time in 1/FALSE_SHARE.
 * @param tried how many there were before any was left out.
 */
export function standingOut<T extends { readonly pValue: number }>(
  candidates: readonly T[],
  tried: number,
): readonly T[] {
  const ascending = candidates.toSorted((x, y) => x.pValue - y.pValue);
  const last = ascending.findLastIndex(({ pValue }, i) => pValue <= (FALSE_SHARE * (i + 1)) / tried);
  return ascending.slice(0, last + 1);
}

/** Those that find room beside the ones before them, until MOST_WITHOUT_ROOM have found none. */
export function withRoom<T>(candidates: readonly T[], fits: (taken: readonly T[]) => boolean): readonly T[] {
  let taken: readonly T[] = [];
  let without = 0;
  for (const one of candidates) {
    if (without === MOST_WITHOUT_ROOM) break;
    const more = [...taken, one];
    if (fits(more)) taken = more;
    else without++;
  }
  return taken;
}

/**
 * What the second sum says of the pairs that no later sum counted: they are paid for. As they are they would mislead (the model
 * would follow noise that may be more than what they show), so those that stand out are drawn toward the model that the other counts
 * make. Those of most gain first, as long as the model has room.
 */
export function shrunkPairs(
  plan: MarginalsPlan,
  base: Base,
  second: Sum,
  chosen: readonly Edge[],
  model: Model,
): readonly Counted[] {
  const known = new Set(chosen.map(({ a, b }) => keyOf([a, b])));
  const uncounted = countedIn(second, plan.fine)
    .filter(({ columns }) => !known.has(keyOf(columns)))
    .map((pair) => {
      const [a, b] = pair.columns as [number, number];
      return { a, b, pair, score: scoreOf(pair.counts, independent(base, a, b), pair.variance) };
    });
  const drawn = uncounted
    .toSorted((x, y) => y.score - x.score)
    .slice(0, MOST_COMPARED)
    .flatMap(({ a, b, pair }) => {
      const one = shrunk(pair.counts, modelled(base, model, a, b), pair.variance);
      return one === undefined ? [] : [{ a, b, pair, ...one }];
    });
  const byGain = standingOut(drawn, uncounted.length).toSorted(
    (x, y) => y.gain - x.gain || x.a - y.a || x.b - y.b,
  );
  const taken = withRoom(
    byGain,
    (pairs) => cellsOf(base.domain, cliquesOf(base, [...chosen, ...pairs])) <= plan.options.modelCells,
  );
  return taken.map(({ pair, counts, variance }) => ({ ...pair, counts, variance }));
}
