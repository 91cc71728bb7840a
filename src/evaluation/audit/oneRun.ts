import type { Rng } from '../../crypto/rng.js';
import { epsilonBounds } from '../../privacy/epsilonBounds.js';
import type { PrivacyEvent } from '../../privacy/events.js';
import type { CommittedCost } from '../../privacy/filter.js';
import { compositionOf } from '../../privacy/observerViews.js';
import {
  addShare,
  checkQuery,
  dequantize,
  eventOf,
  quantize,
  drawShare as realShare,
} from '../../privacy/quantization.js';
import type { SumQuery } from '../../privacy/sumQuery.js';
import { countEqual } from '../../privacy/views.js';
import type { AnySynthesizer } from '../../synthesis/index.js';
import type { Step, SynthesisContext } from '../../synthesis/synthesizer.js';
import type { RecordSource } from '../../synthesis/table/records.js';
import { EvaluationError } from '../errors.js';
import { bestFinding, type Finding, mostShown } from './guesses.js';
import { sourceOf } from './inventedRecords.js';
import { recordCanaries } from './recordCanaries.js';
import { vectorCanaries } from './vectorCanaries.js';

export type CanaryKind = 'vector' | 'record';

/** One of more would take days. */
const MOST_CANARIES = 65_536;

const games = { vector: vectorCanaries, record: recordCanaries } as const;

export interface AuditRequest {
  readonly synthesizer: AnySynthesizer;
  readonly context: SynthesisContext;
  /** As `parseOptions` gave them. */
  readonly options: unknown;
  /** Of the member that holds the canaries, the first; the others hold none. Undefined: it has no others either. */
  readonly records: RecordSource | undefined;
  readonly kind: CanaryKind;
  readonly canaries: number;
  readonly delta: number;
  /** E.g. 0.95: a right mechanism fails with probability 1 − this at most. */
  readonly confidence: number;
  /** Of the canaries, the coins that include them, sampling and noise. */
  readonly rng: Rng;
  /** The run's public seed. */
  readonly seed: Uint8Array;
  /** How a member draws its share; another than the real one is a control that the audit must catch. */
  readonly drawShare?: (query: SumQuery, rng: Rng) => Int32Array;
}

/** JSON. */
export interface Audit {
  readonly version: 1;
  readonly kind: CanaryKind;
  readonly steps: number;
  readonly delta: number;
  readonly confidence: number;
  /** m, r and v of the theorem. */
  readonly canaries: number;
  readonly guesses: number;
  readonly rightGuesses: number;
  /** The largest ε that the guesses refute. Never a bound from above: a weak attack shows little. */
  readonly epsilonEmpirical: number;
  /** What the accountant charges for the same run, against the coordinator with its colluders. */
  readonly epsilonAccounted: number;
  /** The most that so many canaries could have shown. */
  readonly epsilonDetectable: number;
  readonly passed: boolean;
}

/**
 * One training run with canaries (Steinke, Nasr, Jagielski 2023), in this process and on the code that a federation
 * runs: clip, round, noise, ring, sum, train. Only the masks are left out, which cancel. The auditor is the coordinator with
 * `maxColluders` members, whose vectors it knows, and knows all records but the canaries: the adversary whose ε is charged.
 *
 * A canary that is in or out is one record more or less: what is audited is the add/remove relation.
 *
 * Throws AuditTooSmall if so many canaries could not show more than the accounted ε: such an audit passes whatever it meets.
 */
