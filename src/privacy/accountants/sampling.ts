import type { PrivacyEvent } from '../events.js';
import { sensitivityFactor } from '../relation.js';
import { betweenIntegers, generalMixtureRdp, ternaryMixtureRdp } from './amplification.js';
import { laplacePure, randomizedResponsePure } from './closedForms.js';
import { type Curve, type Orders, type Question, smaller } from './curves.js';
import { remember } from './memo.js';
import { isSum, sampledSumCurve } from './noisySums.js';
import { MAX_ORDER } from './orders.js';
import { roundUp } from './rounding.js';

/** The event's (k − 1)·D_k at the integers 2 … ⌈largest order⌉. */
export function momentsOf(event: PrivacyEvent, question: Question): (k: number) => number {
  const integers = integersUpTo(Math.max(2, Math.ceil(Math.max(...question.orders))));
  const costs = question.price(event, { ...question, orders: integers });
  return (k) => roundUp((k - 1) * (costs[k - 2] as number));
}

const integerLists = new Map<number, Orders>();
/** One list each, so that the memo recognises it. */
function integersUpTo(most: number): Orders {
  const known = integerLists.get(most) ?? Array.from({ length: most - 1 }, (_, i) => i + 2);
  integerLists.set(most, known);
  return known;
}

function atIntegers(orders: Orders, bound: (order: number) => number): Curve {
  const known = remember(bound);
  return Float64Array.from(orders, (order) => betweenIntegers(order, known));
}

/**
 * Sums and whatever is made of them don't see a record that contributes nothing, so under zero-out a sampled record's laws are those
 * of add/remove. Other events (they count records, or answer for each) don't have that property.
 */
export function zeroIsAbsent(event: PrivacyEvent): boolean {
  switch (event.kind) {
    case 'composed':
    case 'parallel-composed':
      return event.events.every(zeroIsAbsent);
    case 'self-composed':
    case 'poisson-sampled':
    case 'random-allocation':
      return zeroIsAbsent(event.event);
    case 'local-dp-sgd':
      return true;
    default:
      return isSum(event);
  }
}

/**
 * Does a part of it answer for each record by itself? Who answers is then there to see, in a sample too: sampling hides nothing, and
 * a record more or less is an answer more or less, for which there is no bound.
 */
export function isLocal(event: PrivacyEvent): boolean {
  switch (event.kind) {
    case 'randomized-response':
      return true;
    case 'composed':
    case 'parallel-composed':
      return event.events.some(isLocal);
    case 'self-composed':
    case 'poisson-sampled':
    case 'sampled-without-replacement':
    case 'random-allocation':
      return isLocal(event.event);
    default:
      return false;
  }
}

/**
 * Given which other records were drawn, the neighbours' laws are (1−q)P₀ + qP₁ and, add/remove, P₀; replace-one, (1−q)P₀ + qP₁′. Rényi
 * divergences are jointly quasi-convex (van Erven, Harremoës 2014, Thm. 13): averaging over the others never costs more than the worst, and
 * sampling never more than not sampling.
 */
export function poissonSampled(event: PrivacyEvent, samplingRate: number, question: Question): Curve {
  const { orders, relation } = question;
  if (event.kind === 'poisson-sampled') {
    // A sample of a sample; the product is rounded up.
    const rate = Math.min(1, event.samplingRate * samplingRate * (1 + 2 ** -52));
    return poissonSampled(event.event, Math.max(rate, Number.MIN_VALUE), question);
  }
  const asAll = question.price(event, question);
  if (samplingRate === 1 || isLocal(event)) return asAll;
  if (relation === 'replace-one') {
    const both = momentsOf(event, question);
    const one = momentsOf(event, { ...question, relation: 'add-remove' });
    const ternary = atIntegers(orders, (n) =>
      ternaryMixtureRdp(n, samplingRate, (k) => Math.max(both(k), one(k)), pureLoss(event)),
    );
    const removal = throughRemoval(
      (at) => poissonSampled(event, samplingRate, { ...question, orders: at, relation: 'add-remove' }),
      orders,
    );
    return smaller(asAll, smaller(ternary, removal));
  }
  if (relation === 'zero-out' && !zeroIsAbsent(event)) return asAll;
  return mixture(event, samplingRate, { ...question, relation: 'add-remove' });
}

