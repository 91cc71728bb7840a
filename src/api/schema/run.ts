import type { RoundPhase, RunStatus } from '../../federation/ports.js';
import type { Compliance } from '../../federation/service.js';
import { builder, READERS } from '../builder.js';
import type { ApiContext } from '../context.js';
import { attempt, Failure } from '../failures.js';
import type { Reference } from '../idempotency.js';
import { IDEMPOTENCY_KEY, mutation } from '../mutation.js';
import { tokenOf } from '../participantOf.js';
import { query } from '../query.js';
import { Charter } from './charter.js';
import { RoundPhaseEnum, RunStatusEnum } from './enums.js';

type EpsilonViews = Awaited<ReturnType<Compliance['views']>>;

/** JSON has no infinity. */
const finite = (epsilon: number): number | null => (Number.isFinite(epsilon) ? epsilon : null);

const EpsilonViewsRef = builder.objectRef<EpsilonViews>('EpsilonViews').implement({
  description:
    'ε of what a run really spent, at the charter’s δ, by who looks. The limit is for the first. Null: no bound protects against that observer.',
  fields: (t) => ({
    coordinatorWithColluders: t.float({ nullable: true, resolve: (v) => finite(v.coordinatorWithColluders) }),
    coordinatorAlone: t.float({ nullable: true, resolve: (v) => finite(v.coordinatorAlone) }),
    anotherMember: t.float({
      nullable: true,
      description: 'It can subtract its own noise.',
      resolve: (v) => finite(v.anotherMember),
    }),
    public: t.float({ nullable: true, resolve: (v) => finite(v.public) }),
    secureAggregationBroken: t.float({ nullable: true, resolve: (v) => finite(v.secureAggregationBroken) }),
  }),
});

export const Round = builder.prismaNode('Round', {
  description: 'One run of secure aggregation: it answers one sum query, or aborts and reveals nothing.',
  id: { field: 'id' },
  fields: (t) => ({
    roundId: t.exposeString('id'),
    runId: t.exposeString('runId'),
    step: t.exposeInt('step'),
    attempt: t.exposeInt('attempt'),
    phase: t.field({ type: RoundPhaseEnum, resolve: (r) => r.phase as RoundPhase }),
    query: t.expose('query', { type: 'JSON', description: 'The public question (SumQuery).' }),
    queryDigest: t.exposeString('queryDigest'),
    modelDigest: t.exposeString('modelDigest'),
    expected: t.exposeStringList('expected', { description: 'U₁ʳ: who was asked, participant ids.' }),
    contributors: t.stringList({
      nullable: true,
      description: 'U₂: whose vectors are in the sum; null until masked input closes.',
      resolve: (r) => r.survivors as string[] | null,
    }),
    dropped: t.stringList({
      nullable: true,
      description: 'Asked, and not in the sum.',
      resolve: ({ expected, survivors }) =>
        Array.isArray(survivors) ? expected.filter((id) => !survivors.includes(id)) : null,
    }),
    abortReason: t.exposeString('abortReason', { nullable: true }),
    bytesReceived: t.expose('bytesReceived', { type: 'JSON', description: 'Bytes by participant id.' }),
    timings: t.expose('timings', { type: 'JSON', description: 'Milliseconds by phase.' }),
    openedAt: t.expose('openedAt', { type: 'DateTime' }),
    closedAt: t.expose('closedAt', { type: 'DateTime', nullable: true }),
  }),
});

