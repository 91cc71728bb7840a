import { deltaInterval } from './accountants/pld/deltaInterval.js';
import { epsilonInterval } from './accountants/pld/epsilonInterval.js';
import type { PrivacyInterval } from './accountants/pld/interval.js';
import { gaussianPair } from './accountants/pld/lossPair.js';
import { type PrivacyPoint, privacyCurve } from './accountants/pld/privacyCurve.js';
import { deltaOfPair } from './accountants/pld/singlePair.js';
import { PrivacyError } from './errors.js';
import type { PrivacyEvent } from './events.js';
import type { Neighbouring } from './relation.js';

/**
 * What an attacker can tell apart. Its test of "the record is in" against "it is not" has a false positive rate (FPR) and a true
 * positive rate (TPR); every (ε, δ) of the curve bounds them by TPR ≤ e^ε·FPR + δ and, for the opposite test,
 * 1 − FPR ≤ e^ε·(1 − TPR) + δ (Wasserman, Zhou 2010; Dong, Roth, Su 2022, Prop. 2.4).
 */
const POINTS = 200;

/**
 * The largest true positive rate that any test of false positive rate `fpr` can have, from above; the best such test of the worst
 * mechanism has it, but for the curve's grid. 1 where no ε is proved. Throws `argument-invalid` for a rate outside [0, 1].
 */
export function tprAtFpr(event: PrivacyEvent, fpr: number, relation: Neighbouring = 'add-remove'): number {
  if (!(fpr >= 0 && fpr <= 1))
    throw new PrivacyError('argument-invalid', `a false positive rate lies between 0 and 1, got ${fpr}`);
  return tprBound(curveOf(event, relation), fpr);
}

/** `tprAtFpr` at several rates, for the price of one. */
export function rocCurve(
  event: PrivacyEvent,
  fprs: readonly number[],
  relation: Neighbouring = 'add-remove',
): readonly { readonly fpr: number; readonly tpr: number }[] {
  const curve = curveOf(event, relation);
  return fprs.map((fpr) => ({ fpr, tpr: tprBound(curve, fpr) }));
}

function curveOf(event: PrivacyEvent, relation: Neighbouring): readonly PrivacyPoint[] {
  return privacyCurve(event, { points: POINTS, relation });
}

function tprBound(curve: readonly PrivacyPoint[], fpr: number): number {
  let tpr = 1;
  for (const { epsilon, deltaUpper } of curve) {
    const straight = Math.exp(epsilon) * fpr + deltaUpper;
    // 1 − (1 − FPR − δ)·e^−ε, without its cancellation.
    const opposite = (fpr + deltaUpper) * Math.exp(-epsilon) - Math.expm1(-epsilon);
    tpr = Math.min(tpr, straight, opposite);
  }
  return Math.max(fpr, tpr * (1 + 2 ** -46) > 1 ? 1 : tpr * (1 + 2 ** -46));
}

/**
 * μ of the Gaussian whose ε at δ is the event's (from above): what the event looks like at that δ. It is no claim of μ-GDP: the
 * curves of a sub-sampled or Laplace mechanism cross those of Gaussians, and the central-limit μ = q√(T(e^(1/σ²) − 1)) of
 * Dong, Roth, Su 2022, §5 is an approximation that may be too small. See `gdpInterval` for a μ that holds at every ε that was looked at.
 */
export function muGdp(event: PrivacyEvent, delta = 1e-5, relation: Neighbouring = 'add-remove'): number {
  return muOf(epsilonInterval(event, { delta, relation, ends: 'upper' }).upper, delta);
}

/**
 * The range of μ(δ) over δ from `from` to `to`: with the larger one, the event's (ε, δ) for δ in that range are all implied by μ-GDP
 * at the δ that were looked at (20 of them); where the two ends are equal the event is Gaussian.
 */
export function gdpInterval(
  event: PrivacyEvent,
  {
    from = 1e-10,
    to = 0.1,
    relation = 'add-remove',
  }: { from?: number; to?: number; relation?: Neighbouring } = {},
): PrivacyInterval {
  let lower = Number.POSITIVE_INFINITY;
  let upper = 0;
  for (let i = 0; i < 20; i++) {
    const mu = muGdp(event, from * (to / from) ** (i / 19), relation);
    lower = Math.min(lower, mu);
    upper = Math.max(upper, mu);
  }
  return { lower, upper };
}

/** Advantage TPR − FPR of the best test: δ at ε = 0, the total variation distance. */
export function advantage(event: PrivacyEvent, relation: Neighbouring = 'add-remove'): PrivacyInterval {
  return deltaInterval(event, { epsilon: 0, relation });
}

/** μ with Φ(−ε/μ + μ/2) − e^ε·Φ(−ε/μ − μ/2) = δ (Dong, Roth, Su 2022, Cor. 2.13); rounded up. */
function muOf(epsilon: number, delta: number): number {
  if (epsilon === Number.POSITIVE_INFINITY) return epsilon;
  const covers = (mu: number): boolean => deltaOfPair(gaussianPair(1 / mu), epsilon, 'lower') >= delta;
  let high = 1;
  while (!covers(high) && high < 1e100) high *= 2;
  let low = 0;
  for (let i = 0; i < 400 && high - low > 2 ** -45 * high; i++) {
    const middle = (low + high) / 2;
    if (covers(middle)) high = middle;
    else low = middle;
  }
  return high;
}
