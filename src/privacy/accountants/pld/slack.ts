import type { Composition } from './alternatives.js';
import type { PrivacyInterval } from './interval.js';

/** Ση over all runs: the laws are within e^±η of others. */
export type Slack = PrivacyInterval;

export function slackOf(composition: Composition): Slack {
  let upper = 0;
  let lower = 0;
  for (const part of composition.components) {
    upper += part.count * part.slackUpper;
    if (part.lower) lower += part.count * part.slackLower;
  }
  return { upper, lower };
}

/**
 * Bounds on δ(ε) from those of the other laws. P′ ≤ e^η P and Q′ ≥ e^−η Q give P′(S) − e^ε Q′(S) ≤ e^η(P(S) − e^(ε − 2η) Q(S)), and with the
 * roles exchanged the other end. Below ε = 2η, δ(ε − 2η) ≤ δ(0) + 2η.
 */
export function slackened(
  { upper, lower }: Slack,
  epsilon: number,
  bounds: {
    readonly upper: (epsilon: number) => number;
    readonly lower: (epsilon: number) => number;
  },
): PrivacyInterval {
  const reached = epsilon - 2 * upper;
  const above = bounds.upper(Math.max(0, reached)) + (reached < 0 ? -reached : 0);
  return {
    upper: Math.min(1, above * Math.exp(upper)),
    lower: bounds.lower(epsilon + 2 * lower) * Math.exp(-lower),
  };
}
