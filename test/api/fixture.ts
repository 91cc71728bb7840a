import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bytesToHex } from '@noble/hashes/utils.js';
import pino from 'pino';
import { type ApiServer, createServer } from '../../src/api/server.js';
import type { Json } from '../../src/crypto/canonical.js';
import { signRequest } from '../../src/crypto/httpSignature.js';
import { nodePrimitives } from '../../src/crypto/nodePrimitives.js';
import { systemRng } from '../../src/crypto/rng.js';
import { charterStatement, enrolmentStatement } from '../../src/federation/charter.js';
import { createCompliance } from '../../src/federation/compliance.js';
import { createEnrolment } from '../../src/federation/enrolment.js';
import { FederationError } from '../../src/federation/errors.js';
import { createDesk, type Desk } from '../../src/federation/exchange.js';
import type { Blobs, Clock, Role, Store } from '../../src/federation/ports.js';
import { createQuality } from '../../src/federation/quality.js';
import { createRuns } from '../../src/federation/runs.js';
import type { CharterInput, CoordinatorService, Samples } from '../../src/federation/service.js';
import { type OpenedStore, openStore } from '../../src/store/index.js';
import { emptyPGlite } from '../store/emptyPGlite.js';

/**
 * A coordinator without its driver: real HTTP server, store, enrolment, runs, compliance and desk. What the driver
 * would do (ask for messages, absorb sums) the tests do by hand; samples are rows that show how they were asked for.
 */
export interface Bench {
  readonly server: ApiServer;
  readonly opened: OpenedStore;
  /** What a driver would have kept. */
  readonly blobs: Blobs;
  readonly desk: Desk;
  readonly service: CoordinatorService;
  readonly log: string[];
  readonly clock: Clock & { offsetMs: number };
  token(role: Role): Promise<string>;
  close(): Promise<void>;
}

export const FEDERATION = 'test-federation';
export const rng = systemRng();
export const MODEL = Uint8Array.from({ length: 1000 }, (_, i) => i % 251);

/** What every released run of these tests published. */
export const RELEASE = Uint8Array.from({ length: 500 }, (_, i) => (7 * i) % 253);

export const SCHEMA: Json = {
  fields: [
    { name: 'species', type: 'string', constraints: { enum: ['bat', 'gull, herring'], required: true } },
    { name: 'speed', type: 'integer', constraints: { minimum: 0, maximum: 400 } },
  ],
};

function memoryBlobs(): Blobs {
  const kept = new Map<string, Uint8Array>();
  return {
    async put(bytes) {
      const digest = bytesToHex(nodePrimitives.sha256(bytes));
      kept.set(digest, bytes);
      return digest;
    },
    get: async (digest) => kept.get(digest),
    delete: async (digest) => void kept.delete(digest),
  };
}

export async function openBench(
  change: (service: CoordinatorService) => CoordinatorService = (s) => s,
): Promise<Bench> {
  const directory = mkdtempSync(join(tmpdir(), 'chorale-api-'));
  await emptyPGlite(directory);
  const opened = await openStore({ directory });
  const { store, prisma, bus } = opened;
  const clock = {
    offsetMs: 0,
    now: () => Date.now() + clock.offsetMs,
    sleep: (ms: number, signal?: AbortSignal) =>
      new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        const stop = () => {
          clearTimeout(timer);
          resolve();
        };
        if (signal?.aborted) stop();
        else signal?.addEventListener('abort', stop, { once: true });
      }),
  };
  const desk = createDesk({ clock, rng });
  const compliance = createCompliance(store);
  const blobs = memoryBlobs();
  const service = change({
    enrolment: createEnrolment({ federation: FEDERATION, store, bus, rng, primitives: nodePrimitives }),
    runs: createRuns({ store, bus, rng, start: () => {}, stop: async () => {} }),
    exchange: desk,
    compliance,
    quality: createQuality(store, blobs, compliance),
    samples: tellingSamples(store),
  });
  const log: string[] = [];
  const logger = pino({ level: 'debug' }, { write: (line: string) => void log.push(line) });
  const server = await createServer({ service, prisma, store, clock, logger, host: '127.0.0.1', port: 0 });
  return {
    server,
    opened,
    blobs,
    desk,
    service,
    log,
    clock,
    token: async (role) => (await service.enrolment.createToken(`a ${role}`, role)).token,
    async close() {
      await server.close();
      await opened.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function tellingSamples(store: Store): Samples {
  return {
    async release(runId) {
      const run = await store.transaction((tx) => tx.run(runId));
      if (run?.releaseDigest == null)
        throw new FederationError('ReleaseNotReady', 'Nothing is released yet.');
      return RELEASE;
    },
    async rows(runId, { seed, offset, count, where, balance }) {
      const run = await store.transaction((tx) => tx.run(runId));
      if (run === null) throw new FederationError('NotFound', `There is no run ${runId}.`);
      if (run.releaseDigest === null)
        throw new FederationError('ReleaseNotReady', 'Nothing is released yet.');
      const told = JSON.stringify({ where, balance });
      return (async function* () {
        for (let i = offset; i < offset + count; i++)
          yield {
            species: told !== '{}' ? told : i % 2 === 0 ? 'bat' : 'gull, herring',
            speed: i % 10 === 9 ? null : (i + seed.length) % 400,
          };
      })();
    },
  };
}

export type Caller = { readonly seed: Uint8Array } | { readonly token: string } | undefined;

export interface Member {
  readonly seed: Uint8Array;
  readonly publicKey: string;
  readonly name: string;
  /** Known once enrolled. */
  readonly id: string;
}

export const newKey = (): { readonly seed: Uint8Array; readonly publicKey: string } => {
  const seed = rng(32);
  return { seed, publicKey: bytesToHex(nodePrimitives.ed25519PublicKey(seed)) };
};

export const newNonce = (): string => bytesToHex(rng(12));

export function identityHeaders(
  caller: Caller,
  request: { readonly method: string; readonly url: string; readonly body?: Uint8Array },
  created = Math.floor(Date.now() / 1000),
): Record<string, string> {
  if (caller === undefined) return {};
  if ('token' in caller) return { authorization: `Bearer ${caller.token}` };
  return signRequest(request, caller.seed, { created, nonce: newNonce() });
}

export async function post(
  { url }: { readonly url: string },
  caller: Caller,
  payload: unknown,
  headers: Record<string, string> = {},
): Promise<Response> {
  const target = `${url}/graphql`;
  const body = new TextEncoder().encode(typeof payload === 'string' ? payload : JSON.stringify(payload));
  return fetch(target, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...identityHeaders(caller, { method: 'POST', url: target, body }),
      ...headers,
    },
    body,
  });
}

