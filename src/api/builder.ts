import SchemaBuilder from '@pothos/core';
import PrismaPlugin from '@pothos/plugin-prisma';
import RelayPlugin from '@pothos/plugin-relay';
import ScopeAuthPlugin from '@pothos/plugin-scope-auth';
import { GraphQLError } from 'graphql';
import type { Json } from '../crypto/canonical.js';
import type PrismaTypes from '../store/generated/pothos.js';
import { getDatamodel } from '../store/generated/pothos.js';
import type { ApiContext } from './context.js';
import { type Identity, type Scopes, scopesOf } from './identity.js';
import { BYTES_SCALAR_BYTES, PAGE_ENTRIES } from './limits.js';

export const builder = new SchemaBuilder<{
  Context: ApiContext;
  PrismaTypes: PrismaTypes;
  AuthScopes: Scopes;
  DefaultFieldNullability: false;
  Scalars: {
    JSON: { Input: Exclude<Json, null>; Output: unknown };
    Bytes: { Input: Uint8Array; Output: Uint8Array };
    DateTime: { Input: Date; Output: Date };
  };
}>({
  plugins: [ScopeAuthPlugin, RelayPlugin, PrismaPlugin],
  defaultFieldNullability: false,
  scopeAuth: {
    authorizeOnSubscribe: true,
    authScopes: ({ identity }) => scopesOf(identity),
    unauthorizedError: (_parent, { identity }) => unauthorized(identity),
  },
  relay: {
    nodeQueryOptions: {
      description: 'Any object by its global id.',
      authScopes: { operator: true, approver: true, auditor: true },
    },
    nodesQueryOptions: false,
  },
  prisma: {
    client: ({ prisma }) => prisma,
    dmmf: getDatamodel(),
    maxConnectionSize: PAGE_ENTRIES,
    defaultConnectionSize: 100,
    onUnusedQuery: null,
  },
});

export type Types = typeof builder extends PothosSchemaTypes.SchemaBuilder<infer T> ? T : never;

/** Scopes that may read what concerns compliance: people by token, and the members whose records it is about. */
export const READERS = { operator: true, approver: true, auditor: true, participant: true } as const;

builder.queryType({});
builder.mutationType({});
builder.subscriptionType({});

builder.scalarType('JSON', {
  description: 'Any JSON value.',
  serialize: (value) => value,
  parseValue: (value) => value as Exclude<Json, null>,
});

builder.scalarType('Bytes', {
  description: `Base64 (RFC 4648, §4, with padding); at most ${BYTES_SCALAR_BYTES} bytes when sent to the coordinator.`,
  serialize: (value) => Buffer.from(value.buffer, value.byteOffset, value.length).toString('base64'),
  parseValue: (value) => {
    if (typeof value !== 'string') throw badInput('Bytes must be a base64 string.');
    if (value.length > Math.ceil(BYTES_SCALAR_BYTES / 3) * 4)
      throw badInput(
        `Bytes are limited to ${BYTES_SCALAR_BYTES} bytes: send more by PUT, on the task’s ticket.`,
      );
    const bytes = Buffer.from(value, 'base64');
    // Node decodes leniently; one value has one spelling here.
    if (bytes.toString('base64') !== value) throw badInput('Bytes must be canonical base64 with padding.');
    return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  },
});

builder.scalarType('DateTime', {
  description: 'RFC 3339, UTC, milliseconds.',
  serialize: (value) => value.toISOString(),
  parseValue: (value) => {
    const date = new Date(typeof value === 'string' ? value : Number.NaN);
    if (Number.isNaN(date.getTime())) throw badInput('DateTime must be an RFC 3339 string.');
    return date;
  },
});

function badInput(message: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code: 'BAD_USER_INPUT' } });
}

/** Tells a caller about itself only: its own key's standing, never another's. */
function unauthorized(identity: Identity): GraphQLError {
  const [code, message] = ((): [string, string] => {
    switch (identity.kind) {
      case 'anonymous':
        return ['Unauthenticated', 'Sign the request with your identity key, or send an access token.'];
      case 'token':
        return ['Forbidden', `The role ${identity.token.role} may not do this.`];
      case 'key':
        switch (identity.participant?.status) {
          case undefined:
            return ['NotEnrolled', 'This key is not enrolled: enrol first.'];
          case 'pending':
            return ['NotApproved', 'This key is enrolled and waits for the operator’s approval.'];
          case 'revoked':
            return ['KeyRevoked', 'This key was revoked: enrol with a new key.'];
          case 'approved':
            return ['Forbidden', 'Participants may not do this.'];
        }
    }
  })();
  return new GraphQLError(message, { extensions: { code } });
}
