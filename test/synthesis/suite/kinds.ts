import type { SynthesisContext } from '../../../src/synthesis/synthesizer.js';
import { mixedSchema, smallContext } from '../fixtures.js';

/** What the shared suite runs of a kind: small runs that ask every query that the kind has. */
export interface KindEntry {
  readonly context: SynthesisContext;
  /** Of each run, as a plan would write them. */
  readonly runs: readonly unknown[];
}

/** A column of each type, two with missing values. */
const mixed = smallContext(mixedSchema());

/** By kind. A kind that is registered without an entry fails the suite by its name. */
export const KINDS: Readonly<Record<string, KindEntry>> = {
  copula: { context: mixed, runs: [{ noiseMultiplier: 5 }, { noiseMultiplier: 0.5 }] },
  gan: {
    context: mixed,
    runs: [
      {
        steps: 3,
        samplingRate: 0.5,
        noiseMultiplier: 2,
        criticHidden: [9],
        generatorHidden: [7],
        latent: 4,
        generatorBatch: 16,
      },
      {
        steps: 2,
        samplingRate: 1,
        noiseMultiplier: 3,
        clipNorm: 0.25,
        criticHidden: [6, 5],
        generatorHidden: [5],
        latent: 2,
      },
      {
        mode: 'fedavg',
        steps: 3,
        localSteps: 2,
        samplingRate: 0.5,
        noiseMultiplier: 2,
        generatorHidden: [7],
        latent: 4,
        generatorBatch: 16,
      },
    ],
  },
  independent: { context: mixed, runs: [{ noiseMultiplier: 5 }, { noiseMultiplier: 0.5 }] },
  marginals: { context: mixed, runs: [{ noiseMultiplier: 5 }, { noiseMultiplier: 0.5, modelCells: 1000 }] },
  vae: {
    context: mixed,
    runs: [
      { steps: 4, samplingRate: 0.5, noiseMultiplier: 2, encoderHidden: 9, decoderHidden: 7, latent: 2 },
      {
        steps: 3,
        samplingRate: 1,
        noiseMultiplier: 3,
        clipNorm: 0.25,
        encoderHidden: 5,
        decoderHidden: 6,
        cells: 4,
      },
    ],
  },
};
