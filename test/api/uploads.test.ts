import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { contentDigest, signRequest } from '../../src/crypto/httpSignature.js';
import { nodePrimitives } from '../../src/crypto/nodePrimitives.js';
import { FederationError } from '../../src/federation/errors.js';
import type { Collected } from '../../src/federation/exchange.js';
import {
  activeCharter,
  type Bench,
  type Caller,
  enroll,
  events,
  identityHeaders,
  type Member,
  MODEL,
  mutate,
  newNonce,
  openBench,
  rng,
  subscribe,
} from './fixture.js';

let bench: Bench;
let members: Member[];
const MAX_BYTES = 300_000;

beforeAll(async () => {
  bench = await openBench();
  members = (await activeCharter(bench)).members;
});
afterAll(() => bench.close());

let blocks = 0;

/** Asks the first two members for key shares, as the driver would. */
function ask(deadlineMs = 50_000): {
  readonly blockId: string;
  readonly done: Promise<Collected>;
  readonly received: Uint8Array[];
  readonly stop: AbortController;
} {
  const blockId = `block-${++blocks}`;
  const received: Uint8Array[] = [];
  const stop = new AbortController();
  const seen = new Map<string, string>();
  const done = bench.desk.collect(
    {
      blockId,
      slot: -1,
      phase: 'share-keys',
      from: members.slice(0, 2).map(({ id }) => id),
      maxBytes: MAX_BYTES,
      deadlineMs,
      graceMs: deadlineMs,
      task: (_id, upload) => ({ kind: 'share-keys', blockId, adverts: [new Uint8Array([1, 2, 3])], upload }),
      async receive(participantId, body) {
        const digest = Buffer.from(nodePrimitives.sha256(body)).toString('hex');
        const before = seen.get(participantId);
        if (before === digest) return;
        if (before !== undefined)
          throw new FederationError('MessageRejected', 'Another message came before.');
        seen.set(participantId, digest);
        received.push(body);
      },
    },
    stop.signal,
  );
  return { blockId, done, received, stop };
}

const TASKS = `subscription { tasks { __typename
  ... on ShareKeysTask { blockId adverts upload { path maxBytes } } } }`;

/** The member's ticket for a block, as it learns it: over the subscription. */
async function ticket(member: Member, blockId: string): Promise<string> {
  const response = await subscribe(bench.server, member, TASKS);
  for await (const { data } of events(response)) {
    if (data.tasks.blockId !== blockId) continue;
    expect(data.tasks).toMatchObject({
      __typename: 'ShareKeysTask',
      adverts: ['AQID'],
      upload: { maxBytes: MAX_BYTES },
    });
    return data.tasks.upload.path as string;
  }
  throw new Error('the subscription ended');
}

async function put(
  caller: Caller,
  path: string,
  body: Uint8Array,
  headers: Record<string, string> = {},
): Promise<[number, string]> {
  const url = `${bench.server.url}${path}`;
  const response = await fetch(url, {
    method: 'PUT',
    headers: { ...identityHeaders(caller, { method: 'PUT', url, body }), ...headers },
    body: Buffer.from(body),
  });
  const text = await response.text();
  return [response.status, text === '' ? '' : (JSON.parse(text) as { code: string }).code];
}

