import { BRIDGE_VARIANCE, SHARE_VARIANCE_FLOOR } from './accountants/bridge.js';
import { PrivacyError } from './errors.js';
import {
  distributedDiscreteGaussianEvent,
  type PrivacyEvent,
  poissonSampledEvent,
  type Rational,
} from './events.js';
import { fraction, parseRational, toNumber, toRational } from './rational.js';
import type { Cohort, SumEncoding, SumQuery } from './sumQuery.js';

/** A grid may inflate the sensitivity by so much, no more (DESIGN §5; hazard P12). */
export const MAX_INFLATION = 0.01;
export const MIN_MODULUS_BITS = 8;
export const MAX_MODULUS_BITS = 32;
/** Probability that any coordinate of one round wraps: at most 2^-40. */
export const WRAP_PROBABILITY_LOG2 = -40;
/** Grids from 2^-60 to 2^60: scaling by them is exact for every float that matters. */
export const MAX_GRID_LOG2 = 60;

/** Relative error of the handful of double operations below, with room; always taken to the safe side. */
const UP = 1 + 2 ** -48;

export interface EncodingRequest {
  readonly dimension: number;
  /** Real units, float error included. */
  readonly l2Sensitivity: number;
  /** Standard deviation of the noise that counts (at minSurvivors, colluders taken off) / sensitivity. */
  readonly noiseMultiplier: number;
  /** Real units: every participant clamps each coordinate of its sum to ± this. */
  readonly maxCoordinate: number;
  readonly cohort: Cohort;
  /** Most contributions that one sum may have. */
  readonly members: number;
  readonly rounding: SumEncoding['rounding'];
  /** Real units per ring step, a power of two, if the caller must have a certain one. */
  readonly grid?: number;
}

/** How much rounding adds to the sensitivity, ring steps: both neighbours' sums move by half a step a coordinate. */
export function roundingSteps(rounding: SumEncoding['rounding'], dimension: number): number {
  return rounding === 'nearest' ? Math.sqrt(dimension) * UP : 0;
}

/** L2 sensitivity of the quantized sum, ring steps, rounded up: l2Sensitivity/grid + √dimension where sums are rounded. */
export function integerSensitivity(
  query: Pick<SumQuery, 'dimension' | 'l2Sensitivity' | 'encoding'>,
): number {
  const { grid, rounding } = query.encoding;
  return (query.l2Sensitivity / grid + roundingSteps(rounding, query.dimension)) * UP;
}

/**
 * How far the noise of `members` shares may reach: P(any of d coordinates beyond) ≤ 2^-40. With θ(z) = Σ_j e^(−(j−z)²/2v), largest
 * at z = 0, a discrete Gaussian Y has E e^(tY) = e^(t²v/2)·θ(tv)/θ(0) ≤ e^(t²v/2): sub-Gaussian, so a sum of n of them leaves ± x
 * with probability at most 2e^(−x²/2nv).
 */
function noiseReach(shareVariance: number, members: number, dimension: number): number {
  const logTail = Math.log(2 * dimension) - WRAP_PROBABILITY_LOG2 * Math.LN2;
  return Math.ceil(Math.sqrt(2 * members * shareVariance * logTail) * UP);
}

/** The fewest bits whose centred range holds every clamped sum and its noise, but for a probability of 2^-40 a round. */
export function modulusBitsNeeded(
  encoding: Pick<SumEncoding, 'maxCoordinate' | 'shareVariance'>,
  members: number,
  dimension: number,
): number {
  const variance = toNumber(parseRational(encoding.shareVariance)) * UP;
  const reach = members * encoding.maxCoordinate + noiseReach(variance, members, dimension);
  // Centred residues: −2^(b−1) … 2^(b−1) − 1.
  return Math.max(MIN_MODULUS_BITS, Math.ceil(Math.log2((reach + 1) * UP)) + 1);
}

/**
 * A share's variance, ring steps², rounded up: with h = minSurvivors − maxColluders honest shares, h·share − 4 (the
 * bridge's toll) is at least (noiseMultiplier × sensitivity)².
 */
