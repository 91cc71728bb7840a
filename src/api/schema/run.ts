import type { RoundPhase, RunStatus } from '../../federation/ports.js';
import type { Compliance, RunPreview } from '../../federation/service.js';
import { builder, READERS } from '../builder.js';
import type { ApiContext } from '../context.js';
import { attempt, Failure } from '../failures.js';
import type { Reference } from '../idempotency.js';
import { IDEMPOTENCY_KEY, mutation } from '../mutation.js';
import { tokenOf } from '../participantOf.js';
import { query } from '../query.js';
import { Charter } from './charter.js';
import { RoundPhaseEnum, RunStatusEnum } from './enums.js';
import { finite, ObserverViewRef, PreviewTargetRef, PrivacyIntervalRef, RefusalRef } from './privacy.js';
import { ReleaseGate } from './quality.js';

type EpsilonViews = Awaited<ReturnType<Compliance['views']>>;

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
    order: t.int({
      nullable: true,
      description:
        'The Rényi order in force at the federation (1: Gaussian DP), which a member’s first charge takes; null before the first reservation among several, when the plan says it.',
      resolve: async (_run, _args, { service }) => (await service.compliance.budget()).order,
    }),
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
    observerViews: t.field({
      type: [ObserverViewRef],
      authScopes: READERS,
      description:
        'ε of what the run really spent, by who looks, the headline first; empty while nothing was spent.',
      resolve: ({ id }, _args, { service }) => service.compliance.observerViews(id),
    }),
    gates: t.field({
      type: [ReleaseGate],
      authScopes: READERS,
      description: 'What the charter asks of the release, and what was found; empty where it asks nothing.',
      resolve: ({ id }, _args, { service }) => service.quality.gates(id),
    }),
    refusals: t.field({
      type: [RefusalRef],
      authScopes: READERS,
      description: 'Members’ refusals over their own budgets, oldest first, with the figures of both sides.',
      resolve: ({ id }, _args, { service }) => service.compliance.refusals(id),
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

const RunPreviewRef = builder.objectRef<RunPreview>('RunPreview').implement({
  description:
    'What a run would cost, before anything is spent: worst case, at the charter’s δ, against the coordinator and maxColluders.',
  fields: (t) => ({
    epsilon: t.float({
      nullable: true,
      description: 'Of this run alone, as the filter charges it; null when nothing bounds it.',
      resolve: (preview) => finite(preview.epsilon),
    }),
    interval: t.field({
      type: PrivacyIntervalRef,
      description: 'Of this run alone, by the tight accountants.',
      resolve: ({ interval }) => interval,
    }),
    epsilonAfter: t.float({
      nullable: true,
      description: 'Of all that was spent and reserved, and this run.',
      resolve: (preview) => finite(preview.epsilonAfter),
    }),
    epsilonLimit: t.exposeFloat('epsilonLimit'),
    delta: t.exposeFloat('delta'),
    orders: t.expose('orders', {
      type: ['Float'],
      description:
        'Where it would be enforced: the one order that this plan fixes, if it is the first to ask.',
    }),
    steps: t.exposeInt('steps'),
    fits: t.exposeBoolean('fits', { description: 'What remains of the budget covers it.' }),
    remainingSteps: t.float({
      description:
        'Rounds with this noise that what remains covers; a whole number, of more than 32 bits if need be.',
      resolve: (preview) => preview.remainingSteps,
    }),
    planDigest: t.exposeString('planDigest'),
    target: t.field({ type: PreviewTargetRef, resolve: ({ target }) => target }),
  }),
});

query('previewRun', {
  description: 'What a run would cost.',
  scopes: { operator: true, approver: true },
  success: RunPreviewRef,
  successName: 'RunPreview',
  args: builder.args((t) => ({
    synthesizer: t.string({ required: true }),
    options: t.field({ type: 'JSON', required: true }),
    targetEpsilon: t.float({
      description: 'ε that the run alone shall cost; left out: what remains of the budget.',
    }),
  })),
  resolve: ({ synthesizer, options, targetEpsilon }, { service }) =>
    service.compliance.preview({
      synthesizer,
      options,
      ...(typeof targetEpsilon === 'number' && { targetEpsilon }),
    }),
});
