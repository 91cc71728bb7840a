import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildSchema, rootScopes } from '../../src/api/schema/index.js';
import { contentDigest, signRequest } from '../../src/crypto/httpSignature.js';
import { nodePrimitives } from '../../src/crypto/nodePrimitives.js';
import type { Role } from '../../src/federation/ports.js';
import {
  activeCharter,
  type Bench,
  type Caller,
  enroll,
  events,
  gql,
  type Member,
  newKey,
  newNonce,
  openBench,
  post,
  subscribe,
} from './fixture.js';

let bench: Bench;
let member: Member;
let pending: Member;
let revoked: Member;
const callers = new Map<string, Caller>();

beforeAll(async () => {
  bench = await openBench();
  member = (await activeCharter(bench)).members[0]!;
  pending = await enroll(bench, 'Waiting');
  revoked = await enroll(bench, 'Gone');
  await bench.service.enrolment.revoke(revoked.id);
  callers.set('anonymous', undefined);
  callers.set('a key nobody knows', newKey());
  callers.set('pending', pending);
  callers.set('revoked', revoked);
  callers.set('participant', member);
  for (const role of ['operator', 'approver', 'auditor', 'application'] as const)
    callers.set(role, { token: await bench.token(role) });
});
afterAll(() => bench.close());

/** Who may ask what, written out: the schema is checked against this table, not against itself. */
const MAY: Readonly<Record<string, readonly string[]>> = {
  'Query.me': ['pending', 'participant'],
  'Query.charter': ['pending', 'participant', 'operator', 'approver', 'auditor', 'application'],
  'Query.node': ['operator', 'approver', 'auditor'],
  'Query.participants': ['operator', 'approver', 'auditor'],
  'Query.privacyBudget': ['participant', 'operator', 'approver', 'auditor'],
  'Query.ledger': ['participant', 'operator', 'approver', 'auditor'],
  'Query.rounds': ['participant', 'operator', 'approver', 'auditor'],
  'Query.run': ['participant', 'operator', 'approver', 'auditor', 'application'],
  'Query.runs': ['participant', 'operator', 'approver', 'auditor', 'application'],
  'Query.previewRun': ['operator', 'approver'],
  'Query.qualityReport': ['participant', 'operator', 'approver', 'auditor', 'application'],
  'Query.syntheticSamples': ['application'],
  'Mutation.enrollParticipant': ['a key nobody knows', 'pending', 'revoked', 'participant'],
  'Mutation.signCharter': ['participant'],
  'Mutation.submitMessage': ['participant'],
  'Mutation.declineTask': ['participant'],
  'Mutation.approveParticipant': ['operator'],
  'Mutation.revokeParticipant': ['operator'],
  'Mutation.proposeCharter': ['operator'],
  'Mutation.proposeRun': ['operator'],
  'Mutation.approveRun': ['approver'],
  'Mutation.cancelRun': ['operator', 'approver'],
  'Mutation.createAccessToken': ['operator'],
  'Mutation.revokeAccessToken': ['operator'],
  'Subscription.tasks': ['participant'],
  'Subscription.runProgress': ['participant', 'operator', 'approver', 'auditor', 'application'],
};

