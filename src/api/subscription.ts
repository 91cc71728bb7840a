import { GraphQLError } from 'graphql';
import { FederationError } from '../federation/errors.js';
import type { ApiContext } from './context.js';
import { type Scopes, scopesOf } from './identity.js';

/**
 * A subscription that lasts while the client is there and the caller still has the scope: it is asked again before each
 * event, so that a revoked key hears nothing more. Expected failures end it with their code.
 */
export async function* whileIn<T>(
  { identity, identities, signal }: ApiContext,
  scope: keyof Scopes | undefined,
  open: (signal: AbortSignal) => AsyncIterable<T>,
): AsyncGenerator<T> {
  try {
    for await (const event of open(signal)) {
      if (scope !== undefined && !scopesOf(await identities.refresh(identity))[scope])
        throw new FederationError('KeyRevoked', 'This key may not follow any longer.');
      yield event;
    }
  } catch (error) {
    if (error instanceof FederationError)
      throw new GraphQLError(error.message, { extensions: { code: error.code, details: error.details } });
    throw error;
  }
}
