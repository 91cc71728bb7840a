import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { contentLength, readBody } from './body.js';
import type { ApiPorts } from './context.js';
import { scopesOf } from './identity.js';
import { participantOf } from './participantOf.js';
import { Problem } from './problem.js';

/**
 * PUT on a ticket's path: what is too large for a mutation. Signature, ticket and length are checked before the body is
 * read, its digest (RFC 9530) before the protocol sees it. 204 when the message is durable; an identical repeat too.
 */
export async function handleUpload(
  request: IncomingMessage,
  response: ServerResponse,
  url: URL,
  { service, identities }: ApiPorts,
): Promise<void> {
  if (request.method !== 'PUT') throw new Problem(405, 'MethodNotAllowed', 'Uploads are PUT.');
  const length = contentLength(request);
  if (length === undefined)
    throw new Problem(411, 'LengthRequired', 'Send Content-Length: uploads are not chunked.');
  if (length === 0) throw new Problem(400, 'EmptyBody', 'There is nothing in the body.');
  const { identity, contentDigest } = await identities.identifyHead({
    method: request.method,
    url,
    headers: request.headers,
  });
  if (!scopesOf(identity).participant)
    throw new Problem(403, 'NotApproved', 'This key may not upload: it is not enrolled and approved.');
  const participantId = participantOf(identity);
  const { maxBytes, ...address } = service.exchange.upload(participantId, url.pathname);
  const body = await readBody(request, maxBytes);
  if (contentDigest === undefined || !createHash('sha256').update(body).digest().equals(contentDigest))
    throw new Problem(
      400,
      'DigestMismatch',
      'The body is not the one that Content-Digest names: send it again.',
    );
  await service.exchange.submit(participantId, address, body);
  response.writeHead(204).end();
}
