/** Expected failures: each becomes a typed result in GraphQL and an exit code on the command line. */
export type FailureCode =
  | 'InvalidInput'
  | 'NotEnrolled'
  | 'NotApproved'
  | 'KeyRevoked'
  | 'CharterNotActive'
  | 'CharterMismatch'
  | 'NotFound'
  | 'Conflict'
  | 'IdempotencyConflict'
  | 'PhaseClosed'
  | 'MessageRejected'
  | 'BudgetExceeded'
  | 'QuorumNotReached'
  | 'ReleaseNotReady';

/** Says what was wrong and what to do. `details` holds public figures only, never a secret, vector or row. */
export class FederationError extends Error {
  override readonly name = 'FederationError';
  constructor(
    readonly code: FailureCode,
    message: string,
    readonly details: Readonly<Record<string, string | number>> = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** Errors by which the inner rooms refuse somebody's input: a schema, options, a noise that fits no grid. */
const INPUT_ERRORS = new Set(['InvalidOptions', 'InvalidTableSchema', 'PrivacyError', 'QueryRefused']);

/** Runs a check of an inner room; its refusal becomes InvalidInput, with its own words. */
export function refusingInput<T>(check: () => T): T {
  try {
    return check();
  } catch (cause) {
    if (cause instanceof Error && INPUT_ERRORS.has(cause.name))
      throw new FederationError('InvalidInput', cause.message, {}, { cause });
    throw cause;
  }
}
