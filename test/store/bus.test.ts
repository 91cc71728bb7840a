import { describe, expect, test, vi } from 'vitest';
import { databases } from './databases.js';

describe.each(databases)('the bus on $name', (database) => {
  const fresh = database.use();

  test('a hint reaches every listener of its topic in this process, until it unsubscribes', async () => {
    const { bus } = await fresh.open();
    const heard: string[] = [];
    const first = bus.subscribe('run:1', () => heard.push('first'));
    bus.subscribe('run:1', () => heard.push('second'));
    bus.subscribe('run:2', () => heard.push('other'));
    bus.publish('run:1');
    expect(heard).toEqual([]);
    await Promise.resolve();
    expect(heard).toEqual(['first', 'second']);
    first();
    bus.publish('run:1');
    await Promise.resolve();
    expect(heard).toEqual(['first', 'second', 'second']);
  });
});

describe('the bus between replicas on one server', () => {
  const fresh = databases[1]!.use();

  test('a hint crosses over, once, with its topic whole', async () => {
    const location = await fresh.location();
    const [here, there] = [await fresh.open(location), await fresh.open(location)];
    const [atHome, away] = [vi.fn(), vi.fn()];
    here.bus.subscribe('run: 1 ä', atHome);
    there.bus.subscribe('run: 1 ä', away);
    here.bus.publish('run: 1 ä');
    await vi.waitFor(() => expect(away).toHaveBeenCalledTimes(1), 5_000);
    // Its own hint comes back from the server too, and is not delivered twice.
    here.bus.publish('mark');
    await new Promise<void>((resolve) => {
      const end = there.bus.subscribe('mark', () => {
        end();
        resolve();
      });
      here.bus.publish('mark');
    });
    expect(atHome).toHaveBeenCalledTimes(1);
    expect(away).toHaveBeenCalledTimes(1);
  });

  test('after a lost connection everybody is woken, since any hint may have been missed, and hints flow again', async () => {
    const location = await fresh.location();
    const [here, there] = [await fresh.open(location), await fresh.open(location)];
    const listener = vi.fn();
    there.bus.subscribe('run:1', listener);
    await here.prisma.$queryRaw`
      SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND query LIKE 'LISTEN%'`;
    await vi.waitFor(() => expect(listener).toHaveBeenCalledTimes(1), 10_000);
    here.bus.publish('run:1');
    await vi.waitFor(() => expect(listener).toHaveBeenCalledTimes(2), 5_000);
  });
});
