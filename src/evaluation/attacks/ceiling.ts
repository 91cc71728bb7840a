import type { RocPoint } from '../rocCurve.js';

/**
 * What (ε, δ) allows of any test of "this record is in": TPR ≤ e^ε·FPR + δ, and 1 − FPR ≤ e^ε·(1 − TPR) + δ (Wasserman, Zhou 2010;
 * Kairouz, Oh, Viswanath 2015, Theorem 2.1). The relation is adding or removing the record; that another one takes its place in the
 * table where it is not in, as between a training and a hold-out row, is taken for no difference.
 */
export interface PrivacyCeiling {
  readonly epsilon: number;
  readonly delta: number;
  /** The largest TPR − FPR: (e^ε − 1 + 2δ)/(e^ε + 1) (Kairouz et al. 2015, §2). */
  readonly advantage: number;
  readonly auc: number;
  readonly tprAtOnePercentFpr: number;
}

export function privacyCeiling(epsilon: number, delta: number): PrivacyCeiling {
  const grown = Math.exp(epsilon);
  // The two lines meet where FPR = 1 − TPR = (1 − δ)/(1 + e^ε); the curve is mirrored there.
  const corner = (1 - delta) / (1 + grown);
  const top = 1 - corner;
  return {
    epsilon,
    delta,
    advantage: top - corner,
    // A trapezium up to the corner, and its mirror image: a trapezium of full height less a triangle.
    auc: (corner * (delta + top)) / 2 + (1 - delta - corner) * ((top + 1) / 2) + delta,
    tprAtOnePercentFpr: largestTpr(epsilon, delta, 0.01),
  };
}

export function largestTpr(epsilon: number, delta: number, fpr: number): number {
  return Math.min(1, Math.exp(epsilon) * fpr + delta, 1 - Math.exp(-epsilon) * (1 - delta - fpr));
}

/** The ceiling as a curve of straight lines. */
export function ceilingCurve({ epsilon, delta }: PrivacyCeiling): RocPoint[] {
  const corner = (1 - delta) / (1 + Math.exp(epsilon));
  return [
    { fpr: 0, tpr: delta },
    { fpr: corner, tpr: 1 - corner },
    { fpr: 1 - delta, tpr: 1 },
    { fpr: 1, tpr: 1 },
  ];
}
