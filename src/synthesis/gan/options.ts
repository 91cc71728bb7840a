import { z } from 'zod';
import { clipNormOption, refuseBatchNormalization } from '../learning/options.js';
import { optionsOf } from '../optionsOf.js';

const width = z.number().int().min(1).max(1024);
const rate = z.number().positive().max(1);

/**
 * Public constants of a GAN run: part of the approved plan, never chosen from the records. How the defaults were chosen is in
 * docs/quality.md: by theory, and on a part of one table's training rows.
 */
const ganOptionsJson = z.strictObject({
  mode: z.enum(['fedsgd', 'fedavg']).default('fedsgd'),
  /** Secure sums: the first counts the columns, each of the others is a private critic step (`fedavg`: local steps of all). */
  steps: z.number().int().min(1).max(100_000).default(200),
  /** `fedavg`: critic steps of each participant between two sums. */
  localSteps: z.number().int().min(1).max(1000).default(5),
  /** Poisson rate of each participant's records in a critic step. */
  samplingRate: rate.default(0.1),
  /**
   * Standard deviation of the noise on a sum of minSurvivors contributions less maxColluders (`fedavg`: on each local step's own sum), in
   * clip norms, if all sums were alike; the first takes its part of what they cost together.
   */
  noiseMultiplier: z.number().positive().max(1e6).default(3.2),
  /** The first sum's part of the budget: of ρ, the cost of Gaussian noise (Bun and Steinke 2016). */
  oneWaysPart: z.number().min(0.01).max(0.9).default(0.1),
  /** Most cells of a column, adaptive to the noisy one-ways. */
  cells: z.number().int().min(2).max(64).default(16),
  /** L2 norm to which one record's gradient is clipped: a power of two, so that a sum of clipped gradients is exact. */
  clipNorm: clipNormOption.default(0.5),
  /** Most coordinates of the critic's pair features; where a schema has more of them, they are hashed. */
  criticFeatures: z.number().int().min(1).max(1_048_576).default(16_384),
  /** Widths of a network beside the features, by default none: every coordinate has noise. */
  criticHidden: z.array(width).max(4).default([]),
  generatorHidden: z.array(width).min(1).max(4).default([128]),
  /** Length of the generator's latent vector; even, since normal draws come in pairs. */
  latent: z.number().int().min(2).max(512).multipleOf(2).default(32),
  /** Of the weights of the features: steps of the sum's mean as it is, since Adam would raise those that are noise alone to the size of the others. */
  featureLearningRate: z.number().positive().max(1000).default(0.25),
  /** Of the critic's network, by Adam; nothing where `criticHidden` asks for none. */
  criticLearningRate: rate.default(0.02),
  /**
   * Share of the critic's parameters that is forgotten at each step (decoupled decay, Loshchilov and Hutter 2019): without
   * it the noise of all past sums stays in them as a random walk, long after the generator has moved on.
   */
  criticDecay: z.number().min(0).max(0.5).default(0.02),
  generatorLearningRate: rate.default(0.002),
  generatorBatch: z.number().int().min(1).max(4096).default(512),
  /** Steps of the generator at a time. They cost nothing but time. */
  generatorSteps: z.number().int().min(1).max(100).default(8),
  /** Raised by one, up to eight times this, when the critic no longer tells fakes (Bie et al. 2023, section 4.2). */
  criticStepsPerGeneratorStep: z.number().int().min(1).max(1000).default(1),
  /** Decay of the average over generator steps that is released; 0 releases the last generator. */
  generatorAverage: z.number().min(0).max(0.9999).default(0.99),
  /** Stated in every plan that the members approve: batch normalisation is refused by name (hazard P26). */
  criticNormalization: z.literal('none').default('none'),
});

export type GanOptions = Readonly<z.infer<typeof ganOptionsJson>>;

/** @throws InvalidOptions */
export function parseGanOptions(input: unknown): GanOptions {
  refuseBatchNormalization(input);
  return optionsOf(ganOptionsJson, 'gan', input);
}
