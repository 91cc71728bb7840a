import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hexToBytes } from '@noble/hashes/utils.js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createCoordinatorClient } from '../../clients/participant/coordinatorClient.js';
import { type Identity, initHome, readPinnedCharter } from '../../clients/participant/home.js';
import { signPinnedCharter } from '../../clients/participant/signCharter.js';
import { openSpending } from '../../clients/participant/spending.js';
import { canonicalJson } from '../../src/crypto/canonical.js';
import { nodePrimitives } from '../../src/crypto/nodePrimitives.js';
import { systemRng } from '../../src/crypto/rng.js';
import { type Charter, charterDigest, charterStatement } from '../../src/federation/charter.js';
import { SCHEMA } from '../federation/harness.js';

/** A coordinator that says what a test wants it to say. */
let server: Server;
let url: string;
let respond: (request: IncomingMessage, response: ServerResponse) => void;
const seen: IncomingMessage[] = [];
let folder: string;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'chorale-client-'));
  seen.length = 0;
  server = createServer((request, response) => {
    seen.push(request);
    request.resume().on('end', () => respond(request, response));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true, force: true });
});

const data = (response: ServerResponse, value: unknown): void => {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ data: value }));
};

const createdOf = (request: IncomingMessage): number =>
  Number(/created=(\d+)/.exec(String(request.headers['signature-input']))![1]);

describe('signing a charter', () => {
  const dir = (): string => join(folder, 'home');
  const settings = () => ({ coordinator: url, federation: 'choir', name: 'Alto', declaredRecords: 100 });

  function charterWith({ publicKey }: Identity, change: Partial<Charter['members'][number]> = {}): Charter {
    const other = (i: number) => ({
      id: `b${i}`,
      name: `Other ${i}`,
      publicKey: `${i}`.repeat(64),
      declaredRecords: 100,
    });
    return {
      chorale: 1,
      federation: 'choir',
      version: 1,
      previous: null,
      members: [
        { id: 'a', name: 'Alto', publicKey, declaredRecords: 100, ...change },
        other(1),
        other(2),
        other(3),
      ],
      schema: SCHEMA as Charter['schema'],
      privacy: { unit: 'record', relation: 'add-remove', epsilon: 3, delta: 1e-6, orders: [8] },
      cohort: { minSurvivors: 3, maxColluders: 1 },
    };
  }

  const serve = (body: string | null, digest: string): void => {
    respond = (_, response) =>
      data(response, {
        charter: body === null ? null : { digest, body, status: 'PROPOSED', signatures: [] },
      });
  };

  it('pins the charter that the digest names, with a signature that verifies, and sends nothing', async () => {
    const identity = initHome(dir(), settings(), systemRng(), nodePrimitives);
    const charter = charterWith(identity);
    const digest = charterDigest(charter);
    serve(canonicalJson(charter), digest);
    expect(await signPinnedCharter(dir(), digest)).toEqual({ charter, digest });
    const pinned = readPinnedCharter(dir())!;
    expect(pinned).toMatchObject({ digest, body: canonicalJson(charter) });
    expect(
      nodePrimitives.ed25519Verify(
        hexToBytes(identity.publicKey),
        charterStatement(digest),
        hexToBytes(pinned.signature),
      ),
    ).toBe(true);
    expect(seen).toHaveLength(1);
  });

  it('refuses another charter than the digest names, whatever the coordinator calls it', async () => {
    const identity = initHome(dir(), settings(), systemRng(), nodePrimitives);
    const wanted = charterDigest(charterWith(identity));
    const laxer = { ...charterWith(identity), privacy: { ...charterWith(identity).privacy, epsilon: 30 } };
    serve(canonicalJson(laxer), wanted);
    await expect(signPinnedCharter(dir(), wanted)).rejects.toMatchObject({
      code: 'CharterMismatch',
      message: expect.stringMatching(/Do not sign; tell the other members/),
    });
    serve(null, wanted);
    await expect(signPinnedCharter(dir(), wanted)).rejects.toMatchObject({ code: 'CharterMismatch' });
    serve(JSON.stringify(charterWith(identity), null, 2), wanted);
    await expect(signPinnedCharter(dir(), wanted)).rejects.toMatchObject({ code: 'InvalidInput' });
    await expect(signPinnedCharter(dir(), 'short')).rejects.toMatchObject({ code: 'CharterRefused' });
    expect(readPinnedCharter(dir())).toBeUndefined();
  });

  it('refuses a charter that does not name the order at which its own record stands, before it is pinned', async () => {
    const identity = initHome(dir(), settings(), systemRng(), nodePrimitives);
    const under = (orders: number[]): Charter => ({
      ...charterWith(identity),
      privacy: { ...charterWith(identity).privacy, orders },
    });
    const spending = openSpending(join(dir(), 'spending.jsonl'), under([4, 8, 16]).privacy);
    const event = { version: 1, kind: 'gaussian', noiseMultiplier: 10 } as const;
    spending.charge({ blockId: 'b', slot: 0, roundId: 'r', event, orders: [8] });
    spending.close();
    for (const orders of [[4], [4, 16]]) {
      const charter = under(orders);
      serve(canonicalJson(charter), charterDigest(charter));
      await expect(signPinnedCharter(dir(), charterDigest(charter))).rejects.toMatchObject({
        code: 'CharterRefused',
        message: expect.stringMatching(
          /charged at Rényi order 8; the charter names Rényi orders? 4.*Ask for a charter/,
        ),
      });
    }
    expect(readPinnedCharter(dir())).toBeUndefined();
    const charter = under([8]);
    serve(canonicalJson(charter), charterDigest(charter));
    await signPinnedCharter(dir(), charterDigest(charter));
    expect(readPinnedCharter(dir())).toBeDefined();
  });

  it('refuses a charter in which it is not as it enrolled', async () => {
    const identity = initHome(dir(), settings(), systemRng(), nodePrimitives);
    const others: Charter[] = [
      charterWith(identity, { name: 'Bass' }),
      charterWith(identity, { declaredRecords: 200 }),
      charterWith(identity, { publicKey: 'f'.repeat(64) }),
      { ...charterWith(identity), federation: 'another' },
    ];
    for (const charter of others) {
      serve(canonicalJson(charter), charterDigest(charter));
      await expect(signPinnedCharter(dir(), charterDigest(charter))).rejects.toMatchObject({
        code: 'CharterRefused',
      });
    }
    expect(readPinnedCharter(dir())).toBeUndefined();
    expect(readFileSync(join(dir(), 'identity.key'), 'utf8')).toHaveLength(65);
  });
});

