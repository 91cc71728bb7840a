import { canonicalDigest } from '../crypto/canonical.js';
import type { PrivacyEvent } from '../privacy/events.js';
import type { PlannedCost } from '../synthesis/synthesizer.js';

/**
 * A run's costs, committed by hash before its first query. Coordinator and participants compute the plan each for
 * themselves from charter, synthesizer and options; only the digests are compared.
 */
export function planDigest(plan: readonly PlannedCost[]): string {
  return canonicalDigest(plan);
}

/** The worst-case event of the query that follows `step` absorbed sums; undefined when the plan is over. */
export function plannedEvent(plan: readonly PlannedCost[], step: number): PrivacyEvent | undefined {
  if (!Number.isSafeInteger(step) || step < 0) return undefined;
  let before = 0;
  for (const { event, count } of plan) {
    if (step < before + count) return event;
    before += count;
  }
  return undefined;
}

export function totalSteps(plan: readonly PlannedCost[]): number {
  return plan.reduce((sum, { count }) => sum + count, 0);
}
