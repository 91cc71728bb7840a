import { PHASES } from '../../federation/service.js';
import { builder } from '../builder.js';

/** The wire's hyphenated names as GraphQL names: 'masked-input' is MASKED_INPUT. */
function values<const Names extends readonly string[]>(names: Names) {
  return Object.fromEntries(
    names.map((value) => [value.toUpperCase().replaceAll('-', '_'), { value }]),
  ) as Record<string, { readonly value: Names[number] }>;
}

export const ParticipantStatusEnum = builder.enumType('ParticipantStatus', {
  values: values(['pending', 'approved', 'revoked']),
});
export const CharterStatusEnum = builder.enumType('CharterStatus', {
  description: 'ACTIVE once every member has signed.',
  values: values(['proposed', 'active', 'superseded']),
});
export const RunStatusEnum = builder.enumType('RunStatus', {
  description: 'STOPPED: by the budget or by a person, with a release; ABORTED: without one.',
  values: values(['proposed', 'running', 'completed', 'stopped', 'aborted']),
});
export const RoundPhaseEnum = builder.enumType('RoundPhase', {
  values: values(['masked-input', 'unmasking', 'completed', 'aborted']),
});
export const LedgerStatusEnum = builder.enumType('LedgerStatus', {
  values: values(['reserved', 'committed', 'voided']),
});
export const PhaseEnum = builder.enumType('Phase', {
  description: 'The five messages of secure aggregation (Bonawitz et al. 2017).',
  values: values(PHASES),
});
export const RoleEnum = builder.enumType('Role', {
  values: values(['operator', 'approver', 'auditor', 'application']),
});
export const OrderEnum = builder.enumType('Order', {
  values: { OLDEST_FIRST: { value: 'asc' as const }, NEWEST_FIRST: { value: 'desc' as const } },
});
export const ObserverEnum = builder.enumType('Observer', {
  description: 'Who looks: the limit is for the coordinator with maxColluders members.',
  values: {
    COORDINATOR_WITH_COLLUDERS: { value: 'coordinatorWithColluders' as const },
    COORDINATOR_ALONE: { value: 'coordinatorAlone' as const },
    ANOTHER_MEMBER: {
      value: 'anotherMember' as const,
      description: 'It can subtract its own noise.',
    },
    PUBLIC: { value: 'public' as const },
    SECURE_AGGREGATION_BROKEN: {
      value: 'secureAggregationBroken' as const,
      description: 'If single vectors were seen: only a member’s own noise is left.',
    },
  },
});