/** A harmless request for each field: it needs to pass the scope, not to succeed. */
const ASK: Readonly<Record<string, string>> = {
  'Query.me': '{ me { name } }',
  'Query.charter': '{ charter { digest } }',
  'Query.node': '{ node(id: "UnVuOng=") { id } }',
  'Query.participants': '{ participants { totalCount } }',
  'Query.privacyBudget': '{ privacyBudget { __typename } }',
  'Query.ledger': '{ ledger { totalCount } }',
  'Query.rounds': '{ rounds(run: "x") { totalCount } }',
  'Query.run': '{ run(id: "x") { step } }',
  'Query.runs': '{ runs { totalCount } }',
  'Query.previewRun': '{ previewRun(synthesizer: "gan", options: {}) { __typename } }',
  'Query.qualityReport': '{ qualityReport(run: "x") { __typename } }',
  'Query.syntheticSamples': '{ syntheticSamples(run: "x") { __typename } }',
  'Mutation.enrollParticipant':
    'mutation { enrollParticipant(input: {federation: "f", name: "n", publicKey: "00", declaredRecords: 1, proof: "00", idempotencyKey: "12345678"}) { __typename } }',
  'Mutation.signCharter':
    'mutation { signCharter(input: {digest: "00", signature: "00", idempotencyKey: "12345678"}) { __typename } }',
  'Mutation.submitMessage':
    'mutation { submitMessage(input: {blockId: "x", slot: 0, phase: UNMASKING, body: ""}) { __typename } }',
  'Mutation.declineTask':
    'mutation { declineTask(input: {blockId: "x", slot: 0, phase: UNMASKING, reason: ""}) { __typename } }',
  'Mutation.approveParticipant':
    'mutation { approveParticipant(input: {participantId: "x", idempotencyKey: "12345678"}) { __typename } }',
  'Mutation.revokeParticipant':
    'mutation { revokeParticipant(input: {participantId: "x", idempotencyKey: "12345678"}) { __typename } }',
  'Mutation.proposeCharter':
    'mutation { proposeCharter(input: {schema: {}, epsilon: 1, delta: 1e-6, orders: [], minSurvivors: 1, maxColluders: 1, idempotencyKey: "12345678"}) { __typename } }',
  'Mutation.proposeRun':
    'mutation { proposeRun(input: {synthesizer: "x", options: {}, idempotencyKey: "12345678"}) { __typename } }',
  'Mutation.approveRun':
    'mutation { approveRun(input: {runId: "x", idempotencyKey: "12345678"}) { __typename } }',
  'Mutation.cancelRun':
    'mutation { cancelRun(input: {runId: "x", idempotencyKey: "12345678"}) { __typename } }',
  'Mutation.createAccessToken':
    'mutation { createAccessToken(input: {name: "", role: AUDITOR, idempotencyKey: "12345678"}) { __typename } }',
  'Mutation.revokeAccessToken':
    'mutation { revokeAccessToken(input: {tokenId: "x", idempotencyKey: "12345678"}) { __typename } }',
  'Subscription.tasks': 'subscription { tasks { __typename } }',
  'Subscription.runProgress': 'subscription { runProgress(run: "x") { step } }',
};

const DENIALS = ['Unauthenticated', 'Forbidden', 'NotEnrolled', 'NotApproved', 'KeyRevoked'];

/** The code with which the scope denies, or undefined when it lets the caller in. */
async function denial(field: string, caller: Caller): Promise<unknown> {
  const query = ASK[field]!;
  if (!field.startsWith('Subscription.')) {
    const { errors } = await gql(bench.server, caller, query);
    return errors?.map(({ extensions }) => extensions?.code).find((code) => DENIALS.includes(String(code)));
  }
  const response = await subscribe(bench.server, caller, query);
  if (field === 'Subscription.tasks' && response.ok && caller === member) {
    await response.body?.cancel();
    return undefined;
  }
  for await (const { errors } of events(response)) {
    const code = errors?.[0]?.extensions?.code;
    if (DENIALS.includes(String(code))) return code;
  }
  return undefined;
}

describe('hazard V9: default deny', () => {
  it('every root field is in the table, and names its scopes', () => {
    const fields = [...rootScopes(buildSchema())];
    expect(fields.map(([name]) => name).sort()).toEqual(Object.keys(MAY).sort());
    expect(fields.filter(([, scopes]) => scopes.length === 0)).toEqual([]);
  });

  it.each(Object.keys(MAY))('%s is answered to whom it may, and to nobody else', async (field) => {
    for (const [who, caller] of callers) {
      const code = await denial(field, caller);
      const allowed = MAY[field]!.includes(who);
      expect(code === undefined, `${who}: ${String(code)}`).toBe(allowed);
    }
  });

  it('an application does not see who proposed a run, nor what it spent', async () => {
    const run = await bench.service.runs.propose({
      synthesizer: 'gan',
      options: { steps: 3 },
      proposedBy: 'x',
    });
    const query = 'query($id: String!) { run(id: $id) { status proposedBy } }';
    expect(
      (await gql(bench.server, callers.get('application'), query, { id: run.id })).errors?.[0]?.extensions
        ?.code,
    ).toBe('Forbidden');
    expect((await gql(bench.server, callers.get('auditor'), query, { id: run.id })).data.run.proposedBy).toBe(
      'x',
    );
  });
});

