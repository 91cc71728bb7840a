import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { stringify } from 'csv-stringify';
import { FederationError } from '../federation/errors.js';
import type { ApiPorts } from './context.js';
import { type Scopes, scopesOf } from './identity.js';
import { SAMPLE_ROWS } from './limits.js';
import { Problem } from './problem.js';
import { assertSeed, columnsOf, conditionsIn, tableSchemaOf } from './samples.js';

/** One model or several, joined by '+': a round's models in one request. */
const MODELS = /^\/models\/([0-9a-f]{64}(?:\+[0-9a-f]{64}){0,7})$/;
const RELEASE = /^\/releases\/([0-9a-f]{64})$/;
const SAMPLES = /^\/samples\/([A-Za-z0-9_-]{1,64})\.csv$/;

async function assertScope(
  request: IncomingMessage,
  url: URL,
  { identities }: ApiPorts,
  ...wanted: (keyof Scopes)[]
): Promise<void> {
  if (request.method !== 'GET') throw new Problem(405, 'MethodNotAllowed', 'This is only read: GET.');
  const identity = await identities.identify({ method: request.method, url, headers: request.headers });
  const scopes = scopesOf(identity);
  if (wanted.some((scope) => scopes[scope])) return;
  if (identity.kind === 'anonymous')
    throw new Problem(
      401,
      'Unauthenticated',
      'Sign the request with your identity key, or send an access token.',
    );
  throw new Problem(403, 'Forbidden', 'You may not read this.');
}

/**
 * GET /models/<sha-256>[+<sha-256>…]: content-addressed, hence immutable; several are one body, in the order asked for. Their
 * sizes are in the query that names them.
 */
export async function handleModels(
  request: IncomingMessage,
  response: ServerResponse,
  url: URL,
  ports: ApiPorts,
): Promise<void> {
  await assertScope(request, url, ports, 'participant', 'operator', 'approver', 'auditor', 'application');
  const digests = MODELS.exec(url.pathname)?.[1];
  const etag = `"${digests}"`;
  const cacheControl = 'private, max-age=31536000, immutable';
  if (digests !== undefined && request.headers['if-none-match'] === etag) {
    response.writeHead(304, { etag, 'cache-control': cacheControl }).end();
    return;
  }
  const models: Uint8Array[] = [];
  for (const digest of digests?.split('+') ?? []) {
    const bytes = await ports.service.exchange.model(digest);
    if (bytes !== undefined) models.push(bytes);
  }
  if (digests === undefined || models.length < digests.split('+').length)
    throw new Problem(404, 'NotFound', 'There is no model with this digest, or no longer.');
  response.writeHead(200, {
    'content-type': 'application/octet-stream',
    'content-length': models.reduce((sum, bytes) => sum + bytes.length, 0),
    'cache-control': cacheControl,
    etag,
  });
  for (const bytes of models) response.write(bytes);
  response.end();
}

/**
 * GET /releases/<sha-256>: what a run published, content-addressed, hence immutable: with the run's charter and options it gives the
 * same rows anywhere.
 */
export async function handleReleases(
  request: IncomingMessage,
  response: ServerResponse,
  url: URL,
  ports: ApiPorts,
): Promise<void> {
  await assertScope(request, url, ports, 'application');
  const digest = RELEASE.exec(url.pathname)?.[1];
  const run =
    digest === undefined
      ? null
      : await ports.prisma.run.findFirst({ where: { releaseDigest: digest }, select: { id: true } });
  if (run === null)
    throw new Problem(404, 'NotFound', 'Releases are at /releases/<sha-256>, the `releaseDigest` of a run.');
  // Asked for even if the caller has it: a release may be held back later.
  const bytes = await ports.service.samples.release(run.id);
  const etag = `"${digest}"`;
  const headers = { etag, 'cache-control': 'private, no-cache' };
  if (request.headers['if-none-match'] === etag) {
    response.writeHead(304, headers).end();
    return;
  }
  response.writeHead(200, {
    ...headers,
    'content-type': 'application/octet-stream',
    'content-length': bytes.length,
    'content-disposition': `attachment; filename="${digest}.release"`,
  });
  response.end(bytes);
}

/** GET /samples/<run>.csv?rows=&seed=&where=&balance=: RFC 4180 with a header, streamed at the reader's speed. Missing values are empty. */
export async function handleSamplesCsv(
  request: IncomingMessage,
  response: ServerResponse,
  url: URL,
  ports: ApiPorts,
): Promise<void> {
  await assertScope(request, url, ports, 'application');
  const run = SAMPLES.exec(url.pathname)?.[1];
  if (run === undefined) throw new Problem(404, 'NotFound', 'Exports are at /samples/<run>.csv.');
  const rowsText = url.searchParams.get('rows') ?? '1000';
  const rows = /^[0-9]{1,9}$/.test(rowsText) ? Number(rowsText) : Number.NaN;
  if (!(rows >= 1 && rows <= SAMPLE_ROWS))
    throw new FederationError('InvalidInput', `rows must be from 1 to ${SAMPLE_ROWS}.`, {
      limit: SAMPLE_ROWS,
    });
  const seed = url.searchParams.get('seed') ?? '0';
  assertSeed(seed);
  const conditions = conditionsIn(url.searchParams);
  const columns = columnsOf(await tableSchemaOf(ports.prisma, run));
  const source = await ports.service.samples.rows(run, { seed, offset: 0, count: rows, ...conditions });
  response.writeHead(200, {
    'content-type': 'text/csv; charset=utf-8; header=present',
    'content-disposition': `attachment; filename="${run}.csv"`,
    'cache-control': 'no-store',
  });
  const csv = stringify({ columns, header: true, cast: { boolean: String }, record_delimiter: 'windows' });
  await pipeline(Readable.from(source), csv, response);
}