/** (1−q)·μ₀ + q·μ₁ against μ₀, both directions, where μ₀ and μ₁ are the event's laws on neighbours of `question.relation`. */
function mixture(event: PrivacyEvent, samplingRate: number, question: Question): Curve {
  if (isSum(event)) {
    return sampledSumCurve(event, samplingRate, sensitivityFactor(question.relation), question.orders);
  }
  const asAll = question.price(event, question);
  if (samplingRate === 1 || asAll.every((cost) => cost === Number.POSITIVE_INFINITY)) return asAll;
  const moments = momentsOf(event, question);
  return smaller(
    asAll,
    atIntegers(question.orders, (n) => generalMixtureRdp(n, samplingRate, moments)),
  );
}

/** D_∞ under replace-one (and so add/remove), where it is finite and known. */
function pureLoss(event: PrivacyEvent): number {
  if (event.kind === 'laplace') return laplacePure(event.noiseMultiplier / 2);
  if (event.kind === 'randomized-response')
    return randomizedResponsePure(event.noiseParameter, event.buckets);
  return Number.POSITIVE_INFINITY;
}

/**
 * Replacing is removing and adding: D_α(P‖Q) ≤ (α−½)/(α−1)·D_2α(P‖R) + D_(2α−1)(R‖Q), R without either record (Mironov 2017, Prop. 11, p = 2).
 * Nearer to order 1 than 1.5 the first factor is large; there the value at a larger order is used, which bounds it.
 */
export function throughRemoval(addRemove: (orders: Orders) => Curve, orders: Orders): Curve {
  const order = (given: number): number => Math.max(given, 1.5);
  const reached = orders.map((given) => (order(given) <= MAX_ORDER / 2 ? order(given) : 2));
  const doubled = addRemove(reached.map((a) => 2 * a));
  const lower = addRemove(reached.map((a) => 2 * a - 1));
  return Float64Array.from(orders, (given, i) => {
    if (order(given) > MAX_ORDER / 2) return Number.POSITIVE_INFINITY;
    const a = reached[i] as number;
    return roundUp(((a - 0.5) / (a - 1)) * (doubled[i] as number) + (lower[i] as number));
  });
}

/**
 * q = sample/population. Replace-one is Wang, Balle, Kasiviswanathan 2019, Theorem 9. Zero-out: the same three laws; what is zeroed is one of the
 * records that replacing may put in. Add/remove: on the larger population the law is (1−q)P₀ + qP₁ with P₀ exactly that on the
 * smaller one; pair each sample in P₀ with the one in P₁ that has the record instead of a uniformly chosen member. By joint quasi-convexity
 * that is a mixture against its own first part, the two parts being replace-one neighbours. The larger population has at
 * least `populationSize` records, so q is at most what is charged.
 */
export function sampledWithoutReplacement(event: PrivacyEvent, rate: number, question: Question): Curve {
  const { orders, relation } = question;
  if (isLocal(event)) return question.price(event, question);
  const replacing: Question = { ...question, relation: 'replace-one' };
  if (rate === 1)
    return relation === 'add-remove' ? question.price(event, replacing) : question.price(event, question);
  const samplingRate = Math.min(1, rate * (1 + 2 ** -52));
  if (relation === 'add-remove') return mixture(event, samplingRate, replacing);
  if (relation === 'zero-out' && !zeroIsAbsent(event)) return question.price(event, question);
  const moments = momentsOf(event, replacing);
  const ternary = atIntegers(orders, (n) => ternaryMixtureRdp(n, samplingRate, moments, pureLoss(event)));
  return smaller(question.price(event, question), ternary);
}
