import type { RoundRecord } from '../../federation/ports.js';

export interface Stopwatch<Phase extends string> {
  phase<T>(name: Phase, work: () => Promise<T>): Promise<T>;
  /** Of every phase that is over, and `total` since the stopwatch was made: seconds, to the millisecond. */
  seconds(): Record<Phase | 'total', number>;
}

/** @param now milliseconds of a clock that is never set back. */
export function stopwatch<Phase extends string>(now: () => number): Stopwatch<Phase> {
  const started = now();
  const milliseconds = {} as Record<Phase, number>;
  return {
    async phase(name, work) {
      const before = now();
      try {
        return await work();
      } finally {
        milliseconds[name] = now() - before;
      }
    },
    seconds() {
      const all = { ...milliseconds, total: now() - started };
      return Object.fromEntries(
        Object.entries<number>(all).map(([name, spent]) => [name, toSeconds(spent)]),
      ) as Record<Phase | 'total', number>;
    },
  };
}

/** Seconds by the coordinator's own books: collecting each kind of message, and learning from the opened sums (absorb). */
export type RoundSeconds = Readonly<Record<string, number>>;

export function roundSeconds(rounds: readonly RoundRecord[]): RoundSeconds {
  const milliseconds = new Map<string, number>();
  for (const { timings } of rounds)
    for (const [part, spent] of Object.entries(timings))
      milliseconds.set(part, (milliseconds.get(part) ?? 0) + spent);
  return Object.fromEntries([...milliseconds].map(([part, spent]) => [part, toSeconds(spent)]));
}

const toSeconds = (milliseconds: number): number => Math.round(milliseconds) / 1000;
