import type { InputShapeFromFields } from '@pothos/core';
import { FederationError, refusingInput } from '../../federation/errors.js';
import { readConditions } from '../../synthesis/conditions.js';
import type { SampleConditions } from '../../synthesis/synthesizer.js';
import { builder } from '../builder.js';

const RANGE = 'A number, or a date as the schema writes it. Missing values are in no range.';

const ColumnConditionInput = builder.inputType('ColumnConditionInput', {
  description: 'Which values of a column rows may have: `in`, or a range.',
  fields: (t) => ({
    column: t.string({ required: true }),
    in: t.field({
      type: t.listRef('JSON', { required: false }),
      description: 'Values as the schema writes them; null is a missing value.',
    }),
    from: t.field({ type: 'JSON', description: `At least. ${RANGE}` }),
    to: t.field({ type: 'JSON', description: `At most. ${RANGE}` }),
    above: t.field({ type: 'JSON', description: `More than. ${RANGE}` }),
    below: t.field({ type: 'JSON', description: `Less than. ${RANGE}` }),
  }),
});

const BalancedShareInput = builder.inputType('BalancedShareInput', {
  description: 'The share that rows with a value, or with one of a condition’s, shall have.',
  fields: (t) => ({
    share: t.float({ required: true, description: 'A part of 1.' }),
    value: t.field({ type: 'JSON', description: 'One value; null is a missing value.' }),
    in: t.field({ type: t.listRef('JSON', { required: false }) }),
    from: t.field({ type: 'JSON' }),
    to: t.field({ type: 'JSON' }),
    above: t.field({ type: 'JSON' }),
    below: t.field({ type: 'JSON' }),
  }),
});

export const BalanceInput = builder.inputType('BalanceInput', {
  description:
    'Other shares of one column’s values; the rest of a row keeps the model’s law. What the shares leave of 1 is for all other values.',
  fields: (t) => ({
    column: t.string({ required: true }),
    shares: t.field({ type: [BalancedShareInput], required: true }),
  }),
});

export const conditionArgs = builder.args((t) => ({
  where: t.field({
    type: [ColumnConditionInput],
    description: 'All hold, exactly. A kind that cannot do so refuses by name.',
  }),
  balance: t.field({ type: BalanceInput, description: 'Rebalanced shares of one column.' }),
}));
type ConditionArgs = InputShapeFromFields<typeof conditionArgs>;

/** @throws FederationError InvalidInput */
export function conditionsFrom({ where, balance }: ConditionArgs): SampleConditions {
  const byColumn = Object.fromEntries(
    (where ?? []).map(({ column, ...condition }) => [column, withoutNulls(condition)]),
  );
  if (Object.keys(byColumn).length < (where?.length ?? 0))
    throw new FederationError('InvalidInput', 'where names a column twice: give each one condition.');
  return refusingInput(() =>
    readConditions({
      ...(where && where.length > 0 && { where: byColumn }),
      ...(balance && {
        balance: {
          column: balance.column,
          // An explicit null is the missing value.
          shares: balance.shares.map(({ value, ...share }) => ({
            ...withoutNulls(share),
            ...(value !== undefined && { value }),
          })),
        },
      }),
    }),
  );
}

/** A bound or a list that is null is one that was left out. */
function withoutNulls(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== null && value !== undefined),
  );
}
