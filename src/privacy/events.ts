import { z } from 'zod';
import { PrivacyError } from './errors.js';
import { isRational } from './rational.js';

/**
 * Privacy events: immutable, versioned, canonical JSON. An event says what was done; an accountant says what
 * it costs under a neighbouring relation (relation.ts). Sensitivities are those of add/remove of one record;
 * randomized response, a local mechanism, has none and is defined for replace-one.
 */
export interface Rational {
  /** Decimal integers; the denominator is positive. */
  readonly numerator: string;
  readonly denominator: string;
}

export interface GaussianEvent {
  readonly version: 1;
  readonly kind: 'gaussian';
  /** Standard deviation / L2 sensitivity. */
  readonly noiseMultiplier: number;
}

export interface LaplaceEvent {
  readonly version: 1;
  readonly kind: 'laplace';
  /** Scale b of the density e^(−|x|/b)/2b / L1 sensitivity. */
  readonly noiseMultiplier: number;
}

/** One holder's exact discrete Gaussian noise on an integer vector: Canonne, Kamath, Steinke 2020, Definition 1. */
export interface DiscreteGaussianEvent {
  readonly version: 1;
  readonly kind: 'discrete-gaussian';
  /** The parameter σ² (not quite the variance where it is below 1), grid steps squared, exact. */
  readonly variance: Rational;
  /** L2 sensitivity in grid steps, rounding and float error included. */
  readonly sensitivity: number;
  readonly dimension: number;
}

/** With probability `noiseParameter` the answer is uniform over `buckets` values, else the truth (Warner 1965). */
export interface RandomizedResponseEvent {
  readonly version: 1;
  readonly kind: 'randomized-response';
  readonly noiseParameter: number;
  readonly buckets: number;
}

/** `contributors` shares of discrete Gaussian noise on the ring grid, of which `colluders` are known to the observer. */
export interface DistributedDiscreteGaussianEvent {
  readonly version: 1;
  readonly kind: 'distributed-discrete-gaussian';
  readonly contributors: number;
  readonly colluders: number;
  /** Variance of one share, grid steps squared, exact. */
  readonly shareVariance: Rational;
  /** L2 sensitivity in grid steps, rounding and float error included. */
  readonly sensitivity: number;
  readonly dimension: number;
}

export interface PoissonSampledEvent {
  readonly version: 1;
  readonly kind: 'poisson-sampled';
  readonly samplingRate: number;
  readonly event: PrivacyEvent;
}

/** `event` on a uniform sample of exactly `sampleSize` of `populationSize` records. */
export interface SampledWithoutReplacementEvent {
  readonly version: 1;
  readonly kind: 'sampled-without-replacement';
  readonly sampleSize: number;
  readonly populationSize: number;
  readonly event: PrivacyEvent;
}

/** Each record is in `selections` of `steps` steps, uniformly and apart from the others (Feldman, Shenfeld 2025); `event` is one step. */
export interface RandomAllocationEvent {
  readonly version: 1;
  readonly kind: 'random-allocation';
  readonly selections: number;
  readonly steps: number;
  readonly event: PrivacyEvent;
}

/** Steps of DP-SGD on one participant's rows: Poisson samples of them, the participant's own Gaussian noise in full. */
export interface LocalDpSgdEvent {
  readonly version: 1;
  readonly kind: 'local-dp-sgd';
  readonly noiseMultiplier: number;
  readonly samplingRate: number;
  readonly steps: number;
}

/** One event for each of several sets of records that have no record in common. */
export interface ParallelComposedEvent {
  readonly version: 1;
  readonly kind: 'parallel-composed';
  readonly events: readonly PrivacyEvent[];
}

export interface SelfComposedEvent {
  readonly version: 1;
  readonly kind: 'self-composed';
  readonly event: PrivacyEvent;
  readonly count: number;
}

export interface ComposedEvent {
  readonly version: 1;
  readonly kind: 'composed';
  readonly events: readonly PrivacyEvent[];
}

export interface NonPrivateEvent {
  readonly version: 1;
  readonly kind: 'non-private';
}

export type PrivacyEvent =
  | GaussianEvent
  | LaplaceEvent
  | DiscreteGaussianEvent
  | DistributedDiscreteGaussianEvent
  | RandomizedResponseEvent
  | LocalDpSgdEvent
  | PoissonSampledEvent
  | SampledWithoutReplacementEvent
  | RandomAllocationEvent
  | SelfComposedEvent
  | ComposedEvent
  | ParallelComposedEvent
  | NonPrivateEvent;

