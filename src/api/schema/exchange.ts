import type { UnionRef } from '@pothos/core';
import type { Phase, Task, Ticket } from '../../federation/service.js';
import { builder, type Types } from '../builder.js';
import { attempt, resultUnion } from '../failures.js';
import { participantOf } from '../participantOf.js';
import { whileIn } from '../subscription.js';
import { PhaseEnum } from './enums.js';

type TaskOf<Kind extends Task['kind']> = Extract<Task, { readonly kind: Kind }>;

const UploadTicket = builder.objectRef<Ticket>('UploadTicket').implement({
  description:
    'Where an answer may be PUT, with Content-Length and Content-Digest, signed like every request.',
  fields: (t) => ({ path: t.exposeString('path'), maxBytes: t.exposeInt('maxBytes') }),
});

const AdvertiseKeysTask = builder.objectRef<TaskOf<'advertise-keys'>>('AdvertiseKeysTask').implement({
  fields: (t) => ({
    blockId: t.exposeString('blockId'),
    runId: t.exposeString('runId'),
    config: t.expose('config', { type: 'JSON' }),
    upload: t.expose('upload', { type: UploadTicket }),
  }),
});

const ShareKeysTask = builder.objectRef<TaskOf<'share-keys'>>('ShareKeysTask').implement({
  fields: (t) => ({
    blockId: t.exposeString('blockId'),
    adverts: t.expose('adverts', { type: ['Bytes'] }),
    upload: t.expose('upload', { type: UploadTicket }),
  }),
});

const ReceiveSharesTask = builder.objectRef<TaskOf<'receive-shares'>>('ReceiveSharesTask').implement({
  description:
    'No answer is wanted: who is in U₁, and the sealed shares that were dealt to this participant.',
  fields: (t) => ({
    blockId: t.exposeString('blockId'),
    bundle: t.expose('bundle', { type: 'Bytes', description: 'ShareBundle of docs/protocol.md.' }),
  }),
});

const MaskedInputTask = builder.objectRef<TaskOf<'masked-input'>>('MaskedInputTask').implement({
  fields: (t) => ({
    blockId: t.exposeString('blockId'),
    slot: t.exposeInt('slot'),
    runId: t.exposeString('runId'),
    roundId: t.exposeString('roundId'),
    step: t.exposeInt('step'),
    attempt: t.exposeInt('attempt'),
    query: t.expose('query', {
      type: 'JSON',
      description: 'SumQuery; its RFC 8785 form is in every mask key.',
    }),
    expected: t.expose('expected', { type: ['String'], description: 'U₁ʳ, participant ids.' }),
    upload: t.expose('upload', { type: UploadTicket }),
  }),
});

const ConsistencyCheckTask = builder
  .objectRef<TaskOf<'consistency-check'>>('ConsistencyCheckTask')
  .implement({
    fields: (t) => ({
      blockId: t.exposeString('blockId'),
      slot: t.exposeInt('slot'),
      survivors: t.expose('survivors', { type: ['String'], description: 'U₂, participant ids.' }),
      upload: t.expose('upload', { type: UploadTicket }),
    }),
  });

const UnmaskingTask = builder.objectRef<TaskOf<'unmasking'>>('UnmaskingTask').implement({
  fields: (t) => ({
    blockId: t.exposeString('blockId'),
    slot: t.exposeInt('slot'),
    checks: t.expose('checks', { type: ['Bytes'] }),
    upload: t.expose('upload', { type: UploadTicket }),
  }),
});

const TYPE_OF: Readonly<Record<Task['kind'], string>> = {
  'advertise-keys': 'AdvertiseKeysTask',
  'share-keys': 'ShareKeysTask',
  'receive-shares': 'ReceiveSharesTask',
  'masked-input': 'MaskedInputTask',
  'consistency-check': 'ConsistencyCheckTask',
  unmasking: 'UnmaskingTask',
};

