import type { IncomingMessage, ServerResponse } from 'node:http';
import { costLimitPlugin } from '@escape.tech/graphql-armor-cost-limit';
import { maxAliasesPlugin } from '@escape.tech/graphql-armor-max-aliases';
import { maxDepthPlugin } from '@escape.tech/graphql-armor-max-depth';
import { maxDirectivesPlugin } from '@escape.tech/graphql-armor-max-directives';
import { maxTokensPlugin } from '@escape.tech/graphql-armor-max-tokens';
import { createYoga } from 'graphql-yoga';
import { readBody } from './body.js';
import type { ApiContext, ApiPorts } from './context.js';
import {
  GRAPHQL_BODY_BYTES,
  QUERY_ALIASES,
  QUERY_COST,
  QUERY_DEPTH,
  QUERY_DIRECTIVES,
  QUERY_TOKENS,
} from './limits.js';
import { masker } from './masking.js';
import { Problem } from './problem.js';
import { buildSchema } from './schema/index.js';

export type GraphqlHandler = (request: IncomingMessage, response: ServerResponse, url: URL) => Promise<void>;

/** POST (JSON) and GET /graphql; subscriptions answer as Server-Sent Events. `closing` ends them. */
export function createGraphqlHandler(
  ports: ApiPorts,
  { graphiql, closing }: { readonly graphiql: boolean; readonly closing: AbortSignal },
): GraphqlHandler {
  const yoga = createYoga<ApiContext>({
    schema: buildSchema(),
    graphiql,
    landingPage: false,
    cors: false,
    batching: false,
    multipart: false,
    logging: false,
    // The body is read, capped and parsed below.
    maxRequestBodySize: false,
    maskedErrors: { maskError: masker(ports.logger) },
    plugins: [
      maxTokensPlugin({ n: QUERY_TOKENS }),
      maxDepthPlugin({ n: QUERY_DEPTH }),
      maxAliasesPlugin({ n: QUERY_ALIASES, allowList: [] }),
      maxDirectivesPlugin({ n: QUERY_DIRECTIVES }),
      costLimitPlugin({ maxCost: QUERY_COST }),
    ],
  });

  const open = new Set<AbortController>();
  closing.addEventListener('abort', () => {
    for (const gone of open) gone.abort();
  });

  return async (request, response, url) => {
    const head = { method: request.method ?? '', url, headers: request.headers };
    let identity: ApiContext['identity'];
    if (request.method === 'POST') {
      if (!/^application\/json\s*(;|$)/i.test(request.headers['content-type'] ?? ''))
        throw new Problem(415, 'UnsupportedMediaType', 'Send application/json.');
      const body = await readBody(request, GRAPHQL_BODY_BYTES);
      identity = await ports.identities.identify({ ...head, body });
      // Yoga takes a body that was parsed already, as Express leaves it.
      Object.assign(request, { body: parseOperation(body) });
    } else {
      identity = await ports.identities.identify(head);
    }
    // A set of controllers and not AbortSignal.any: that keeps every signal ever joined to a long-lived one (Node 20).
    const gone = new AbortController();
    open.add(gone);
    response.once('close', () => {
      open.delete(gone);
      gone.abort();
    });
    if (closing.aborted) gone.abort();
    await yoga(request, response, { ...ports, identity, signal: gone.signal });
  };
}

function parseOperation(body: Uint8Array): object {
  try {
    const operation: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
    if (typeof operation === 'object' && operation !== null && 'query' in operation) return operation;
  } catch {
    // Said below.
  }
  throw new Problem(400, 'InvalidBody', 'The body must be a JSON object with a "query".');
}
