import { type LossPair, noTails } from './lossPair.js';

/** Covers the tails' errors, with room. */
const ROUNDING = 2 ** -44;
/** A double below this isn't what it stands for. */
const SMALLEST_DELTA = 2 ** -1000;

/** δ(ε) = P(L > ε) − e^ε·Q(L > ε) of one pair, rounded to one side. */
export function deltaOfPair(pair: LossPair, epsilon: number, end: 'upper' | 'lower'): number {
  if (epsilon >= pair.highest * (1 + 2 ** -40)) return 0;
  const tails = noTails();
  // As if ε were off by a few ulp of itself.
  const sign = end === 'upper' ? 1 : -1;
  pair.tails(epsilon - sign * ROUNDING * Math.abs(epsilon), tails);
  const { pAbove, scaledAbove } = tails;
  const delta = pAbove - scaledAbove + sign * ROUNDING * (pAbove + scaledAbove);
  if (end === 'lower') return delta > SMALLEST_DELTA ? Math.min(1, delta) : 0;
  return Math.min(1, Math.max(0, delta) + SMALLEST_DELTA);
}

/** The smallest ε ≥ 0 at δ, from one side: by bisection, which keeps an end that is proved. */
export function epsilonOfPair(pair: LossPair, delta: number, end: 'upper' | 'lower'): number {
  const holds = (epsilon: number): boolean => deltaOfPair(pair, epsilon, end) <= delta;
  if (holds(0)) return 0;
  let low = 0;
  let high = 1;
  while (!holds(high)) {
    low = high;
    high *= 2;
    if (high > 1e300) return end === 'upper' ? Number.POSITIVE_INFINITY : low;
  }
  for (let i = 0; i < 200 && high - low > 2 ** -50 * high; i++) {
    const middle = (low + high) / 2;
    if (holds(middle)) high = middle;
    else low = middle;
  }
  return end === 'upper' ? high : low;
}
