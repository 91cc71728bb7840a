import type { LatticeLaw } from './discretization.js';

/** A lattice law times e^(λ·loss), normed. */
export interface TiltedLaw extends LatticeLaw {
  readonly losses: Float64Array;
  /** masses·e^(λ·loss), normed to 1. */
  readonly weights: Float64Array;
  /** The norm. */
  readonly moment: LogMoment;
  readonly largestLoss: number;
}

/** log E e^(tL) of a lattice law, and how far rounding may have moved it, or any summand. */
export interface LogMoment {
  readonly log: number;
  readonly error: number;
}

export function tiltedLaw(law: LatticeLaw, losses: Float64Array, tilt: number): TiltedLaw {
  let largestLoss = 0;
  for (const loss of losses) largestLoss = Math.max(largestLoss, Math.abs(loss));
  const weights = new Float64Array(losses.length);
  const { sum, ...moment } = summed(law.masses, losses, tilt, weights);
  for (let i = 0; i < weights.length; i++) weights[i] = (weights[i] as number) / sum;
  return { ...law, losses, weights, moment, largestLoss };
}

export function logMomentOf({ masses, losses }: TiltedLaw, tilt: number): LogMoment {
  return summed(masses, losses, tilt);
}

/** log Σ masses·e^(tilt·loss); the summands, over a common factor, into `into`. */
function summed(
  masses: Float64Array,
  losses: Float64Array,
  tilt: number,
  into?: Float64Array,
): LogMoment & { readonly sum: number } {
  let largest = Number.NEGATIVE_INFINITY;
  let steepest = 0;
  for (let i = 0; i < losses.length; i++) {
    const exponent = tilt * (losses[i] as number);
    if (!((masses[i] as number) > 0)) continue;
    if (Math.abs(exponent) > steepest) steepest = Math.abs(exponent);
    if (exponent > largest) largest = exponent;
  }
  if (largest === Number.NEGATIVE_INFINITY) return { log: largest, sum: 1, error: 0 };
  // No common factor where none is needed: a logarithm near 0 keeps its bits.
  const reference = steepest < 300 ? 0 : largest;
  let sum = 0;
  let lost = 0;
  for (let i = 0; i < losses.length; i++) {
    const mass = masses[i] as number;
    const value = mass > 0 ? mass * Math.exp(tilt * (losses[i] as number) - reference) : 0;
    if (into) into[i] = value;
    // Neumaier's sum: it is raised to a power of a million.
    const next = sum + value;
    lost += sum >= value ? sum - next + value : value - next + sum;
    sum = next;
  }
  sum += lost;
  const log = reference + Math.log(sum);
  // Exponents are rounded three times, sums once more.
  return { log, sum, error: 2 ** -50 * (1 + steepest) + 2 ** -51 * Math.abs(log) };
}
