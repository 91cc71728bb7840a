import { bytesToHex } from '@noble/hashes/utils.js';
import { describe, expect, it } from 'vitest';
import { nodePrimitives } from '../../src/crypto/nodePrimitives.js';
import { seededRng } from '../../src/crypto/rng.js';
import { enrolmentStatement, readCharter } from '../../src/federation/charter.js';
import { createEnrolment, participantId } from '../../src/federation/enrolment.js';
import type { FailureCode } from '../../src/federation/errors.js';
import type { Enrolment, EnrolmentInput } from '../../src/federation/service.js';
import type { OpenedStore } from '../../src/store/index.js';
import { databases } from '../store/databases.js';
import { CHARTER, FEDERATION, seedOf, signatureOf } from './harness.js';
import { identityOf } from './member.js';

const enrolmentOf = ({ store, bus }: OpenedStore): Enrolment =>
  createEnrolment({
    federation: FEDERATION,
    store,
    bus,
    rng: seededRng(seedOf('enrolment')),
    primitives: nodePrimitives,
  });

const seeds = Array.from({ length: 4 }, (_, i) => seedOf(`enrolment of ${i}`));

function application(seed: Uint8Array, change: Partial<EnrolmentInput> = {}): EnrolmentInput {
  const { publicKey } = identityOf(seed);
  const statement = { federation: FEDERATION, name: 'Alto', publicKey, declaredRecords: 100, ...change };
  return {
    proof: bytesToHex(nodePrimitives.ed25519Sign(seed, enrolmentStatement(statement))),
    ...statement,
  };
}

async function approvedMembers(enrolment: Enrolment): Promise<string[]> {
  const ids: string[] = [];
  for (const [i, seed] of seeds.entries()) {
    const { id } = await enrolment.enroll(application(seed, { name: `member ${i}` }));
    await enrolment.approve(id);
    ids.push(id);
  }
  return ids;
}

const failing = (code: FailureCode, message?: RegExp) =>
  expect.objectContaining({
    name: 'FederationError',
    code,
    ...(message === undefined ? {} : { message: expect.stringMatching(message) }),
  });

