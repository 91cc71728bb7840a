import { epsilonEmpirical, type Guesses } from './bound.js';

/**
 * Shares of the canaries that are guessed, fixed before any score is seen: how many are best guessed depends on the leak. Each
 * is tested at its part of the error rate (union bound), so that the best of them still holds with the whole confidence.
 */
export const GUESSED_SHARES: readonly number[] = [1 / 4, 1 / 2, 1];

export interface Finding {
  readonly guesses: Guesses;
  /** The largest ε that is refuted with the stated confidence. */
  readonly epsilonEmpirical: number;
}

/**
 * Steinke, Nasr, Jagielski 2023, Algorithm 1: "in" for the highest scores, "out" for the lowest, as many of each, and no
 * guess between. The best finding over `GUESSED_SHARES`. Scores that are equal keep the order of the canaries, which says
 * nothing about who is in; one that is not a number counts as 0.
 */
export function bestFinding(
  scores: ArrayLike<number>,
  included: readonly boolean[],
  delta: number,
  confidence: number,
): Finding {
  const order = byScore(scores);
  const each = 1 - (1 - confidence) / GUESSED_SHARES.length;
  const findings = GUESSED_SHARES.map((share): Finding => {
    const guesses = guess(order, included, Math.floor((share * order.length) / 2));
    return { guesses, epsilonEmpirical: epsilonEmpirical(guesses, delta, each) };
  });
  return findings.reduce((best, found) => (found.epsilonEmpirical > best.epsilonEmpirical ? found : best));
}

/** The most that an audit of so many canaries can show: every guess right. */
export function mostShown(canaries: number, delta: number, confidence: number): number {
  const included = Array.from({ length: canaries }, (_, i) => i % 2 === 0);
  const scores = included.map(Number);
  return bestFinding(scores, included, delta, confidence).epsilonEmpirical;
}

/** Indices from the highest score to the lowest. */
function byScore(scores: ArrayLike<number>): readonly number[] {
  const finite = Array.from(scores, (score) => (Number.isFinite(score) ? score : 0));
  return finite.map((_, i) => i).sort((a, b) => finite[b]! - finite[a]! || a - b);
}

function guess(order: readonly number[], included: readonly boolean[], each: number): Guesses {
  const right =
    order.slice(0, each).filter((i) => included[i]).length +
    order.slice(order.length - each).filter((i) => !included[i]).length;
  return { canaries: order.length, made: 2 * each, right };
}
