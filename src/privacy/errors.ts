/**
 * Every refusal of this room. Codes are stable: callers branch on them, never on the text.
 *
 * - `event-malformed`      JSON is not a privacy event of a known version (an accountant charges it ε = ∞)
 * - `argument-invalid`     an order, δ, rate or count outside its domain
 * - `cost-infinite`        the event costs ε = ∞ at every order of the filter
 * - `cost-invalid`         NaN, negative, subnormal or misshapen costs
 * - `spending-inconsistent` a commit above its reservation, or a reservation that was never made
 * - `calibration-impossible` no noise multiplier in range meets the target
 * - `variance-invalid`     a noise variance that is not positive, or too large for 32-bit samples
 * - `encoding-refused`     no grid and ring fit; `details` names the knobs
 * - `vector-invalid`       a vector of the wrong length, with a non-finite coordinate, off the grid, or out of the ring
 */
export type PrivacyErrorCode =
  | 'event-malformed'
  | 'argument-invalid'
  | 'cost-infinite'
  | 'cost-invalid'
  | 'spending-inconsistent'
  | 'calibration-impossible'
  | 'variance-invalid'
  | 'encoding-refused'
  | 'vector-invalid';

export type ErrorDetails = Readonly<Record<string, string | number>>;

export class PrivacyError extends Error {
  override readonly name: string = 'PrivacyError';
  constructor(
    readonly code: PrivacyErrorCode,
    message: string,
    readonly details: ErrorDetails = {},
  ) {
    super(message);
  }
}

/** Why a client will not answer a query that it received. */
export type QueryRefusalCode =
  | 'query-malformed'
  | 'cohort-below-floor'
  | 'grid-not-a-power-of-two'
  | 'grid-inflates-sensitivity'
  | 'share-variance-below-floor'
  | 'modulus-too-small';

export class QueryRefused extends Error {
  override readonly name = 'QueryRefused';
  constructor(
    readonly code: QueryRefusalCode,
    message: string,
    readonly details: ErrorDetails = {},
  ) {
    super(message);
  }
}
