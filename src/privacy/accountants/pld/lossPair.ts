import { gaussianKernel, scaledNormalTail } from './normal.js';

/**
 * The tails of a privacy loss L = log dP/dQ at a threshold. Q's own mass becomes useless where e^x overflows, so it is also
 * given times e^x; `scaledAbove` ≤ `pAbove` always. Each number to a few ulp, as if x were off by a few ulp of 1 + |x|.
 */
export interface Tails {
  /** P(L > x) and P(L ≤ x). */
  pAbove: number;
  pBelow: number;
  /** Q(L > x) and Q(L ≤ x). */
  qAbove: number;
  qBelow: number;
  /** e^x·Q(L > x), everywhere. */
  scaledAbove: number;
  /** e^x·Q(L ≤ x), where e^x does not overflow. */
  scaledBelow: number;
}

export function noTails(): Tails {
  return { pAbove: 0, pBelow: 0, qAbove: 0, qBelow: 0, scaledAbove: 0, scaledBelow: 0 };
}

/**
 * A pair of laws (P, Q), known by the law of its privacy loss. It *dominates* a mechanism if no pair of neighbours has a larger
 * hockey-stick divergence at any e^ε ≥ 0 (Zhu, Dong, Wang 2022, Def. 7); dominating pairs compose (their Thm. 10).
 */
export interface LossPair {
  /** Writes the tails at `x` into `into`. */
  readonly tails: (x: number, into: Tails) => void;
  /** Smallest and largest loss, ±Infinity where there is none. */
  readonly lowest: number;
  readonly highest: number;
  /** Losses that have a probability of their own, ascending, and equally spaced. A grid should contain them. */
  readonly atoms: readonly number[];
  /** There is nothing but the atoms. */
  readonly discrete: boolean;
}

/** N(1, σ²) against N(0, σ²): L is N(±µ²/2, µ²) under P and Q, µ = 1/σ (Dong, Roth, Su 2022, §2.2). Symmetric. */
export function gaussianPair(noiseMultiplier: number): LossPair {
  const mu = 1 / noiseMultiplier;
  return {
    lowest: Number.NEGATIVE_INFINITY,
    highest: Number.POSITIVE_INFINITY,
    atoms: [],
    discrete: false,
    tails: (x, into) => {
      const p = x * noiseMultiplier - mu / 2;
      const q = x * noiseMultiplier + mu / 2;
      const kernel = gaussianKernel(p);
      const beyondQ = scaledNormalTail(Math.abs(q));
      const pTail = kernel * scaledNormalTail(Math.abs(p));
      const qTail = gaussianKernel(q) * beyondQ;
      into.pAbove = p > 0 ? pTail : 1 - pTail;
      into.pBelow = p > 0 ? 1 - pTail : pTail;
      into.qAbove = q > 0 ? qTail : 1 - qTail;
      into.qBelow = q > 0 ? 1 - qTail : qTail;
      // e^x·φ(q) = φ(p): no overflow, no cancellation.
      into.scaledAbove = q > 0 ? kernel * beyondQ : Math.exp(x) * into.qAbove;
      into.scaledBelow = q > 0 ? Math.exp(x) * into.qBelow : kernel * beyondQ;
    },
  };
}

/**
 * Laplace noise of scale b on values at distance 1: atoms at ±1/b, exponential between them. Symmetric.
 *
 * It dominates every answer of several coordinates with shifts of sum 1: of two shifts s ≥ t (in units of b), moving some of t to s raises
 * the divergence H at any e^c. For H = P(S) − e^c·Q(S) on S = {L > c}, and ∂H/∂s is, but for a factor, P(U > m) + P(U + V > m) − 1(0 > m) − P(V > m)
 * with U = min(2E, 2s), V = min(2E′, 2t), E, E′ exponential, m = c + s + t; hence ∂H/∂s − ∂H/∂t ~ P(U > m) − P(V > m) ≥ 0.
 * Further coordinates shift c only. □
 */
export function laplacePair(scale: number): LossPair {
  const top = 1 / scale;
  return {
    lowest: -top,
    highest: top,
    atoms: [-top, top],
    discrete: false,
    tails: (x, into) => {
      const inside = x >= -top && x < top;
      // P = Lap(0), Q = Lap(1), the answer is below (1 − bx)/2 where the loss is above x.
      const near = inside ? 0.5 * Math.exp((x - top) / 2) : 0;
      const far = inside ? 0.5 * Math.exp(-(x + top) / 2) : 0;
      into.pAbove = inside ? 1 - near : x < top ? 1 : 0;
      into.pBelow = inside ? near : x < top ? 0 : 1;
      into.qAbove = inside ? far : x < top ? 1 : 0;
      into.qBelow = inside ? 1 - far : x < top ? 0 : 1;
      into.scaledAbove = inside ? near : x < top ? Math.exp(x) : 0;
      into.scaledBelow = Math.exp(x) * into.qBelow;
    },
  };
}

/** The truth with probability a = 1 − p + p/k, each of the k − 1 other values with b = p/k. Symmetric; replace-one. */
export function randomizedResponsePair(noiseParameter: number, buckets: number): LossPair {
  const other = noiseParameter / buckets;
  const truth = 1 - noiseParameter + other;
  const rest = (noiseParameter * (buckets - 2)) / buckets;
  const top = Math.log1p(((1 - noiseParameter) * buckets) / noiseParameter);
  return discretePair(
    rest > 0 ? [-top, 0, top] : [-top, top],
    rest > 0 ? [other, rest, truth] : [other, truth],
  );
}

