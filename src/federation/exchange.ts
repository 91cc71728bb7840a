import { bytesToHex } from '@noble/hashes/utils.js';
import type { Rng } from '../crypto/rng.js';
import { FederationError } from './errors.js';
import type { BudgetStatement, Clock } from './ports.js';
import type { Exchange, Phase, Task, Ticket } from './service.js';

/**
 * The counter between a run's driver and the participants: tasks go out, messages come in, one phase of one slot at a
 * time. It holds nothing that a restart needs: the driver reads the store and asks again.
 */

export interface Address {
  readonly blockId: string;
  readonly slot: number;
  readonly phase: Phase;
}

export interface Collection extends Address {
  /** Who is asked. */
  readonly from: readonly string[];
  task(participantId: string, ticket: Ticket): Task;
  /** The most bytes an answer may have. */
  readonly maxBytes: number;
  /** Takes an answer; resolves when it is durable, throws FederationError if it is refused. */
  receive(participantId: string, body: Uint8Array): Promise<void>;
  readonly deadlineMs: number;
  /** When all who still owe an answer have lost their connection, they have this long to come back. */
  readonly graceMs: number;
}

/** A refusal in the participant's own words and, over its budget, its own figures. */
export interface Declined {
  readonly reason: string;
  readonly budget: BudgetStatement | undefined;
}

export interface Collected {
  readonly answered: ReadonlySet<string>;
  readonly declined: ReadonlyMap<string, Declined>;
  readonly bytes: Readonly<Record<string, number>>;
  readonly elapsedMs: number;
}

export interface Desk extends Exchange {
  collect(collection: Collection, signal: AbortSignal): Promise<Collected>;
  /** A task without an answer, repeated after every reconnect until it is withdrawn. */
  post(participantId: string, key: string, task: Task): void;
  withdraw(key: string): void;
  isPresent(participantId: string): boolean;
  /** When it was last seen, by this clock; whoever never was, counts from when this desk opened. */
  lastSeenMs(participantId: string): number;
  /** Calls back whenever a participant connects or leaves. */
  onPresence(listener: () => void): () => void;
  /** Makes models available for download until the next call for the same run. */
  publishModels(runId: string, models: ReadonlyMap<string, Uint8Array>): void;
}

interface Session {
  streams: number;
  lastSeenMs: number;
  readonly outstanding: Map<string, Task>;
  readonly listeners: Set<(task: Task) => void>;
}

interface OpenCollection {
  readonly collection: Collection;
  submit(participantId: string, body: Uint8Array): Promise<void>;
  decline(participantId: string, declined: Declined): void;
}

/** Longest refusal that is kept. */
const REASON_CHARACTERS = 300;

