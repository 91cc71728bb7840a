import { bytesToHex } from '@noble/hashes/utils.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { nodePrimitives } from '../../src/crypto/nodePrimitives.js';
import { enrolmentStatement } from '../../src/federation/charter.js';
import {
  type Bench,
  type Caller,
  CHARTER,
  enroll,
  FEDERATION,
  gql,
  type Member,
  mutate,
  newIdempotencyKey,
  newKey,
  openBench,
  SCHEMA,
  signCharter,
} from './fixture.js';

let bench: Bench;
let operator: Caller;
let approver: Caller;
const members: Member[] = [];

beforeAll(async () => {
  bench = await openBench();
  operator = { token: await bench.token('operator') };
  approver = { token: await bench.token('approver') };
});
afterAll(() => bench.close());

const run = (name: string, caller: Caller, input: Record<string, unknown>, selection = '') =>
  mutate(bench.server, caller, name, { idempotencyKey: newIdempotencyKey(), ...input }, selection);

describe('from enrolment to an approved run', () => {
  it('a key enrols itself, and nobody else', async () => {
    for (const name of ['Alto', 'Bass', 'Soprano', 'Tenor']) members.push(await enroll(bench, name));
    const { data } = await gql(bench.server, members[0], '{ me { name status publicKey declaredRecords } }');
    expect(data.me).toEqual({
      name: 'Alto',
      status: 'PENDING',
      publicKey: members[0]!.publicKey,
      declaredRecords: 1000,
    });
    const key = newKey();
    const statement = { federation: FEDERATION, name: 'Thief', publicKey: key.publicKey, declaredRecords: 5 };
    const proof = bytesToHex(nodePrimitives.ed25519Sign(key.seed, enrolmentStatement(statement)));
    expect(await run('enrollParticipant', newKey(), { ...statement, proof })).toMatchObject({
      code: 'InvalidInput',
      message: 'Sign the request with the key that you enrol.',
    });
    expect((await run('enrollParticipant', key, { ...statement, proof: '00'.repeat(64) })).code).toBe(
      'InvalidInput',
    );
  });

  it('an operator approves; all sign; the charter can be checked from its body and signatures alone', async () => {
    expect((await run('proposeRun', operator, { synthesizer: 'gan', options: {} })).code).toBe(
      'CharterNotActive',
    );
    expect(
      (await gql(bench.server, operator, '{ privacyBudget { __typename ... on Failure { code } } }')).data
        .privacyBudget,
    ).toEqual({ __typename: 'CharterNotActiveFailure', code: 'CharterNotActive' });
    for (const { id } of members)
      expect(
        (await run('approveParticipant', operator, { participantId: id }, '... on Participant { status }'))
          .status,
      ).toBe('APPROVED');
    expect((await run('approveParticipant', operator, { participantId: 'nobody' })).__typename).toBe(
      'NotFoundFailure',
    );
    expect((await run('proposeCharter', operator, { ...CHARTER, schema: { fields: [] } })).code).toBe(
      'InvalidInput',
    );
    const { digest } = await run('proposeCharter', operator, { ...CHARTER }, '... on Charter { digest }');
    for (const member of members) {
      const answer = await run(
        'signCharter',
        member,
        { digest, signature: signCharter(member, digest) },
        '... on Charter { status }',
      );
      expect(answer.status).toBe(member === members.at(-1) ? 'ACTIVE' : 'PROPOSED');
    }
    const { data } = await gql(
      bench.server,
      members[1],
      '{ charter { digest body signatures { participantId signature } } }',
    );
    expect(bytesToHex(nodePrimitives.sha256(new TextEncoder().encode(data.charter.body)))).toBe(digest);
    expect(JSON.parse(data.charter.body).schema).toEqual(SCHEMA);
    const signatures = new Map(
      data.charter.signatures.map((s: { participantId: string; signature: string }) => [
        s.participantId,
        s.signature,
      ]),
    );
    for (const member of members) expect(signatures.get(member.id)).toBe(signCharter(member, digest));
  });

  it('a run is previewed and proposed by one person, approved by another, cancelled', async () => {
    const question =
      'query($o: JSON!) { previewRun(synthesizer: "gan", options: $o) { ... on RunPreview { epsilon steps fits planDigest } ... on Failure { code message } } }';
    const preview = (await gql(bench.server, operator, question, { o: { steps: 10 } })).data.previewRun;
    expect(preview).toMatchObject({ steps: 10, fits: true });
    expect(preview.epsilon).toBeGreaterThan(0);
    expect((await gql(bench.server, operator, question, { o: { steps: -1 } })).data.previewRun.code).toBe(
      'InvalidInput',
    );
    expect((await run('proposeRun', operator, { synthesizer: 'gnn', options: {} })).code).toBe(
      'InvalidInput',
    );
    const proposed = await run(
      'proposeRun',
      operator,
      { synthesizer: 'gan', options: { steps: 10 } },
      '... on Run { runId status planDigest totalSteps }',
    );
    expect(proposed).toMatchObject({ status: 'PROPOSED', planDigest: preview.planDigest, totalSteps: 10 });
    const approved = await run(
      'approveRun',
      approver,
      { runId: proposed.runId },
      '... on Run { status approvedBy proposedBy }',
    );
    expect(approved.status).toBe('RUNNING');
    expect(approved.approvedBy).not.toBe(approved.proposedBy);
    expect(
      (await run('cancelRun', operator, { runId: proposed.runId }, '... on Run { status }')).status,
    ).toBe('ABORTED');
  });
});

