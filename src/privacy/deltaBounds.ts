import { STANDARD_ORDERS } from './accountants/orders.js';
import { deltaInterval } from './accountants/pld/deltaInterval.js';
import type { PrivacyInterval } from './accountants/pld/interval.js';
import { rdp } from './accountants/rdp.js';
import type { PrivacyEvent } from './events.js';
import type { Neighbouring } from './relation.js';

export interface DeltaBounds {
  /** The best that is proved: no δ below `lower` holds, `upper` holds. */
  readonly delta: PrivacyInterval;
  /** Upper bound by Rényi divergences alone. */
  readonly rdp: number;
}

/** Relative to every magnitude that is added. */
const MARGIN = 2 ** -46;

/** δ of an event at ε by all accountants: `epsilonBounds` asked the other way round. */
export function deltaBounds(
  event: PrivacyEvent,
  { epsilon, relation = 'add-remove' }: { readonly epsilon: number; readonly relation?: Neighbouring },
): DeltaBounds {
  const { lower, upper } = deltaInterval(event, { epsilon, relation });
  const divergences = rdp(event, STANDARD_ORDERS, relation);
  const byRenyi = STANDARD_ORDERS.reduce(
    (least, order, i) => Math.min(least, deltaAt(order, divergences[i] as number, epsilon)),
    1,
  );
  return { delta: { lower, upper: Math.min(upper, byRenyi) }, rdp: byRenyi };
}

/** Canonne, Kamath, Steinke 2020, Prop. 12: log δ = (α − 1)(r − ε + log(1 − 1/α)) − log α. Rounded up; 0 where laws are equal. */
function deltaAt(order: number, divergence: number, epsilon: number): number {
  if (divergence === 0) return 0;
  if (divergence === Number.POSITIVE_INFINITY) return 1;
  if (epsilon === Number.POSITIVE_INFINITY) return 0;
  const a = (order - 1) * (divergence - epsilon);
  const b = (order - 1) * Math.log1p(-1 / order);
  const c = Math.log(order);
  const error = MARGIN * ((order - 1) * (divergence + epsilon) + Math.abs(b) + c);
  // Below this a double is not what it stands for.
  return Math.max(Math.exp(a + b - c + error) * (1 + MARGIN), 2 ** -1000);
}
