import { canonicalJson } from '../../src/crypto/canonical.js';
import { type Charter, cohortOf, synthesisContext } from '../../src/federation/charter.js';
import { planDigest, plannedEvent } from '../../src/federation/plan.js';
import type { PrivacyEvent } from '../../src/privacy/events.js';
import { checkQuery, eventOf } from '../../src/privacy/quantization.js';
import type { SumQuery } from '../../src/privacy/sumQuery.js';
import { synthesizerOf } from '../../src/synthesis/index.js';
import type { Synthesizer } from '../../src/synthesis/synthesizer.js';
import { ParticipantError } from './errors.js';

/**
 * The client enforces, the server asks. A run is known by the plan that the participant computes itself from the
 * charter, the synthesizer and its options; every query must cost exactly what the plan says for its step, and keep the
 * floors of the charter.
 */
export interface RunPolicy {
  readonly runId: string;
  readonly synthesizer: Synthesizer<unknown, unknown>;
  /** Checks a query; returns its event with as few contributors as the charter allows. Throws QueryRefused. */
  check(query: SumQuery, step: number): PrivacyEvent;
}

export interface AnnouncedRun {
  readonly id: string;
  readonly charterDigest: string;
  readonly synthesizer: string;
  readonly options: unknown;
  readonly planDigest: string;
}

export function createRunPolicy(run: AnnouncedRun, charter: Charter, pinnedDigest: string): RunPolicy {
  if (run.charterDigest !== pinnedDigest)
    throw new ParticipantError(
      'CharterMismatch',
      `Run ${run.id} is under charter ${run.charterDigest.slice(0, 12)}…, but this participant signed ${pinnedDigest.slice(0, 12)}….`,
    );
  const synthesizer = synthesizerOf(run.synthesizer);
  const options = synthesizer.parseOptions(run.options);
  const context = synthesisContext(charter);
  const plan = synthesizer.plan(context, options);
  if (planDigest(plan) !== run.planDigest)
    throw new ParticipantError(
      'QueryRefused',
      `Run ${run.id}: the coordinator's plan is not the one that its options give.`,
    );
  const cohort = cohortOf(charter);

  return {
    runId: run.id,
    synthesizer,
    check(query, step) {
      const planned = plannedEvent(plan, step);
      if (planned === undefined)
        throw new ParticipantError('QueryRefused', `Run ${run.id} has no step ${step}: its plan is over.`);
      checkQuery(query, cohort, charter.members.length);
      synthesizer.assertQuery(context, options, query);
      const event = eventOf(query, cohort.minSurvivors, cohort);
      if (canonicalJson(event) !== canonicalJson(planned))
        throw new ParticipantError(
          'QueryRefused',
          `Step ${step} of run ${run.id} asks for another sensitivity, sampling or noise than its plan.`,
        );
      return event;
    },
  };
}