function shareVarianceFor(noiseMultiplier: number, sensitivity: number, cohort: Cohort): Rational {
  const sigma = noiseMultiplier * sensitivity * UP;
  // In steps of 2^-10: rounding up costs next to nothing even at the floor of 16.
  const total = BigInt(Math.ceil((sigma * sigma * UP + BRIDGE_VARIANCE) * UP * 1024));
  return toRational(fraction(total, 1024n * BigInt(cohort.minSurvivors - cohort.maxColluders)));
}

function requirePositive(name: string, value: number): void {
  if (!(value > 0 && value < Number.POSITIVE_INFINITY)) {
    throw new PrivacyError('argument-invalid', `${name} must be positive and finite, got ${value}`);
  }
}

/** minSurvivors > maxColluders + 1 and both at least 1: DESIGN §2. */
export function cohortHolds(cohort: Cohort): boolean {
  const { minSurvivors, maxColluders } = cohort;
  return (
    Number.isSafeInteger(minSurvivors) &&
    Number.isSafeInteger(maxColluders) &&
    maxColluders >= 1 &&
    minSurvivors > maxColluders + 1
  );
}

function checkRequest(request: EncodingRequest): void {
  requirePositive('l2Sensitivity', request.l2Sensitivity);
  requirePositive('noiseMultiplier', request.noiseMultiplier);
  requirePositive('maxCoordinate', request.maxCoordinate);
  const { cohort, dimension, members } = request;
  if (!Number.isSafeInteger(dimension) || dimension < 1) {
    throw new PrivacyError('argument-invalid', `dimension must be a positive integer, got ${dimension}`);
  }
  if (!cohortHolds(cohort) || !Number.isSafeInteger(members) || members < cohort.minSurvivors) {
    throw new PrivacyError(
      'argument-invalid',
      'a cohort needs maxColluders ≥ 1 and maxColluders + 1 < minSurvivors ≤ members',
    );
  }
}

/** The coarsest power of two with inflation ≤ 1 % and shares at the floor or above. */
function coarsestGrid(request: EncodingRequest): number {
  const { dimension, l2Sensitivity, noiseMultiplier, rounding, cohort } = request;
  const honest = cohort.minSurvivors - cohort.maxColluders;
  const byInflation =
    rounding === 'nearest' ? (MAX_INFLATION * l2Sensitivity) / (Math.sqrt(dimension) * UP * UP) : 1;
  // σ²/h ≥ 16 is enough, and the rounding part of the sensitivity only helps.
  const byFloor = (noiseMultiplier * l2Sensitivity) / Math.sqrt(SHARE_VARIANCE_FLOOR * honest);
  return 2 ** Math.floor(Math.log2(Math.min(byInflation, byFloor)));
}

/** Relative growth of the sensitivity by rounding. */
export function inflationOf(
  rounding: SumEncoding['rounding'],
  dimension: number,
  grid: number,
  l2Sensitivity: number,
): number {
  return (roundingSteps(rounding, dimension) * grid) / l2Sensitivity;
}

/**
 * Grid, noise share and ring for a query. Throws `PrivacyError`: `argument-invalid`, or `encoding-refused` with the knobs in
 * `details` where the given grid inflates the sensitivity by more than 1 % (`grid`: the coarsest that would do), where shares
 * would fall below 16 ring steps² (likewise), or where the ring would need more than 32 bits (`modulusBits` that it would need,
 * `maxCoordinate` that would fit, `gridThatFits` and the `inflation` it would cause).
 */
