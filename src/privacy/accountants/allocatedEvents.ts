import type { PrivacyEvent } from '../events.js';
import { betweenIntegers, gaussianMoment } from './amplification.js';
import { rdpSlack } from './bridge.js';
import { type Curve, type Question, smaller, times } from './curves.js';
import { gaussianStep } from './noisySums.js';
import { MIN_ORDER } from './orders.js';
import { allocationMoments, allocationOutRdp } from './randomAllocation.js';
import { roundUp } from './rounding.js';
import { isLocal, momentsOf, throughRemoval, zeroIsAbsent } from './sampling.js';

/**
 * Given the record's steps it is in `selections` of them, so quasi-convexity charges that many unsampled ones, whatever the event. Below that: the
 * larger of both directions of randomAllocation.ts, times the number of blocks. "Record out" for any step: by the geometric mean,
 * W ≥ Π L_i^(1/t), D_α ≤ D_(1+(α−1)/t) of one step reversed; for Gaussian noise the exact integral as well.
 */
export function randomAllocation(
  event: PrivacyEvent,
  selections: number,
  steps: number,
  question: Question,
): Curve {
  const { orders, relation } = question;
  const always = times(question.price(event, question), selections);
  const block = Math.floor(steps / selections);
  if (block === 1 || isLocal(event)) return always;
  if (relation === 'replace-one') {
    const removal = throughRemoval(
      (at) => randomAllocation(event, selections, steps, { ...question, orders: at, relation: 'add-remove' }),
      orders,
    );
    return smaller(always, removal);
  }
  if (relation === 'zero-out' && !zeroIsAbsent(event)) return always;

  const continuous = gaussianStep(event);
  const most = Math.max(2, Math.ceil(Math.max(...orders)));
  const moments =
    continuous === undefined
      ? momentsOf(event, question)
      : (k: number) => gaussianMoment(continuous.noiseMultiplier, k);
  const within = allocationMoments(block, most, moments);
  const needed = [...new Set(orders.flatMap((order) => [Math.floor(order), Math.ceil(order)]))].map((n) =>
    Math.max(2, n),
  );
  const reversed = needed.map((n) => Math.max(MIN_ORDER, 1 + (n - 1) / block));
  const oneStep = question.price(event, { ...question, orders: reversed });
  const out = new Map<number, number>();
  needed.forEach((n, i) => {
    const exact =
      continuous === undefined || !(continuous.noiseMultiplier > 0)
        ? Number.POSITIVE_INFINITY
        : allocationOutRdp(continuous.noiseMultiplier, block, n - 1);
    out.set(n, Math.min(oneStep[i] as number, exact));
  });
  const perBlock = Float64Array.from(orders, (order) =>
    betweenIntegers(order, (n) => Math.max(roundUp((within[n] as number) / (n - 1)), out.get(n) as number)),
  );
  // Each of the steps is within e^±η of the bridge's continuous one.
  const slack = (continuous?.logFactor ?? 0) * steps;
  return smaller(
    always,
    times(perBlock, selections).map((cost, i) => roundUp(cost + rdpSlack(slack, orders[i] as number))),
  );
}