describe.each(databases)('enrolment on $name', (database) => {
  const fresh = database.use();

  it('takes a key with its proof once, and refuses whatever the proof does not cover', async () => {
    const enrolment = enrolmentOf(await fresh.open());
    const seed = seeds[0]!;
    const good = application(seed);
    const refused: [Partial<EnrolmentInput>, RegExp][] = [
      [{ federation: 'another' }, /serves the federation "choir", not "another"/],
      [{ publicKey: 'zz' }, /publicKey/],
      [{ proof: '00' }, /proof must be/],
      [{ proof: '00'.repeat(64) }, /does not verify/],
      [{ proof: application(seeds[1]!).proof }, /does not verify/],
      [{ name: 'Bass' }, /does not verify/],
      [{ declaredRecords: 101 }, /does not verify/],
      [{ name: ' Alto' }, /no space at its ends/],
      [{ name: '' }, /1 to 120/],
      [{ declaredRecords: 0 }, /declaredRecords/],
      [{ declaredRecords: 0.5 }, /declaredRecords/],
    ];
    for (const [change, reason] of refused)
      await expect(enrolment.enroll({ ...good, ...change })).rejects.toEqual(failing('InvalidInput', reason));
    // A proof for another federation is none here, even signed by the right key.
    await expect(
      enrolment.enroll({ ...application(seed, { federation: 'another' }), federation: FEDERATION }),
    ).rejects.toEqual(failing('InvalidInput', /does not verify/));
    expect(await enrolment.participantByKey(good.publicKey)).toBeNull();

    const enrolled = await enrolment.enroll(good);
    expect(enrolled).toMatchObject({ id: participantId(good.publicKey), name: 'Alto', status: 'pending' });
    expect(await enrolment.enroll(good)).toEqual(enrolled);
    for (const change of [{ name: 'Bass' }, { declaredRecords: 101 }])
      await expect(enrolment.enroll(application(seed, change))).rejects.toEqual(
        failing('Conflict', /enrolled already/),
      );
  });

  it('a revoked key stays revoked', async () => {
    const enrolment = enrolmentOf(await fresh.open());
    const { id } = await enrolment.enroll(application(seeds[0]!));
    expect(await enrolment.approve(id)).toMatchObject({ status: 'approved' });
    expect(await enrolment.approve(id)).toMatchObject({ status: 'approved' });
    expect(await enrolment.revoke(id)).toMatchObject({ status: 'revoked' });
    expect(await enrolment.revoke(id)).toMatchObject({ status: 'revoked' });
    await expect(enrolment.approve(id)).rejects.toEqual(failing('KeyRevoked'));
    await expect(enrolment.approve('nobody')).rejects.toEqual(failing('NotFound'));
    // Enrolling again changes nothing.
    expect(await enrolment.enroll(application(seeds[0]!))).toMatchObject({ status: 'revoked' });
  });

  it('a charter is made of the approved, and is active once every one of them has signed', async () => {
    const opened = await fresh.open();
    const enrolment = enrolmentOf(opened);
    const ids = await approvedMembers(enrolment);
    const outsider = await enrolment.enroll(application(seedOf('outsider'), { name: 'outsider' }));
    const { digest, body, status } = await enrolment.proposeCharter(CHARTER);
    expect(status).toBe('proposed');
    expect(readCharter(body).members.map((m) => m.id)).toEqual([...ids].sort());

    const sign = (i: number, of = digest, key = i) =>
      enrolment.signCharter(ids[i]!, of, signatureOf(seeds[key]!, of));
    await expect(sign(0, 'f'.repeat(64))).rejects.toEqual(failing('CharterMismatch'));
    await expect(sign(0, digest, 1)).rejects.toEqual(failing('InvalidInput', /does not verify/));
    await expect(enrolment.signCharter(ids[0]!, digest, 'short')).rejects.toEqual(failing('InvalidInput'));
    await expect(
      enrolment.signCharter(ids[0]!, digest, signatureOf(seeds[0]!, 'e'.repeat(64))),
    ).rejects.toEqual(failing('InvalidInput'));
    await expect(
      enrolment.signCharter(outsider.id, digest, signatureOf(seedOf('outsider'), digest)),
    ).rejects.toEqual(failing('NotEnrolled'));
    for (const i of [0, 1, 2]) expect(await sign(i)).toMatchObject({ status: 'proposed' });
    expect(await opened.store.transaction((tx) => tx.lockBudget())).toBeNull();
    expect(await sign(0)).toMatchObject({ status: 'proposed' });
    expect(await sign(3)).toMatchObject({ status: 'active' });
    expect(await sign(3)).toMatchObject({ status: 'active' });
    expect(await enrolment.charter()).toMatchObject({ digest, status: 'active' });
    expect(await opened.store.transaction((tx) => tx.lockBudget())).toMatchObject({
      epsilon: CHARTER.epsilon,
      spent: [0n],
      reserved: [0n],
    });
  });

  it('the last two signatures side by side still complete the charter', async () => {
    const enrolment = enrolmentOf(await fresh.open());
    const ids = await approvedMembers(enrolment);
    const { digest } = await enrolment.proposeCharter(CHARTER);
    await Promise.all(ids.map((id, i) => enrolment.signCharter(id, digest, signatureOf(seeds[i]!, digest))));
    expect(await enrolment.charter()).toMatchObject({ digest, status: 'active' });
  });

  it('hazard P15: a new version keeps what was spent, and the old one is superseded', async () => {
    const opened = await fresh.open();
    const enrolment = enrolmentOf(opened);
    const ids = await approvedMembers(enrolment);
    const signAll = async (digest: string) => {
      for (const [i, id] of ids.entries())
        await enrolment.signCharter(id, digest, signatureOf(seeds[i]!, digest));
    };
    const first = await enrolment.proposeCharter(CHARTER);
    const second = await enrolment.proposeCharter({ ...CHARTER, epsilon: 2 });
    await expect(signAll(first.digest)).rejects.toEqual(failing('Conflict', /newer charter/));
    await signAll(second.digest);
    await opened.store.transaction(async (tx) => {
      const budget = (await tx.lockBudget())!;
      await tx.saveBudget({ ...budget, spent: [77n], reserved: [5n] });
    });

    const third = await enrolment.proposeCharter({ ...CHARTER, epsilon: 9 });
    expect(readCharter(third.body)).toMatchObject({ version: 3, previous: second.digest });
    // The standing charter is active until the new one is signed by all.
    expect((await opened.store.transaction((tx) => tx.charter(second.digest)))!.status).toBe('active');
    await signAll(third.digest);
    expect((await opened.store.transaction((tx) => tx.charter(second.digest)))!.status).toBe('superseded');
    expect(await opened.store.transaction((tx) => tx.lockBudget())).toMatchObject({
      epsilon: 9,
      spent: [77n],
      reserved: [5n],
    });

    const otherOrders = await enrolment.proposeCharter({ ...CHARTER, orders: [16] });
    await expect(signAll(otherOrders.digest)).rejects.toEqual(
      failing('Conflict', /must name Rényi order 8 and no other/),
    );
    expect((await opened.store.transaction((tx) => tx.charter(third.digest)))!.status).toBe('active');
  });

  it('hazard V11: a token is known by its hash, until it is revoked', async () => {
    const opened = await fresh.open();
    const enrolment = enrolmentOf(opened);
    const { token, record } = await enrolment.createToken('the auditor', 'auditor');
    expect(token).toMatch(/^chorale_auditor_[0-9a-f]{64}$/);
    expect(JSON.stringify(await opened.store.transaction((tx) => tx.accessTokens()))).not.toContain(token);
    expect(await enrolment.authenticate(token)).toMatchObject({ id: record.id, role: 'auditor' });
    expect(await enrolment.authenticate(`${token}0`)).toBeNull();
    await enrolment.revokeToken(record.id);
    expect(await enrolment.authenticate(token)).toBeNull();
  });
});
