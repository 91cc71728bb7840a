import { PrivacyError } from '../errors.js';
import { type Neighbouring, sensitivityFactor } from '../relation.js';
import { checkDelta } from './conversion.js';
import { MILLS_ERROR, mills, millsTail, normalDensity } from './mills.js';
import { ULP } from './rounding.js';

/**
 * The Gaussian mechanism exactly: Balle, Wang 2018, Theorem 8. With sensitivity 1 and noise σ,
 *
 *   δ(ε) = Φ(a) − e^ε Φ(−b),  a = 1/2σ − εσ,  b = 1/2σ + εσ.
 *
 * As e^ε φ(b) = φ(a), Φ(a) − e^ε Φ(−b) = φ(a)(M(−a) − M(b)) for a ≤ 0 and 1 − φ(a)(M(a) + M(b)) for a > 0, M being Mills' ratio: no
 * overflow at ε = 1000, no underflow of the parts before δ itself. Valid for every ε ≥ 0, unlike σ = √(2 log(1.25/δ))/ε, which is
 * a theorem for ε < 1 only and wrong beyond (hazard P17).
 */
export interface GaussianQuestion {
  /** Standard deviation / L2 sensitivity of add/remove. */
  readonly noiseMultiplier: number;
  readonly relation?: Neighbouring;
}

function checkEpsilon(epsilon: number): void {
  if (!(epsilon >= 0 && epsilon < Number.POSITIVE_INFINITY)) {
    throw new PrivacyError('argument-invalid', `ε must be finite and at least 0, got ${epsilon}`);
  }
}

function effectiveNoise({ noiseMultiplier, relation = 'add-remove' }: GaussianQuestion): number {
  if (!(noiseMultiplier >= 0)) {
    throw new PrivacyError(
      'argument-invalid',
      `a noise multiplier is a number from 0, got ${noiseMultiplier}`,
    );
  }
  return noiseMultiplier / sensitivityFactor(relation);
}

/** δ at ε ≥ 0, rounded up by its error bound: never below the truth, 10^-11 relative above it where δ is a normal number. 1 without noise. */
export function gaussianDelta(question: GaussianQuestion & { readonly epsilon: number }): number {
  checkEpsilon(question.epsilon);
  return deltaOf(effectiveNoise(question), question.epsilon);
}

function deltaOf(sigma: number, epsilon: number): number {
  if (sigma === 0) return 1;
  if (sigma === Number.POSITIVE_INFINITY) return 0;
  const half = 0.5 / sigma;
  const shift = epsilon * sigma;
  const a = half - shift;
  const b = half + shift;
  // φ(39) is below every normal number, and so is 1 − δ or δ.
  if (half === Number.POSITIVE_INFINITY || a > 39) return 1;
  if (!(a > -39)) return 2 ** -1022;
  // a is off by a few ulps of b, which moves M by at most slip/(1 + a²) (as 1 − xM(x) < 1/(1 + x²)) and log φ(a) by a·slip.
  const slip = 2 * ULP * b;
  const density = normalDensity(a) * (1 + ULP * (16 + a * a) + slip * (1 + Math.abs(a)));
  let difference: number;
  let error: number;
  if (half < 0.05) {
    // Much noise: M(−a) − M(b) would cancel; it is the integral of −M′(y) = 1 − yM(y).
    difference = integralOfSlope(-a, 2 * half);
    error = difference * (256 * ULP + (b < 4 ? MILLS_ERROR * (3 + b * b) : 0));
  } else if (a > 0) {
    const lower = normalDensity(a) * (mills(a) + mills(b));
    return Math.min(1, 1 - lower + lower * (2 * MILLS_ERROR + ULP * (8 + a * a)) + slip + 2 * ULP);
  } else {
    const left = mills(-a);
    const right = mills(b);
    difference = left - right;
    error = MILLS_ERROR * (left + right) + slip / (1 + a * a);
  }
  // Below the normal numbers a product of δ's parts has lost its bits: there δ is that bound.
  return Math.min(1, Math.max(density * (difference + error), 2 ** -1022));
}

/**
 * ∫_x^(x+w) (1 − yM(y)) dy for −0.05 ≤ x, w ≤ 0.1, by six points of Gauss and Legendre. M is the Laplace transform of e^(−t²/2), so the
 * integrand's 12th derivative is M^(13), at most 46,100 there, and the remainder below 10^-24.
 */
function integralOfSlope(x: number, width: number): number {
  let sum = 0;
  for (const [node, weight] of GAUSS_LEGENDRE) sum += weight * slope(x + (width / 2) * (1 + node));
  return (sum * width) / 2;
}

/** 1 − yM(y); from 3 on as c/(y + c) with M = 1/(y + c), c the continued fraction from its second term, so that nothing cancels. */
function slope(y: number): number {
  if (y < 0) return 1 - y * (Math.sqrt(2 * Math.PI) * Math.exp((y * y) / 2) - mills(-y));
  if (y < 3) return 1 - y * mills(y);
  const c = 1 / millsTail(y, 2);
  return c / (y + c);
}

const GAUSS_LEGENDRE: readonly (readonly [number, number])[] = [
  [-0.932469514203152, 0.17132449237917036],
  [-0.6612093864662645, 0.3607615730481386],
  [-0.23861918608319693, 0.46791393457269104],
  [0.23861918608319693, 0.46791393457269104],
  [0.6612093864662645, 0.3607615730481386],
  [0.932469514203152, 0.17132449237917036],
];

/** Smallest ε ≥ 0 at δ, rounded up; 0 where δ(0) ≤ δ already, Infinity without noise. */
export function gaussianEpsilon(question: GaussianQuestion & { readonly delta: number }): number {
  checkDelta(question.delta);
  const sigma = effectiveNoise(question);
  if (sigma === 0) return Number.POSITIVE_INFINITY;
  if (deltaOf(sigma, 0) <= question.delta) return 0;
  let low = 0;
  let high = 1;
  while (deltaOf(sigma, high) > question.delta) {
    low = high;
    high *= 2;
    if (high === Number.POSITIVE_INFINITY) return high;
  }
  return bisect(low, high, (epsilon) => deltaOf(sigma, epsilon) <= question.delta);
}

/** Smallest noise multiplier (of add/remove sensitivity) that is (ε, δ)-DP, rounded up: Balle, Wang 2018, Algorithm 1's root. */
export function calibrateGaussian(target: {
  readonly epsilon: number;
  readonly delta: number;
  readonly relation?: Neighbouring;
}): number {
  const { epsilon, delta, relation = 'add-remove' } = target;
  checkEpsilon(epsilon);
  checkDelta(delta);
  const holds = (sigma: number): boolean => deltaOf(sigma, epsilon) <= delta;
  let low = 1;
  let high = 1;
  while (holds(low)) low /= 2;
  while (!holds(high)) {
    high *= 2;
    if (high === Number.POSITIVE_INFINITY) {
      throw new PrivacyError(
        'calibration-impossible',
        `no noise in a double's range gives (${epsilon}, ${delta}); raise ε or δ`,
      );
    }
  }
  return bisect(low, high, holds) * sensitivityFactor(relation);
}

/** The least x between a failing and a holding one for which `holds`, to 2^-48 relative, from above. */
function bisect(failing: number, holding: number, holds: (x: number) => boolean): number {
  let low = failing;
  let high = holding;
  while (high - low > high * 2 ** -48) {
    const middle = low + (high - low) / 2;
    if (middle <= low || middle >= high) break;
    if (holds(middle)) high = middle;
    else low = middle;
  }
  return high;
}