export async function auditTraining(request: AuditRequest): Promise<Audit> {
  const { synthesizer, context, options, delta, confidence, rng, kind, drawShare = realShare } = request;
  const members = context.members.length;
  const own = request.records ?? (await sourceOf(context.schema, []));
  const nobody = await sourceOf(context.schema, []);
  const events: PrivacyEvent[] = [];
  const planned = synthesizer.plan(context, options);
  const epsilonDetectable = mostShown(request.canaries, delta, confidence);
  requireDetectable(request, epsilonDetectable, accounted(planned, delta));

  const game = await games[kind](synthesizer, own, request.canaries, rng);
  let state = await synthesizer.initialState(context, options, request.seed);
  for (let step = synthesizer.nextQuery(state); step !== undefined; step = synthesizer.nextQuery(state)) {
    const { query, models } = step;
    synthesizer.assertQuery(context, options, checkQuery(query, context.cohort, members));
    const vectors: Uint32Array[] = [];
    for (let member = 0; member < members; member++) {
      // As clients/participant/session.ts does it: noise first, then the records, then both into the ring.
      const noise = drawShare(query, rng);
      const sum =
        member === 0
          ? await game.contribute(step, rng)
          : await synthesizer.contribute(query, models, nobody, rng);
      vectors.push(addShare(query, quantize(query, sum), noise));
    }
    const honest = dequantize(query, ringSum(query, vectors.slice(0, members - context.cohort.maxColluders)));
    const known = await expectedSum(synthesizer, step, own, rng);
    await game.observe(
      step,
      honest.map((value, i) => value - known[i]!),
    );
    events.push(eventOf(query, members, context.cohort));
    const values = dequantize(query, ringSum(query, vectors));
    state = await synthesizer.absorb(state, query, {
      values,
      contributors: context.members.map(({ id }) => id),
    });
  }

  const epsilonAccounted = accounted(countEqual(events), delta);
  const found: Finding = bestFinding(game.scores(), game.included, delta, confidence);
  return {
    version: 1,
    kind,
    steps: events.length,
    delta,
    confidence,
    canaries: request.canaries,
    guesses: found.guesses.made,
    rightGuesses: found.guesses.right,
    epsilonEmpirical: found.epsilonEmpirical,
    epsilonAccounted,
    epsilonDetectable,
    passed: found.epsilonEmpirical <= epsilonAccounted,
  };
}

/** By the tightest of the accountants: an audit of a looser one would find less. */
function accounted(costs: readonly CommittedCost[], delta: number): number {
  return epsilonBounds(compositionOf(costs), { delta }).epsilon.upper;
}

/** Throws AuditFailed: what was trained so must not be released. */
export function requirePassed(audit: Audit): void {
  if (audit.passed) return;
  throw new EvaluationError(
    'AuditFailed',
    `the canaries show ε ≥ ${audit.epsilonEmpirical.toFixed(3)} with ${100 * audit.confidence} % confidence, but ` +
      `ε = ${audit.epsilonAccounted.toFixed(3)} is accounted: noise, clipping, sampling or accounting is wrong; release nothing that was trained so`,
  );
}

/** What the records that are no canaries add on average, real units: the auditor knows them, and takes it off. */
async function expectedSum(
  synthesizer: AnySynthesizer,
  { query, models }: Step,
  records: RecordSource,
  rng: Rng,
): Promise<Float64Array> {
  const sum = await synthesizer.contribute({ ...query, samplingRate: 1 }, models, records, rng);
  return Float64Array.from(sum, (value) => value * query.samplingRate);
}

function ringSum({ dimension, encoding }: SumQuery, vectors: readonly Uint32Array[]): Uint32Array {
  const sum = new Uint32Array(dimension);
  const mask = encoding.modulusBits === 32 ? -1 : 2 ** encoding.modulusBits - 1;
  for (const vector of vectors) for (let i = 0; i < dimension; i++) sum[i] = (sum[i]! + vector[i]!) & mask;
  return sum;
}

function requireDetectable(
  { canaries, delta, confidence }: AuditRequest,
  detectable: number,
  planned: number,
): void {
  if (detectable > planned) return;
  let enough = canaries;
  while (enough < MOST_CANARIES && mostShown(enough, delta, confidence) <= planned) enough *= 2;
  const remedy = enough < MOST_CANARIES ? `take ${enough} canaries, or` : 'no number of canaries does:';
  throw new EvaluationError(
    'AuditTooSmall',
    `${canaries} canaries show ε = ${detectable.toFixed(2)} at most, and the run may spend ${planned.toFixed(2)}: ${remedy} plan a run that costs less`,
  );
}
