export {
  calibrateGaussian,
  type GaussianQuestion,
  gaussianDelta,
  gaussianEpsilon,
} from './accountants/analyticGaussian.js';
export { SHARE_VARIANCE_FLOOR } from './accountants/bridge.js';
export { bestEpsilon, epsilonOf, rdpToEpsilon } from './accountants/conversion.js';
export { discreteGaussianRenyi, sumOfDiscreteGaussians } from './accountants/discreteGaussian.js';
export { INTEGER_ORDERS, MAX_ORDER, MIN_ORDER, STANDARD_ORDERS } from './accountants/orders.js';
export { type DeltaOptions, deltaInterval } from './accountants/pld/deltaInterval.js';
export { type EpsilonOptions, epsilonInterval } from './accountants/pld/epsilonInterval.js';
export type { PrivacyInterval } from './accountants/pld/interval.js';
export { type CurveOptions, type PrivacyPoint, privacyCurve } from './accountants/pld/privacyCurve.js';
export { rdp } from './accountants/rdp.js';
export { epsilonToRho, rhoToEpsilon, rhoToSigma, splitRho, zcdp } from './accountants/zcdp.js';
export {
  type Calibration,
  type CalibrationRequest,
  calibrateNoise,
  type NoiseRequest,
  noiseFor,
  type StepsRequest,
  stepsFor,
} from './calibration.js';
export { type DeltaBounds, deltaBounds } from './deltaBounds.js';
export {
  type EncodingRequest,
  eventOf,
  integerSensitivity,
  MAX_INFLATION,
  planEncoding,
} from './encoding.js';
export { type EpsilonBounds, epsilonBounds } from './epsilonBounds.js';
export { PrivacyError, type PrivacyErrorCode, type QueryRefusalCode, QueryRefused } from './errors.js';
export * from './events.js';
export { type Workload, workload } from './eventTree.js';
export {
  admits,
  type CommittedCost,
  checkLimit,
  commit,
  commitToPlan,
  costUnits,
  epsilonOfUnits,
  type FilterLimit,
  limitUnits,
  noSpending,
  planUnits,
  type Reservation,
  reserve,
  type Spending,
  totalUnits,
  voidReservation,
} from './filter.js';
export { describeOrders, GAUSSIAN_ORDER } from './filterOrders.js';
export { DiscreteGaussian, discreteGaussian, sampleDiscreteGaussian } from './noise/discreteGaussian.js';
export { addShare, dequantize, quantize } from './quantization.js';
export { checkQuery } from './queryCheck.js';
export { NEIGHBOURINGS, type Neighbouring, sensitivityFactor } from './relation.js';
export type { PrivacyUnit } from './statement/caveats.js';
export { roundedDown, roundedUp } from './statement/figures.js';
export {
  explain,
  type PrivacyStatement,
  type StatementRequest,
  type StatementSection,
  statement,
  statementText,
} from './statement.js';
export type { Cohort, ModelReference, SumEncoding, SumQuery } from './sumQuery.js';
export { advantage, gdpInterval, muGdp, rocCurve, tprAtFpr } from './tradeoff.js';
export { addUnits, parseUnits, rdpOfUnits, serializeUnits, unitsOfRdp } from './units.js';
export { type EpsilonViews, OBSERVERS, type Observer, views } from './views.js';
