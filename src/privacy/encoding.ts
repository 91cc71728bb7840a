import type { Rng } from '../crypto/rng.js';
import { BRIDGE_VARIANCE, SHARE_VARIANCE_FLOOR } from './accountants/bridge.js';
import { PrivacyError } from './errors.js';
import {
  distributedDiscreteGaussianEvent,
  localDpSgdEvent,
  type PrivacyEvent,
  poissonSampledEvent,
  type Rational,
} from './events.js';
import { sampleDiscreteGaussian } from './noise/discreteGaussian.js';
import { fraction, parseRational, toNumber, toRational } from './rational.js';
import { MAX_MODULUS_BITS, modulusBitsNeeded, UP } from './ring.js';
import { knobsInWords, knobsThatFit } from './ringKnobs.js';
import type { Cohort, SumEncoding, SumQuery } from './sumQuery.js';

/** A grid may inflate the sensitivity by so much, no more (DESIGN §5; hazard P12). */
export const MAX_INFLATION = 0.01;
/** Grids from 2^-60 to 2^60: scaling by them is exact for every float that matters. */
export const MAX_GRID_LOG2 = 60;

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
  return Math.min(2 ** MAX_GRID_LOG2, 2 ** Math.floor(Math.log2(Math.min(byInflation, byFloor))));
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
 * and for each of `RingKnobs` that helps alone, how far it must be turned).
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
  if (!sharesReachFloor(encoding)) {
    const share = toNumber(parseRational(encoding.shareVariance));
    throw new PrivacyError(
      'encoding-refused',
      `a share of ${share.toPrecision(3)} ring steps² is below the floor of ${SHARE_VARIANCE_FLOOR}: take a grid of ${best} or finer`,
      { grid: best },
    );
  }
  if (!(encoding.modulusBits <= MAX_MODULUS_BITS)) throw ringTooSmall(request, encoding, best);
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

/** Whether a request has an encoding at its grid, or else at the coarsest one allowed. */
function fits(request: EncodingRequest): boolean {
  const { dimension, l2Sensitivity, rounding } = request;
  const grid = request.grid ?? coarsestGrid(request);
  if (!isGrid(grid) || inflationOf(rounding, dimension, grid, l2Sensitivity) > MAX_INFLATION) return false;
  const encoding = encodingAt(grid, request);
  return sharesReachFloor(encoding) && encoding.modulusBits <= MAX_MODULUS_BITS;
}

function sharesReachFloor({ shareVariance }: Pick<SumEncoding, 'shareVariance'>): boolean {
  const { n, d } = parseRational(shareVariance);
  return n >= BigInt(SHARE_VARIANCE_FLOOR) * d;
}

function ringTooSmall(request: EncodingRequest, encoding: SumEncoding, coarsest: number): PrivacyError {
  const knobs = knobsThatFit(request, encoding.grid, coarsest, fits);
  return new PrivacyError(
    'encoding-refused',
    `the ring would need ${encoding.modulusBits} bits, more than ${MAX_MODULUS_BITS}: ${knobsInWords(knobs)}`,
    { modulusBits: encoding.modulusBits, ...knobs },
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

export interface LocalEncodingRequest {
  readonly dimension: number;
  /** Real units: every participant clamps each coordinate of its vector to ± this. */
  readonly range: number;
  /** Real units per ring step, a power of two. */
  readonly grid: number;
  /** Most contributions that one sum may have. */
  readonly members: number;
}

/**
 * The ring for vectors that have all of their noise already (`localNoise`): rounding and clamping them is post-processing, so the grid
 * is a matter of precision alone. Throws `PrivacyError`: `argument-invalid`, or `encoding-refused` where the ring would need more
 * than 32 bits.
 */
export function planLocalEncoding({ dimension, range, grid, members }: LocalEncodingRequest): SumEncoding {
  requirePositive('range', range);
  if (!isGrid(grid) || !Number.isSafeInteger(members) || members < 1)
    throw new PrivacyError(
      'argument-invalid',
      `the grid must be a power of two from 2^-60 to 2^60, got ${grid}; members a positive integer, got ${members}`,
    );
  const maxCoordinate = Math.ceil(range / grid);
  const shareVariance = { numerator: '0', denominator: '1' };
  const modulusBits = modulusBitsNeeded({ maxCoordinate, shareVariance }, members, dimension);
  if (!(modulusBits <= MAX_MODULUS_BITS))
    throw new PrivacyError(
      'encoding-refused',
      `the ring would need ${modulusBits} bits, more than ${MAX_MODULUS_BITS}: take a coarser grid or a smaller range`,
      { modulusBits },
    );
  return { grid, rounding: 'nearest', maxCoordinate, modulusBits, shareVariance };
}

/** One participant's share of noise for its vector, ring steps: none where the vector has its noise already. */
export function drawShare({ localNoise, encoding, dimension }: SumQuery, rng: Rng): Int32Array {
  if (localNoise !== undefined) return new Int32Array(dimension);
  return sampleDiscreteGaussian(encoding.shareVariance, dimension, rng);
}

/**
 * What the answer costs with `contributors` vectors in the sum, against the coordinator and the cohort's colluders. Reserve
 * with contributors = minSurvivors, commit with the number that survived. With local noise it is one participant's own DP-SGD, whoever
 * else contributes and whoever looks: a record is in the vector of one of them, and the rest is post-processing.
 */
export function eventOf(query: SumQuery, contributors: number, cohort: Cohort): PrivacyEvent {
  if (query.localNoise !== undefined)
    return localDpSgdEvent({ ...query.localNoise, samplingRate: query.samplingRate });
  const event = distributedDiscreteGaussianEvent({
    contributors,
    colluders: cohort.maxColluders,
    shareVariance: query.encoding.shareVariance,
    sensitivity: integerSensitivity(query),
    dimension: query.dimension,
  });
  return query.samplingRate < 1 ? poissonSampledEvent(query.samplingRate, event) : event;
}
