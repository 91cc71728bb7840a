import { describe, expect, it } from 'vitest';
import { seededRng } from '../../src/crypto/rng.js';
import { FederationError } from '../../src/federation/errors.js';
import { type Collected, type Collection, createDesk, type Desk } from '../../src/federation/exchange.js';
import type { Clock } from '../../src/federation/ports.js';
import type { Task } from '../../src/federation/service.js';
import { seedOf } from './harness.js';

/** Time that passes when the test says so. */
function handClock() {
  let time = 0;
  const sleepers = new Set<{ readonly at: number; readonly wake: () => void }>();
  const clock: Clock = {
    now: () => time,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted) return resolve();
        const sleeper = { at: time + ms, wake: resolve };
        sleepers.add(sleeper);
        signal?.addEventListener('abort', () => {
          sleepers.delete(sleeper);
          resolve();
        });
      }),
  };
  return {
    clock,
    async pass(ms: number) {
      await settled();
      time += ms;
      for (const sleeper of sleepers)
        if (sleeper.at <= time) {
          sleepers.delete(sleeper);
          sleeper.wake();
        }
      await settled();
    },
  };
}

/** Lets everything that is ready run. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

const ADDRESS = { blockId: 'block', slot: 0, phase: 'consistency-check' } as const;
const BODY = new Uint8Array([1, 2, 3]);

interface Bench {
  readonly desk: Desk;
  readonly pass: (ms: number) => Promise<void>;
  readonly received: [string, Uint8Array][];
  /** Begins a collection; `ended()` gives its outcome once it has one. */
  collect(change?: Partial<Collection>): {
    readonly ended: () => Collected | undefined;
    readonly done: Promise<Collected>;
  };
  /** A participant's stream: the tasks that came, and how to hang up. */
  join(id: string): { readonly tasks: Task[]; readonly leave: () => Promise<void> };
}

function bench(): Bench {
  const { clock, pass } = handClock();
  const desk = createDesk({ clock, rng: seededRng(seedOf('desk')) });
  const received: [string, Uint8Array][] = [];
  return {
    desk,
    pass,
    received,
    collect(change = {}) {
      let outcome: Collected | undefined;
      const done = desk.collect(
        {
          ...ADDRESS,
          from: ['alto', 'bass'],
          task: (_, upload) => ({
            kind: 'consistency-check',
            blockId: 'block',
            slot: 0,
            survivors: ['alto', 'bass'],
            upload,
          }),
          maxBytes: 10,
          async receive(id, body) {
            received.push([id, body]);
          },
          deadlineMs: 1000,
          graceMs: 100,
          ...change,
        },
        new AbortController().signal,
      );
      void done.then((collected) => (outcome = collected));
      return { ended: () => outcome, done };
    },
    join(id) {
      const stop = new AbortController();
      const tasks: Task[] = [];
      const reading = (async () => {
        for await (const task of desk.tasks(id, stop.signal)) tasks.push(task);
      })();
      return {
        tasks,
        async leave() {
          stop.abort();
          await reading;
        },
      };
    },
  };
}

const refusal = (code: string) => expect.objectContaining({ name: 'FederationError', code });

describe('a collection', () => {
  it('ends when everybody has answered', async () => {
    const { desk, collect, join, pass, received } = bench();
    join('alto');
    join('bass');
    const collection = collect();
    await pass(5);
    await desk.submit('alto', ADDRESS, BODY);
    expect(collection.ended()).toBeUndefined();
    await desk.submit('bass', ADDRESS, new Uint8Array(7));
    const { answered, bytes, declined, elapsedMs } = await collection.done;
    expect([...answered]).toEqual(['alto', 'bass']);
    expect(bytes).toEqual({ alto: 3, bass: 7 });
    expect(declined.size).toBe(0);
    expect(elapsedMs).toBe(5);
    expect(received.map(([id]) => id)).toEqual(['alto', 'bass']);
  });

  it('of nobody ends at once', async () => {
    expect((await bench().collect({ from: [] }).done).answered.size).toBe(0);
  });

  it('hazard V13: waits for a connected participant until the deadline and not a moment longer', async () => {
    const { desk, collect, join, pass } = bench();
    join('alto');
    join('bass');
    const collection = collect();
    await desk.submit('alto', ADDRESS, BODY);
    await pass(999);
    expect(collection.ended()).toBeUndefined();
    await pass(1);
    expect([...collection.ended()!.answered]).toEqual(['alto']);
  });

  it('gives those who lost their connection a grace to come back, and no more', async () => {
    const { desk, collect, join, pass } = bench();
    join('alto');
    const bass = join('bass');
    const collection = collect();
    await desk.submit('alto', ADDRESS, BODY);
    await bass.leave();
    await pass(60);
    expect(collection.ended()).toBeUndefined();
    // Back in time: now it has the whole deadline, and the task comes again.
    const again = join('bass');
    await pass(60);
    expect(collection.ended()).toBeUndefined();
    expect(again.tasks.map((task) => task.kind)).toEqual(['consistency-check']);
    await again.leave();
    await pass(99);
    expect(collection.ended()).toBeUndefined();
    await pass(1);
    expect([...collection.ended()!.answered]).toEqual(['alto']);
  });

  it('no grace runs while somebody who is connected still owes an answer', async () => {
    const { collect, join, pass } = bench();
    join('alto');
    const collection = collect();
    await pass(500);
    expect(collection.ended()).toBeUndefined();
  });

  it('a participant that declines is waited for no longer, and its reason is kept', async () => {
    const { desk, collect, join, pass } = bench();
    join('alto');
    join('bass');
    const collection = collect();
    await pass(1);
    await desk.decline('bass', ADDRESS, 'over my budget '.repeat(100));
    await desk.decline('stranger', ADDRESS, 'me too');
    await desk.submit('alto', ADDRESS, BODY);
    const { declined, answered } = await collection.done;
    expect([...answered]).toEqual(['alto']);
    expect([...declined.keys()]).toEqual(['bass']);
    expect(declined.get('bass')!.reason).toHaveLength(300);
  });

  it('waits for an answer that was being written when the time was over', async () => {
    const { desk, collect, join, pass } = bench();
    join('alto');
    let written = () => {};
    const collection = collect({
      from: ['alto'],
      receive: () => new Promise((resolve) => (written = resolve)),
    });
    const submitting = desk.submit('alto', ADDRESS, BODY);
    await pass(1000);
    expect(collection.ended()).toBeUndefined();
    written();
    await submitting;
    expect([...(await collection.done).answered]).toEqual(['alto']);
  });

  it('a refused answer is no answer, and may be followed by a good one', async () => {
    const { desk, collect, join } = bench();
    join('alto');
    let refuse = true;
    const collection = collect({
      from: ['alto'],
      async receive() {
        if (refuse) throw new FederationError('MessageRejected', 'no');
      },
    });
    await expect(desk.submit('alto', ADDRESS, BODY)).rejects.toEqual(refusal('MessageRejected'));
    refuse = false;
    await desk.submit('alto', ADDRESS, BODY);
    expect([...(await collection.done).answered]).toEqual(['alto']);
  });
});