export function planEncoding(request: EncodingRequest): SumEncoding {
  checkRequest(request);
  const { dimension, l2Sensitivity, rounding } = request;
  const best = coarsestGrid(request);
  const grid = request.grid ?? best;
  if (!isGrid(grid)) {
    throw new PrivacyError(
      'encoding-refused',
      `the grid must be a power of two from 2^-60 to 2^60, got ${grid}; ${best} would do`,
      {
        grid: best,
      },
    );
  }
  const inflation = inflationOf(rounding, dimension, grid, l2Sensitivity);
  if (inflation > MAX_INFLATION) {
    throw new PrivacyError(
      'encoding-refused',
      `a grid of ${grid} inflates the sensitivity by ${(100 * inflation).toPrecision(3)} %, over 1 %: take ${best} or finer`,
      { inflation, grid: best },
    );
  }
  const encoding = encodingAt(grid, request);
  const { n, d } = parseRational(encoding.shareVariance);
  if (n < BigInt(SHARE_VARIANCE_FLOOR) * d) {
    throw new PrivacyError(
      'encoding-refused',
      `a share of ${toNumber({ n, d }).toPrecision(3)} ring steps² is below the floor of ${SHARE_VARIANCE_FLOOR}: take a grid of ${best} or finer`,
      { grid: best },
    );
  }
  if (!(encoding.modulusBits <= MAX_MODULUS_BITS)) throw ringTooSmall(request, encoding);
  return encoding;
}

function encodingAt(grid: number, request: EncodingRequest): SumEncoding {
  const { dimension, l2Sensitivity, noiseMultiplier, maxCoordinate, cohort, members, rounding } = request;
  const sensitivity = (l2Sensitivity / grid + roundingSteps(rounding, dimension)) * UP;
  const partial = {
    grid,
    rounding,
    maxCoordinate: Math.ceil(maxCoordinate / grid),
    shareVariance: shareVarianceFor(noiseMultiplier, sensitivity, cohort),
  };
  return { ...partial, modulusBits: modulusBitsNeeded(partial, members, dimension) };
}

function ringTooSmall(request: EncodingRequest, encoding: SumEncoding): PrivacyError {
  const { members, dimension, rounding, l2Sensitivity } = request;
  let gridThatFits = encoding.grid;
  while (
    gridThatFits < 2 ** MAX_GRID_LOG2 &&
    encodingAt(gridThatFits, request).modulusBits > MAX_MODULUS_BITS
  )
    gridThatFits *= 2;
  const inflation = inflationOf(rounding, dimension, gridThatFits, l2Sensitivity);
  const reach = noiseReach(toNumber(parseRational(encoding.shareVariance)), members, dimension);
  const room = Math.floor((2 ** (MAX_MODULUS_BITS - 1) - 2 - reach) / members) * encoding.grid;
  const lower =
    room > 0
      ? `lower maxCoordinate to ${room} (clip or average more), or ask fewer members`
      : 'the noise alone overflows it: lower the noise multiplier, split the vector, or ask fewer members';
  return new PrivacyError(
    'encoding-refused',
    `the ring would need ${encoding.modulusBits} bits, more than ${MAX_MODULUS_BITS}: ${lower}. ` +
      `A grid of ${gridThatFits} would fit, but would inflate the sensitivity by ${(100 * inflation).toPrecision(3)} %.`,
    { modulusBits: encoding.modulusBits, maxCoordinate: Math.max(0, room), gridThatFits, inflation },
  );
}

/** A power of two from 2^-60 to 2^60. */
export function isGrid(grid: number): boolean {
  return (
    Number.isFinite(grid) &&
    grid > 0 &&
    Math.abs(Math.log2(grid)) <= MAX_GRID_LOG2 &&
    2 ** Math.round(Math.log2(grid)) === grid
  );
}

/**
 * What the answer costs with `contributors` vectors in the sum, against the coordinator and the cohort's colluders. Reserve
 * with contributors = minSurvivors, commit with the number that survived.
 */
export function eventOf(query: SumQuery, contributors: number, cohort: Cohort): PrivacyEvent {
  const event = distributedDiscreteGaussianEvent({
    contributors,
    colluders: cohort.maxColluders,
    shareVariance: query.encoding.shareVariance,
    sensitivity: integerSensitivity(query),
    dimension: query.dimension,
  });
  return query.samplingRate < 1 ? poissonSampledEvent(query.samplingRate, event) : event;
}