describe('the client', () => {
  const seed = systemRng()(32);
  const HOUR_MS = 3_600_000;
  const client = (now: () => number = Date.now) =>
    createCoordinatorClient({
      url,
      identity: { seed, publicKey: '00' },
      rng: systemRng(),
      now,
    });

  it('hazard S20: a wrong clock decides nothing: it learns the server’s and asks once more', async () => {
    const clocks: number[] = [];
    respond = (request, response) => {
      const created = createdOf(request);
      clocks.push(created);
      if (Math.abs(created * 1000 - Date.now()) < 60_000)
        return data(response, { me: { participantId: 'a', status: 'APPROVED' } });
      response.statusCode = 401;
      response.end('{"detail":"stale"}');
    };
    const late = client(() => Date.now() - HOUR_MS);
    expect(await late.me()).toEqual({ participantId: 'a', status: 'APPROVED' });
    expect(clocks).toHaveLength(2);
    expect(clocks[1]! - clocks[0]!).toBeGreaterThan(3_590);
    // The skew is kept: the next request is right at once.
    expect(await late.me()).toBeDefined();
    expect(clocks).toHaveLength(3);
    // A request is never signed with the same nonce twice.
    const nonces = seen.map(
      (request) => /nonce="([^"]+)"/.exec(String(request.headers['signature-input']))![1],
    );
    expect(new Set(nonces).size).toBe(3);
  });

  it('a refusal that no clock explains is not tried again', async () => {
    respond = (_, response) => {
      response.statusCode = 401;
      response.end('{"detail":"who are you?"}');
    };
    expect(await client().me()).toBeUndefined();
    expect(seen).toHaveLength(1);
    // A server that keeps refusing is asked twice, not for ever.
    await expect(client(() => Date.now() - HOUR_MS).charter()).rejects.toMatchObject({ code: 'Refused' });
    expect(seen).toHaveLength(3);
  });

  it('tells a coordinator that is not there from one that says no', async () => {
    respond = (_, response) =>
      data(response, {
        signCharter: { __typename: 'InvalidInputFailure', code: 'INVALID_INPUT', message: 'no' },
      });
    await expect(client().signCharter('a', 'b')).rejects.toMatchObject({
      code: 'Refused',
      message: 'INVALID_INPUT: no',
    });
    respond = (_, response) => {
      response.statusCode = 503;
      response.end('busy');
    };
    await expect(client().charter()).rejects.toMatchObject({ code: 'Unreachable' });
    await new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await expect(client().charter()).rejects.toMatchObject({ code: 'Unreachable' });
  });

  it('refuses a model of another size, and a ticket that points elsewhere', async () => {
    respond = (_, response) => response.end(new Uint8Array(8));
    const reference = { name: 'critic', digest: 'a'.repeat(64) };
    expect(await client().models([{ ...reference, bytes: 8 }])).toEqual([expect.any(Uint8Array)]);
    await expect(client().models([{ ...reference, bytes: 9 }])).rejects.toMatchObject({
      code: 'QueryRefused',
    });
    const asked = seen.length;
    await expect(
      client().answer(
        {
          kind: 'masked-input',
          blockId: 'b',
          slot: 0,
          runId: 'r',
          roundId: 'r.0.1',
          step: 0,
          attempt: 1,
          query: {} as never,
          expected: [],
          upload: { path: '@elsewhere.example/', maxBytes: 10 },
        },
        new Uint8Array(4),
      ),
    ).rejects.toMatchObject({ code: 'QueryRefused' });
    expect(seen).toHaveLength(asked);
  });
});