const TaskUnion = builder.unionType('Task', {
  description:
    'What a participant is asked to do next. Sent again after a reconnect: doing one twice is harmless.',
  types: [
    AdvertiseKeysTask,
    ShareKeysTask,
    ReceiveSharesTask,
    MaskedInputTask,
    ConsistencyCheckTask,
    UnmaskingTask,
  ],
  resolveType: ({ kind }) => TYPE_OF[kind],
});

builder.subscriptionField('tasks', (t) =>
  t.field({
    description: 'First what is outstanding, then each new task. Ends when the key is revoked.',
    authScopes: { participant: true },
    type: TaskUnion,
    subscribe: (_root, _args, context) =>
      whileIn(context, 'participant', (signal) =>
        context.service.exchange.tasks(participantOf(context.identity), signal),
      ),
    resolve: (task: Task) => task,
  }),
);

interface Receipt {
  readonly blockId: string;
  readonly slot: number;
  readonly phase: Phase;
}

const MessageReceipt = builder.objectRef<Receipt>('MessageReceipt').implement({
  description: 'The message is durable. An identical repeat gets the same receipt.',
  fields: (t) => ({
    blockId: t.exposeString('blockId'),
    slot: t.exposeInt('slot'),
    phase: t.expose('phase', { type: PhaseEnum }),
  }),
});

const SubmitMessageInput = builder.inputType('SubmitMessageInput', {
  fields: (t) => ({
    blockId: t.string({ required: true }),
    slot: t.int({ required: true, description: '-1 for set-up messages.' }),
    phase: t.field({ type: PhaseEnum, required: true }),
    body: t.field({ type: 'Bytes', required: true }),
  }),
});

const SubmitMessageResult = resultUnion('SubmitMessage', MessageReceipt, 'MessageReceipt') as UnionRef<
  Types,
  object
>;

// No idempotency key: (block, slot, phase, participant) is the message's primary key, so a repeat is the same answer.
builder.mutationField('submitMessage', (t) =>
  t.field({
    description:
      'A protocol message of at most 64 KiB. PUT on the task’s ticket takes any size, and costs both sides less.',
    authScopes: { participant: true },
    type: SubmitMessageResult,
    args: { input: t.arg({ type: SubmitMessageInput, required: true }) },
    resolve: (_root, { input: { body, ...address } }, { identity, service }) =>
      attempt(async () => {
        await service.exchange.submit(participantOf(identity), address, body);
        return address;
      }),
  }),
);

const BudgetStatementInput = builder.inputType('BudgetStatementInput', {
  description: 'What the participant’s own record says, at the charter’s δ.',
  fields: (t) => ({
    epsilonSpent: t.float({ required: true }),
    epsilonAsked: t.float({ required: true, description: 'With the sum that was asked.' }),
    epsilonLimit: t.float({ required: true }),
  }),
});

const DeclineTaskInput = builder.inputType('DeclineTaskInput', {
  fields: (t) => ({
    blockId: t.string({ required: true }),
    slot: t.int({ required: true }),
    phase: t.field({ type: PhaseEnum, required: true }),
    reason: t.string({
      required: true,
      description: 'In words, for the run’s record; no figures of the data.',
    }),
    budget: t.field({
      type: BudgetStatementInput,
      description: 'When the refusal is for the budget: kept for the run, beside the coordinator’s figures.',
    }),
  }),
});

const DeclineTaskResult = resultUnion('DeclineTask', MessageReceipt, 'MessageReceipt') as UnionRef<
  Types,
  object
>;

// No idempotency key either: whoever has declined is out of the collection, and a repeat finds nothing to do.
builder.mutationField('declineTask', (t) =>
  t.field({
    description:
      'A participant’s own refusal (over its budget, keys lost, another charter): it is left out at once.',
    authScopes: { participant: true },
    type: DeclineTaskResult,
    args: { input: t.arg({ type: DeclineTaskInput, required: true }) },
    resolve: (_root, { input: { reason, budget, ...address } }, { identity, service }) =>
      attempt(async () => {
        await service.exchange.decline(participantOf(identity), address, reason, budget ?? undefined);
        return address;
      }),
  }),
);
