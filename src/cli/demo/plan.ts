import { calibrateNoise } from '../../privacy/calibration.js';
import { synthesizerOf } from '../../synthesis/index.js';

/** The charter's limit. */
export const EPSILON = 3;
export const DELTA = 1e-6;

/** The defaults, in as many steps as two minutes on two cores allow. */
const FULL = { steps: 450 };

/** A tenth of the steps need larger ones: more records in each, and higher learning rates. Rough, but the same machinery. */
const QUICK = { steps: 45, samplingRate: 0.1, criticLearningRate: 0.05, generatorLearningRate: 0.005 };

export interface RunPlan {
  /** The Rényi order α that the charter fixes. */
  readonly order: number;
  readonly options: Readonly<Record<string, unknown>>;
}

/** The run's options with the noise that the limit needs over all of its steps, and the order at which it is cheapest. */
export function planRun(quick: boolean): RunPlan {
  const options = synthesizerOf('gan').parseOptions(quick ? QUICK : FULL) as {
    readonly steps: number;
    readonly samplingRate: number;
  };
  const { samplingRate, steps } = options;
  const { noiseMultiplier, order } = calibrateNoise({ epsilon: EPSILON, delta: DELTA, samplingRate, steps });
  return { order, options: { ...options, noiseMultiplier } };
}
