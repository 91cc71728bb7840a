/** A share and what it may be, with the confidence that the caller asked for. */
export interface Proportion {
  readonly share: number;
  readonly lower: number;
  readonly upper: number;
}

/**
 * The interval of Clopper, Pearson 1934: exact, it covers the true probability at least as often as it says.
 * [0, 1] around NaN where there was no trial.
 */
export function clopperPearson(successes: number, trials: number, confidence: number): Proportion {
  if (trials === 0) return { share: Number.NaN, lower: 0, upper: 1 };
  const tail = (1 - confidence) / 2;
  return {
    share: successes / trials,
    // P[X ≥ successes] = tail, and P[X ≤ successes] = tail.
    lower: successes === 0 ? 0 : solve((p) => 1 - atMost(successes - 1, trials, p) < tail),
    upper: successes === trials ? 1 : solve((p) => atMost(successes, trials, p) > tail),
  };
}

/** The largest p in [0, 1] for which `holds`, which holds up to some p and not beyond. */
function solve(holds: (p: number) => boolean): number {
  let [low, high] = [0, 1];
  for (let i = 0; i < 40; i++) {
    const middle = (low + high) / 2;
    if (holds(middle)) low = middle;
    else high = middle;
  }
  return low;
}

/** P[X ≤ k], X ~ Binomial(n, p), 0 < p < 1: terms by their ratios, scaled by the largest of them. */
function atMost(k: number, n: number, p: number): number {
  const odds = p / (1 - p);
  const mode = Math.min(n, Math.floor((n + 1) * p));
  let [sum, total, term] = [Number(mode <= k), 1, 1];
  for (let i = mode; i > 0; i--) {
    term *= i / ((n - i + 1) * odds);
    total += term;
    if (i - 1 <= k) sum += term;
    if (term < 1e-18) break;
  }
  term = 1;
  for (let i = mode; i < n; i++) {
    term *= ((n - i) * odds) / (i + 1);
    total += term;
    if (i + 1 <= k) sum += term;
    if (term < 1e-18) break;
  }
  return sum / total;
}
