import type { LedgerStatus } from '../../federation/ports.js';
import type { BudgetView } from '../../federation/service.js';
import { builder, READERS } from '../builder.js';
import { PAGE_ENTRIES } from '../limits.js';
import { query } from '../query.js';
import { LedgerStatusEnum, OrderEnum } from './enums.js';

export const LedgerEntry = builder.prismaNode('LedgerEntry', {
  description:
    'What one round costs: reserved before it opens, then committed with the noise that survived, or voided.',
  id: { field: 'roundId' },
  fields: (t) => ({
    sequence: t.exposeInt('sequence', { description: 'Gapless, from 1.' }),
    roundId: t.exposeString('roundId'),
    runId: t.exposeString('runId'),
    status: t.field({ type: LedgerStatusEnum, resolve: (e) => e.status as LedgerStatus }),
    reservedEvent: t.expose('reservedEvent', {
      type: 'JSON',
      description: 'The privacy event, canonical JSON.',
    }),
    reservedUnits: t.exposeStringList('reservedUnits', {
      description: 'Units of 2^-40 Rényi divergence at each order, decimal.',
    }),
    committedEvent: t.expose('committedEvent', { type: 'JSON', nullable: true }),
    committedUnits: t.exposeStringList('committedUnits', { description: 'Empty until committed.' }),
    epsilonAfter: t.exposeFloat('epsilonAfter', {
      nullable: true,
      description: 'ε of all that was spent up to and with this entry, at the charter’s δ.',
    }),
    reason: t.exposeString('reason', { nullable: true, description: 'Why it was voided.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
    settledAt: t.expose('settledAt', { type: 'DateTime', nullable: true }),
  }),
});

builder.queryField('ledger', (t) =>
  t.prismaConnection(
    {
      description: 'Every entry ever made; entries are settled once and never removed.',
      authScopes: READERS,
      type: LedgerEntry,
      cursor: 'sequence',
      args: {
        run: t.arg.string({ description: 'Only this run’s.' }),
        order: t.arg({ type: OrderEnum, required: true, defaultValue: 'asc' }),
      },
      totalCount: (_root, { run }, { prisma }) =>
        prisma.ledgerEntry.count({ where: typeof run === 'string' ? { runId: run } : {} }),
      resolve: (select, _root, { run, order }, { prisma }) =>
        prisma.ledgerEntry.findMany({
          ...select,
          where: typeof run === 'string' ? { runId: run } : {},
          orderBy: { sequence: order },
        }),
    },
    { name: 'LedgerEntryConnection' },
    { name: 'LedgerEntryEdge' },
  ),
);

interface Spend {
  readonly sequence: number;
  readonly roundId: string;
  readonly runId: string;
  readonly step: number;
  readonly contributors: number;
  readonly epsilonAfter: number | null;
  readonly settledAt: Date | null;
}

const BudgetSpend = builder.objectRef<Spend>('BudgetSpend').implement({
  description: 'One committed round.',
  fields: (t) => ({
    sequence: t.exposeInt('sequence'),
    roundId: t.exposeString('roundId'),
    runId: t.exposeString('runId'),
    step: t.exposeInt('step'),
    contributors: t.exposeInt('contributors', { description: '|U₂|: whose noise survived.' }),
    epsilonAfter: t.exposeFloat('epsilonAfter', { nullable: true }),
    settledAt: t.expose('settledAt', { type: 'DateTime', nullable: true }),
  }),
});

const PrivacyBudget = builder.objectRef<BudgetView>('PrivacyBudget').implement({
  description:
    'The limit and what is gone of it, at the charter’s δ, against the coordinator and maxColluders together.',
  fields: (t) => ({
    charterDigest: t.exposeString('charterDigest'),
    epsilonLimit: t.exposeFloat('epsilonLimit'),
    epsilonSpent: t.exposeFloat('epsilonSpent'),
    epsilonReserved: t.exposeFloat('epsilonReserved', {
      description: 'If everything reserved were spent too.',
    }),
    epsilonRemaining: t.exposeFloat('epsilonRemaining'),
    delta: t.exposeFloat('delta'),
    orders: t.expose('orders', {
      type: ['Float'],
      description: 'Rényi orders at which the limit is enforced; 1 is Gaussian DP.',
    }),
    accountant: t.exposeInt('accountant', {
      description: 'Which reckoning of costs the units come from: whoever recomputes them needs the same.',
    }),
    limitUnits: t.expose('limitUnits', {
      type: ['String'],
      description: 'Exact: units of 2^-40 at each order, decimal.',
    }),
    spentUnits: t.expose('spentUnits', { type: ['String'] }),
    reservedUnits: t.expose('reservedUnits', { type: ['String'] }),
    history: t.field({
      type: [BudgetSpend],
      description: `Committed rounds in order; at most ${PAGE_ENTRIES} a request.`,
      args: {
        first: t.arg.int({ required: true, defaultValue: PAGE_ENTRIES }),
        afterSequence: t.arg.int({ required: true, defaultValue: 0 }),
      },
      async resolve(_budget, { first, afterSequence }, { prisma }): Promise<Spend[]> {
        const entries = await prisma.ledgerEntry.findMany({
          where: { status: 'committed', sequence: { gt: afterSequence } },
          orderBy: { sequence: 'asc' },
          take: Math.min(Math.max(first, 0), PAGE_ENTRIES),
          select: {
            sequence: true,
            roundId: true,
            runId: true,
            epsilonAfter: true,
            settledAt: true,
            round: { select: { step: true, survivors: true } },
          },
        });
        return entries.map(({ round, ...entry }) => ({
          ...entry,
          step: round.step,
          contributors: Array.isArray(round.survivors) ? round.survivors.length : 0,
        }));
      },
    }),
  }),
});

query('privacyBudget', {
  description: 'The federation’s budget under the active charter.',
  scopes: READERS,
  success: PrivacyBudget,
  successName: 'PrivacyBudget',
  args: {},
  resolve: (_args, { service }) => service.compliance.budget(),
});
