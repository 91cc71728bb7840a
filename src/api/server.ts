import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { contentLength } from './body.js';
import type { ApiPorts } from './context.js';
import { handleModels, handleReleases, handleSamplesCsv } from './downloads.js';
import { createGraphqlHandler } from './graphql.js';
import { createIdentities } from './identity.js';
import { REQUEST_TIMEOUT_MS } from './limits.js';
import { reportBug } from './masking.js';
import { asProblem, Problem, sendProblem } from './problem.js';
import { handleUpload } from './uploads.js';

export interface ServerOptions extends Omit<ApiPorts, 'identities'> {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** How clients reach the coordinator, where a proxy stands before it. */
  readonly publicUrl?: string;
  /** Serves the GraphiQL page at /graphql. */
  readonly graphiql?: boolean;
}

export interface ApiServer {
  /** Without a slash at its end; GraphQL is at `${url}/graphql`. */
  readonly url: string;
  /** Ends subscriptions, finishes the requests under way, closes the port. */
  close(): Promise<void>;
}

/** Requests under way have this long when the server closes. */
const CLOSE_GRACE_MS = 2_000;
const DRAINED_BYTES = 8 * 1024 * 1024;

/** The coordinator's HTTP side. Rejects with the system's error (EADDRINUSE, EACCES) when it cannot listen. */
export async function createServer(options: ServerOptions): Promise<ApiServer> {
  const { host, port, publicUrl, graphiql = false, service, prisma, store, clock, logger } = options;
  const identities = createIdentities(service.enrolment, clock);
  const ports: ApiPorts = { service, prisma, store, clock, logger, identities };
  const closing = new AbortController();
  const graphql = createGraphqlHandler(ports, { graphiql, closing: closing.signal });

  async function route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = targetOf(request);
    if (url.pathname === '/graphql') return graphql(request, response, url);
    if (url.pathname.startsWith('/uploads/')) return handleUpload(request, response, url, ports);
    if (url.pathname.startsWith('/models/')) return handleModels(request, response, url, ports);
    if (url.pathname.startsWith('/releases/')) return handleReleases(request, response, url, ports);
    if (url.pathname.startsWith('/samples/')) return handleSamplesCsv(request, response, url, ports);
    if (url.pathname === '/health') {
      response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-store' });
      response.end('{"status":"ok"}');
      return;
    }
    throw new Problem(404, 'NotFound', 'There is nothing here; GraphQL is at /graphql.');
  }

  const server = createHttpServer({ requestTimeout: REQUEST_TIMEOUT_MS }, (request, response) => {
    route(request, response).catch((error: unknown) => {
      // The client has gone: nobody is left to tell.
      if (response.destroyed || request.socket.destroyed) return;
      const problem =
        asProblem(error) ??
        new Problem(
          500,
          'InternalError',
          `Something is broken here, and it was noted: ${reportBug(logger, error)}.`,
        );
      // What is left of a small refused body is drained, so that the sender gets to read the answer; a large one is cut.
      if (!request.complete && !((contentLength(request) ?? Number.POSITIVE_INFINITY) <= DRAINED_BYTES))
        response.setHeader('connection', 'close');
      request.resume();
      sendProblem(response, problem);
    });
  });
  // Long-lived connections: a participant sends a request every few milliseconds, or none for minutes.
  server.keepAliveTimeout = 65_000;

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const { address, port: bound, family } = server.address() as AddressInfo;
  const url =
    publicUrl?.replace(/\/+$/, '') ?? `http://${family === 'IPv6' ? `[${address}]` : address}:${bound}`;
  logger.info({ url }, 'listening');

  return {
    url,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      closing.abort();
      server.closeIdleConnections();
      const hurry = setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS);
      await closed;
      clearTimeout(hurry);
    },
  };
}

/** Path and query of a request. Only the origin form (RFC 9112, §3.2.1) is served: "//host/…" would name another host. */
function targetOf(request: IncomingMessage): URL {
  const target = request.url ?? '';
  if (!target.startsWith('/') || target.startsWith('//'))
    throw new Problem(400, 'InvalidTarget', 'The request target must be a path.');
  try {
    return new URL(target, 'http://coordinator');
  } catch {
    throw new Problem(400, 'InvalidTarget', 'The request target is not a URL.');
  }
}
