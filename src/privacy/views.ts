import { PrivacyError } from './errors.js';
import type { DistributedDiscreteGaussianEvent, PrivacyEvent } from './events.js';
import { type CommittedCost, costUnits, epsilonOfUnits, type FilterLimit } from './filter.js';
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

export type Observer = keyof EpsilonViews;

/** The headline first. */
export const OBSERVERS = [
  'coordinatorWithColluders',
  'coordinatorAlone',
  'anotherMember',
  'public',
  'secureAggregationBroken',
] as const satisfies readonly Observer[];

type Observe = (
  event: DistributedDiscreteGaussianEvent,
) => Pick<DistributedDiscreteGaussianEvent, 'contributors' | 'colluders'>;

const shareOf: Readonly<Record<Observer, Observe>> = {
  coordinatorWithColluders: ({ contributors, colluders }) => ({ contributors, colluders }),
  coordinatorAlone: ({ contributors }) => ({ contributors, colluders: 0 }),
  anotherMember: ({ contributors }) => ({ contributors, colluders: 1 }),
  public: ({ contributors }) => ({ contributors, colluders: 0 }),
  secureAggregationBroken: () => ({ contributors: 1, colluders: 0 }),
};

/**
 * The five numbers of a run from its committed events (actual contributors in them, colluders of the charter). Only
 * distributed noise looks different to different observers; every other event is charged alike to all: a member's own noise
 * (local DP-SGD) covers its records whoever looks, and however much of the masks is broken.
 */
export function views(limit: FilterLimit, events: Iterable<PrivacyEvent>): EpsilonViews {
  const counted = countEqual(events);
  const epsilonFor = (observer: Observer) => filterEpsilon(limit, seenFrom(observer, counted));
  return {
    coordinatorWithColluders: epsilonFor('coordinatorWithColluders'),
    coordinatorAlone: epsilonFor('coordinatorAlone'),
    anotherMember: epsilonFor('anotherMember'),
    public: epsilonFor('public'),
    secureAggregationBroken: epsilonFor('secureAggregationBroken'),
  };
}

/** The same events with the noise that this observer can't subtract. */
export function seenFrom(observer: Observer, counted: readonly CommittedCost[]): CommittedCost[] {
  return counted.map(({ event, count }) => ({ event: seenBy(event, shareOf[observer]), count }));
}

/** ε by the filter at the limit's δ; Infinity where nothing bounds an event. */
export function filterEpsilon(limit: FilterLimit, events: readonly CommittedCost[]): number {
  let total = limit.orders.map(() => 0n);
  for (const { event, count } of events) {
    const cost = unitsOrInfinite(event, limit.orders);
    total = addUnits(
      total,
      cost.map((unit) => unit * BigInt(count)),
    );
  }
  return epsilonOfUnits(limit, total);
}

/** A run is hundreds of equal rounds: each distinct event is priced once. */
export function countEqual(events: Iterable<PrivacyEvent>): CommittedCost[] {
  const counted = new Map<string, { readonly event: PrivacyEvent; count: number }>();
  for (const event of events) {
    const key = JSON.stringify(event);
    const entry = counted.get(key);
    if (entry) entry.count += 1;
    else counted.set(key, { event, count: 1 });
  }
  return [...counted.values()];
}

function seenBy(event: PrivacyEvent, observe: Observe): PrivacyEvent {
  switch (event.kind) {
    case 'distributed-discrete-gaussian':
      return { ...event, ...observe(event) };
    case 'poisson-sampled':
    case 'sampled-without-replacement':
    case 'random-allocation':
    case 'self-composed':
      return { ...event, event: seenBy(event.event, observe) };
    case 'composed':
    case 'parallel-composed':
      return { ...event, events: event.events.map((part) => seenBy(part, observe)) };
    default:
      return event;
  }
}

/** As `costUnits`, INFINITE_UNITS at every order where that refuses. */
export function unitsOrInfinite(event: PrivacyEvent, orders: readonly number[]): bigint[] {
  try {
    return costUnits(event, orders);
  } catch (error) {
    if (error instanceof PrivacyError && error.code === 'cost-infinite')
      return orders.map(() => INFINITE_UNITS);
    throw error;
  }
}
