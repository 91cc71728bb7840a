import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { CliError, EXIT } from './exits.js';

/** Where the coordinator is, and the token that says who asks. */
export interface Connection {
  readonly url: string;
  readonly token: string | undefined;
}

export interface ConnectionOptions {
  readonly url: string;
  readonly token?: string;
  readonly tokenFile?: string;
}

export function withConnection(command: Command): Command {
  return command
    .option(
      '--url <url>',
      'the coordinator (or CHORALE_URL)',
      process.env.CHORALE_URL ?? 'http://127.0.0.1:4000',
    )
    .option('--token <token>', 'access token (or CHORALE_TOKEN); a file is safer', process.env.CHORALE_TOKEN)
    .option('--token-file <file>', 'file that holds the access token');
}

export function connectionOf(options: ConnectionOptions): Connection {
  const token =
    options.tokenFile === undefined ? options.token : readFileSync(options.tokenFile, 'utf8').trim();
  return { url: options.url.replace(/\/+$/, ''), token };
}

interface Failed {
  readonly __typename: string;
  readonly code?: string;
  readonly message?: string;
}

/**
 * One GraphQL operation with one field, whose value is returned. A typed failure, an error or an unreachable coordinator becomes a
 * CliError with the exit code for it.
 */
export async function ask<T>(
  connection: Connection,
  document: string,
  variables: Record<string, unknown> = {},
): Promise<T> {
  let response: Response;
  try {
    response = await fetch(`${connection.url}/graphql`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(connection.token === undefined ? {} : { authorization: `Bearer ${connection.token}` }),
      },
      body: JSON.stringify({ query: document, variables }),
    });
  } catch (cause) {
    throw new CliError(
      `The coordinator at ${connection.url} does not answer. Is it started? Is --url right?`,
      EXIT.unreachable,
      'Unreachable',
      { cause },
    );
  }
  const body = (await response.json().catch(() => undefined)) as
    | {
        data?: Record<string, T & Partial<Failed>> | null;
        errors?: { message: string; extensions?: { code?: string } }[];
        detail?: string;
        title?: string;
        code?: string;
      }
    | undefined;
  const [error] = body?.errors ?? [];
  if (error !== undefined) {
    const code = error.extensions?.code ?? 'Refused';
    const hint = code === 'Unauthenticated' ? ' On the command line: --token-file <file>.' : '';
    throw new CliError(`${error.message}${hint}`, EXIT.refused, code);
  }
  const data = body?.data;
  if (data === undefined || data === null)
    throw new CliError(
      body?.detail ?? body?.title ?? `The coordinator answered with status ${response.status}.`,
      EXIT.refused,
      body?.code ?? 'Refused',
    );
  const value = Object.values(data)[0]!;
  if (value?.__typename?.endsWith('Failure') === true && value.code !== undefined) {
    const exitCode =
      value.code === 'BudgetExceeded'
        ? EXIT.overBudget
        : value.code === 'QuorumNotReached'
          ? EXIT.aborted
          : EXIT.refused;
    throw new CliError(value.message ?? value.code, exitCode, value.code);
  }
  return value;
}

/** The fields that every result union shares. */
export const FAILURE = '__typename ... on Failure { code message }';

export function idempotencyKey(): string {
  return randomUUID();
}

export function isJson(command: Command): boolean {
  return command.optsWithGlobals().json === true;
}

/** One JSON line, or the text for a person. */
export function print(command: Command, line: Readonly<Record<string, unknown>>, text: string): void {
  console.log(isJson(command) ? JSON.stringify(line) : text);
}
