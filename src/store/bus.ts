import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import type { Bus } from '../federation/ports.js';

/** Hints within this process. Enough for PGlite, whose folder is locked to one process. */
export class LocalBus implements Bus {
  readonly #listeners = new Map<string, Set<() => void>>();

  publish(topic: string): void {
    this.deliver(topic);
  }

  subscribe(topic: string, listener: () => void): () => void {
    // A function of its own: the same listener may be subscribed twice, and each subscription ends by itself.
    const subscription = () => listener();
    const listeners = this.#listeners.get(topic) ?? new Set();
    this.#listeners.set(topic, listeners.add(subscription));
    return () => {
      listeners.delete(subscription);
      if (listeners.size === 0 && this.#listeners.get(topic) === listeners) this.#listeners.delete(topic);
    };
  }

  /** In a microtask: a listener neither runs inside the publisher nor throws into it. */
  protected deliver(topic: string): void {
    for (const listener of this.#listeners.get(topic) ?? []) queueMicrotask(listener);
  }

  protected deliverAll(): void {
    for (const topic of this.#listeners.keys()) this.deliver(topic);
  }
}

const CHANNEL = 'chorale_hints';
const RECONNECT_MS = 500;

/** Opens a connection for LISTEN: a pool's would go back to others. */
export type Connect = () => pg.Client;

/** Hints to every replica on one PostgreSQL server: LISTEN/NOTIFY on one channel, the topic as payload. */
export class ServerBus extends LocalBus {
  readonly #pool: pg.Pool;
  readonly #connect: Connect;
  /** Marks this replica's own hints, which were delivered here without the detour. */
  readonly #origin = randomUUID();
  readonly #outgoing = new Set<string>();
  #sending: Promise<void> | undefined;
  #listening: pg.Client | undefined;
  #closed = false;

  private constructor(pool: pg.Pool, connect: Connect) {
    super();
    this.#pool = pool;
    this.#connect = connect;
  }

  static async open(pool: pg.Pool, connect: Connect): Promise<ServerBus> {
    const bus = new ServerBus(pool, connect);
    await bus.#listen();
    return bus;
  }

  override publish(topic: string): void {
    this.deliver(topic);
    this.#outgoing.add(topic);
    this.#sending ??= this.#send();
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#sending;
    await this.#listening?.end();
  }

  async #send(): Promise<void> {
    while (this.#outgoing.size > 0) {
      await Promise.resolve();
      const payloads = [...this.#outgoing].map((topic) => `${this.#origin} ${topic}`);
      this.#outgoing.clear();
      // A hint that is lost costs a poll: nobody waits for it, and nothing is tried again.
      await this.#pool
        .query('SELECT pg_notify($1, payload) FROM unnest($2::text[]) AS payload', [CHANNEL, payloads])
        .catch(() => undefined);
    }
    this.#sending = undefined;
  }

  async #listen(): Promise<void> {
    const client = this.#connect();
    client.on('notification', ({ payload }) => {
      const [origin, ...topic] = (payload ?? '').split(' ');
      if (origin !== this.#origin) this.deliver(topic.join(' '));
    });
    // A broken connection shows as both, or either.
    const lost = (): void => {
      if (this.#listening !== client) return;
      this.#listening = undefined;
      void this.#listenAgain();
    };
    client.on('error', lost);
    client.on('end', lost);
    await client.connect();
    await client.query(`LISTEN ${CHANNEL}`);
    this.#listening = client;
  }

  async #listenAgain(): Promise<void> {
    while (!this.#closed) {
      await sleep(RECONNECT_MS, undefined, { ref: false });
      try {
        await this.#listen();
        // What was said meanwhile is lost, and any of it may have been for anyone here.
        this.deliverAll();
        break;
      } catch {
        // The server is still away: again after a pause, until it answers or the store closes.
      }
    }
    if (this.#closed) await this.#listening?.end();
  }
}
