import { PrivacyError } from './errors.js';
import type { DistributedDiscreteGaussianEvent, PrivacyEvent } from './events.js';
import { costUnits, epsilonOfUnits, type FilterLimit } from './filter.js';
import { addUnits, INFINITE_UNITS } from './units.js';

/** ε of one and the same run at the limit's δ, by who looks. Infinity where nothing protects against that observer. */
export interface EpsilonViews {
  /** The headline, and what the filter enforces: the coordinator with maxColluders members, who know their own shares. */
  readonly coordinatorWithColluders: number;
  /** The coordinator alone: it sees the sum and knows no share. */
  readonly coordinatorAlone: number;
  /** Another member, from what is published: it can subtract its own share. */
  readonly anotherMember: number;
  /** Anybody else: knows no share; sees at most what the coordinator published. */
  readonly public: number;
  /** If secure aggregation were broken and single vectors seen: only a member's own share protects it. */
  readonly secureAggregationBroken: number;
}

type Observe = (
  event: DistributedDiscreteGaussianEvent,
) => Pick<DistributedDiscreteGaussianEvent, 'contributors' | 'colluders'>;

const observers: Readonly<Record<keyof EpsilonViews, Observe>> = {
  coordinatorWithColluders: ({ contributors, colluders }) => ({ contributors, colluders }),
  coordinatorAlone: ({ contributors }) => ({ contributors, colluders: 0 }),
  anotherMember: ({ contributors }) => ({ contributors, colluders: 1 }),
  public: ({ contributors }) => ({ contributors, colluders: 0 }),
  secureAggregationBroken: () => ({ contributors: 1, colluders: 0 }),
};

/**
 * The five numbers of a run from its committed events (actual contributors in them, colluders of the charter). Only
 * distributed noise looks different to different observers; every other event is charged alike to all.
 */
export function views(limit: FilterLimit, events: Iterable<PrivacyEvent>): EpsilonViews {
  const counted = countEqual(events);
  const epsilonFor = (observe: Observe): number => {
    let total = limit.orders.map(() => 0n);
    for (const { event, count } of counted) {
      const cost = unitsOrInfinite(seenBy(event, observe), limit.orders);
      total = addUnits(
        total,
        cost.map((unit) => unit * count),
      );
    }
    return epsilonOfUnits(limit, total);
  };
  return {
    coordinatorWithColluders: epsilonFor(observers.coordinatorWithColluders),
    coordinatorAlone: epsilonFor(observers.coordinatorAlone),
    anotherMember: epsilonFor(observers.anotherMember),
    public: epsilonFor(observers.public),
    secureAggregationBroken: epsilonFor(observers.secureAggregationBroken),
  };
}

/** A run is hundreds of equal rounds: each distinct event is priced once. */
function countEqual(events: Iterable<PrivacyEvent>): { event: PrivacyEvent; count: bigint }[] {
  const counted = new Map<string, { event: PrivacyEvent; count: bigint }>();
  for (const event of events) {
    const key = JSON.stringify(event);
    const entry = counted.get(key);
    if (entry) entry.count += 1n;
    else counted.set(key, { event, count: 1n });
  }
  return [...counted.values()];
}

function seenBy(event: PrivacyEvent, observe: Observe): PrivacyEvent {
  switch (event.kind) {
    case 'distributed-discrete-gaussian':
      return { ...event, ...observe(event) };
    case 'poisson-sampled':
    case 'self-composed':
      return { ...event, event: seenBy(event.event, observe) };
    case 'composed':
      return { ...event, events: event.events.map((part) => seenBy(part, observe)) };
    default:
      return event;
  }
}

function unitsOrInfinite(event: PrivacyEvent, orders: readonly number[]): bigint[] {
  try {
    return costUnits(event, orders);
  } catch (error) {
    if (error instanceof PrivacyError && error.code === 'cost-infinite')
      return orders.map(() => INFINITE_UNITS);
    throw error;
  }
}