/** Atoms `losses`, ascending, of probability `p` under P. */
function discretePair(losses: readonly number[], p: readonly number[]): LossPair {
  const q = losses.map((loss, i) => (p[i] as number) * Math.exp(-loss));
  return {
    lowest: losses[0] as number,
    highest: losses.at(-1) as number,
    atoms: losses,
    discrete: true,
    tails: (x, into) => {
      into.pAbove = into.pBelow = into.qAbove = into.qBelow = 0;
      losses.forEach((loss, i) => {
        if (loss > x) {
          into.pAbove += p[i] as number;
          into.qAbove += q[i] as number;
        } else {
          into.pBelow += p[i] as number;
          into.qBelow += q[i] as number;
        }
      });
      into.scaledAbove = into.qAbove === 0 ? 0 : Math.exp(x) * into.qAbove;
      into.scaledBelow = Math.exp(x) * into.qBelow;
    },
  };
}

/**
 * Poisson sampling, the record is in the first data set: ((1−q)Q + qP, Q), L = log(1 − q + q·e^ℓ) (Zhu, Dong, Wang 2022, Thm. 11).
 */
export function sampledRemovePair(base: LossPair, rate: number): LossPair {
  if (rate === 1) return base;
  const sampled = (loss: number): number => mixed(loss, rate);
  return {
    lowest: sampled(base.lowest),
    highest: sampled(base.highest),
    atoms: base.atoms.length === 2 ? base.atoms.map(sampled) : [],
    discrete: base.discrete,
    tails: (x, into) => {
      const u = unmixed(x, rate);
      base.tails(u, into);
      into.pAbove = (1 - rate) * into.qAbove + rate * into.pAbove;
      into.pBelow = (1 - rate) * into.qBelow + rate * into.pBelow;
      // e^(x−u) = q + (1−q)e^(−u).
      into.scaledAbove =
        u >= 0
          ? (rate + (1 - rate) * Math.exp(-u)) * into.scaledAbove
          : into.qAbove === 0
            ? 0
            : Math.exp(x) * into.qAbove;
      into.scaledBelow = Math.exp(x) * into.qBelow;
    },
  };
}

/** The record is in the second data set: (P, (1−q)P + qQ), L = −log(1 − q + q·e^−ℓ) (the same theorem). */
export function sampledAddPair(base: LossPair, rate: number): LossPair {
  if (rate === 1) return base;
  const sampled = (loss: number): number => -mixed(-loss, rate);
  return {
    lowest: sampled(base.lowest),
    highest: sampled(base.highest),
    atoms: base.atoms.length === 2 ? base.atoms.map(sampled) : [],
    discrete: base.discrete,
    tails: (x, into) => {
      base.tails(-unmixed(-x, rate), into);
      into.qAbove = (1 - rate) * into.pAbove + rate * into.qAbove;
      into.qBelow = (1 - rate) * into.pBelow + rate * into.qBelow;
      into.scaledAbove = into.qAbove === 0 ? 0 : Math.exp(x) * into.qAbove;
      into.scaledBelow = Math.exp(x) * into.qBelow;
    },
  };
}

/**
 * Both neighbours are mixtures (1−q)·common + q·own, all three laws being within the symmetric pair `base` of each other:
 * sampling, with or without replacement of the rest, under replace-one. Advanced joint convexity (Balle, Barthe, Gaboardi 2018, Thm. 2)
 * and then convexity bound the divergence at e^x ≥ 1 by q·H(base), which is that of `sampledRemovePair`; below 1 by the same,
 * mirrored, which is that of `sampledAddPair` (Zhu, Dong, Wang 2022, Thm. 11, second part). An upper bound, not always reached.
 */
export function sampledReplacePair(base: LossPair, rate: number): LossPair {
  if (rate === 1) return base;
  const above = sampledRemovePair(base, rate);
  const below = sampledAddPair(base, rate);
  return {
    lowest: below.lowest,
    highest: above.highest,
    atoms: [],
    discrete: false,
    tails: (x, into) => (x >= 0 ? above.tails(x, into) : below.tails(x, into)),
  };
}

/** log(1 − q + q·e^ℓ). */
function mixed(loss: number, rate: number): number {
  if (loss < -0.7 && rate > 0.5) return Math.log(1 - rate + rate * Math.exp(loss));
  if (loss > 1) return loss + Math.log(rate + (1 - rate) * Math.exp(-loss));
  return Math.log1p(rate * Math.expm1(loss));
}

/**
 * Its inverse; −Infinity at and below log(1 − q). Off as if x were by a few ulp of 1 + |x|: where e^x is small its difference
 * from 1 − q, exact for q ≥ ½, is formed and not that of e^x − 1 from −q.
 */
function unmixed(x: number, rate: number): number {
  if (x > 1) return x + Math.log1p(-(1 - rate) * Math.exp(-x)) - Math.log(rate);
  const excess = (x < -0.7 ? Math.exp(x) - (1 - rate) : Math.expm1(x) + rate) / rate;
  return excess > 0 ? Math.log(excess) : Number.NEGATIVE_INFINITY;
}
