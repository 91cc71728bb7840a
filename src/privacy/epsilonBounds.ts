import { epsilonOf } from './accountants/conversion.js';
import { epsilonInterval } from './accountants/pld/epsilonInterval.js';
import type { PrivacyInterval } from './accountants/pld/interval.js';
import type { PrivacyEvent } from './events.js';
import type { Neighbouring } from './relation.js';

export interface EpsilonBounds {
  /** The best that is proved: no ε below `lower` holds, `upper` holds. */
  readonly epsilon: PrivacyInterval;
  /** Upper bound by Rényi divergences alone. */
  readonly rdp: number;
}

/**
 * ε of an event at δ by all accountants. Every upper end is a theorem of its own, so the smallest holds; Infinity where none
 * has one. For a plan that was fixed before it ran (costs chosen as one goes: filter.ts).
 */
export function epsilonBounds(
  event: PrivacyEvent,
  { delta, relation = 'add-remove' }: { readonly delta: number; readonly relation?: Neighbouring },
): EpsilonBounds {
  const { lower, upper } = epsilonInterval(event, { delta, relation });
  const rdp = epsilonOf(event, delta, undefined, relation);
  return { epsilon: { lower, upper: Math.min(upper, rdp) }, rdp };
}