export function createDesk(ports: { readonly clock: Clock; readonly rng: Rng }): Desk {
  const openedMs = ports.clock.now();
  const sessions = new Map<string, Session>();
  const open = new Map<string, OpenCollection>();
  const tickets = new Map<
    string,
    { readonly participantId: string; readonly address: Address; readonly maxBytes: number }
  >();
  const presence = new Set<() => void>();
  const modelsByRun = new Map<string, ReadonlyMap<string, Uint8Array>>();

  function session(participantId: string): Session {
    let standing = sessions.get(participantId);
    if (standing === undefined) {
      standing = { streams: 0, lastSeenMs: openedMs, outstanding: new Map(), listeners: new Set() };
      sessions.set(participantId, standing);
    }
    return standing;
  }

  function post(participantId: string, key: string, task: Task): void {
    const { outstanding, listeners } = session(participantId);
    outstanding.set(key, task);
    for (const listener of listeners) listener(task);
  }

  function withdraw(key: string): void {
    for (const { outstanding } of sessions.values()) outstanding.delete(key);
  }

  function isPresent(participantId: string): boolean {
    return (sessions.get(participantId)?.streams ?? 0) > 0;
  }

  function openCollection(address: Address): OpenCollection {
    const found = open.get(keyOf(address));
    if (found === undefined)
      throw new FederationError(
        'PhaseClosed',
        `The ${address.phase} phase of slot ${address.slot} is not open: drop this message and take the next task.`,
      );
    return found;
  }

  async function collect(collection: Collection, signal: AbortSignal): Promise<Collected> {
    const started = ports.clock.now();
    const key = keyOf(collection);
    const pending = new Set(collection.from);
    const answered = new Set<string>();
    const declined = new Map<string, Declined>();
    const bytes: Record<string, number> = {};
    const inFlight = new Set<Promise<void>>();
    const own: string[] = [];
    const over = new AbortController();
    const finish = () => over.abort();
    const settleIfDone = () => {
      if (pending.size === 0) finish();
    };

    // Whoever is connected gets the whole deadline; when only absent ones are missing, they get a grace to return.
    let grace: AbortController | undefined;
    const watch = () => {
      const allGone = pending.size > 0 && [...pending].every((id) => !isPresent(id));
      if (!allGone) {
        grace?.abort();
        grace = undefined;
      } else if (grace === undefined) {
        const waiting = (grace = new AbortController());
        void ports.clock
          .sleep(collection.graceMs, AbortSignal.any([waiting.signal, over.signal]))
          .then(() => {
            if (!waiting.signal.aborted) finish();
          });
      }
    };

    open.set(key, {
      collection,
      async submit(participantId, body) {
        if (!collection.from.includes(participantId))
          throw new FederationError('MessageRejected', 'You were not asked in this phase.');
        if (body.length > collection.maxBytes)
          throw new FederationError(
            'MessageRejected',
            `The message has ${body.length} bytes; at most ${collection.maxBytes} are taken here.`,
          );
        const work = collection.receive(participantId, body);
        const settled = work.then(
          () => undefined,
          () => undefined,
        );
        inFlight.add(settled);
        try {
          await work;
        } finally {
          inFlight.delete(settled);
        }
        bytes[participantId] = body.length;
        answered.add(participantId);
        if (pending.delete(participantId)) {
          withdrawFor(participantId);
          watch();
          settleIfDone();
        }
      },
      decline(participantId, { reason, budget }) {
        if (!pending.delete(participantId)) return;
        declined.set(participantId, { reason: reason.slice(0, REASON_CHARACTERS), budget });
        withdrawFor(participantId);
        watch();
        settleIfDone();
      },
    });
    function withdrawFor(participantId: string) {
      session(participantId).outstanding.delete(key);
    }

    for (const participantId of collection.from) {
      const path = `/uploads/${bytesToHex(ports.rng(16))}`;
      own.push(path);
      tickets.set(path, { participantId, address: collection, maxBytes: collection.maxBytes });
      post(participantId, key, collection.task(participantId, { path, maxBytes: collection.maxBytes }));
    }
    presence.add(watch);
    watch();
    settleIfDone();
    await ports.clock.sleep(collection.deadlineMs, AbortSignal.any([over.signal, signal]));
    over.abort();
    grace?.abort();
    presence.delete(watch);
    open.delete(key);
    withdraw(key);
    for (const path of own) tickets.delete(path);
    await Promise.all(inFlight);
    return { answered, declined, bytes, elapsedMs: ports.clock.now() - started };
  }

  return {
    collect,
    post,
    withdraw,
    isPresent,
    lastSeenMs: (participantId) =>
      isPresent(participantId) ? ports.clock.now() : session(participantId).lastSeenMs,
    onPresence(listener) {
      presence.add(listener);
      return () => presence.delete(listener);
    },
    publishModels: (runId, models) => void modelsByRun.set(runId, models),

    async *tasks(participantId, signal) {
      const own = session(participantId);
      const queue: Task[] = [...own.outstanding.values()];
      let wake = () => {};
      const listener = (task: Task) => {
        queue.push(task);
        wake();
      };
      const stop = () => wake();
      signal.addEventListener('abort', stop, { once: true });
      own.listeners.add(listener);
      own.streams += 1;
      for (const notify of [...presence]) notify();
      try {
        while (!signal.aborted) {
          const task = queue.shift();
          if (task !== undefined) {
            yield task;
            continue;
          }
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      } finally {
        signal.removeEventListener('abort', stop);
        own.listeners.delete(listener);
        own.streams -= 1;
        own.lastSeenMs = ports.clock.now();
        for (const notify of [...presence]) notify();
      }
    },

    async submit(participantId, address, body) {
      await openCollection(address).submit(participantId, body);
    },
    async decline(participantId, address, reason, budget) {
      if (
        budget !== undefined &&
        !Object.values(budget).every((epsilon) => epsilon >= 0 && epsilon < Infinity)
      )
        throw new FederationError('InvalidInput', 'The figures of a budget are finite and never negative.');
      openCollection(address).decline(participantId, { reason, budget });
    },

    upload(participantId, path) {
      const ticket = tickets.get(path);
      if (ticket === undefined || ticket.participantId !== participantId)
        throw new FederationError(
          'PhaseClosed',
          'This upload ticket is not yours, or its phase is over: take the next task.',
        );
      const { blockId, slot, phase } = ticket.address;
      return { blockId, slot, phase, maxBytes: ticket.maxBytes };
    },

    async model(digest) {
      for (const models of modelsByRun.values()) {
        const found = models.get(digest);
        if (found !== undefined) return found;
      }
      return undefined;
    },
  };
}

function keyOf({ blockId, slot, phase }: Address): string {
  return `${blockId}/${slot}/${phase}`;
}
