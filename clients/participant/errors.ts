import type { BudgetStatement } from '../../src/federation/ports.js';

/** What can go wrong on a participant's side, by a stable code. */
export type ParticipantErrorCode =
  | 'KeyFile'
  | 'NotInitialised'
  | 'CharterMismatch'
  | 'CharterRefused'
  | 'BudgetRefused'
  | 'QueryRefused'
  | 'SpendingDamaged'
  | 'AlreadyRunning'
  | 'Refused'
  | 'Unreachable';

/** Says what was wrong and what to do; never holds a secret, a vector or a row. */
export class ParticipantError extends Error {
  override readonly name = 'ParticipantError';
  /** With BudgetRefused: what this participant's own record says, to be shown beside the coordinator's. */
  readonly budget: BudgetStatement | undefined;
  constructor(
    readonly code: ParticipantErrorCode,
    message: string,
    options: ErrorOptions & { readonly budget?: BudgetStatement } = {},
  ) {
    super(message, options);
    this.budget = options.budget;
  }
}
