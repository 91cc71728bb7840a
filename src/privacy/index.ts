export { SHARE_VARIANCE_FLOOR } from './accountants/bridge.js';
export { bestEpsilon, epsilonOf, rdpToEpsilon } from './accountants/conversion.js';
export { INTEGER_ORDERS, MAX_ORDER, rdp } from './accountants/rdp.js';
export { type Calibration, type CalibrationRequest, calibrateNoise } from './calibration.js';
export {
  type EncodingRequest,
  eventOf,
  integerSensitivity,
  MAX_INFLATION,
  planEncoding,
} from './encoding.js';
export { PrivacyError, type PrivacyErrorCode, type QueryRefusalCode, QueryRefused } from './errors.js';
export * from './events.js';
export {
  admits,
  checkLimit,
  commit,
  costUnits,
  epsilonOfUnits,
  type FilterLimit,
  limitUnits,
  noSpending,
  type Reservation,
  reserve,
  type Spending,
  totalUnits,
  voidReservation,
} from './filter.js';
export { DiscreteGaussian, discreteGaussian, sampleDiscreteGaussian } from './noise/discreteGaussian.js';
export { addShare, dequantize, quantize } from './quantization.js';
export { checkQuery } from './queryCheck.js';
export type { Cohort, ModelReference, SumEncoding, SumQuery } from './sumQuery.js';
export { addUnits, parseUnits, rdpOfUnits, serializeUnits, unitsOfRdp } from './units.js';
export { type EpsilonViews, views } from './views.js';
