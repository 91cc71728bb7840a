import { describe, expect, test } from 'vitest';
import { databases } from './databases.js';
import { budget, MEMBERS, newRound, newRun, runningFederation } from './fixtures.js';

describe.each(databases)('tables on $name', (database) => {
  const fresh = database.use();

  test('participants: inserted once, found by id and by key, changed, listed', async () => {
    const { store } = await fresh.open();
    const alto = {
      id: 'alto',
      name: 'Alto Air',
      publicKey: 'ab',
      declaredRecords: 12,
      status: 'pending',
    } as const;
    const before = Date.now();
    const record = await store.transaction((tx) => tx.insertParticipant(alto));
    expect(record).toMatchObject(alto);
    expect(Math.abs(record.enrolledAt.getTime() - before)).toBeLessThan(60_000);
    await store.transaction(async (tx) => {
      expect(await tx.participant('alto')).toEqual(record);
      expect(await tx.participantByKey('ab')).toEqual(record);
      expect(await tx.participant('bass')).toBeNull();
      expect(await tx.participantByKey('cd')).toBeNull();
      expect(await tx.updateParticipant('alto', { status: 'approved' })).toEqual({
        ...record,
        status: 'approved',
      });
      expect((await tx.participants()).map(({ id, status }) => [id, status])).toEqual([['alto', 'approved']]);
    });
  });

  test('a conflict is typed and leaves the transaction usable', async () => {
    const { store } = await fresh.open();
    const alto = {
      id: 'alto',
      name: 'Alto',
      publicKey: 'ab',
      declaredRecords: 12,
      status: 'pending',
    } as const;
    await store.transaction(async (tx) => {
      await tx.insertParticipant(alto);
      await expect(tx.insertParticipant(alto)).rejects.toMatchObject({
        name: 'FederationError',
        code: 'Conflict',
      });
      await expect(tx.insertParticipant({ ...alto, id: 'bass' })).rejects.toMatchObject({ code: 'Conflict' });
      await tx.insertParticipant({ ...alto, id: 'bass', publicKey: 'cd' });
    });
    expect(await store.transaction((tx) => tx.participants())).toHaveLength(2);
  });

  test('what is missing is NotFound', async () => {
    const { store } = await fresh.open();
    const missing = { name: 'FederationError', code: 'NotFound' };
    await store.transaction(async (tx) => {
      await expect(tx.updateParticipant('x', { status: 'approved' })).rejects.toMatchObject(missing);
      await expect(tx.updateCharter('x', { status: 'active' })).rejects.toMatchObject(missing);
      await expect(tx.updateRun('x', { step: 1 })).rejects.toMatchObject(missing);
      await expect(tx.updateBlock('x', { nextSlot: 1 })).rejects.toMatchObject(missing);
      await expect(tx.revokeAccessToken('x')).rejects.toMatchObject(missing);
      await expect(
        tx.settleLedgerEntry('x', {
          status: 'voided',
          committedEvent: null,
          committedUnits: null,
          epsilonAfter: null,
          reason: null,
        }),
      ).rejects.toMatchObject(missing);
      expect(await tx.updateRound('x', 'masked-input', { phase: 'aborted' })).toBe(false);
      expect(await tx.charter('x')).toBeNull();
      expect(await tx.run('x')).toBeNull();
      expect(await tx.round('x')).toBeNull();
      expect(await tx.openRound('x')).toBeNull();
      expect(await tx.openBlock('x')).toBeNull();
      expect(await tx.ledgerEntry('x')).toBeNull();
      expect(await tx.accessTokenByHash('x')).toBeNull();
      expect(await tx.idempotencyRecord('x', 'y')).toBeNull();
      expect(await tx.lockBudget()).toBeNull();
    });
  });

  test('nothing of a transaction stays if its work throws', async () => {
    const { store } = await fresh.open();
    const failure = new Error('no');
    const work = store.transaction(async (tx) => {
      await tx.insertParticipant({
        id: 'a',
        name: 'a',
        publicKey: 'a',
        declaredRecords: 1,
        status: 'pending',
      });
      throw failure;
    });
    await expect(work).rejects.toBe(failure);
    expect(await store.transaction((tx) => tx.participants())).toEqual([]);
  });

  test('charters: signatures by participant, newest first', async () => {
    const { store } = await fresh.open();
    await store.transaction(async (tx) => {
      for (const id of MEMBERS) {
        await tx.insertParticipant({ id, name: id, publicKey: id, declaredRecords: 1, status: 'approved' });
      }
      const first = await tx.insertCharter({
        version: 1,
        digest: 'one',
        body: '{"v":1}',
        status: 'proposed',
      });
      expect(first).toMatchObject({ version: 1, body: '{"v":1}', signatures: {} });
      await tx.insertCharterSignature('one', 'alto', 'aa');
      await tx.insertCharterSignature('one', 'bass', 'bb');
      await expect(tx.insertCharterSignature('one', 'bass', 'cc')).rejects.toMatchObject({
        code: 'Conflict',
      });
      await expect(
        tx.insertCharter({ version: 1, digest: 'other', body: '', status: 'proposed' }),
      ).rejects.toMatchObject({ code: 'Conflict' });
      const active = await tx.updateCharter('one', { status: 'active' });
      expect(active).toMatchObject({ status: 'active', signatures: { alto: 'aa', bass: 'bb' } });
      expect(await tx.charter('one')).toEqual(active);
      await tx.insertCharter({ version: 2, digest: 'two', body: '', status: 'proposed' });
      expect((await tx.charters()).map(({ version }) => version)).toEqual([2, 1]);
    });
  });

  test('runs: JSON comes back as it went in, and the end is dated by the database', async () => {
    const { store } = await fresh.open();
    await runningFederation(store);
    const progress = { loss: -0.125, tiny: 5e-324, text: 'ä"\\\u2028', list: [1, null, true] };
    const ended = await store.transaction(async (tx) => {
      expect(await tx.run('run')).toMatchObject({ ...newRun('run'), finishedAt: null });
      await expect(tx.insertRun(newRun('run'))).rejects.toMatchObject({ code: 'Conflict' });
      expect(await tx.updateRun('run', { step: 3, progress })).toMatchObject({
        step: 3,
        progress,
        finishedAt: null,
      });
      await tx.insertRun({ ...newRun('later'), status: 'proposed' });
      expect((await tx.runs()).map(({ id }) => id)).toContain('later');
      expect((await tx.runs('running')).map(({ id }) => id)).toEqual(['run']);
      return tx.updateRun('run', { status: 'completed', releaseDigest: 'ee', finishedAt: new Date(0) });
    });
    expect(ended.finishedAt!.getTime()).toBeGreaterThanOrEqual(ended.createdAt.getTime());
    const again = await store.transaction((tx) => tx.updateRun('run', { progress: { seen: 1 } }));
    expect(again.finishedAt).toEqual(ended.finishedAt);
  });

  test('blocks: one open a run', async () => {
    const { store } = await fresh.open();
    await runningFederation(store);
    const next = {
      id: 'next',
      runId: 'run',
      phase: 'advertise-keys',
      config: {},
      slots: 4,
      nextSlot: 0,
    } as const;
    await store.transaction(async (tx) => {
      expect(await tx.openBlock('run')).toMatchObject({ id: 'block', config: { t: 2 }, nextSlot: 0 });
      await expect(tx.insertBlock(next)).rejects.toMatchObject({ code: 'Conflict' });
      await tx.updateBlock('block', { nextSlot: 5, phase: 'closed' });
      expect(await tx.openBlock('run')).toBeNull();
      await tx.insertBlock(next);
      expect(await tx.openBlock('run')).toMatchObject(next);
    });
  });

  test('rounds: a phase changes only from where it is, the close is dated, one is open a run', async () => {
    const { store } = await fresh.open();
    await runningFederation(store);
    await store.transaction(async (tx) => {
      const opened = await tx.insertRound(newRound(0));
      expect(opened).toMatchObject({ ...newRound(0), closedAt: null });
      expect(await tx.openRound('run')).toEqual(opened);
      await expect(tx.insertRound(newRound(1))).rejects.toMatchObject({ code: 'Conflict' });
      const change = {
        phase: 'unmasking',
        survivors: ['alto', 'bass'],
        maskedSumDigest: 'sum',
        bytesReceived: { alto: 12 },
        timings: { 'masked-input': 4.5 },
      } as const;
      expect(await tx.updateRound('round-0', 'masked-input', change)).toBe(true);
      expect(await tx.updateRound('round-0', 'masked-input', { phase: 'aborted' })).toBe(false);
      expect(await tx.round('round-0')).toMatchObject({ ...change, closedAt: null });
      expect(
        await tx.updateRound('round-0', 'unmasking', {
          phase: 'aborted',
          abortReason: 'too few',
          survivors: null,
        }),
      ).toBe(true);
      const aborted = await tx.round('round-0');
      expect(aborted).toMatchObject({ abortReason: 'too few', survivors: null });
      expect(aborted!.closedAt).toBeInstanceOf(Date);
      expect(await tx.openRound('run')).toBeNull();
      await tx.insertRound(newRound(1));
      expect((await tx.rounds('run')).map(({ id }) => id)).toEqual(['round-0', 'round-1']);
    });
  });

  test('hazard S5: a key slot serves one attempt, even after an abort', async () => {
    const { store } = await fresh.open();
    await runningFederation(store);
    await store.transaction(async (tx) => {
      await tx.insertRound(newRound(0));
      await tx.updateRound('round-0', 'masked-input', { phase: 'aborted' });
      await expect(tx.insertRound({ ...newRound(0), id: 'again', attempt: 1 })).rejects.toMatchObject({
        code: 'Conflict',
      });
      await tx.insertRound({ ...newRound(1), step: 0, attempt: 1 });
    });
  });

  test('of many workers that move a round on at once, one does', async () => {
    const { store } = await fresh.open();
    await runningFederation(store);
    await store.transaction((tx) => tx.insertRound(newRound(0)));
    const moved = await Promise.all(
      Array.from({ length: 8 }, () =>
        store.transaction((tx) => tx.updateRound('round-0', 'masked-input', { phase: 'unmasking' })),
      ),
    );
    expect(moved.filter(Boolean)).toHaveLength(1);
  });

  test('ledger: units beyond 64 bits, gapless sequence, settlement dated', async () => {
    const { store } = await fresh.open();
    await runningFederation(store);
    const huge = 2n ** 200n + 1n;
    await store.transaction(async (tx) => {
      await tx.saveBudget({ ...budget, spent: [huge, 0n] });
      expect(await tx.lockBudget()).toEqual({ ...budget, spent: [huge, 0n] });
      for (const slot of [0, 1]) {
        const roundId = `round-${slot}`;
        const request = {
          roundId,
          runId: 'run',
          reservedEvent: { kind: 'gaussian' },
          reservedUnits: [huge, 7n],
        };
        const entry = await tx.insertLedgerEntry(request);
        expect(entry).toMatchObject({
          ...request,
          sequence: slot + 1,
          status: 'reserved',
          committedUnits: null,
          settledAt: null,
        });
        await expect(tx.insertLedgerEntry(request)).rejects.toMatchObject({ code: 'Conflict' });
        // The round comes after its reservation: the foreign key waits for the commit.
        await tx.insertRound(newRound(slot));
        await tx.updateRound(roundId, 'masked-input', { phase: 'completed' });
      }
      const change = {
        status: 'committed',
        committedEvent: { kind: 'gaussian', n: 3 },
        committedUnits: [huge, 5n],
        epsilonAfter: 0.25,
        reason: null,
      } as const;
      const settled = await tx.settleLedgerEntry('round-0', change);
      expect(settled).toMatchObject(change);
      expect(settled.settledAt).toBeInstanceOf(Date);
      expect(await tx.ledgerEntry('round-0')).toEqual(settled);
      await tx.settleLedgerEntry('round-1', {
        ...change,
        status: 'voided',
        committedEvent: null,
        committedUnits: null,
        reason: 'too few',
      });
      expect(
        (await tx.ledger()).map((entry) => [entry.sequence, entry.status, entry.committedUnits]),
      ).toEqual([
        [1, 'committed', [huge, 5n]],
        [2, 'voided', null],
      ]);
      expect(await tx.ledger('another')).toEqual([]);
    });
  });

  test('refusals: once a round and member, oldest first, of one run; of no round there is none', async () => {
    const { store } = await fresh.open();
    await runningFederation(store);
    const participant = { epsilonSpent: 2.5, epsilonAsked: 3.25, epsilonLimit: 3 };
    const coordinator = { epsilonSpent: 1.5, epsilonAsked: 2.25, epsilonLimit: 3 };
    const refusal = (roundId: string, participantId: string) => ({
      ...{ roundId, participantId, reason: 'over budget' },
      ...{ participant, coordinator },
    });
    await store.transaction(async (tx) => {
      await tx.insertRound(newRound(0));
      await tx.insertRefusal(refusal('round-0', 'bass'));
    });
    await store.transaction(async (tx) => {
      await tx.insertRefusal({ ...refusal('round-0', 'bass'), reason: 'another word' });
      await tx.insertRefusal(refusal('round-0', 'alto'));
    });
    const kept = await store.transaction((tx) => tx.refusals('run'));
    expect(kept).toMatchObject([refusal('round-0', 'bass'), refusal('round-0', 'alto')]);
    expect(kept[0]!.createdAt).toBeInstanceOf(Date);
    expect(await store.transaction((tx) => tx.refusals('another'))).toEqual([]);
    await expect(store.transaction((tx) => tx.insertRefusal(refusal('no round', 'alto')))).rejects.toThrow();
  });

  test('hazard P15: a negative or non-finite figure never enters the budget', async () => {
    const { store } = await fresh.open();
    await store.transaction((tx) => tx.saveBudget(budget));
    for (const bad of [
      { spent: [-1n, 0n] },
      { reserved: [0n, -5n] },
      { epsilon: Number.POSITIVE_INFINITY },
      { delta: 1 },
    ]) {
      await expect(store.transaction((tx) => tx.saveBudget({ ...budget, ...bad }))).rejects.toThrow();
    }
    expect(await store.transaction((tx) => tx.lockBudget())).toEqual(budget);
  });

  test('hazard V3: reservations at once under the lock never overrun the limit, and miss no number', async () => {
    const { store } = await fresh.open();
    await runningFederation(store);
    const limit = 10n;
    // From nothing: the first reservation also makes the budget, and must do so once.
    const granted = await Promise.all(
      Array.from({ length: 25 }, (_, slot) =>
        store.transaction(async (tx) => {
          const standing = (await tx.lockBudget()) ?? budget;
          if (standing.reserved[0]! + 1n > limit) return false;
          await tx.saveBudget({ ...standing, reserved: [standing.reserved[0]! + 1n, 0n] });
          await tx.insertLedgerEntry({
            roundId: `round-${slot}`,
            runId: 'run',
            reservedEvent: {},
            reservedUnits: [1n, 0n],
          });
          await tx.insertRound({ ...newRound(slot), phase: 'aborted' });
          return true;
        }),
      ),
    );
    expect(granted.filter(Boolean)).toHaveLength(10);
    expect((await store.transaction((tx) => tx.lockBudget()))!.reserved).toEqual([limit, 0n]);
    const sequence = (await store.transaction((tx) => tx.ledger())).map((entry) => entry.sequence);
    expect(sequence).toEqual(Array.from({ length: 10 }, (_, index) => index + 1));
  });

  test('access tokens: by hash, revoked once; idempotency: one answer a key', async () => {
    const { store } = await fresh.open();
    await store.transaction(async (tx) => {
      const token = await tx.insertAccessToken({
        id: 't',
        name: 'audit',
        role: 'auditor',
        tokenHash: 'hash',
      });
      expect(token).toMatchObject({ role: 'auditor', revokedAt: null });
      expect(await tx.accessTokenByHash('hash')).toEqual(token);
      await tx.revokeAccessToken('t');
      const [revoked] = await tx.accessTokens();
      expect(revoked!.revokedAt).toBeInstanceOf(Date);
      await tx.revokeAccessToken('t');
      expect(await tx.accessTokens()).toEqual([revoked]);
      for (const response of [null, { run: 'r' }, [1, 2]]) {
        const record = { actor: 'olga', key: JSON.stringify(response), requestDigest: 'd', response };
        await tx.insertIdempotencyRecord(record);
        expect(await tx.idempotencyRecord('olga', record.key)).toEqual(record);
        await expect(tx.insertIdempotencyRecord(record)).rejects.toMatchObject({ code: 'Conflict' });
      }
    });
  });

  test('a transaction or an append inside a transaction is refused at once instead of waiting for itself', async () => {
    const { store } = await fresh.open();
    await runningFederation(store);
    await store.transaction(async (tx) => {
      await expect(store.transaction(async () => undefined)).rejects.toThrow('wait for itself');
      await expect(
        store.appendMessage({
          blockId: 'block',
          slot: 0,
          phase: 2,
          participantId: 'alto',
          body: new Uint8Array(1),
        }),
      ).rejects.toThrow('wait for itself');
      expect(await tx.messages('block', 0)).toEqual([]);
    });
    await store.transaction((tx) => tx.participants());
  });
});
