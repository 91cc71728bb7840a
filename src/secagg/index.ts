/** Secure aggregation: Bonawitz et al. 2017, malicious-server variant, as pure state machines (DESIGN §4). */
export {
  type BlockConfig,
  type BlockMember,
  type CharterFloors,
  MAX_MEMBERS,
  MAX_SLOTS,
  MIN_COHORT,
  PROTOCOL_VERSION,
} from './block.js';
export { abandonSlot, createMaskedInput, handleConsistency, handleSurvivors } from './client/round.js';
export { createAdvert, handleAdverts, handleShares } from './client/setup.js';
export type {
  AdvertisedMember,
  MemberIdentity,
  MemberState,
  ReadyMember,
  SharedMember,
} from './client/state.js';
export { shareThreshold } from './graph.js';
export {
  advertBytes,
  consistencyCheckBytes,
  maskedInputBytes,
  peek,
  sealedSharesBytes,
  shareKeysBytes,
  unmaskingBytes,
} from './messages.js';
export { packBits, packedBytes, unpackBits } from './packing.js';
export { type AbortReason, type RefusalCode, type RejectReason, SecaggRefusal } from './refusal.js';
export { MAX_DIMENSION, MAX_MODULUS_BITS, MIN_MODULUS_BITS, type RoundContext } from './round.js';
export type { SealedShares } from './sealing.js';
export { closeAdverts, closeShares, createBlock, receiveAdvert, receiveShares } from './server/block.js';
export {
  closeConsistency,
  closeMaskedInputs,
  openRound,
  receiveConsistency,
  receiveMaskedInput,
  receiveUnmasking,
  restoreRound,
} from './server/round.js';
export type {
  Aborted,
  AdvertisingBlock,
  BlockState,
  CheckingRound,
  CollectingRound,
  ReadyBlock,
  Received,
  RoundState,
  RunningSum,
  SharingBlock,
  UnmaskingRound,
} from './server/state.js';
export { type Unmasked, unmask } from './server/unmask.js';
export type { MessageKind } from './signing.js';
export { MalformedMessage } from './wire.js';
