import type { CharterStatus } from '../../federation/ports.js';
import { builder } from '../builder.js';
import type { ApiContext } from '../context.js';
import type { Reference } from '../idempotency.js';
import { IDEMPOTENCY_KEY, mutation } from '../mutation.js';
import { participantOf } from '../participantOf.js';
import { CharterStatusEnum } from './enums.js';

const CharterSignature = builder.prismaObject('CharterSignature', {
  fields: (t) => ({
    participantId: t.exposeString('participantId'),
    signature: t.exposeString('signature', { description: 'Ed25519, 64 bytes, lower-case hex.' }),
    signedAt: t.expose('signedAt', { type: 'DateTime' }),
  }),
});

export const Charter = builder.prismaNode('Charter', {
  description:
    'The document that all members sign. Body and signatures are enough to check it without trusting the coordinator.',
  id: { field: 'digest' },
  fields: (t) => ({
    version: t.exposeInt('version'),
    digest: t.exposeString('digest', { description: 'SHA-256 of `body`, lower-case hex: what clients pin.' }),
    body: t.exposeString('body', { description: 'RFC 8785 text.' }),
    status: t.field({ type: CharterStatusEnum, resolve: (c) => c.status as CharterStatus }),
    signatures: t.relation('signatures', {
      type: CharterSignature,
      query: { orderBy: { participantId: 'asc' } },
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
  }),
});

const load = ({ id }: Reference, { prisma }: ApiContext) =>
  prisma.charter.findUniqueOrThrow({ where: { digest: id } });

builder.queryField('charter', (t) =>
  t.prismaField({
    description:
      'The newest charter, signed by all or not yet; or the one with this digest. Null when there is none.',
    authScopes: { enrolled: true, operator: true, approver: true, auditor: true, application: true },
    type: Charter,
    nullable: true,
    args: { digest: t.arg.string() },
    resolve: (query, _root, { digest }, { prisma }) =>
      prisma.charter.findFirst({
        ...query,
        ...(typeof digest === 'string' ? { where: { digest } } : {}),
        orderBy: { version: 'desc' },
      }),
  }),
);

const ReleaseGatesInput = builder.inputType('ReleaseGatesInput', {
  description: 'What a run has to show before anything of it is given out; what is left out is not asked.',
  fields: (t) => ({
    maxEpsilon: t.float({
      description: 'Of the run’s own sums in the ledger, the upper end by the tight accountants.',
    }),
    minFidelity: t.float({
      description: '1 − mean total variation of pairs, the lower end of its interval, by a quality report.',
    }),
    maxAttackAdvantage: t.float({
      description: 'Of the membership attack, the upper end of its interval, by a quality report.',
    }),
  }),
});

const ProposeCharterInput = builder.inputType('ProposeCharterInput', {
  fields: (t) => ({
    schema: t.field({
      type: 'JSON',
      required: true,
      description: 'Table Schema (Data Package v2) with public bounds.',
    }),
    epsilon: t.float({ required: true }),
    delta: t.float({ required: true }),
    orders: t.intList({
      required: true,
      description:
        'Rényi orders (2 to 1024) at which the limit is enforced, or 1 for Gaussian DP, which admits no sum over sampled records; δ is divided by their number until the first run’s plan takes one.',
    }),
    minSurvivors: t.int({ required: true }),
    maxColluders: t.int({ required: true }),
    holdOut: t.float({
      description:
        'Share of its records that each member keeps from training, so that quality can be measured: above 0, at most 0.5. Left out: none.',
    }),
    releaseGates: t.field({ type: ReleaseGatesInput }),
    idempotencyKey: t.string(IDEMPOTENCY_KEY),
  }),
});

mutation('proposeCharter', {
  description: 'Makes the next charter version from the approved participants. Its members then sign it.',
  scopes: { operator: true },
  input: ProposeCharterInput,
  success: Charter,
  successName: 'Charter',
  async execute({ idempotencyKey: _, holdOut, releaseGates, ...input }, { service }) {
    const gates = Object.entries(releaseGates ?? {}).filter(([, wanted]) => typeof wanted === 'number');
    const proposed = await service.enrolment.proposeCharter({
      ...input,
      ...(typeof holdOut === 'number' && { holdOut }),
      ...(gates.length > 0 && { releaseGates: Object.fromEntries(gates) }),
    });
    return { id: proposed.digest };
  },
  load,
});

const SignCharterInput = builder.inputType('SignCharterInput', {
  fields: (t) => ({
    digest: t.string({ required: true }),
    signature: t.string({ required: true, description: 'Hex Ed25519 signature of the charter statement.' }),
    idempotencyKey: t.string(IDEMPOTENCY_KEY),
  }),
});

mutation('signCharter', {
  description: 'A member’s signature; the charter is active once all have signed.',
  scopes: { participant: true },
  input: SignCharterInput,
  success: Charter,
  successName: 'Charter',
  async execute({ digest, signature }, { identity, service }) {
    return { id: (await service.enrolment.signCharter(participantOf(identity), digest, signature)).digest };
  },
  load,
});
