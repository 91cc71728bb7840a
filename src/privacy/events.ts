import { z } from 'zod';
import { PrivacyError } from './errors.js';
import { isRational } from './rational.js';

/**
 * Privacy events: immutable, versioned, canonical JSON. An event says what was done; an accountant says what
 * it costs. The neighbouring relation here is add/remove of one record.
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
  | DistributedDiscreteGaussianEvent
  | PoissonSampledEvent
  | SelfComposedEvent
  | ComposedEvent
  | NonPrivateEvent;

/** Deeper nesting than this is no event of ours; it bounds recursion on hostile JSON. */
export const MAX_EVENT_DEPTH = 16;

const positiveInteger = (max: number) => z.int().min(1).max(max);
const version = z.literal(1);
const rational = z.custom<Rational>((value) => isRational(value) && !value.numerator.startsWith('-'));

const leaves = [
  z.strictObject({ version, kind: z.literal('gaussian'), noiseMultiplier: z.number().nonnegative() }),
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
    dimension: positiveInteger(2 ** 40),
  }),
  z.strictObject({ version, kind: z.literal('non-private') }),
] as const;

/** Children are checked one level at a time by `parseEvent`, which counts the depth. */
const nodes = [
  z.strictObject({
    version,
    kind: z.literal('poisson-sampled'),
    samplingRate: z.number().positive().max(1),
    event: z.unknown(),
  }),
  z.strictObject({
    version,
    kind: z.literal('self-composed'),
    event: z.unknown(),
    count: z.int().min(0).max(Number.MAX_SAFE_INTEGER),
  }),
  z.strictObject({ version, kind: z.literal('composed'), events: z.array(z.unknown()) }),
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
    case 'self-composed':
      return Object.freeze({ ...node, event: parseAt(node.event, depth + 1) });
    case 'composed':
      return Object.freeze({
        ...node,
        events: Object.freeze(node.events.map((event) => parseAt(event, depth + 1))),
      });
    case 'distributed-discrete-gaussian': {
      const { numerator, denominator } = node.shareVariance;
      return Object.freeze({ ...node, shareVariance: Object.freeze({ numerator, denominator }) });
    }
    default:
      return Object.freeze(node);
  }
}

/** One release of a sum with continuous Gaussian noise of standard deviation noiseMultiplier × L2 sensitivity. */
export function gaussianEvent(noiseMultiplier: number): PrivacyEvent {
  return parseEvent({ version: 1, kind: 'gaussian', noiseMultiplier });
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

export function selfComposedEvent(event: PrivacyEvent, count: number): PrivacyEvent {
  return parseEvent({ version: 1, kind: 'self-composed', event, count });
}

export function composedEvent(events: readonly PrivacyEvent[]): PrivacyEvent {
  return parseEvent({ version: 1, kind: 'composed', events });
}

export function nonPrivateEvent(): PrivacyEvent {
  return parseEvent({ version: 1, kind: 'non-private' });
}
