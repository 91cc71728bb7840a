/** Why a member stops. Closed: every code has a test, and a caller may switch over it. */
export type RefusalCode =
  // the block's configuration against the member's own charter
  | 'InvalidConfig'
  | 'FederationMismatch'
  | 'CharterMismatch'
  | 'UnknownMember'
  | 'KeyMismatch'
  | 'NotInvited'
  | 'SurvivorFloorLowered'
  | 'ColluderFloorLowered'
  | 'CohortTooSmall'
  // set-up messages
  | 'MalformedMessage'
  | 'BadSignature'
  | 'DuplicateMember'
  | 'LowOrderKey'
  | 'KeyReused'
  | 'OwnAdvertAltered'
  | 'OwnSharesAltered'
  | 'AdvertsConflict'
  | 'SharesConflict'
  | 'TooFewShareKeys'
  // rounds
  | 'InvalidRound'
  | 'BlockMismatch'
  | 'NotExpected'
  | 'RoundReused'
  | 'SlotUsed'
  | 'SlotBurnt'
  | 'InvalidVector'
  | 'InvalidSurvivors'
  | 'TooFewSurvivors'
  | 'SurvivorsSplit'
  | 'SurvivorsConflict'
  | 'TooFewChecks'
  | 'OutOfOrder';

/** A member's (or a configuration's) refusal: nothing was sent, the state is unchanged. */
export class SecaggRefusal extends Error {
  override readonly name = 'SecaggRefusal';
  constructor(
    readonly code: RefusalCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** Why the coordinator turned one message away; the sender may be told, the round goes on. */
export type RejectReason =
  | 'Malformed'
  | 'UnknownSender'
  | 'BadSignature'
  | 'WrongSlot'
  | 'NotExpected'
  | 'WrongLength'
  | 'LowOrderKey'
  | 'KeyReused'
  | 'WrongRecipients'
  | 'WrongSurvivors'
  | 'WrongAnswer'
  | 'Conflict'
  | 'PhaseClosed';

/** Why a block or a round ended without a sum. */
export type AbortReason =
  | 'TooFewAdverts'
  | 'TooFewShareKeys'
  | 'TooFewMaskedInputs'
  | 'SurvivorsSplit'
  | 'TooFewChecks'
  | 'TooFewAnswers'
  | 'SecretNotReconstructed';
