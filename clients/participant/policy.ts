import { canonicalJson } from '../../src/crypto/canonical.js';
import { type Charter, cohortOf, synthesisContext } from '../../src/federation/charter.js';
import { planDigest, plannedEvent } from '../../src/federation/plan.js';
import type { PrivacyEvent } from '../../src/privacy/events.js';
import { commitToPlan, planUnits } from '../../src/privacy/filter.js';
import { describeOrders } from '../../src/privacy/filterOrders.js';
import { checkQuery, eventOf } from '../../src/privacy/quantization.js';
import type { SumQuery } from '../../src/privacy/sumQuery.js';
import { synthesizerOf } from '../../src/synthesis/index.js';
import type { PlannedCost, Synthesizer } from '../../src/synthesis/synthesizer.js';
import { ParticipantError } from './errors.js';

/**
 * The client enforces, the server asks. A run is known by the plan that the participant computes itself from the
 * charter, the synthesizer and its options; every query must cost exactly what the plan says for its step, and keep the
 * floors of the charter.
 */
export interface RunPolicy {
  readonly runId: string;
  readonly synthesizer: Synthesizer<unknown, unknown>;
  /** The worst-case costs, as this participant computed them itself. */
  readonly plan: readonly PlannedCost[];
  /**
   * What this participant's first charge fixes (spending.ts). Any order of the charter is good that is known before that charge:
   * the one in force at the federation, so that all members have the same; before there is one, that at which the plan costs
   * least, which is what the coordinator's own first reservation takes.
   */
  readonly orders: readonly number[];
  /** Checks a query; returns its event with as few contributors as the charter allows. Throws QueryRefused. */
  check(query: SumQuery, step: number): PrivacyEvent;
}

export interface AnnouncedRun {
  readonly id: string;
  readonly charterDigest: string;
  readonly synthesizer: string;
  readonly options: unknown;
  readonly planDigest: string;
  /** The order in force at the federation, Rényi or 1 for Gaussian DP; null while nothing was reserved and the charter names several. */
  readonly order: number | null;
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
  const orders = ordersFor(run, charter, plan);
  // A plan that samples records after its first sum has no finite cost in Gaussian DP: where that is announced, nothing of it is paid for.
  planUnits(plan, orders);
  const cohort = cohortOf(charter);

  return {
    runId: run.id,
    synthesizer,
    plan,
    orders,
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

function ordersFor(
  { id, order }: AnnouncedRun,
  { privacy: { epsilon, delta, orders } }: Charter,
  plan: readonly PlannedCost[],
): readonly number[] {
  if (order !== null && !orders.includes(order))
    throw new ParticipantError(
      'QueryRefused',
      `Run ${id} is announced at ${describeOrders([order])}; the charter names ${describeOrders(orders)}.`,
    );
  if (order !== null) return [order];
  return orders.length === 1 ? orders : commitToPlan({ epsilon, delta, orders }, plan).orders;
}
