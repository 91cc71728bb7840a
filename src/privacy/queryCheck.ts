import { z } from 'zod';
import type { Json } from '../crypto/canonical.js';
import { SHARE_VARIANCE_FLOOR } from './accountants/bridge.js';
import { cohortHolds, inflationOf, isGrid, MAX_INFLATION } from './encoding.js';
import { QueryRefused } from './errors.js';
import type { Rational } from './events.js';
import { isRational, parseRational } from './rational.js';
import { MAX_MODULUS_BITS, MIN_MODULUS_BITS, modulusBitsNeeded } from './ring.js';
import type { Cohort, SumQuery } from './sumQuery.js';

/** Coordinates of one vector: 2^26 of them are 256 MiB of residues. */
const MAX_DIMENSION = 2 ** 26;

const positive = z.number().positive();
const json: z.ZodType<Json> = z.json();

const sumQuery = z.strictObject({
  version: z.literal(1),
  kind: z.string().min(1).max(200),
  dimension: z.int().min(1).max(MAX_DIMENSION),
  l2Sensitivity: positive,
  samplingRate: positive.max(1),
  encoding: z.strictObject({
    grid: positive,
    rounding: z.enum(['nearest', 'exact']),
    maxCoordinate: z
      .int()
      .min(1)
      .max(2 ** 31 - 1),
    modulusBits: z.int().min(MIN_MODULUS_BITS).max(MAX_MODULUS_BITS),
    shareVariance: z.custom<Rational>((value) => isRational(value) && !value.numerator.startsWith('-')),
  }),
  localNoise: z
    .strictObject({ noiseMultiplier: positive, steps: z.int().min(1).max(1_000_000) })
    .exactOptional(),
  models: z
    .array(
      z.strictObject({
        name: z.string().min(1).max(200),
        digest: z.string().regex(/^[0-9a-f]{64}$/),
        bytes: z.int().min(0),
      }),
    )
    .max(64),
  parameters: json,
});

/**
 * The client's own check of a query that the coordinator sent, before anything of the client's goes into an answer: every
 * field, and that the encoding does what its cost assumes. Returns the query, typed. Throws `QueryRefused`.
 *
 * It doesn't judge the price: whether `eventOf(query, …)` is within the plan and the budget is for the caller's filter.
 */
export function checkQuery(query: unknown, cohort: Cohort, members: number): SumQuery {
  const result = readQuery(query);
  if (!result.success) {
    const issue = result.error.issues[0];
    const field = issue?.path.join('.') || 'query';
    throw new QueryRefused(
      'query-malformed',
      `this is no sum query of version 1: ${field}: ${issue?.message}`,
      { field },
    );
  }
  if (!cohortHolds(cohort) || !Number.isSafeInteger(members) || members < cohort.minSurvivors) {
    throw new QueryRefused(
      'cohort-below-floor',
      'a sum needs maxColluders ≥ 1 and maxColluders + 1 < minSurvivors ≤ members: one member alone must never be opened',
    );
  }
  checkEncoding(result.data, members);
  return result.data;
}

function readQuery(query: unknown): ReturnType<typeof sumQuery.safeParse> {
  try {
    return sumQuery.safeParse(query);
  } catch (error) {
    // `parameters` nested a hundred thousand levels deep exhaust the stack.
    if (error instanceof RangeError)
      throw new QueryRefused('query-malformed', 'this query is nested too deeply');
    throw error;
  }
}

function checkEncoding(query: SumQuery, members: number): void {
  const { dimension, encoding, localNoise } = query;
  if (!isGrid(encoding.grid)) {
    throw new QueryRefused(
      'grid-not-a-power-of-two',
      `the grid must be a power of two from 2^-60 to 2^60, got ${encoding.grid}`,
    );
  }
  const { n } = parseRational(encoding.shareVariance);
  if (localNoise === undefined) checkShares(query);
  else if (n !== 0n)
    throw new QueryRefused(
      'query-malformed',
      'a vector with local noise has all of its noise: a share beside it would be charged for nothing',
      { field: 'encoding.shareVariance' },
    );
  const modulusBits = modulusBitsNeeded(encoding, members, dimension);
  if (!(encoding.modulusBits >= modulusBits)) {
    throw new QueryRefused(
      'modulus-too-small',
      `${members} clamped vectors and their noise need a ring of ${modulusBits} bits, the query has ${encoding.modulusBits}`,
      { modulusBits },
    );
  }
}

/** That a sum's noise is what its cost assumes: on this grid, and in every share. */
function checkShares({ dimension, l2Sensitivity, encoding }: SumQuery): void {
  const inflation = inflationOf(encoding.rounding, dimension, encoding.grid, l2Sensitivity);
  if (!(inflation <= MAX_INFLATION)) {
    throw new QueryRefused(
      'grid-inflates-sensitivity',
      `rounding to a grid of ${encoding.grid} inflates the sensitivity by ${(100 * inflation).toPrecision(3)} %, over 1 %`,
      { inflation },
    );
  }
  const { n, d } = parseRational(encoding.shareVariance);
  if (n < BigInt(SHARE_VARIANCE_FLOOR) * d) {
    throw new QueryRefused(
      'share-variance-below-floor',
      `a share's variance must be at least ${SHARE_VARIANCE_FLOOR} ring steps², or its cost is not proved`,
    );
  }
}
