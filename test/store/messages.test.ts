import { describe, expect, test } from 'vitest';
import { databases } from './databases.js';
import { budget, MEMBERS, message, runningFederation } from './fixtures.js';

const bytes = (...values: number[]) => Uint8Array.from(values);

describe.each(databases)('messages on $name', (database) => {
  const fresh = database.use();

  test('the first arrival is new, an identical repeat the same, another content different', async () => {
    const { store } = await fresh.open();
    await runningFederation(store);
    expect(await store.appendMessage(message('alto', 0, 3, bytes(0, 1, 255)))).toBe('new');
    expect(await store.appendMessage(message('alto', 0, 3, bytes(0, 1, 255)))).toBe('same');
    expect(await store.appendMessage(message('alto', 0, 3, bytes(0, 1, 254)))).toBe('different');
    expect(await store.appendMessage(message('alto', 0, 4, bytes()))).toBe('new');
    expect(await store.transaction((tx) => tx.messages('block', 0))).toEqual([
      message('alto', 0, 3, bytes(0, 1, 255)),
      message('alto', 0, 4, bytes()),
    ]);
  });

  test('hazard V2: within one group commit a message counts once, and the first content stands', async () => {
    const { store } = await fresh.open();
    await runningFederation(store);
    const outcomes = await Promise.all([
      store.appendMessage(message('alto', 0, 2, bytes(1))),
      store.appendMessage(message('bass', 0, 2, bytes(2))),
      store.appendMessage(message('alto', 0, 2, bytes(1))),
      store.appendMessage(message('alto', 0, 2, bytes(9))),
    ]);
    expect(outcomes).toEqual(['new', 'new', 'same', 'different']);
    expect(await store.transaction((tx) => tx.messages('block', 0))).toEqual([
      message('alto', 0, 2, bytes(1)),
      message('bass', 0, 2, bytes(2)),
    ]);
  });

  test('what arrives together is written together, and read as a whole', async () => {
    const { store } = await fresh.open();
    await runningFederation(store);
    // More than one batch: 1,203 messages, 12 MiB.
    const all = Array.from({ length: 401 }, (_, slot) =>
      MEMBERS.map((member) => message(member, slot, 2, new Uint8Array(10_000).fill(slot))),
    ).flat();
    const outcomes = await Promise.all(all.map((one) => store.appendMessage(one)));
    expect(new Set(outcomes)).toEqual(new Set(['new']));
    const read = await store.transaction((tx) => tx.messages('block', 255));
    expect(read.map(({ participantId }) => participantId)).toEqual(MEMBERS);
    expect(read.every(({ body }) => body!.length === 10_000 && body!.every((byte) => byte === 255))).toBe(
      true,
    );
  });

  test('one message for an unknown block does not take its neighbours down', async () => {
    const { store } = await fresh.open();
    await runningFederation(store);
    const outcomes = await Promise.allSettled([
      store.appendMessage(message('alto', 0, 2, bytes(1))),
      store.appendMessage({ ...message('bass', 0, 2, bytes(2)), blockId: 'nowhere' }),
      store.appendMessage(message('mallory', 0, 2, bytes(3))),
      store.appendMessage(message('tenor', 0, 2, bytes(4))),
    ]);
    expect(outcomes).toMatchObject([
      { value: 'new' },
      { reason: { name: 'FederationError', code: 'NotFound' } },
      { reason: { name: 'FederationError', code: 'NotFound' } },
      { value: 'new' },
    ]);
  });

  test('messages of a block go together', async () => {
    const { store } = await fresh.open();
    await runningFederation(store);
    await store.appendMessage(message('alto', 0, 2, bytes()));
    await store.transaction((tx) => tx.deleteMessages('block'));
    expect(await store.transaction((tx) => tx.messages('block', 0))).toEqual([]);
  });

  test('appends and transactions that overlap wait for each other and all end', async () => {
    const { store } = await fresh.open();
    await runningFederation(store);
    await store.transaction((tx) => tx.saveBudget(budget));
    const transactions = Array.from({ length: 20 }, (_, slot) =>
      store.transaction(async (tx) => {
        const standing = (await tx.lockBudget())!;
        await new Promise((resolve) => setTimeout(resolve, slot % 3));
        await tx.saveBudget({ ...standing, spent: [standing.spent[0]! + 1n, 0n] });
      }),
    );
    const appends = Array.from({ length: 60 }, async (_, slot) => {
      await new Promise((resolve) => setTimeout(resolve, slot % 7));
      return store.appendMessage(message('alto', slot, 2, bytes(slot)));
    });
    expect(new Set(await Promise.all(appends))).toEqual(new Set(['new']));
    await Promise.all(transactions);
    expect((await store.transaction((tx) => tx.lockBudget()))!.spent).toEqual([20n, 0n]);
  });

  test('close waits for what is being written', async () => {
    const location = await fresh.location();
    const first = await fresh.open(location);
    await runningFederation(first.store);
    const append = first.store.appendMessage(message('alto', 0, 2, bytes(1)));
    await first.store.close();
    expect(await append).toBe('new');
    const second = await fresh.open(location);
    expect(await second.store.transaction((tx) => tx.messages('block', 0))).toHaveLength(1);
  });
});