/** Deeper nesting than this is no event of ours; it bounds recursion on hostile JSON. */
export const MAX_EVENT_DEPTH = 16;

const positiveInteger = (max: number) => z.int().min(1).max(max);
const version = z.literal(1);
const rational = z.custom<Rational>((value) => isRational(value) && !value.numerator.startsWith('-'));
const samplingRate = z.number().positive().max(1);
const dimension = positiveInteger(2 ** 40);
const steps = positiveInteger(Number.MAX_SAFE_INTEGER);

const leaves = [
  z.strictObject({ version, kind: z.literal('gaussian'), noiseMultiplier: z.number().nonnegative() }),
  z.strictObject({ version, kind: z.literal('laplace'), noiseMultiplier: z.number().nonnegative() }),
  z.strictObject({
    version,
    kind: z.literal('discrete-gaussian'),
    variance: rational,
    sensitivity: z.number().positive(),
    dimension,
  }),
  z.strictObject({
    version,
    kind: z.literal('randomized-response'),
    noiseParameter: z.number().min(0).max(1),
    buckets: z
      .int()
      .min(2)
      .max(2 ** 40),
  }),
  z.strictObject({
    version,
    kind: z.literal('local-dp-sgd'),
    noiseMultiplier: z.number().nonnegative(),
    samplingRate,
    steps,
  }),
  z.strictObject({
    version,
    kind: z.literal('distributed-discrete-gaussian'),
    contributors: positiveInteger(2 ** 31),
    colluders: z
      .int()
      .min(0)
      .max(2 ** 31),
    shareVariance: rational,
    sensitivity: z.number().positive(),
    dimension,
  }),
  z.strictObject({ version, kind: z.literal('non-private') }),
] as const;

/** Children are checked one level at a time by `parseEvent`, which counts the depth. */
const nodes = [
  z.strictObject({
    version,
    kind: z.literal('poisson-sampled'),
    samplingRate,
    event: z.unknown(),
  }),
  z
    .strictObject({
      version,
      kind: z.literal('sampled-without-replacement'),
      sampleSize: steps,
      populationSize: steps,
      event: z.unknown(),
    })
    .refine((node) => node.sampleSize <= node.populationSize, 'the sample is larger than the population'),
  z
    .strictObject({
      version,
      kind: z.literal('random-allocation'),
      selections: steps,
      steps,
      event: z.unknown(),
    })
    .refine((node) => node.selections <= node.steps, 'more selections than steps'),
  z.strictObject({
    version,
    kind: z.literal('self-composed'),
    event: z.unknown(),
    count: z.int().min(0).max(Number.MAX_SAFE_INTEGER),
  }),
  z.strictObject({ version, kind: z.literal('composed'), events: z.array(z.unknown()) }),
  z.strictObject({ version, kind: z.literal('parallel-composed'), events: z.array(z.unknown()) }),
] as const;

const shape = z.discriminatedUnion('kind', [...leaves, ...nodes]);

/**
 * Strict reading of one event from a JSON value: exact fields, known version and kind, numbers in their domains. The
 * result is a fresh, deeply frozen value. Throws `PrivacyError` `event-malformed`; an accountant then charges ε = ∞.
 */
export function parseEvent(json: unknown): PrivacyEvent {
  return parseAt(json, 0);
}

function parseAt(json: unknown, depth: number): PrivacyEvent {
  if (depth > MAX_EVENT_DEPTH) {
    throw new PrivacyError(
      'event-malformed',
      `a privacy event may be nested ${MAX_EVENT_DEPTH} levels deep at most`,
    );
  }
  const result = shape.safeParse(json);
  if (!result.success) {
    const issue = result.error.issues[0];
    const where = issue?.path.join('.') || 'event';
    throw new PrivacyError(
      'event-malformed',
      `not a privacy event of version 1: ${where}: ${issue?.message}`,
    );
  }
  const node = result.data;
  switch (node.kind) {
    case 'poisson-sampled':
      return Object.freeze({ ...node, event: parseAt(node.event, depth + 1) });
    case 'sampled-without-replacement':
      return Object.freeze({ ...node, event: parseAt(node.event, depth + 1) });
    case 'random-allocation':
      return Object.freeze({ ...node, event: parseAt(node.event, depth + 1) });
    case 'self-composed':
      return Object.freeze({ ...node, event: parseAt(node.event, depth + 1) });
    case 'composed':
      return Object.freeze({ ...node, events: parseAll(node.events, depth) });
    case 'parallel-composed':
      return Object.freeze({ ...node, events: parseAll(node.events, depth) });
    case 'discrete-gaussian': {
      const { numerator, denominator } = node.variance;
      return Object.freeze({ ...node, variance: Object.freeze({ numerator, denominator }) });
    }
    case 'distributed-discrete-gaussian': {
      const { numerator, denominator } = node.shareVariance;
      return Object.freeze({ ...node, shareVariance: Object.freeze({ numerator, denominator }) });
    }
    default:
      return Object.freeze(node);
  }
}