export const Run = builder.prismaNode('Run', {
  description: 'One training of one synthesizer, from proposal to release.',
  id: { field: 'id' },
  fields: (t) => ({
    runId: t.exposeString('id'),
    charter: t.relation('charter', { type: Charter }),
    synthesizer: t.exposeString('synthesizer'),
    options: t.expose('options', { type: 'JSON' }),
    seed: t.exposeString('seed', { description: 'Public seed of the coordinator’s own randomness, hex.' }),
    plan: t.expose('plan', {
      type: 'JSON',
      description: 'Worst-case costs, committed by hash before the start.',
    }),
    planDigest: t.exposeString('planDigest'),
    status: t.field({ type: RunStatusEnum, resolve: (r) => r.status as RunStatus }),
    proposedBy: t.exposeString('proposedBy', { authScopes: READERS }),
    approvedBy: t.exposeString('approvedBy', { nullable: true, authScopes: READERS }),
    step: t.exposeInt('step', { description: 'Sums absorbed so far.' }),
    totalSteps: t.exposeInt('totalSteps'),
    progress: t.expose('progress', { type: 'JSON', description: 'Public figures of the synthesizer.' }),
    releaseDigest: t.exposeString('releaseDigest', { nullable: true }),
    reason: t.exposeString('reason', { nullable: true, description: 'Why it stopped or was aborted.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
    finishedAt: t.expose('finishedAt', { type: 'DateTime', nullable: true }),
    epsilonViews: t.field({
      type: EpsilonViewsRef,
      nullable: true,
      authScopes: READERS,
      description: 'Null while nothing was spent.',
      async resolve({ id }, _args, { service }) {
        const views = await attempt(() => service.compliance.views(id));
        return views instanceof Failure ? null : views;
      },
    }),
  }),
});

const load = ({ id }: Reference, { prisma }: ApiContext) => prisma.run.findUniqueOrThrow({ where: { id } });

builder.queryField('run', (t) =>
  t.prismaField({
    authScopes: { ...READERS, application: true },
    type: Run,
    nullable: true,
    args: { id: t.arg.string({ required: true, description: '`runId`.' }) },
    resolve: (select, _root, { id }, { prisma }) => prisma.run.findUnique({ ...select, where: { id } }),
  }),
);

builder.queryField('runs', (t) =>
  t.prismaConnection(
    {
      description: 'Newest first.',
      authScopes: { ...READERS, application: true },
      type: Run,
      cursor: 'id',
      args: { status: t.arg({ type: RunStatusEnum }) },
      totalCount: (_root, { status }, { prisma }) => prisma.run.count({ where: status ? { status } : {} }),
      resolve: (select, _root, { status }, { prisma }) =>
        prisma.run.findMany({
          ...select,
          ...(status ? { where: { status } } : {}),
          orderBy: [{ createdAt: 'desc' }, { id: 'asc' }],
        }),
    },
    { name: 'RunConnection' },
    { name: 'RunEdge' },
  ),
);

builder.queryField('rounds', (t) =>
  t.prismaConnection(
    {
      description: 'A run’s rounds in order; an aborted attempt stands before its retry.',
      authScopes: READERS,
      type: Round,
      cursor: 'id',
      args: { run: t.arg.string({ required: true, description: '`runId`.' }) },
      totalCount: (_root, { run }, { prisma }) => prisma.round.count({ where: { runId: run } }),
      resolve: (select, _root, { run }, { prisma }) =>
        prisma.round.findMany({
          ...select,
          where: { runId: run },
          orderBy: [{ step: 'asc' }, { attempt: 'asc' }],
        }),
    },
    { name: 'RoundConnection' },
    { name: 'RoundEdge' },
  ),
);

const ProposeRunInput = builder.inputType('ProposeRunInput', {
  fields: (t) => ({
    synthesizer: t.string({ required: true, description: 'e.g. "gan"' }),
    options: t.field({ type: 'JSON', required: true }),
    idempotencyKey: t.string(IDEMPOTENCY_KEY),
  }),
});

mutation('proposeRun', {
  description: 'Plans a run under the active charter; somebody else approves it.',
  scopes: { operator: true },
  input: ProposeRunInput,
  success: Run,
  successName: 'Run',
  execute: ({ synthesizer, options }, { identity, service }) =>
    service.runs.propose({ synthesizer, options, proposedBy: tokenOf(identity) }),
  load,
});

const RunInput = (name: string) =>
  builder.inputType(name, {
    fields: (t) => ({ runId: t.string({ required: true }), idempotencyKey: t.string(IDEMPOTENCY_KEY) }),
  });

mutation('approveRun', {
  description: 'A second person’s word; the run starts.',
  scopes: { approver: true },
  input: RunInput('ApproveRunInput'),
  success: Run,
  successName: 'Run',
  execute: ({ runId }, { identity, service }) => service.runs.approve(runId, tokenOf(identity)),
  load,
});

mutation('cancelRun', {
  description: 'Stops a run; what was spent stays spent.',
  scopes: { operator: true, approver: true },
  input: RunInput('CancelRunInput'),
  success: Run,
  successName: 'Run',
  execute: ({ runId }, { identity, service }) => service.runs.cancel(runId, tokenOf(identity)),
  load,
});

interface Preview {
  readonly epsilon: number;
  readonly steps: number;
  readonly fits: boolean;
  readonly planDigest: string;
}

const RunPreview = builder.objectRef<Preview>('RunPreview').implement({
  description: 'What a run would cost, before anything is spent.',
  fields: (t) => ({
    epsilon: t.float({
      nullable: true,
      description: 'Of this run alone, worst case, at the charter’s δ; null when nothing bounds it.',
      resolve: (preview) => finite(preview.epsilon),
    }),
    steps: t.exposeInt('steps'),
    fits: t.exposeBoolean('fits', { description: 'What remains of the budget covers it.' }),
    planDigest: t.exposeString('planDigest'),
  }),
});

query('previewRun', {
  description: 'What a run would cost.',
  scopes: { operator: true, approver: true },
  success: RunPreview,
  successName: 'RunPreview',
  args: builder.args((t) => ({
    synthesizer: t.string({ required: true }),
    options: t.field({ type: 'JSON', required: true }),
  })),
  resolve: ({ synthesizer, options }, { service }) => service.compliance.preview({ synthesizer, options }),
});
