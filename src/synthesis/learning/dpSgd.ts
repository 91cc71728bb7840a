import { z } from 'zod';
import type { Rng } from '../../crypto/rng.js';
import { localDpSgdEvent, type PrivacyEvent, type Rational } from '../../privacy/events.js';
import { sampleDiscreteGaussian } from '../../privacy/noise/discreteGaussian.js';
import type { LearningEngine } from '../engine.js';
import { InvalidOptions } from '../errors.js';
import { seededRng } from '../randomness.js';
import { type Batch, clippedGradientSum, type LossGradient } from './clippedGradient.js';
import type { Network } from './network.js';

const planJson = z.strictObject({
  /** C, a power of two. */
  clipNorm: z.number().positive(),
  /** Standard deviation of the noise / sensitivity of the sum. */
  noiseMultiplier: z.number().positive(),
  /** Of Poisson sampling: each record is in a step independently. */
  samplingRate: z.number().positive().max(1),
  /** A public undertaking, not a count of the table. */
  declaredRecords: z.number().int().positive(),
  steps: z.number().int().positive(),
});
/**
 * DP-SGD on one participant's records with noise of its own (Abadi et al. 2016). All of it public, fixed beforehand. For generators that a
 * participant trains by itself before a federation's sums (a VAE, a local model); no synthesizer calls it yet, the tests do.
 */
export type DpSgdPlan = z.output<typeof planJson>;

/** @throws InvalidOptions: also for what it does not know, such as a clip norm that adapts to the records (hazard P4). */
export function parseDpSgdPlan(input: unknown): DpSgdPlan {
  const parsed = planJson.safeParse(input);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new InvalidOptions(issue?.path.join('.') || 'dpSgd', issue?.message ?? 'not valid');
}

/** What the steps cost, whatever the records. */
export function costOf({ noiseMultiplier, samplingRate, steps }: DpSgdPlan): PrivacyEvent {
  return localDpSgdEvent({ noiseMultiplier, samplingRate, steps });
}

/**
 * The streams of a step: which records, which slot each, and the noise. Different labels under a seed of 256 bits, so none is
 * another's, nor another step's (hazard P9).
 */
export function stepStreams(
  seed: Uint8Array,
  step: number,
): Readonly<Record<'sampling' | 'slots' | 'noise', Rng>> {
  if (seed.length < 32) throw new InvalidOptions('seed', 'needs at least 32 bytes');
  const stream = (name: string) => seededRng(seed, `dp-sgd/${step}/${name}`);
  return { sampling: stream('sampling'), slots: stream('slots'), noise: stream('noise') };
}

export interface NoiseScale {
  /** γ, a power of two: the sum is rounded to multiples of it, the noise is drawn as such. */
  readonly grid: number;
  /** In steps of γ squared. */
  readonly variance: Rational;
}

/**
 * The sum of either neighbour is rounded to nearest, which moves it by γ√d/2 at most: the sensitivity is C + γ√d, with γ such that
 * this adds less than 2⁻⁸. The 4 is the bridge's (docs/privacy.md): discrete noise of variance σ² is charged as
 * continuous noise of σ² − 4 steps.
 */
export function noiseScale({ clipNorm, noiseMultiplier }: DpSgdPlan, dimension: number): NoiseScale {
  const grid = clipNorm * 2 ** -Math.ceil(8 + Math.log2(dimension) / 2);
  const deviation = noiseMultiplier * (clipNorm / grid + Math.sqrt(dimension));
  return { grid, variance: { numerator: String(BigInt(Math.ceil(deviation ** 2)) + 5n), denominator: '1' } };
}

/** Steps of γ. To be called before a record is looked at, so that its time tells nothing of them (hazard P11). */
export function drawNoise(plan: DpSgdPlan, dimension: number, noise: Rng): Int32Array {
  return sampleDiscreteGaussian(noiseScale(plan, dimension).variance, dimension, noise);
}

/**
 * (Σ clipped gradients + noise) / (sampling rate · declared records). The divisor is public: a private count, of the batch or the
 * table, would be a second release (hazard P1). A sample of no records is a step like any other, noise and cost
 * included (hazard P3).
 * @param batch the step's Poisson sample.
 */
export function noisyGradient(
  engine: LearningEngine,
  network: Network,
  parameters: Float32Array,
  batch: Batch,
  loss: LossGradient,
  plan: DpSgdPlan,
  noise: Int32Array,
  slots: Rng,
): Float64Array {
  if (noise.length !== network.parameters)
    throw new InvalidOptions('noise', `the network has ${network.parameters} parameters; draw as many`);
  const { clipNorm, samplingRate, declaredRecords } = plan;
  const expectedRecords = samplingRate * declaredRecords;
  const { grid } = noiseScale(plan, network.parameters);
  const sum = clippedGradientSum(
    engine,
    network,
    parameters,
    batch,
    loss,
    { clipNorm, expectedRecords },
    slots,
  );
  return sum.map((value, k) => ((Math.round(value / grid) + (noise[k] as number)) * grid) / expectedRecords);
}
