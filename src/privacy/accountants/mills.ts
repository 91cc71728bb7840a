/** Mills' ratio M(x) = Φ(−x)/φ(x) of the standard normal law: the tail without its exponential. */
const ULP = 2 ** -52;

/** Relative error of `mills`, x ≥ 0, by the two arguments below; held to 30-digit numbers in analyticGaussian.test.ts. */
export const MILLS_ERROR = 40 * ULP;

const SQRT_2PI = Math.sqrt(2 * Math.PI);

/**
 * M(x) for x ≥ 0. Below 1.5: √(π/2)·e^(x²/2) − Σ x^(2k+1)/(2k+1)!! (Marsaglia 2004, "Evaluating the normal distribution"), which cancels a
 * factor 8 at most. Then Laplace's continued fraction 1/(x + 1/(x + 2/(x + …))), positive terms, cut where its
 * convergents (above and below in turn) agree: they close like e^(−2x√n).
 */
export function mills(x: number): number {
  if (x < 1.5) {
    let term = x;
    let series = x;
    for (let k = 1; term > series * 2 ** -56; k++) {
      term *= (x * x) / (2 * k + 1);
      series += term;
    }
    return (SQRT_2PI / 2) * Math.exp((x * x) / 2) - series;
  }
  return 1 / millsTail(x, 1);
}

/** x + from/(x + (from + 1)/(x + …)), x ≥ 1.5. */
export function millsTail(x: number, from: number): number {
  if (x > 1e8) return x;
  const depth = Math.ceil((20 / x) ** 2) + 16;
  let tail = x;
  for (let n = depth; n >= from; n--) tail = x + n / tail;
  return tail;
}

/** φ(x). */
export function normalDensity(x: number): number {
  return Math.exp((-x * x) / 2) / SQRT_2PI;
}