/** A request that fetch would not make: the headers as they are, the body in pieces or not at all. */
function raw(
  path: string,
  headers: Record<string, string | number>,
  pieces: readonly Uint8Array[],
): Promise<number | 'cut'> {
  return new Promise((resolve) => {
    const request = httpRequest(`${bench.server.url}${path}`, { method: 'PUT', headers }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    request.on('error', () => resolve('cut'));
    for (const piece of pieces) request.write(piece);
    request.end();
  });
}

describe('PUT on a ticket', () => {
  it('hands over the body; an identical repeat is fine, another one is not', async () => {
    const { blockId, done, received } = ask();
    const [first, second] = await Promise.all(members.slice(0, 2).map((m) => ticket(m, blockId)));
    const body = rng(240_000);
    expect(await put(members[0], first!, body)).toEqual([204, '']);
    expect(await put(members[0], first!, body)).toEqual([204, '']);
    expect(await put(members[0], first!, body.with(0, body[0]! ^ 1))).toEqual([422, 'MessageRejected']);
    expect(received).toEqual([body]);
    expect(await put(members[1], second!, body)).toEqual([204, '']);
    expect([...(await done).answered].sort()).toEqual(
      members
        .slice(0, 2)
        .map(({ id }) => id)
        .sort(),
    );
    expect(await put(members[0], first!, body)).toEqual([409, 'PhaseClosed']);
  });

  it('is refused late, for another member, without approval, and by anybody else', async () => {
    const { blockId, done, stop } = ask();
    const path = await ticket(members[0]!, blockId);
    const body = rng(100);
    expect(await put(members[1], path, body)).toEqual([409, 'PhaseClosed']);
    expect(await put(await enroll(bench, 'Not yet'), path, body)).toEqual([403, 'NotApproved']);
    expect((await put(undefined, path, body))[0]).toBe(401);
    expect((await put({ token: await bench.token('operator') }, path, body))[0]).toBe(401);
    stop.abort();
    await done;
    expect(await put(members[0], path, body)).toEqual([409, 'PhaseClosed']);
    expect(await put(members[0], '/uploads/0123', body)).toEqual([409, 'PhaseClosed']);
  });

  it('is refused too long before it is read, empty, changed, chunked, without or with another digest', async () => {
    const { blockId, done, stop, received } = ask();
    const path = await ticket(members[0]!, blockId);
    const url = `${bench.server.url}${path}`;
    expect(await put(members[0], path, new Uint8Array(MAX_BYTES + 1))).toEqual([413, 'BodyTooLarge']);
    expect((await put(members[0], path, new Uint8Array()))[0]).toBe(400);
    const body = rng(1000);
    const signed = (content = body) =>
      signRequest({ method: 'PUT', url, body: content }, members[0]!.seed, {
        created: Math.floor(Date.now() / 1000),
        nonce: newNonce(),
      });
    const length = { 'content-length': body.length };
    // Positive control for the raw client: this one arrives.
    expect(await raw(path, { ...signed(), ...length }, [body.subarray(0, 400), body.subarray(400)])).toBe(
      204,
    );
    expect(await raw(path, { ...signed(), ...length }, [body.with(5, body[5]! ^ 1)])).toBe(400);
    expect(await raw(path, { ...signed(), 'transfer-encoding': 'chunked' }, [body])).toBe(411);
    const { 'content-digest': _, ...bare } = signed();
    expect(await raw(path, { ...bare, ...length }, [body])).toBe(401);
    const other = contentDigest(nodePrimitives.sha256(rng(4)));
    expect(await raw(path, { ...signed(), ...length, 'content-digest': other }, [body])).toBe(401);
    expect(received).toEqual([body]);
    stop.abort();
    await done;
  });

  it('that breaks off hands over nothing', async () => {
    const { blockId, done, stop, received } = ask();
    const path = await ticket(members[0]!, blockId);
    const url = `${bench.server.url}${path}`;
    const body = rng(200_000);
    const headers = {
      ...identityHeaders(members[0], { method: 'PUT', url, body }),
      'content-length': String(body.length),
    };
    await new Promise<void>((resolve) => {
      const request = httpRequest(url, { method: 'PUT', headers });
      request.on('error', () => resolve());
      request.write(body.subarray(0, 1000), () => request.destroy(new Error('the cable was cut')));
    });
    stop.abort();
    await done;
    expect(received).toEqual([]);
    expect(bench.log.filter((line) => line.includes('"level":50'))).toEqual([]);
  });
});

describe('messages by mutation', () => {
  it('are handed over, refused when closed, declined', async () => {
    const { blockId, done, received } = ask();
    const body = Buffer.from(rng(100));
    const message = { blockId, slot: -1, phase: 'SHARE_KEYS', body: body.toString('base64') };
    const selection = '... on MessageReceipt { blockId slot phase }';
    expect(await mutate(bench.server, members[0], 'submitMessage', message, selection)).toEqual({
      __typename: 'MessageReceipt',
      blockId,
      slot: -1,
      phase: 'SHARE_KEYS',
    });
    expect(received).toEqual([new Uint8Array(body)]);
    const { body: _, ...address } = message;
    const decline = { ...address, reason: 'over my budget' };
    expect((await mutate(bench.server, members[1], 'declineTask', decline, selection)).__typename).toBe(
      'MessageReceipt',
    );
    expect((await done).declined).toEqual(
      new Map([[members[1]!.id, { reason: 'over my budget', budget: undefined }]]),
    );
    expect(await mutate(bench.server, members[0], 'submitMessage', message, selection)).toMatchObject({
      __typename: 'PhaseClosedFailure',
      code: 'PhaseClosed',
    });
  });
});

describe('GET /models', () => {
  it('gives the bytes to participants and tokens, for ever cacheable', async () => {
    const digest = Buffer.from(nodePrimitives.sha256(MODEL)).toString('hex');
    bench.desk.publishModels('run', new Map([[digest, MODEL]]));
    const url = `${bench.server.url}/models/${digest}`;
    for (const caller of [members[0], { token: await bench.token('application') }]) {
      const response = await fetch(url, { headers: identityHeaders(caller, { method: 'GET', url }) });
      expect(response.status).toBe(200);
      expect(response.headers.get('cache-control')).toBe('private, max-age=31536000, immutable');
      expect(new Uint8Array(await response.arrayBuffer())).toEqual(MODEL);
      const again = await fetch(url, {
        headers: {
          ...identityHeaders(caller, { method: 'GET', url }),
          'if-none-match': response.headers.get('etag')!,
        },
      });
      expect(again.status).toBe(304);
    }
    expect((await fetch(url)).status).toBe(401);
    const stranger = await enroll(bench, 'Stranger');
    expect((await fetch(url, { headers: identityHeaders(stranger, { method: 'GET', url }) })).status).toBe(
      403,
    );
    const missing = `${bench.server.url}/models/${'0'.repeat(64)}`;
    expect(
      (await fetch(missing, { headers: identityHeaders(members[0], { method: 'GET', url: missing }) }))
        .status,
    ).toBe(404);
  });
});

describe('the tasks subscription', () => {
  it('ends when the key is revoked, and when the client leaves the desk knows', async () => {
    const leaver = members[3]!;
    const response = await subscribe(bench.server, leaver, TASKS);
    expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/);
    const stream = events(response);
    bench.desk.post(leaver.id, 'a', {
      kind: 'share-keys',
      blockId: 'a',
      adverts: [],
      upload: { path: '/x', maxBytes: 1 },
    });
    expect((await stream.next()).value.data.tasks.blockId).toBe('a');
    expect(bench.desk.isPresent(leaver.id)).toBe(true);
    await bench.service.enrolment.revoke(leaver.id);
    bench.clock.offsetMs += 1_001;
    bench.desk.post(leaver.id, 'b', {
      kind: 'share-keys',
      blockId: 'b',
      adverts: [],
      upload: { path: '/x', maxBytes: 1 },
    });
    const rest = [];
    for await (const event of stream) rest.push(event);
    expect(rest.map(({ data }) => data?.tasks)).not.toContainEqual(expect.objectContaining({ blockId: 'b' }));
    expect(JSON.stringify(rest)).toContain('KeyRevoked');
    await expect.poll(() => bench.desk.isPresent(leaver.id)).toBe(false);

    const aborter = await subscribe(bench.server, members[2], TASKS);
    await expect.poll(() => bench.desk.isPresent(members[2]!.id)).toBe(true);
    await aborter.body!.cancel();
    await expect.poll(() => bench.desk.isPresent(members[2]!.id)).toBe(false);
  });
});
