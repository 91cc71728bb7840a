import type { IncomingMessage } from 'node:http';
import { Problem } from './problem.js';

/** The Content-Length, or undefined. Node has refused malformed and repeated ones already. */
export function contentLength(request: IncomingMessage): number | undefined {
  const field = request.headers['content-length'];
  return field === undefined ? undefined : Number(field);
}

/**
 * The whole body, at most `maxBytes`: refused by its Content-Length before a byte is read, or as soon as what came
 * exceeds it. Nothing is allocated for bytes that were promised but did not come.
 */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Uint8Array> {
  const tooLarge = () =>
    new Problem(413, 'BodyTooLarge', `The body may have at most ${maxBytes} bytes here.`, { maxBytes });
  if ((contentLength(request) ?? 0) > maxBytes) throw tooLarge();
  const chunks: Buffer[] = [];
  let length = 0;
  // Not destroyed when refused, so that the answer still reaches the sender.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > maxBytes) throw tooLarge();
    chunks.push(chunk);
  }
  // A plain Uint8Array: Buffer's own `slice` does not copy.
  const body = new Uint8Array(length);
  let offset = 0;
  for (const chunk of chunks) {
    body.set(chunk, offset);
    offset += chunk.length;
  }
  return body;
}
