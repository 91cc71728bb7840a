import { z } from 'zod';
import type { Json } from '../../crypto/canonical.js';
import { eventOf } from '../../privacy/quantization.js';
import { decodeArtefact, encodeArtefact } from '../artefact.js';
import { InvalidOptions, MalformedBytes } from '../errors.js';
import { stepOf } from '../models.js';
import type { Step, Synthesizer } from '../synthesizer.js';
import { contribute } from './contribute.js';
import { parseQualityOptions, type QualityOptions } from './options.js';
import {
  assertQualityQuery,
  QUESTION,
  type QualityPlan,
  qualityPlan,
  qualityQuery,
  REFERENCES,
} from './plan.js';
import { type Prepared, prepare } from './prepare.js';
import { encodeQuestion, encodeReferences, questionOf } from './question.js';
import { reportOf } from './reckoning.js';
import { decodeReport, encodeReport, type QualityReport } from './report.js';

/** Before the sum and after it. Never changed in place. */
export interface QualityState {
  readonly plan: QualityPlan;
  readonly evaluated: { readonly runId: string; readonly digest: string; readonly kind: string };
  readonly prepared: Prepared;
  readonly report: QualityReport | undefined;
}

export const QUALITY = 'quality';

/**
 * How good a released run is, measured where the real records are: each participant counts its own held-out records on public cells,
 * by the score of a classifier that was trained on synthetic rows, and by their distance to synthetic rows, and one secure
 * sum of these counts, with noise, is all that anybody learns (DESIGN §1). It takes part in a run as a synthesizer does, with the
 * same plan, ledger and checks; what it releases is a report, and rows can't be drawn from it.
 */
export const qualitySynthesizer: Synthesizer<QualityOptions, QualityState> = {
  kind: QUALITY,
  parseOptions: parseQualityOptions,
  inputs: ({ run }) => [run],

  plan(context, options) {
    const query = { ...qualityQuery(qualityPlan(context, options)), models: [] };
    return [{ event: eventOf(query, context.cohort.minSurvivors, context.cohort), count: 1 }];
  },

  async initialState(context, options, seed, inputs = []) {
    if (seed.length < 16) throw new InvalidOptions('seed', 'needs at least 16 bytes');
    const plan = qualityPlan(context, options);
    const [run] = inputs;
    if (run?.runId !== options.run)
      throw new InvalidOptions('run', `the release of run ${options.run} was not given`);
    const { runId, digest, kind } = run;
    return {
      plan,
      evaluated: { runId, digest, kind },
      prepared: await prepare(plan, run, seed),
      report: undefined,
    };
  },

  nextQuery({ plan, prepared, report }): Step | undefined {
    if (report !== undefined) return undefined;
    const question = encodeQuestion(prepared.question);
    const references = encodeReferences(prepared.references);
    const documents = new Map([
      [QUESTION, question],
      [REFERENCES, references],
    ]);
    return stepOf(qualityQuery(plan), documents);
  },

  assertQuery(context, options, query) {
    assertQualityQuery(qualityPlan(context, options), query);
  },

  contribute,

  async absorb(state, query, sum) {
    if (state.report !== undefined) throw new InvalidOptions('sum', 'was not asked');
    return { ...state, report: reportOf(state.plan, state.evaluated, state.prepared, query, sum) };
  },

  encodeState,

  async decodeState(context, options, bytes) {
    return decodeState(qualityPlan(context, options), bytes);
  },

  release({ report }) {
    if (report === undefined) throw new InvalidOptions('release', 'there is none before the sum is opened');
    return encodeReport(report);
  },

  sample() {
    throw new InvalidOptions(
      'kind',
      'a quality run releases a report, not rows: ask for its report, or sample the run that it evaluated',
    );
  },

  progress({ report }) {
    return { step: report === undefined ? 0 : 1, steps: 1 };
  },
};

const VERSION = 1;
const text = z.string().max(1000);
const stateJson = z.strictObject({
  magic: z.literal('chorale/quality state'),
  version: z.literal(VERSION),
  evaluated: z.strictObject({ runId: text, digest: text, kind: text }),
  question: z.unknown(),
  rows: z.number().int().min(1),
  synthetic: z.number().int().min(0),
  references: z.number().int().min(0),
  report: z.unknown(),
});

function encodeState({ evaluated, prepared, report }: QualityState): Uint8Array {
  const { question, rows, synthetic, references } = prepared;
  const header = {
    magic: 'chorale/quality state',
    version: VERSION,
    evaluated,
    question,
    rows,
    synthetic: synthetic.length,
    references: references.length,
    report: report ?? null,
  };
  return encodeArtefact(header as unknown as Json, [synthetic, Float64Array.from(references)]);
}

/** @throws MalformedBytes unless the bytes are a state of this schema. */
function decodeState(plan: QualityPlan, bytes: Uint8Array): QualityState {
  const state = decodeArtefact(bytes, stateJson, 'a state of quality');
  const { evaluated, question, rows, synthetic, references, report } = state.header;
  const prepared: Prepared = {
    question: questionOf(question, plan, plan.scale),
    rows,
    synthetic: state.take(synthetic),
    references: Uint16Array.from(state.take(references)),
  };
  state.end();
  if (prepared.references.length !== prepared.question.membership.references * plan.cells.blocks.length)
    throw new MalformedBytes('the state belongs to other options or another schema');
  return {
    plan,
    evaluated,
    prepared,
    report: report === null ? undefined : decodeReport(new TextEncoder().encode(JSON.stringify(report))),
  };
}
