import { createWriteStream, renameSync, rmSync } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type ApplicationClient, createApplicationClient } from '../../../clients/application/index.js';
import { type ConnectionOptions, connectionOf } from '../connection.js';
import { CliError, EXIT } from '../exits.js';
import type { Draw } from './draw.js';

/** The coordinator's side of an application. @throws CliError where no token is given. */
export function applicationOf(options: ConnectionOptions): {
  readonly client: ApplicationClient;
  readonly url: string;
} {
  const { url, token } = connectionOf(options);
  return { client: createApplicationClient({ url, token: token ?? '' }), url };
}

/** The coordinator draws; the file appears only when it is whole. */
export async function downloadSamples(client: ApplicationClient, run: string, draw: Draw): Promise<void> {
  const { rows, seed, where, balance, out } = draw;
  const body = await client.exportCsv({
    ...{ run, rows, seed },
    ...(where !== undefined && { where }),
    ...(balance !== undefined && { balance }),
  });
  const draft = `${out}.part`;
  try {
    await pipeline(
      Readable.fromWeb(body as Parameters<typeof Readable.fromWeb>[0]),
      createWriteStream(draft),
    );
    renameSync(draft, out);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
}

/** What `fetch` throws says nothing to a person. */
export async function reaching<T>(url: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
    throw new CliError(`The coordinator at ${url} does not answer.`, EXIT.unreachable, 'Unreachable', {
      cause,
    });
  }
}
