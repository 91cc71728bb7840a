import { randomUUID } from 'node:crypto';
import { GraphQLError } from 'graphql';
import type { Logger } from 'pino';

/**
 * A bug as a client sees it: a correlation id. The log gets the kind, the place and the message: never a body, a variable
 * or a row. Prisma's messages quote the call's arguments, so only their last line is kept, which names the rule.
 */
export function reportBug(logger: Logger, error: unknown): string {
  const correlationId = randomUUID();
  const cause = error instanceof Error ? error : new Error(`a ${typeof error} was thrown`);
  const stack = (cause.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  const message = cause.name.startsWith('PrismaClient')
    ? (cause.message.trim().split('\n').at(-1) ?? '')
    : cause.message;
  const code = (cause as { readonly code?: unknown }).code;
  logger.error(
    {
      correlationId,
      error: { name: cause.name, code: typeof code === 'string' ? code : undefined, message, stack },
    },
    'a request met a bug',
  );
  return correlationId;
}

/** For yoga: what GraphQL itself says about a query passes, everything else is masked. */
export function masker(logger: Logger): (error: unknown) => Error {
  return (error) => {
    if (error instanceof GraphQLError) {
      const cause = error.originalError;
      if (cause === undefined || cause === null || isGraphQLError(cause)) return error;
      return masked(reportBug(logger, cause), error);
    }
    return masked(reportBug(logger, error));
  };
}

function masked(
  correlationId: string,
  { nodes, path }: Pick<GraphQLError, 'nodes' | 'path'> = { nodes: undefined, path: undefined },
) {
  return new GraphQLError(`Something is broken here, and it was noted: ${correlationId}.`, {
    ...(nodes === undefined ? {} : { nodes }),
    ...(path === undefined ? {} : { path }),
    extensions: { code: 'InternalError', correlationId },
  });
}

function isGraphQLError(error: Error): boolean {
  return error instanceof GraphQLError || error.name === 'GraphQLError';
}
