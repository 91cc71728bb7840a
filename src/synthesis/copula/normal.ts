import { gaussianKernel, scaledNormalTail } from '../../privacy/accountants/pld/normal.js';

const SQRT_2PI = Math.sqrt(2 * Math.PI);

/** φ(x); 0 at ± ∞. */
export const normalDensity = (x: number): number => gaussianKernel(x) / SQRT_2PI;

/**
 * Φ⁻¹(p): ∓ ∞ at 0 and 1. Newton's steps on log P(N > x), which is concave, so that they come from one side and can't overshoot; from
 * below, since P(N > x) ≤ e^(−x²/2)/2 (Chernoff). Relative error a few ulp.
 */
export function normalQuantile(p: number): number {
  if (p === 0.5) return 0;
  const tail = Math.min(p, 1 - p);
  if (!(tail > 0)) return p > 0.5 ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
  let x = Math.sqrt(Math.max(0, -2 * Math.log(2 * tail)));
  for (let i = 0; i < 50; i++) {
    const mills = scaledNormalTail(x);
    const step = Math.log((gaussianKernel(x) * mills) / tail) * mills * SQRT_2PI;
    x += step;
    if (Math.abs(step) <= 2 ** -50 * x) break;
  }
  return p > 0.5 ? x : -x;
}
