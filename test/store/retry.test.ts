import { describe, expect, test } from 'vitest';
import { isRetryable, retrying } from '../../src/store/retry.js';
import { databases } from './databases.js';

/** The shapes that Prisma 7 gives them. */
const conflicts = {
  'P2034 of the client': { code: 'P2034' },
  'a raw statement': {
    code: 'P2010',
    meta: { driverAdapterError: { name: 'DriverAdapterError', cause: { originalCode: '40001' } } },
  },
  'a code-less DriverAdapterError at commit': {
    name: 'DriverAdapterError',
    cause: { kind: 'TransactionWriteConflict' },
  },
  'a deadlock as the driver tells it': {
    name: 'DriverAdapterError',
    cause: { kind: 'postgres', code: '40P01' },
  },
  'the driver itself': { code: '40001' },
};

test.each(Object.entries(conflicts))('retryable: %s', (_, error) => {
  expect(isRetryable(error)).toBe(true);
});

test.each([undefined, null, 'no', new Error('no'), { code: 'P2002' }, { code: '08006' }, { code: 'P2028' }])(
  'not retryable: %j',
  (error) => {
    expect(isRetryable(error)).toBe(false);
  },
);

test('tries are bounded, and another failure ends them', async () => {
  let tries = 0;
  await expect(retrying(async () => Promise.reject({ code: '40001', tries: ++tries }))).rejects.toMatchObject(
    { tries: 6 },
  );
  await expect(retrying(async () => Promise.reject({ code: 'P2002', tries: ++tries }))).rejects.toMatchObject(
    { tries: 7 },
  );
  expect(await retrying(async () => (++tries < 9 ? Promise.reject({ code: 'P2034' }) : 'done'))).toBe('done');
});

describe('on a real server', () => {
  const fresh = databases[1]!.use();

  test('two transactions that deadlock both succeed', async () => {
    const { store } = await fresh.open();
    await store.transaction(async (tx) => {
      for (const id of ['a', 'b']) {
        await tx.insertParticipant({ id, name: id, publicKey: id, declaredRecords: 1, status: 'pending' });
      }
    });
    let calls = 0;
    const crossing = (first: string, second: string) =>
      store.transaction(async (tx) => {
        calls++;
        await tx.updateParticipant(first, { status: 'approved' });
        await new Promise((resolve) => setTimeout(resolve, 200));
        await tx.updateParticipant(second, { status: 'approved' });
      });
    await Promise.all([crossing('a', 'b'), crossing('b', 'a')]);
    // Without the deadlock this would be a test of nothing.
    expect(calls).toBeGreaterThan(2);
  });
});
