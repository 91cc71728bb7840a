import { modelled } from './coarseCounts.js';
import { type Base, type Counted, cliquesOf, countedIn, type Edge, keyOf } from './fitting.js';
import type { Model } from './model/model.js';
import { cellsOf } from './model/triangulation.js';
import type { MarginalsPlan } from './question.js';
import type { Sum } from './state.js';

/** Counts drawn toward what was expected of them. */
export interface Shrunk {
  readonly counts: Float64Array;
  /** Of what is left of the noise, in each cell. */
  readonly variance: number;
  /** How much L1 error they are expected to take off the expectation's. */
  readonly gain: number;
}

/**
 * The positive-part estimator of James and Stein (1961, section 2; Efron and Morris 1973, eq. 1.4) of k noisy counts around an
 * expectation e: e + w·(y − e) with w = 1 − (k − 2)σ²/‖y − e‖². For k > 2 and whatever the truth, its expected squared error is below that of
 * y; it is below that of e where the truth is far enough from it. The variance is that of the posterior for which w is the
 * weight: w·σ². The deviation that was left, √(‖y − e‖² − kσ²), becomes √(1 − w) of it, and an L1 norm of k cells is ∝ √k.
 * @returns undefined where the counts deviate by no more than noise does within one standard deviation, kσ² + σ²√(2k): the
 * expectation stands.
 */
export function shrunk(
  counts: ArrayLike<number>,
  expected: ArrayLike<number>,
  variance: number,
): Shrunk | undefined {
  const cells = counts.length;
  let square = 0;
  for (let i = 0; i < cells; i++) square += ((counts[i] as number) - (expected[i] as number)) ** 2;
  if (cells < 3 || square <= variance * (cells + Math.sqrt(2 * cells))) return undefined;
  const weight = 1 - ((cells - 2) * variance) / square;
  return {
    counts: Float64Array.from(expected, (e, i) => e + weight * ((counts[i] as number) - e)),
    variance: weight * variance,
    gain: Math.sqrt(cells * (square - cells * variance)) * (1 - Math.sqrt(1 - weight)),
  };
}

/**
 * What the second sum says of the pairs that no later sum counted: they are paid for. As they are they would mislead (the model
 * would follow noise that may be more than what they show), so they are drawn toward the model that the other counts make. Those of
 * most gain first, as long as the model has room.
 */
export function shrunkPairs(
  plan: MarginalsPlan,
  base: Base,
  second: Sum,
  chosen: readonly Edge[],
  model: Model,
): readonly Counted[] {
  const known = new Set(chosen.map(({ a, b }) => keyOf([a, b])));
  const candidates = countedIn(second, plan.fine).flatMap((pair) => {
    if (known.has(keyOf(pair.columns))) return [];
    const [a, b] = pair.columns as [number, number];
    const drawn = shrunk(pair.counts, modelled(base, model, a, b), pair.variance);
    return drawn === undefined ? [] : [{ a, b, pair, drawn }];
  });
  const taken: typeof candidates = [];
  for (const one of candidates.toSorted((x, y) => y.drawn.gain - x.drawn.gain || x.a - y.a || x.b - y.b))
    if (cellsOf(base.domain, cliquesOf(base, [...chosen, ...taken, one])) <= plan.options.modelCells)
      taken.push(one);
  return taken.map(({ pair, drawn: { counts, variance } }) => ({ ...pair, counts, variance }));
}
