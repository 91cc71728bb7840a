export type EvaluationErrorCode =
  | 'EmptyTable'
  | 'RealRowOutsideSchema'
  | 'NoPairs'
  | 'UnknownColumn'
  | 'AuditInvalid'
  | 'AuditTooSmall'
  | 'AuditFailed';

/** What was wrong and what to do; never quotes a row (hazard S28). */
export class EvaluationError extends Error {
  override readonly name = 'EvaluationError';
  constructor(
    readonly code: EvaluationErrorCode,
    message: string,
  ) {
    super(message);
  }
}