describe('access tokens', () => {
  it('are made for auditors and applications only: an operator cannot make the second person', async () => {
    for (const role of ['OPERATOR', 'APPROVER'])
      expect((await run('createAccessToken', operator, { name: 'x', role })).code).toBe('InvalidInput');
    const made = await run(
      'createAccessToken',
      operator,
      { name: 'App', role: 'APPLICATION' },
      '... on CreatedAccessToken { secret token { tokenId role } }',
    );
    expect(made.token.role).toBe('APPLICATION');
    expect(
      (await gql(bench.server, { token: made.secret }, '{ runs { totalCount } }')).errors,
    ).toBeUndefined();
    const revoked = await run(
      'revokeAccessToken',
      operator,
      { tokenId: made.token.tokenId },
      '... on AccessToken { revokedAt }',
    );
    expect(revoked.revokedAt).not.toBeNull();
  });

  it('show their secret once: a repeat is told so, and nothing of it is stored', async () => {
    const input = { name: 'Audit', role: 'AUDITOR', idempotencyKey: newIdempotencyKey() };
    const made = await run(
      'createAccessToken',
      operator,
      input,
      '... on CreatedAccessToken { secret token { tokenId } }',
    );
    const again = await run('createAccessToken', operator, input);
    expect(again).toMatchObject({ __typename: 'ConflictFailure', details: { tokenId: made.token.tokenId } });
    const records = await bench.opened.prisma.idempotencyRecord.findMany();
    expect(records.length).toBeGreaterThan(0);
    expect(JSON.stringify(records)).not.toContain(made.secret);
    expect(bench.log.join('')).not.toContain(made.secret);
  });
});

describe('idempotency', () => {
  it('equal key and request: one execution, one answer, also when they overlap', async () => {
    const input = { synthesizer: 'gan', options: { steps: 7 }, idempotencyKey: newIdempotencyKey() };
    const ask = () => mutate(bench.server, operator, 'proposeRun', input, '... on Run { runId }');
    const answers = await Promise.all([ask(), ask(), ask()]);
    answers.push(await ask());
    expect(new Set(answers.map(({ runId }) => runId)).size).toBe(1);
    expect(await bench.opened.prisma.run.count({ where: { totalSteps: 7 } })).toBe(1);
  });

  it('another request under the same key is a conflict; another actor’s key is its own', async () => {
    const idempotencyKey = newIdempotencyKey();
    const first = { synthesizer: 'gan', options: { steps: 8 }, idempotencyKey };
    const { runId } = await mutate(bench.server, operator, 'proposeRun', first, '... on Run { runId }');
    const other = await mutate(bench.server, operator, 'proposeRun', { ...first, options: { steps: 9 } }, '');
    expect(other.__typename).toBe('IdempotencyConflictFailure');
    const operation = await mutate(bench.server, operator, 'cancelRun', { runId, idempotencyKey }, '');
    expect(operation.__typename).toBe('IdempotencyConflictFailure');
    const second = { token: await bench.token('operator') };
    const own = await mutate(bench.server, second, 'proposeRun', first, '... on Run { runId }');
    expect(own.runId).not.toBe(runId);
  });

  it('a failure is not remembered: the same request may succeed later', async () => {
    const input = { runId: '', idempotencyKey: newIdempotencyKey() };
    const { runId } = await run(
      'proposeRun',
      operator,
      { synthesizer: 'gan', options: { steps: 2 } },
      '... on Run { runId }',
    );
    await bench.service.runs.cancel(runId, 'x');
    input.runId = runId;
    expect((await mutate(bench.server, approver, 'approveRun', input, '')).code).toBe('Conflict');
    await bench.opened.prisma.run.update({ where: { id: runId }, data: { status: 'proposed' } });
    expect((await mutate(bench.server, approver, 'approveRun', input, '... on Run { status }')).status).toBe(
      'RUNNING',
    );
  });

  it('a key that is too short is refused', async () => {
    const answer = await mutate(
      bench.server,
      operator,
      'cancelRun',
      { runId: 'x', idempotencyKey: 'short' },
      '',
    );
    expect(answer.code).toBe('InvalidInput');
  });
});
