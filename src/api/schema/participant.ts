import { FederationError } from '../../federation/errors.js';
import type { ParticipantStatus } from '../../federation/ports.js';
import { builder } from '../builder.js';
import type { ApiContext } from '../context.js';
import type { Reference } from '../idempotency.js';
import { IDEMPOTENCY_KEY, mutation } from '../mutation.js';
import { ParticipantStatusEnum } from './enums.js';

export const Participant = builder.prismaNode('Participant', {
  description: 'An organisation that holds records.',
  id: { field: 'id' },
  fields: (t) => ({
    participantId: t.exposeString('id', { description: 'The id in charters and rounds.' }),
    name: t.exposeString('name'),
    publicKey: t.exposeString('publicKey', {
      description: 'Ed25519 identity key, 32 bytes, lower-case hex.',
    }),
    declaredRecords: t.exposeInt('declaredRecords', {
      description: 'Public and rounded: an undertaking, not a measurement.',
    }),
    status: t.field({ type: ParticipantStatusEnum, resolve: (p) => p.status as ParticipantStatus }),
    enrolledAt: t.expose('enrolledAt', { type: 'DateTime' }),
  }),
});

const load = ({ id }: Reference, { prisma }: ApiContext) =>
  prisma.participant.findUniqueOrThrow({ where: { id } });

builder.queryField('me', (t) =>
  t.prismaField({
    description: 'The participant whose key signed the request.',
    authScopes: { enrolled: true },
    type: Participant,
    resolve: (query, _root, _args, { identity, prisma }) =>
      prisma.participant.findUniqueOrThrow({
        ...query,
        where: { publicKey: identity.kind === 'key' ? identity.publicKey : '' },
      }),
  }),
);

builder.queryField('participants', (t) =>
  t.prismaConnection(
    {
      description: 'All who ever enrolled, oldest first.',
      authScopes: { operator: true, approver: true, auditor: true },
      type: Participant,
      cursor: 'id',
      resolve: (query, _root, _args, { prisma }) =>
        prisma.participant.findMany({ ...query, orderBy: [{ enrolledAt: 'asc' }, { id: 'asc' }] }),
      totalCount: (_connection, _args, { prisma }) => prisma.participant.count(),
    },
    { name: 'ParticipantConnection' },
    { name: 'ParticipantEdge' },
  ),
);

const EnrollParticipantInput = builder.inputType('EnrollParticipantInput', {
  fields: (t) => ({
    federation: t.string({ required: true }),
    name: t.string({ required: true }),
    publicKey: t.string({ required: true, description: 'Must be the key that signs this request.' }),
    declaredRecords: t.int({ required: true }),
    proof: t.string({
      required: true,
      description: 'Hex Ed25519 signature of the enrolment statement: possession of the key.',
    }),
    idempotencyKey: t.string(IDEMPOTENCY_KEY),
  }),
});

mutation('enrollParticipant', {
  description: 'Asks to become a participant; an operator approves.',
  scopes: { key: true },
  input: EnrollParticipantInput,
  success: Participant,
  successName: 'Participant',
  async execute({ idempotencyKey: _, ...input }, { identity, service }) {
    if (identity.kind !== 'key' || identity.publicKey !== input.publicKey)
      throw new FederationError('InvalidInput', 'Sign the request with the key that you enrol.');
    return service.enrolment.enroll(input);
  },
  load,
});

const ParticipantInput = (name: string) =>
  builder.inputType(name, {
    fields: (t) => ({
      participantId: t.string({ required: true }),
      idempotencyKey: t.string(IDEMPOTENCY_KEY),
    }),
  });

mutation('approveParticipant', {
  description: 'Lets an enrolled key into the next charter. Compare its fingerprint out of band first.',
  scopes: { operator: true },
  input: ParticipantInput('ApproveParticipantInput'),
  success: Participant,
  successName: 'Participant',
  execute: ({ participantId }, { service }) => service.enrolment.approve(participantId),
  load,
});

mutation('revokeParticipant', {
  description: 'Makes a key useless at once, for ever.',
  scopes: { operator: true },
  input: ParticipantInput('RevokeParticipantInput'),
  success: Participant,
  successName: 'Participant',
  execute: ({ participantId }, { service }) => service.enrolment.revoke(participantId),
  load,
});
