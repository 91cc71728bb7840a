import type { Logger } from 'pino';
import type { Clock, Store } from '../federation/ports.js';
import type { CoordinatorService } from '../federation/service.js';
import type { PrismaClient } from '../store/generated/client.js';
import type { Identities, Identity } from './identity.js';

/** What the resolvers have: rules live in `service`, reads go to `prisma`. */
export interface ApiPorts {
  readonly service: CoordinatorService;
  readonly prisma: PrismaClient;
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly identities: Identities;
}

export interface ApiContext extends ApiPorts {
  readonly identity: Identity;
  /** Aborts when the client has gone or the server closes. */
  readonly signal: AbortSignal;
}
