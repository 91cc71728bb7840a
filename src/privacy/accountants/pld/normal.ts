/**
 * The normal distribution's tails, to relative precision: a privacy loss is decided in tails of 10^-12 and far below.
 *
 * Chebyshev series of (1 + 2x)·e^(x²)·erfc(x) in t = (x − K)/(x + K), K = 3.75, on the whole half-line (the transformation of
 * Shepherd, Laframboise 1981); the coefficients were computed with 50 digits and rounded to doubles, those below 10^-17 left out.
 */
const K = 3.75;
const COEFFICIENTS = Float64Array.of(
  1.1775789345674017,
  -0.004590054580646478,
  -0.08424913336651792,
  0.05920993999819189,
  -0.026658668435305753,
  0.009074997670705265,
  -0.002413163540417608,
  0.0004907758365258086,
  -6.916973302501207e-5,
  4.13902798607301e-6,
  7.74038306619849e-7,
  -2.1886401049234397e-7,
  1.076499946567091e-8,
  4.521959811218287e-9,
  -7.754400208831351e-10,
  -6.318088340886684e-11,
  2.86879501093067e-11,
  1.9455868545777347e-13,
  -9.65469674843344e-13,
  3.25254814814874e-14,
  3.3478119482868056e-14,
  -1.864562880419313e-15,
  -1.2507950530688648e-15,
  7.418235256624044e-17,
  5.068148904796111e-17,
);

/** e^(x²)·erfc(x) for x ≥ 0, relative error below 2^-50. */
export function scaledErfc(x: number): number {
  if (x > 1e100) return 0.5641895835477563 / x;
  const t = (x - K) / (x + K);
  const twice = 2 * t;
  let b1 = 0;
  let b2 = 0;
  // Clenshaw's recurrence.
  for (let k = COEFFICIENTS.length - 1; k > 0; k--) {
    const b = twice * b1 - b2 + (COEFFICIENTS[k] as number);
    b2 = b1;
    b1 = b;
  }
  return (t * b1 - b2 + (COEFFICIENTS[0] as number)) / (1 + 2 * x);
}

/** e^(−x²/2), x² in two parts so that the rounding of x² is not multiplied by it; 0 only below all normal numbers. */
export function gaussianKernel(x: number): number {
  if (!(Math.abs(x) < 40)) return 0;
  const high = Math.fround(x);
  return Math.exp(-0.5 * high * high) * Math.exp(-0.5 * (x - high) * (x + high));
}

/** e^(z²/2)·P(N(0, 1) > z), z ≥ 0: Mills' ratio / √(2π). */
export function scaledNormalTail(z: number): number {
  return 0.5 * scaledErfc(z * Math.SQRT1_2);
}
