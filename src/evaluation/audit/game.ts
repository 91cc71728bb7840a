import type { Rng } from '../../crypto/rng.js';
import type { Step } from '../../synthesis/synthesizer.js';

/**
 * One way of putting canaries into one participant's data and of finding them again in what the run gave out. The participant
 * plays it of its own accord: nothing in a query or a task of the coordinator can start it.
 */
export interface CanaryGame {
  /** The coins: is the canary in the data? Independent of everything that `observe` may use. */
  readonly included: readonly boolean[];
  /** The holder's clipped sum at a step, its included canaries among its records; real units. */
  contribute(step: Step, rng: Rng): Promise<Float32Array | Float64Array>;
  /** What the auditor sees of the step: the opened sum less what it knows, real units. Uses none of the coins. */
  observe(step: Step, sum: Float64Array): Promise<void>;
  /** One a canary, higher for those that seem to be in. */
  scores(): Float64Array;
}

/** Fair and independent. */
export function tossCoins(count: number, rng: Rng): readonly boolean[] {
  return Array.from(rng(count), (byte) => (byte & 1) === 1);
}
