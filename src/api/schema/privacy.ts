import type { BudgetStatement, RefusalRecord } from '../../federation/ports.js';
import type { RunPreview } from '../../federation/service.js';
import type { PrivacyInterval } from '../../privacy/accountants/pld/interval.js';
import type { CurvePoint, ObserverView } from '../../privacy/observerViews.js';
import { builder } from '../builder.js';
import { ObserverEnum } from './enums.js';

/** JSON has no infinity. */
export const finite = (epsilon: number): number | null => (Number.isFinite(epsilon) ? epsilon : null);

export const PrivacyIntervalRef = builder.objectRef<PrivacyInterval>('PrivacyInterval').implement({
  description: 'The true figure lies in it: no smaller ε than `lower` holds, `upper` holds.',
  fields: (t) => ({
    lower: t.exposeFloat('lower'),
    upper: t.float({
      nullable: true,
      description: 'Null: nothing bounds it.',
      resolve: ({ upper }) => finite(upper),
    }),
  }),
});

const CurvePointRef = builder.objectRef<CurvePoint>('PrivacyCurvePoint').implement({
  description: 'The smallest δ at which this ε holds lies between the two.',
  fields: (t) => ({
    epsilon: t.exposeFloat('epsilon'),
    deltaLower: t.exposeFloat('deltaLower'),
    deltaUpper: t.exposeFloat('deltaUpper'),
  }),
});

export const ObserverViewRef = builder.objectRef<ObserverView>('ObserverView').implement({
  description: 'ε of a release against one observer, at the charter’s δ.',
  fields: (t) => ({
    observer: t.expose('observer', { type: ObserverEnum }),
    epsilon: t.float({
      nullable: true,
      description: 'As the filter charges it: comparable with the limit. Null: nothing protects.',
      resolve: (view) => finite(view.epsilon),
    }),
    interval: t.field({
      type: PrivacyIntervalRef,
      description: 'By the tight accountants.',
      resolve: ({ interval }) => interval,
    }),
    curve: t.field({
      type: [CurvePointRef],
      description: 'δ over ε, some twenty points by rising ε; empty where nothing protects.',
      resolve: ({ curve }) => curve,
    }),
  }),
});

const BudgetStatementRef = builder.objectRef<BudgetStatement>('BudgetStatement').implement({
  description: 'What one side’s own record says of the budget.',
  fields: (t) => ({
    epsilonSpent: t.exposeFloat('epsilonSpent'),
    epsilonAsked: t.exposeFloat('epsilonAsked', { description: 'With the sum that was asked.' }),
    epsilonLimit: t.exposeFloat('epsilonLimit'),
  }),
});

export const RefusalRef = builder.objectRef<RefusalRecord>('BudgetRefusal').implement({
  description:
    'A member refused a round that the coordinator’s ledger had room for. The refusal stands; both figures are shown.',
  fields: (t) => ({
    roundId: t.exposeString('roundId'),
    participantId: t.exposeString('participantId'),
    reason: t.exposeString('reason', { description: 'In the member’s words.' }),
    participant: t.field({ type: BudgetStatementRef, resolve: ({ participant }) => participant }),
    coordinator: t.field({ type: BudgetStatementRef, resolve: ({ coordinator }) => coordinator }),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
  }),
});

export const PreviewTargetRef = builder.objectRef<RunPreview['target']>('RunPreviewTarget').implement({
  description: 'What would meet the target, everything else as asked.',
  fields: (t) => ({
    epsilon: t.exposeFloat('epsilon', { nullable: true, description: 'Null: what remains of the budget.' }),
    noiseMultiplier: t.exposeFloat('noiseMultiplier', {
      nullable: true,
      description: 'The smallest, four digits; null where no noise that the ring can hold is enough.',
    }),
    steps: t.float({
      description: 'The most rounds with the noise that was asked; a whole number.',
      resolve: ({ steps }) => steps,
    }),
  }),
});