describe('hazard V5: a signed request', () => {
  const query = JSON.stringify({ query: '{ me { name } }' });
  const body = new TextEncoder().encode(query);
  const sign = (
    created = Math.floor(Date.now() / 1000),
    url = `${bench.server.url}/graphql`,
    nonce = newNonce(),
  ) => signRequest({ method: 'POST', url, body }, member.seed, { created, nonce });
  const send = (headers: Record<string, string>, text = query, path = '/graphql') =>
    fetch(`${bench.server.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: text,
    });
  const codeOf = async (response: Response) => {
    expect(response.status).toBe(401);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    expect(response.headers.get('date')).not.toBeNull();
    return ((await response.json()) as { code: string }).code;
  };

  it('is answered', async () => {
    const response = await send(sign());
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ data: { me: { name: member.name } } });
  });

  it('is refused with another body, query string, digest or key', async () => {
    expect(await codeOf(await send(sign(), `${query} `))).toBe('DigestMismatch');
    expect(await codeOf(await send(sign(), query, '/graphql?x=1'))).toBe('WrongSignature');
    const forged = contentDigest(nodePrimitives.sha256(new TextEncoder().encode(`${query} `)));
    expect(await codeOf(await send({ ...sign(), 'content-digest': forged }, `${query} `))).toBe(
      'WrongSignature',
    );
    const input = sign();
    input['signature-input'] = input['signature-input']!.replace(member.publicKey, pending.publicKey);
    expect(await codeOf(await send(input))).toBe('WrongSignature');
  });

  it('is refused with another method', async () => {
    const headers = signRequest(
      { method: 'GET', url: `${bench.server.url}/models/${'0'.repeat(64)}` },
      member.seed,
      {
        created: Math.floor(Date.now() / 1000),
        nonce: newNonce(),
      },
    );
    const response = await fetch(`${bench.server.url}/graphql`, { headers });
    expect(await codeOf(response)).toBe('WrongSignature');
  });

  it('is good once', async () => {
    const headers = sign();
    expect((await send(headers)).status).toBe(200);
    expect(await codeOf(await send(headers))).toBe('ReplayedSignature');
  });

  it('is refused when its time is off by more than five minutes either way', async () => {
    const now = Math.floor(Date.now() / 1000);
    expect((await send(sign(now - 290))).status).toBe(200);
    expect(await codeOf(await send(sign(now - 310)))).toBe('StaleSignature');
    expect(await codeOf(await send(sign(now + 310)))).toBe('StaleSignature');
  });

  it('is refused beside a token', async () => {
    expect(await codeOf(await send({ ...sign(), authorization: 'Bearer 0123456789abcdef0123' }))).toBe(
      'AmbiguousIdentity',
    );
  });
});

describe('a token', () => {
  it('that is unknown, malformed or revoked gets one and the same answer (hazard V11)', async () => {
    const token = await bench.token('auditor');
    const { id } = (await bench.service.enrolment.authenticate(token))!;
    await bench.service.enrolment.revokeToken(id);
    const answers = [];
    for (const value of [
      `Bearer ${token}`,
      `Bearer chorale_auditor_${'0'.repeat(64)}`,
      'Bearer x',
      'Basic YTpi',
    ]) {
      const response = await post(
        bench.server,
        undefined,
        { query: '{ me { name } }' },
        { authorization: value },
      );
      answers.push([response.status, await response.text()]);
    }
    expect(answers[0]![0]).toBe(401);
    for (const answer of answers) expect(answer).toEqual(answers[0]);
  });

  it('hazard V6: is useless a second after its revocation, and so is a key', async () => {
    const token = await bench.token('auditor');
    const record = (await bench.service.enrolment.authenticate(token))!;
    expect((await gql(bench.server, { token }, '{ runs { totalCount } }')).errors).toBeUndefined();
    await bench.service.enrolment.revokeToken(record.id);
    const leaver = await enroll(bench, 'Leaver');
    await bench.service.enrolment.approve(leaver.id);
    expect((await gql(bench.server, leaver, '{ runs { totalCount } }')).errors).toBeUndefined();
    await bench.service.enrolment.revoke(leaver.id);
    bench.clock.offsetMs += 1_001;
    expect((await post(bench.server, { token }, { query: '{ runs { totalCount } }' })).status).toBe(401);
    const { errors } = await gql(bench.server, leaver, '{ runs { totalCount } }');
    expect(errors?.[0]?.extensions?.code).toBe('KeyRevoked');
  });

  it('has the role that it was made for', async () => {
    const roles: Role[] = ['operator', 'approver', 'auditor', 'application'];
    for (const role of roles)
      expect((await bench.service.enrolment.authenticate(await bench.token(role)))?.role).toBe(role);
  });
});
