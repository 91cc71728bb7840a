import { z } from 'zod';
import { clipNormOption, refuseBatchNormalization } from '../learning/options.js';
import { optionsOf } from '../optionsOf.js';

const width = z.number().int().min(1).max(1024);
const rate = z.number().positive().max(1);

const vaeOptionsJson = z.strictObject({
  mode: z.literal('fedsgd').default('fedsgd'),
  /** Secure sums: the first counts the columns, each of the others is one step on encoder and decoder. */
  steps: z.number().int().min(2).max(100_000).default(300),
  /** Poisson rate of each participant's records in a step. */
  samplingRate: rate.default(0.1),
  /** Standard deviation of the noise on the sum of a step (minSurvivors contributions less maxColluders), in clip norms. */
  noiseMultiplier: z.number().positive().max(1e6).default(5),
  /** The first sum's part of the budget, as of ρ (Bun and Steinke 2016). */
  oneWaysPart: z.number().min(0.01).max(0.9).default(0.1),
  /** Most cells of a column, adaptive to the noisy one-ways. */
  cells: z.number().int().min(2).max(64).default(16),
  /** L2 norm to which one record's gradient is clipped: a power of two, so that the sum is exact but for a bounded error. */
  clipNorm: clipNormOption.default(1),
  /** One hidden layer each, of this width. */
  encoderHidden: width.default(64),
  decoderHidden: width.default(64),
  /** Length of the latent vector; even, since normal draws come in pairs. */
  latent: z.number().int().min(2).max(512).multipleOf(2).default(8),
  /** Weight of the Kullback-Leibler term beside the cross-entropies: TVAE's loss factor 2 (Xu et al. 2019) is ½ here. */
  divergenceWeight: z.number().min(0).max(10).default(0.5),
  learningRate: rate.default(0.005),
  /** Decay of the average over steps of the decoder that is released; 0 releases the last one. */
  decoderAverage: z.number().min(0).max(0.9999).default(0.95),
});

/** Public constants of a run: part of the approved plan, never chosen from the records. */
export type VaeOptions = Readonly<z.infer<typeof vaeOptionsJson>>;

/** @throws InvalidOptions */
export function parseVaeOptions(input: unknown): VaeOptions {
  refuseBatchNormalization(input);
  return optionsOf(vaeOptionsJson, 'vae', input);
}
