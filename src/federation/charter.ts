import { concatBytes, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { z } from 'zod';
import { canonicalDigest, canonicalJson, type Json } from '../crypto/canonical.js';
import type { Cohort } from '../privacy/sumQuery.js';
import { type CharterFloors, MAX_MEMBERS } from '../secagg/block.js';
import { hararyPlan } from '../secagg/cohortPlan.js';
import { graphKindFor, quorumOf, shareThreshold } from '../secagg/graph.js';
import type { SynthesisContext } from '../synthesis/synthesizer.js';
import { MOST_HELD_OUT } from '../synthesis/table/holdOutShare.js';
import { parseTableSchema, type TableSchema } from '../synthesis/table/schema.js';
import { unconfirmedFields } from '../synthesis/table/unconfirmed.js';
import { FederationError, refusingInput } from './errors.js';

/**
 * The charter: the public, canonical (RFC 8785) document that all members sign. A client pins its digest and refuses
 * whatever is not covered by it: another roster, a smaller cohort, weaker noise, a query over budget.
 */

const hexKey = z.string().regex(/^[0-9a-f]{64}$/, 'must be 32 bytes in lower-case hex');

/** Limits: at most 1,024 members (secagg/block.ts), 64 characters an id, 16 orders. */
const charterShape = z.strictObject({
  chorale: z.literal(1),
  federation: z.string().min(1).max(64),
  /** Counts up from 1; a new roster or a new limit is a new version, signed again. */
  version: z.int().min(1),
  /** Digest of the version before, null for the first. */
  previous: z.nullable(z.string().regex(/^[0-9a-f]{64}$/)),
  members: z
    .array(
      z.strictObject({
        id: z.string().min(1).max(64),
        name: z.string().min(1).max(120),
        publicKey: hexKey,
        /** Public, rounded: an undertaking, not a measurement. */
        declaredRecords: z.int().min(1).max(2_000_000_000),
      }),
    )
    .min(3)
    .max(MAX_MEMBERS),
  schema: z.json(),
  privacy: z.strictObject({
    unit: z.literal('record'),
    relation: z.literal('add-remove'),
    epsilon: z.number().positive().finite(),
    delta: z.number().positive().max(1e-2),
    /**
     * Rényi orders (from 2) at which the limit is enforced, or 1 for Gaussian DP, fixed before the first spend; δ is divided by their
     * number until the first committed plan takes one. Once that is 1, no sum over sampled records can be asked (privacy/filter.ts).
     */
    orders: z.array(z.int().min(1).max(1024)).min(1).max(16),
  }),
  cohort: z.strictObject({ minSurvivors: z.int().min(3), maxColluders: z.int().min(1) }),
  /** Share of its records that each member keeps from training, so that quality can be measured; left out: none. */
  holdOut: z.number().positive().max(MOST_HELD_OUT).optional(),
  /** What a run has to show before anything of it is given out; left out: nothing. */
  releaseGates: z
    .strictObject({
      /** Of the run's own sums in the ledger, the upper end by the tight accountants. */
      maxEpsilon: z.number().positive().finite().optional(),
      /** 1 − mean total variation of pairs of columns, the lower end of its interval. */
      minFidelity: z.number().min(0).max(1).optional(),
      /** Of the membership attack, the upper end of its interval. */
      maxAttackAdvantage: z.number().min(0).max(1).optional(),
    })
    .optional(),
});

export type Charter = z.infer<typeof charterShape>;
export type ReleaseGates = NonNullable<Charter['releaseGates']>;

/**
 * The fewest members that can open a sum of a full cohort, on the graph that it will have (secagg/graph.ts,
 * cohortPlan.ts): the Shamir threshold, and the quorum that signs the survivors.
 */
export function thresholdFor(members: number, { minSurvivors, maxColluders }: Cohort): number {
  const dropouts = members - minSurvivors;
  const plan =
    graphKindFor(members) === 'harary' && dropouts >= 0
      ? hararyPlan({ members, maxColluders, dropouts })
      : undefined;
  return Math.max(plan?.threshold ?? shareThreshold(members, maxColluders), quorumOf(members, maxColluders));
}

/** Parses and checks a charter. Throws FederationError InvalidInput with every fault found. */
export function parseCharter(input: unknown): Charter {
  const parsed = charterShape.safeParse(input);
  if (!parsed.success) {
    throw new FederationError('InvalidInput', `The charter is not valid: ${z.prettifyError(parsed.error)}`);
  }
  const charter = parsed.data;
  const faults: string[] = [];
  const { minSurvivors, maxColluders } = charter.cohort;
  const threshold = thresholdFor(charter.members.length, charter.cohort);
  if (minSurvivors > charter.members.length)
    faults.push(`minSurvivors ${minSurvivors} is more than the ${charter.members.length} members`);
  if (minSurvivors <= maxColluders + 1)
    faults.push(`minSurvivors must be at least maxColluders + 2 = ${maxColluders + 2}`);
  if (minSurvivors < threshold)
    faults.push(
      `minSurvivors must be at least ${threshold} for ${charter.members.length} members: fewer can’t open a sum`,
    );
  if (new Set(charter.members.map((m) => m.id)).size < charter.members.length)
    faults.push('two members share an id');
  if (new Set(charter.members.map((m) => m.publicKey)).size < charter.members.length)
    faults.push('two members share a key');
  if (new Set(charter.privacy.orders).size < charter.privacy.orders.length)
    faults.push('an order is named twice');
  const { minFidelity, maxAttackAdvantage } = charter.releaseGates ?? {};
  if (charter.holdOut === undefined && (minFidelity ?? maxAttackAdvantage) !== undefined)
    faults.push('minFidelity and maxAttackAdvantage are measured on held-out records: name a holdOut too');
  const sorted = [...charter.members].sort((a, b) => (a.id < b.id ? -1 : 1));
  if (sorted.some((member, i) => member !== charter.members[i])) faults.push('members must be sorted by id');
  if (faults.length > 0)
    throw new FederationError('InvalidInput', `The charter is not valid: ${faults.join('; ')}.`);
  assertConfirmed(refusingInput(() => parseTableSchema(charter.schema)));
  return charter;
}

/** Hazard P16: a bound or category that was read from somebody's records would be published with the charter. */
function assertConfirmed(schema: TableSchema): void {
  const names = unconfirmedFields(schema).map((name) => `"${name}"`);
  if (names.length > 0)
    throw new FederationError(
      'InvalidInput',
      `The charter is not valid: the schema has bounds or categories that were read from data, of ${names.join(', ')}. ` +
        'Replace them by what is public knowledge, then delete the fields’ "chorale:unconfirmed" and propose the charter again.',
    );
}

/** Parses the signed text itself, and refuses a text that is not its own canonical form. */
export function readCharter(body: string): Charter {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch (cause) {
    throw new FederationError('InvalidInput', 'The charter is not JSON.', {}, { cause });
  }
  const charter = parseCharter(value);
  if (canonicalJson(charter) !== body)
    throw new FederationError(
      'InvalidInput',
      'The charter is not in canonical form (RFC 8785): ask for it again.',
    );
  return charter;
}

export function charterDigest(charter: Charter): string {
  return canonicalDigest(charter);
}

/** What a member signs: the digest under a label of its own, so that the signature means nothing else. */
export function charterStatement(digest: string): Uint8Array {
  return concatBytes(utf8ToBytes('chorale/1 charter\0'), hexToBytes(digest));
}

/** What a newcomer signs to prove possession of its key, bound to the federation, the name and the count. */
export function enrolmentStatement(input: {
  readonly federation: string;
  readonly name: string;
  readonly publicKey: string;
  readonly declaredRecords: number;
}): Uint8Array {
  const { federation, name, publicKey, declaredRecords } = input;
  return utf8ToBytes(
    `chorale/1 enrolment\0${canonicalJson({ federation, name, publicKey, declaredRecords })}`,
  );
}

/** The part that a synthesizer may use. */
export function synthesisContext(charter: Charter): SynthesisContext {
  return {
    schema: parseTableSchema(charter.schema),
    members: charter.members.map(({ id, declaredRecords }) => ({ id, declaredRecords })),
    cohort: cohortOf(charter),
    ...(charter.holdOut !== undefined && { holdOut: charter.holdOut }),
  };
}

export function cohortOf(charter: Charter): Cohort {
  return { minSurvivors: charter.cohort.minSurvivors, maxColluders: charter.cohort.maxColluders };
}

/** What secure aggregation holds every block against. */
export function floorsOf(charter: Charter, digest = charterDigest(charter)): CharterFloors {
  return {
    federation: charter.federation,
    charterDigest: digest,
    roster: new Map(charter.members.map(({ id, publicKey }) => [id, publicKey])),
    ...charter.cohort,
  };
}

/** What the cohort tolerates, in words: for whoever makes or signs the charter. */
export function describeCohort(charter: Charter): string {
  const members = charter.members.length;
  const { minSurvivors, maxColluders } = charter.cohort;
  const lost = members - Math.max(minSurvivors, thresholdFor(members, charter.cohort));
  const tolerated = lost === 0 ? 'no member may drop out of a round' : `${lost} may drop out of a round`;
  return (
    `${members} members; ${tolerated}; a sum is opened with at least ${minSurvivors} contributions; ` +
    `privacy holds against the coordinator and any ${maxColluders} member${maxColluders === 1 ? '' : 's'} together.`
  );
}

/** What is held out and what holds a release back, in words: for whoever makes or signs the charter. */
export function describeRelease({ holdOut, releaseGates }: Charter): string {
  const { maxEpsilon, minFidelity, maxAttackAdvantage } = releaseGates ?? {};
  const gates = [
    ...(maxEpsilon === undefined ? [] : [`its ε is at most ${maxEpsilon}`]),
    ...(minFidelity === undefined ? [] : [`its fidelity is measured as at least ${minFidelity}`]),
    ...(maxAttackAdvantage === undefined
      ? []
      : [`an attack is measured to gain at most ${maxAttackAdvantage}`]),
  ];
  const kept =
    holdOut === undefined
      ? 'no records are held out, so no quality can be measured'
      : `each member holds ${100 * holdOut} % of its records out, to measure quality on`;
  return `${kept}; ${gates.length === 0 ? 'a release is given out without conditions' : `a release is given out once ${gates.join(' and ')}`}.`;
}

export function asJson(charter: Charter): Json {
  return charter as unknown as Json;
}