describe('what is refused', () => {
  it('hazards S17, S20: late, early, for another round, too long, or not asked for', async () => {
    const { desk, collect, join } = bench();
    join('alto');
    join('bass');
    await expect(desk.submit('alto', ADDRESS, BODY)).rejects.toEqual(refusal('PhaseClosed'));
    const collection = collect({ from: ['alto'] });
    await expect(desk.submit('bass', ADDRESS, BODY)).rejects.toEqual(refusal('MessageRejected'));
    await expect(desk.submit('alto', ADDRESS, new Uint8Array(11))).rejects.toEqual(
      refusal('MessageRejected'),
    );
    for (const other of [{ blockId: 'old' }, { slot: 1 }, { phase: 'unmasking' as const }])
      await expect(desk.submit('alto', { ...ADDRESS, ...other }, BODY)).rejects.toEqual(
        refusal('PhaseClosed'),
      );
    await desk.submit('alto', ADDRESS, BODY);
    await collection.done;
    await expect(desk.submit('alto', ADDRESS, BODY)).rejects.toEqual(refusal('PhaseClosed'));
    await expect(desk.decline('alto', ADDRESS, 'too late')).rejects.toEqual(refusal('PhaseClosed'));
  });

  it('a ticket is its owner’s, for its phase', async () => {
    const { desk, collect, join } = bench();
    const tickets = new Map<string, string>();
    const collection = collect({
      task(id, ticket) {
        tickets.set(id, ticket.path);
        return { kind: 'share-keys', blockId: 'block', adverts: [], upload: ticket };
      },
    });
    join('alto');
    join('bass');
    expect(desk.upload('alto', tickets.get('alto')!)).toEqual({ ...ADDRESS, maxBytes: 10 });
    expect(() => desk.upload('bass', tickets.get('alto')!)).toThrow(refusal('PhaseClosed'));
    expect(() => desk.upload('alto', '/uploads/00')).toThrow(refusal('PhaseClosed'));
    for (const id of ['alto', 'bass']) await desk.submit(id, ADDRESS, BODY);
    await collection.done;
    expect(() => desk.upload('alto', tickets.get('alto')!)).toThrow(refusal('PhaseClosed'));
  });
});

describe('a participant’s tasks', () => {
  it('come again after a reconnect until they are answered or withdrawn', async () => {
    const { desk, collect, join } = bench();
    const post: Task = { kind: 'receive-shares', blockId: 'block', bundle: new Uint8Array(0) };
    desk.post('alto', 'block/shares', post);
    const first = join('alto');
    const collection = collect();
    await settled();
    expect(first.tasks.map((task) => task.kind)).toEqual(['receive-shares', 'consistency-check']);
    await first.leave();
    const second = join('alto');
    await settled();
    expect(second.tasks).toEqual(first.tasks);
    await desk.submit('alto', ADDRESS, BODY);
    await second.leave();
    const third = join('alto');
    await settled();
    expect(third.tasks.map((task) => task.kind)).toEqual(['receive-shares']);
    desk.withdraw('block/shares');
    await third.leave();
    const fourth = join('alto');
    await settled();
    expect(fourth.tasks).toEqual([]);
    expect(collection.ended()).toBeUndefined();
  });

  it('two streams of one participant get the same, and it is present while one is there', async () => {
    const { desk, collect, join } = bench();
    let changes = 0;
    const stop = desk.onPresence(() => (changes += 1));
    const [one, two] = [join('alto'), join('alto')];
    collect();
    await settled();
    expect(one.tasks).toEqual(two.tasks);
    expect(one.tasks).toHaveLength(1);
    await one.leave();
    expect(desk.isPresent('alto')).toBe(true);
    await two.leave();
    expect(desk.isPresent('alto')).toBe(false);
    expect(desk.isPresent('nobody')).toBe(false);
    expect(changes).toBe(4);
    stop();
    join('bass');
    await settled();
    expect(changes).toBe(4);
  });

  it('models are there until the next step’s', async () => {
    const { desk } = bench();
    desk.publishModels('run', new Map([['digest', BODY]]));
    expect(await desk.model('digest')).toEqual(BODY);
    desk.publishModels('run', new Map());
    expect(await desk.model('digest')).toBeUndefined();
  });
});
