import { randomBytes } from 'node:crypto';
import { sampleDiscreteGaussian } from '../src/privacy/noise/discreteGaussian.js';
import { referenceDiscreteGaussian } from '../src/privacy/noise/reference.js';

/** Samples a second on one core, production sampler beside the literal Canonne, Kamath, Steinke 2020. */
export async function* benchNoise(): AsyncIterable<object> {
  for (const sigma of [10, 1_000, 6_000]) {
    const variance = { numerator: String(sigma * sigma), denominator: '1' };
    sampleDiscreteGaussian(variance, 200_000, randomBytes);
    const fast = rate(4_000_000, (count) => sampleDiscreteGaussian(variance, count, randomBytes));
    const reference = rate(20_000, (count) => referenceDiscreteGaussian(variance, count, randomBytes));
    yield {
      bench: 'discrete-gaussian',
      sigma,
      samplesPerSecond: Math.round(fast),
      referenceSamplesPerSecond: Math.round(reference),
    };
  }
}

function rate(count: number, sample: (count: number) => unknown): number {
  const start = process.hrtime.bigint();
  sample(count);
  return count / (Number(process.hrtime.bigint() - start) / 1e9);
}
