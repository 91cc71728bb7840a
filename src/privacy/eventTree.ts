import type { PrivacyEvent } from './events.js';

/** The event and every event inside it. */
export function eventsWithin(event: PrivacyEvent): PrivacyEvent[] {
  return [event, ...childrenOf(event).flatMap(eventsWithin)];
}

export interface Workload {
  /** Different mechanisms, each of which an accountant prices once. */
  readonly distinct: number;
  /** Releases altogether, with every count multiplied out. */
  readonly releases: number;
}

/** What an accountant has to do for an event; a sampled mechanism is one with what it samples. */
export function workload(event: PrivacyEvent): Workload {
  return {
    distinct: new Set(mechanismsOf(event).map((one) => JSON.stringify(one))).size,
    releases: releasesOf(event),
  };
}

function mechanismsOf(event: PrivacyEvent): readonly PrivacyEvent[] {
  switch (event.kind) {
    case 'self-composed':
    case 'composed':
    case 'parallel-composed':
      return childrenOf(event).flatMap(mechanismsOf);
    default:
      return [event];
  }
}

function releasesOf(event: PrivacyEvent): number {
  switch (event.kind) {
    case 'self-composed':
      return event.count * releasesOf(event.event);
    case 'random-allocation':
      return event.steps * releasesOf(event.event);
    case 'composed':
    case 'parallel-composed':
      return event.events.reduce((sum, part) => sum + releasesOf(part), 0);
    case 'poisson-sampled':
    case 'sampled-without-replacement':
      return releasesOf(event.event);
    case 'local-dp-sgd':
      return event.steps;
    default:
      return 1;
  }
}

function childrenOf(event: PrivacyEvent): readonly PrivacyEvent[] {
  if ('events' in event) return event.events;
  return 'event' in event ? [event.event] : [];
}
