import { epsilonBounds } from '../privacy/epsilonBounds.js';
import { PrivacyError } from '../privacy/errors.js';
import {
  admits,
  commitToPlan,
  costUnits,
  epsilonOfUnits,
  type FilterLimit,
  limitUnits,
  planUnits,
} from '../privacy/filter.js';
import { compositionOf } from '../privacy/observerViews.js';
import { addUnits, INFINITE_UNITS } from '../privacy/units.js';
import type { PlannedCost } from '../synthesis/synthesizer.js';
import { planDigest, totalSteps } from './plan.js';
import type { RunPreview } from './service.js';

export interface BudgetInForce {
  readonly limit: FilterLimit;
  /** Spent and reserved, one entry an order of the limit. */
  readonly standing: readonly bigint[];
  /** Nothing was ever asked: the first run's plan fixes the order. */
  readonly openToPlans: boolean;
}

/** The run with another noise, everything else as proposed; undefined where no ring holds that noise. */
export type WithNoise = (noiseMultiplier: number) => readonly PlannedCost[] | undefined;

export interface PreviewRequest {
  readonly budget: BudgetInForce;
  readonly plan: readonly PlannedCost[];
  /** Where the run's noise is one option: its value, and the plan that another value makes. */
  readonly noise?: { readonly multiplier: number; readonly plan: WithNoise };
  /** ε that this run alone shall cost at the charter's δ; left out: what is left of the budget. */
  readonly targetEpsilon?: number;
}

/** What a run would cost, with nothing asked and nothing spent. Pure; the figures are the filter's own. */
export function previewRun({ budget, plan, noise, targetEpsilon }: PreviewRequest): RunPreview {
  const { limit, standing } = underPlan(budget, plan);
  const units = planUnits(plan, limit.orders);
  const { epsilon: interval } = epsilonBounds(compositionOf(plan), { delta: limit.delta });
  /** What a plan may spend: the target alone, or what is left beside what stands. */
  const allowance = (own: readonly PlannedCost[]) => {
    const inForce = underPlan(budget, own);
    return targetEpsilon === undefined
      ? inForce
      : { limit: { ...inForce.limit, epsilon: targetEpsilon }, standing: inForce.limit.orders.map(() => 0n) };
  };
  const covers = (own: readonly PlannedCost[]): boolean => {
    const { limit: allowed, standing: before } = allowance(own);
    return admits(allowed, addUnits(before, planUnits(own, allowed.orders)));
  };
  return {
    epsilon: epsilonOfUnits(limit, units),
    interval,
    epsilonAfter: epsilonOfUnits(limit, addUnits(standing, units)),
    epsilonLimit: limit.epsilon,
    delta: limit.delta,
    orders: limit.orders,
    steps: totalSteps(plan),
    fits: admits(limit, addUnits(standing, units)),
    remainingSteps: affordableSteps(plan, limit, standing),
    planDigest: planDigest(plan),
    target: {
      epsilon: targetEpsilon ?? null,
      noiseMultiplier: noise === undefined ? null : smallestNoise(noise, covers),
      steps: affordableSteps(plan, allowance(plan).limit, allowance(plan).standing),
    },
  };
}

/** The limit as it will be when this plan is the first to reserve. */
function underPlan(
  { limit, standing, openToPlans }: BudgetInForce,
  plan: readonly PlannedCost[],
): Pick<BudgetInForce, 'limit' | 'standing'> {
  return openToPlans ? { limit: commitToPlan(limit, plan), standing: [0n] } : { limit, standing };
}

/**
 * Queries of the plan, in its order, until the next would be over the limit. A plan that is one event, or ends in one that is repeated,
 * may go on past its own length: so many rounds are left for that noise; any other ends where it ends.
 */
function affordableSteps(
  plan: readonly PlannedCost[],
  limit: FilterLimit,
  standing: readonly bigint[],
): number {
  const limits = limitUnits(limit);
  let spent = [...standing];
  let steps = 0;
  for (const [i, { event, count }] of plan.entries()) {
    const goesOn = i === plan.length - 1 && (i === 0 || count > 1);
    const cost = costUnits(event, limit.orders);
    const room = cost.map((unit, order) =>
      unit >= INFINITE_UNITS || spent[order]! > limits[order]!
        ? 0n
        : (limits[order]! - spent[order]!) / (unit > 0n ? unit : 1n),
    );
    const most = room.reduce((a, b) => (b > a ? b : a), 0n);
    const bound = goesOn ? BigInt(Number.MAX_SAFE_INTEGER) : BigInt(count);
    const taken = most < bound ? most : bound;
    steps += Number(taken);
    if (taken < BigInt(count)) return steps;
    spent = spent.map((unit, order) => unit + cost[order]! * taken);
  }
  return steps;
}

const LARGEST_NOISE = 1e6;
const SMALLEST_NOISE = 2 ** -7;
/** Of the bisection's end; the answer is rounded up to four digits. */
const RELATIVE_WIDTH = 1e-5;

/**
 * The smallest noise multiplier, four digits, at which the plan is covered: found by asking for the plan itself at each, so that
 * grid, ring and rounding are in it. Null where not even the noise that the ring can hold is enough.
 */
function smallestNoise(
  { multiplier, plan }: NonNullable<PreviewRequest['noise']>,
  covers: (plan: readonly PlannedCost[]) => boolean,
): number | null {
  const enough = (noise: number): boolean => {
    const made = plan(noise);
    try {
      return made !== undefined && covers(made);
    } catch (error) {
      // So little noise that nothing bounds its cost.
      if (error instanceof PrivacyError && error.code === 'cost-infinite') return false;
      throw error;
    }
  };
  let high = multiplier;
  // Upwards from a noise that the ring holds, until one is enough or the ring is full.
  for (let full = false; !enough(high); ) {
    if (full || high >= LARGEST_NOISE) return null;
    const doubled = Math.min(2 * high, LARGEST_NOISE);
    full = plan(doubled) === undefined;
    high = full ? largestHeld(plan, high, doubled) : doubled;
  }
  let low = high / 2;
  while (enough(low)) {
    high = low;
    if (low < SMALLEST_NOISE) break;
    low /= 2;
  }
  while (high / low > 1 + RELATIVE_WIDTH) {
    const middle = Math.sqrt(low * high);
    if (enough(middle)) high = middle;
    else low = middle;
  }
  const rounded = Number(high.toPrecision(4));
  const upwards = rounded >= high ? rounded : Number((high * (1 + 5e-4)).toPrecision(4));
  return enough(upwards) ? upwards : high;
}

/** The end of the ring, from below and to RELATIVE_WIDTH: `held` is a noise that has a plan, `beyond` one that has none. */
function largestHeld(plan: WithNoise, held: number, beyond: number): number {
  let [low, high] = [held, beyond];
  while (high / low > 1 + RELATIVE_WIDTH) {
    const middle = Math.sqrt(low * high);
    if (plan(middle) === undefined) high = middle;
    else low = middle;
  }
  return low;
}