function parseAll(events: readonly unknown[], depth: number): readonly PrivacyEvent[] {
  return Object.freeze(events.map((event) => parseAt(event, depth + 1)));
}

/** One release of a sum with continuous Gaussian noise of standard deviation noiseMultiplier × L2 sensitivity. */
export function gaussianEvent(noiseMultiplier: number): PrivacyEvent {
  return parseEvent({ version: 1, kind: 'gaussian', noiseMultiplier });
}

/** One release of a sum with continuous Laplace noise of scale noiseMultiplier × L1 sensitivity. */
export function laplaceEvent(noiseMultiplier: number): PrivacyEvent {
  return parseEvent({ version: 1, kind: 'laplace', noiseMultiplier });
}

/** One integer vector with one holder's exact discrete Gaussian noise. */
export function discreteGaussianEvent(fields: Omit<DiscreteGaussianEvent, 'version' | 'kind'>): PrivacyEvent {
  return parseEvent({ ...fields, version: 1, kind: 'discrete-gaussian' });
}

/** Each record answers by itself: uniformly over `buckets` with probability `noiseParameter`, else truly. */
export function randomizedResponseEvent(noiseParameter: number, buckets: number): PrivacyEvent {
  return parseEvent({ version: 1, kind: 'randomized-response', noiseParameter, buckets });
}

/** `steps` steps of DP-SGD that one participant takes alone. */
export function localDpSgdEvent(fields: Omit<LocalDpSgdEvent, 'version' | 'kind'>): PrivacyEvent {
  return parseEvent({ ...fields, version: 1, kind: 'local-dp-sgd' });
}

/** One sum on the ring, with the noise of `contributors` shares of which the observer knows `colluders`. */
export function distributedDiscreteGaussianEvent(
  fields: Omit<DistributedDiscreteGaussianEvent, 'version' | 'kind'>,
): PrivacyEvent {
  return parseEvent({ ...fields, version: 1, kind: 'distributed-discrete-gaussian' });
}

/** `event` on a Poisson sample of the records: each is in it independently with probability `samplingRate`. */
export function poissonSampledEvent(samplingRate: number, event: PrivacyEvent): PrivacyEvent {
  return parseEvent({ version: 1, kind: 'poisson-sampled', samplingRate, event });
}

/** `event` on a uniform sample of exactly `sampleSize` of `populationSize` records. */
export function sampledWithoutReplacementEvent(
  sampleSize: number,
  populationSize: number,
  event: PrivacyEvent,
): PrivacyEvent {
  return parseEvent({ version: 1, kind: 'sampled-without-replacement', sampleSize, populationSize, event });
}

/** `steps` times `event`, each record taking part in `selections` of them, uniformly and independently of the others. */
export function randomAllocationEvent(selections: number, steps: number, event: PrivacyEvent): PrivacyEvent {
  return parseEvent({ version: 1, kind: 'random-allocation', selections, steps, event });
}

export function selfComposedEvent(event: PrivacyEvent, count: number): PrivacyEvent {
  return parseEvent({ version: 1, kind: 'self-composed', event, count });
}

export function composedEvent(events: readonly PrivacyEvent[]): PrivacyEvent {
  return parseEvent({ version: 1, kind: 'composed', events });
}

/** `events` on sets of records that have no record in common: one record is in one of them. */
export function parallelComposedEvent(events: readonly PrivacyEvent[]): PrivacyEvent {
  return parseEvent({ version: 1, kind: 'parallel-composed', events });
}

export function nonPrivateEvent(): PrivacyEvent {
  return parseEvent({ version: 1, kind: 'non-private' });
}
