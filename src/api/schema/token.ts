import { FederationError } from '../../federation/errors.js';
import type { Role } from '../../federation/ports.js';
import { builder } from '../builder.js';
import { IDEMPOTENCY_KEY, mutation } from '../mutation.js';
import { RoleEnum } from './enums.js';

interface Token {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  readonly createdAt: Date;
  readonly revokedAt: Date | null;
}

const AccessToken = builder.objectRef<Token>('AccessToken').implement({
  fields: (t) => ({
    tokenId: t.exposeString('id'),
    name: t.exposeString('name'),
    role: t.expose('role', { type: RoleEnum }),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
    revokedAt: t.expose('revokedAt', { type: 'DateTime', nullable: true }),
  }),
});

interface Created {
  readonly secret: string;
  readonly token: Token;
}

const CreatedAccessToken = builder.objectRef<Created>('CreatedAccessToken').implement({
  fields: (t) => ({
    secret: t.exposeString('secret', { description: 'Shown this once: only its hash is kept.' }),
    token: t.expose('token', { type: AccessToken }),
  }),
});

const CreateAccessTokenInput = builder.inputType('CreateAccessTokenInput', {
  fields: (t) => ({
    name: t.string({ required: true }),
    role: t.field({
      type: RoleEnum,
      required: true,
      description: 'AUDITOR or APPLICATION; the others are made on the coordinator’s own machine.',
    }),
    idempotencyKey: t.string(IDEMPOTENCY_KEY),
  }),
});

/** Secrets between `execute` and `load` of one request; they are never stored. */
const fresh = new Map<string, string>();

mutation('createAccessToken', {
  description: 'A token for an auditor or an application.',
  scopes: { operator: true },
  input: CreateAccessTokenInput,
  success: CreatedAccessToken,
  successName: 'CreatedAccessToken',
  async execute({ name, role }, { service }) {
    // An operator who could make an approver would be both of the two people that a run needs.
    if (role !== 'auditor' && role !== 'application')
      throw new FederationError(
        'InvalidInput',
        `A token for the role ${role} is made on the coordinator’s own machine, not here.`,
      );
    if (name.trim().length === 0 || name.length > 120)
      throw new FederationError('InvalidInput', 'A token’s name has 1 to 120 characters.');
    const { token, record } = await service.enrolment.createToken(name, role);
    fresh.set(record.id, token);
    return record;
  },
  async load({ id }, { prisma }) {
    const secret = fresh.get(id);
    fresh.delete(id);
    if (secret === undefined)
      throw new FederationError(
        'Conflict',
        `This idempotencyKey made the token ${id} already, and its secret was shown then: revoke it and make another with a new key.`,
        { tokenId: id },
      );
    const token = await prisma.accessToken.findUniqueOrThrow({ where: { id } });
    return { secret, token: { ...token, role: token.role as Role } };
  },
});

const RevokeAccessTokenInput = builder.inputType('RevokeAccessTokenInput', {
  fields: (t) => ({ tokenId: t.string({ required: true }), idempotencyKey: t.string(IDEMPOTENCY_KEY) }),
});

mutation('revokeAccessToken', {
  description: 'Useless within a second.',
  scopes: { operator: true },
  input: RevokeAccessTokenInput,
  success: AccessToken,
  successName: 'AccessToken',
  async execute({ tokenId }, { service }) {
    await service.enrolment.revokeToken(tokenId);
    return { id: tokenId };
  },
  async load({ id }, { prisma }) {
    const token = await prisma.accessToken.findUniqueOrThrow({ where: { id } });
    return { ...token, role: token.role as Role };
  },
});
