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
  | 'ReleaseNotReady'
  | 'ReleaseGated';

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
const INPUT_ERRORS = new Set([
  'InvalidCondition',
  'InvalidOptions',
  'InvalidTableSchema',
  'PrivacyError',
  'QueryRefused',
]);

/** Runs a check of an inner room; its refusal becomes InvalidInput, with its own words. */
export function refusingInput<T>(check: () => T): T {
  try {
    return check();
  } catch (cause) {
    throw asRefusal(cause);
  }
}

/** What an inner room threw, as InvalidInput where it refuses an input. */
export function asRefusal(cause: unknown): unknown {
  return cause instanceof Error && INPUT_ERRORS.has(cause.name)
    ? new FederationError('InvalidInput', cause.message, {}, { cause })
    : cause;
}
