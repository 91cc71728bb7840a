import { z } from 'zod';
import { InvalidOptions } from '../errors.js';

const width = z.number().int().min(1).max(1024);
const rate = z.number().positive().max(1);

/**
 * Public constants of a GAN run: part of the approved plan, never chosen from the records. The defaults were chosen on
 * the demo's table and by what holds for any: a small critic, since noise grows with its
 * parameters, and large expected batches.
 */
const ganOptionsJson = z.strictObject({
  mode: z.literal('fedsgd').default('fedsgd'),
  /** Rounds, one private critic step each. */
  steps: z.number().int().min(1).max(100_000).default(500),
  /** Poisson rate of each participant's records in a step. */
  samplingRate: rate.default(0.05),
  /** Standard deviation of the noise on a sum of minSurvivors contributions less maxColluders, in clip norms. */
  noiseMultiplier: z.number().positive().max(1e6).default(2.1),
  /** L2 norm to which one record's gradient is clipped: a power of two, so that a sum of clipped gradients is exact. */
  clipNorm: z
    .number()
    .positive()
    .refine((value) => Number.isInteger(Math.log2(value)) && value >= 2 ** -20 && value <= 2 ** 20, {
      message: 'must be a power of two from 2^-20 to 2^20',
    })
    .default(1),
  criticHidden: z.array(width).min(1).max(4).default([64]),
  generatorHidden: z.array(width).min(1).max(4).default([128]),
  /** Length of the generator's latent vector; even, since normal draws come in pairs. */
  latent: z.number().int().min(2).max(512).multipleOf(2).default(32),
  criticLearningRate: rate.default(0.02),
  /**
   * Share of the critic's parameters that is forgotten at each step (decoupled decay, Loshchilov and Hutter 2019): without
   * it the noise of all past sums stays in them as a random walk, long after the generator has moved on.
   */
  criticDecay: z.number().min(0).max(0.5).default(0.01),
  generatorLearningRate: rate.default(0.001),
  generatorBatch: z.number().int().min(1).max(4096).default(256),
  /** Raised by one, up to eight times this, when the critic no longer tells fakes (Bie et al. 2023, section 4.2). */
  criticStepsPerGeneratorStep: z.number().int().min(1).max(1000).default(1),
  /** Temperature of the Gumbel-softmax through which the generator's gradient passes (Jang et al. 2017). */
  temperature: z.number().min(0.05).max(10).default(1),
  /** Decay of the average over generator steps that is released; 0 releases the last generator. */
  generatorAverage: z.number().min(0).max(0.9999).default(0.98),
  criticNormalization: z.literal('none').default('none'),
});

export type GanOptions = Readonly<z.infer<typeof ganOptionsJson>>;

/** @throws InvalidOptions */
export function parseGanOptions(input: unknown): GanOptions {
  refuseBatchNormalization(input);
  const parsed = ganOptionsJson.safeParse(input ?? {});
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const keys = issue?.code === 'unrecognized_keys' ? `: ${issue.keys.join(', ')}` : '';
  throw new InvalidOptions(issue?.path.join('.') || 'gan', `${issue?.message ?? 'not valid'}${keys}`);
}

/**
 * Hazard P26: a layer that mixes the records of a batch makes one record's gradient depend on the others, so clipping it
 * bounds nothing. It is named in the refusal, whatever it is called, since leaving it out silently would train another
 * model than the one that was asked for.
 */
function refuseBatchNormalization(input: unknown): void {
  if (typeof input !== 'object' || input === null) return;
  for (const [name, value] of Object.entries(input)) {
    const mixes = /batch.?norm/i.test(name) || (typeof value === 'string' && /batch.?norm/i.test(value));
    if (mixes || (name === 'criticNormalization' && value !== 'none'))
      throw new InvalidOptions(
        name,
        'the critic can have no batch normalisation: it mixes records, and a gradient clipped per record would bound nothing; leave it out',
      );
  }
}
