/** Secure aggregation: Bonawitz et al. 2017, malicious-server variant, on the graph of Bell et al. 2020 (DESIGN §4). */
export { type Evidence, type EvidenceFault, EvidenceRejected, verifyEvidence } from './blame.js';
export {
  type BlockConfig,
  type BlockMember,
  type CharterFloors,
  MAX_COMPLETE_MEMBERS,
  MAX_MEMBERS,
  MAX_SLOTS,
  MIN_COHORT,
  PROTOCOL_VERSION,
} from './block.js';
export { type Durability, Outbound, type Transition } from './client/outbound.js';
export {
  abandonSlot,
  assertMayMask,
  createMaskedInput,
  handleConsistency,
  handleSurvivors,
} from './client/round.js';
export { createAdvert, handleAdverts, handleShares } from './client/setup.js';
export type {
  AdvertisedMember,
  MemberIdentity,
  MemberState,
  Party,
  ReadyMember,
  SharedMember,
} from './client/state.js';
export { type HararyPlan, hararyPlan } from './cohortPlan.js';
export { type Graph, graphKindFor, shareThreshold } from './graph.js';
export {
  advertBytes,
  CONSISTENCY_CHECK_BYTES,
  maskedInputBytes,
  peek,
  sealedSharesBytes,
  shareKeysBytes,
  unmaskingBytes,
} from './messages.js';
export { packBits, packedBytes, unpackBits } from './packing.js';
export { type AbortReason, type RefusalCode, type RejectReason, SecaggRefusal } from './refusal.js';
export { MAX_DIMENSION, MAX_MODULUS_BITS, MIN_MODULUS_BITS, type RoundContext } from './round.js';
export {
  closeAdverts,
  closeShares,
  createBlock,
  receiveAdvert,
  receiveShares,
  shareBundle,
} from './server/block.js';
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
export { type UnmaskAborted, type Unmasked, unmask } from './server/unmask.js';
export type { MessageKind } from './signing.js';
export { decodeEvidence, decodeState, encodeEvidence, encodeState, UnreadableState } from './stateCodec.js';
export { MalformedMessage } from './wire.js';
