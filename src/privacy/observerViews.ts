import type { PrivacyInterval } from './accountants/pld/interval.js';
import { privacyCurve } from './accountants/pld/privacyCurve.js';
import { epsilonBounds } from './epsilonBounds.js';
import { composedEvent, type PrivacyEvent, selfComposedEvent } from './events.js';
import type { CommittedCost, FilterLimit } from './filter.js';
import { countEqual, filterEpsilon, OBSERVERS, type Observer, seenFrom } from './views.js';

/** One point of δ(ε): the smallest δ at which ε holds lies between the two. */
export interface CurvePoint {
  readonly epsilon: number;
  readonly deltaLower: number;
  readonly deltaUpper: number;
}

/** What one observer can learn of a record from a release. */
export interface ObserverView {
  readonly observer: Observer;
  /** By the filter, at the limit's orders: what is held against the limit. Infinity where nothing protects. */
  readonly epsilon: number;
  /** The same release by all accountants, at the same δ. `upper` is Infinity where nothing protects. */
  readonly interval: PrivacyInterval;
  /** The whole trade-off, by rising ε; empty where nothing protects. */
  readonly curve: readonly CurvePoint[];
}

/** Points of a published curve. */
const CURVE_POINTS = 20;

/**
 * The five views of a release with an interval and a curve each. The tight accountants report, they don't enforce: what they
 * say holds for costs that did not depend on the answers, as those of a committed plan don't.
 */
export function observerViews(limit: FilterLimit, events: Iterable<PrivacyEvent>): ObserverView[] {
  const counted = countEqual(events);
  // Observers who know equally much, as the public and the coordinator alone do, are reckoned once.
  const known = new Map<string, Omit<ObserverView, 'observer'>>();
  return OBSERVERS.map((observer) => {
    const seen = seenFrom(observer, counted);
    const key = JSON.stringify(seen);
    const view = known.get(key) ?? reckon(limit, seen);
    known.set(key, view);
    return { observer, ...view };
  });
}

function reckon(limit: FilterLimit, seen: readonly CommittedCost[]): Omit<ObserverView, 'observer'> {
  const epsilon = filterEpsilon(limit, seen);
  const whole = compositionOf(seen);
  const { epsilon: interval } = epsilonBounds(whole, { delta: limit.delta });
  const curve =
    interval.upper === Number.POSITIVE_INFINITY ? [] : privacyCurve(whole, { points: CURVE_POINTS });
  return { epsilon, interval, curve };
}

/** What was asked as one event, as the tight accountants take it. */
export function compositionOf(events: readonly CommittedCost[]): PrivacyEvent {
  return composedEvent(events.map(({ event, count }) => selfComposedEvent(event, count)));
}
