import type { Domain } from './domain.js';
import { InvalidModelInput } from './errors.js';
import { checkMeasurement, type Measurement } from './measurements.js';

/**
 * The number of records: the measurements' sums, each an unbiased estimate of it, weighted by their inverse variances, which is
 * the unbiased estimate of least variance (as in the reference implementation of McKenna, Sheldon, Miklau 2019). At least 1.
 * @throws InvalidModelInput when there are none.
 */
export function totalOf(domain: Domain, measurements: readonly Measurement[]): number {
  let precisions = 0;
  let weighted = 0;
  for (const [index, measurement] of measurements.entries()) {
    checkMeasurement(domain, measurement, index);
    const { values, variance } = measurement;
    const precision =
      1 / (typeof variance === 'number' ? variance * values.length : variance.reduce((a, b) => a + b, 0));
    weighted += precision * values.reduce((a, b) => a + b, 0);
    precisions += precision;
  }
  if (precisions === 0) throw new InvalidModelInput('measurements', 'are none: the total has to be given');
  return Math.max(1, weighted / precisions);
}