export interface GraphqlAnswer {
  // biome-ignore lint/suspicious/noExplicitAny: the tests read answers of many shapes and assert each.
  readonly data?: any;
  readonly errors?: readonly { readonly message: string; readonly extensions?: Record<string, unknown> }[];
}

export async function gql(
  server: { readonly url: string },
  caller: Caller,
  query: string,
  variables: Record<string, unknown> = {},
): Promise<GraphqlAnswer> {
  return (await (await post(server, caller, { query, variables })).json()) as GraphqlAnswer;
}

/** The one field of a mutation's answer. */
export async function mutate(
  server: { readonly url: string },
  caller: Caller,
  name: string,
  input: Record<string, unknown>,
  selection: string,
  // biome-ignore lint/suspicious/noExplicitAny: as above.
): Promise<any> {
  const type = `${name.charAt(0).toUpperCase()}${name.slice(1)}Input!`;
  const query = `mutation($input: ${type}) { ${name}(input: $input) { __typename ${selection} ... on Failure { code message details } } }`;
  const answer = await gql(server, caller, query, { input });
  if (answer.errors !== undefined) throw new Error(JSON.stringify(answer.errors));
  return answer.data[name];
}

let keys = 0;
export const newIdempotencyKey = (): string => `test-key-${++keys}`;

export async function enroll(bench: Bench, name: string): Promise<Member> {
  const key = newKey();
  const statement = { federation: FEDERATION, name, publicKey: key.publicKey, declaredRecords: 1000 };
  const proof = bytesToHex(nodePrimitives.ed25519Sign(key.seed, enrolmentStatement(statement)));
  const input = { ...statement, proof, idempotencyKey: newIdempotencyKey() };
  const answer = await mutate(
    bench.server,
    key,
    'enrollParticipant',
    input,
    '... on Participant { participantId }',
  );
  if (answer.__typename !== 'Participant') throw new Error(JSON.stringify(answer));
  return { ...key, name, id: answer.participantId as string };
}

export async function enrollApproved(bench: Bench, name: string): Promise<Member> {
  const member = await enroll(bench, name);
  await bench.service.enrolment.approve(member.id);
  return member;
}

export const CHARTER: CharterInput = {
  schema: SCHEMA,
  epsilon: 3,
  delta: 1e-6,
  orders: [8],
  minSurvivors: 3,
  maxColluders: 1,
};

export const signCharter = (member: Member, digest: string): string =>
  bytesToHex(nodePrimitives.ed25519Sign(member.seed, charterStatement(digest)));

/** Four members under a charter that all have signed. */
export async function activeCharter(
  bench: Bench,
): Promise<{ readonly members: Member[]; readonly digest: string }> {
  const members: Member[] = [];
  for (const name of ['Alto', 'Bass', 'Soprano', 'Tenor']) members.push(await enrollApproved(bench, name));
  const { digest } = await bench.service.enrolment.proposeCharter(CHARTER);
  for (const member of members)
    await bench.service.enrolment.signCharter(member.id, digest, signCharter(member, digest));
  return { members, digest };
}

/** The data of the events of a text/event-stream answer. */
export async function* events(response: Response): AsyncGenerator<GraphqlAnswer> {
  let buffered = '';
  const decoder = new TextDecoder();
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    buffered += decoder.decode(chunk, { stream: true });
    for (let end = buffered.indexOf('\n\n'); end >= 0; end = buffered.indexOf('\n\n')) {
      const data = /^data: (.*)$/m.exec(buffered.slice(0, end))?.[1];
      buffered = buffered.slice(end + 2);
      if (data !== undefined && data !== '') yield JSON.parse(data) as GraphqlAnswer;
    }
  }
}

export const subscribe = (
  server: { readonly url: string },
  caller: Caller,
  query: string,
  variables: Record<string, unknown> = {},
): Promise<Response> => post(server, caller, { query, variables }, { accept: 'text/event-stream' });
