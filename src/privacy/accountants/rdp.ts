import { PrivacyError } from '../errors.js';
import { type PrivacyEvent, parseEvent } from '../events.js';
import { type Neighbouring, sensitivityFactor } from '../relation.js';
import { randomAllocation } from './allocatedEvents.js';
import { randomizedResponseRdp } from './closedForms.js';
import { add, type Curve, infinite, larger, type Orders, type Question, smaller, times } from './curves.js';
import { sumCurve } from './noisySums.js';
import { checkOrders, STANDARD_ORDERS } from './orders.js';
import { poissonSampled, sampledWithoutReplacement } from './sampling.js';

/**
 * Rényi divergences of an event at `orders` (1.01 … 4096, fractions too), natural logarithm, upper bounds, the larger direction, under
 * a neighbouring relation. Composition is addition (Mironov 2017, Prop. 1). An event that is malformed, of an unknown kind, not private,
 * or not proved for the relation costs Infinity at every order: nothing is ever skipped (hazard P25). Never NaN, never negative.
 */
export function rdp(
  event: PrivacyEvent,
  orders: readonly number[] = STANDARD_ORDERS,
  relation: Neighbouring = 'add-remove',
): Float64Array {
  checkOrders(orders);
  let parsed: PrivacyEvent;
  try {
    parsed = parseEvent(event);
  } catch (error) {
    if (error instanceof PrivacyError) return infinite(orders);
    throw error;
  }
  const price = memoized(new Map());
  return price(parsed, { orders, relation, price });
}

/** By orders, relation and event: a ledger of a thousand equal rounds costs one. */
type Memo = Map<Orders, Map<string, Curve>>;

function memoized(memo: Memo): Question['price'] {
  return function price(event: PrivacyEvent, question: Question): Curve {
    switch (event.kind) {
      case 'composed':
        return event.events.reduce<Curve>(
          (total, part) => add(total, price(part, question)),
          new Float64Array(question.orders.length),
        );
      case 'self-composed':
        return times(price(event.event, question), event.count);
      default: {
        const { orders, relation } = question;
        const known = memo.get(orders) ?? new Map<string, Curve>();
        memo.set(orders, known);
        const key = `${relation} ${JSON.stringify(event)}`;
        const costs = known.get(key) ?? priced(event, question);
        known.set(key, costs);
        return costs;
      }
    }
  };
}

type Priced = Exclude<PrivacyEvent, { kind: 'composed' | 'self-composed' }>;

function priced(event: Priced, question: Question): Curve {
  const { orders, relation } = question;
  switch (event.kind) {
    case 'non-private':
      return infinite(orders);
    case 'gaussian':
    case 'laplace':
    case 'discrete-gaussian':
    case 'distributed-discrete-gaussian':
      return sumCurve(event, sensitivityFactor(relation), orders);
    case 'randomized-response':
      // Without a record there is no answer: other relations are not defined for it.
      return relation === 'replace-one'
        ? Float64Array.from(orders, (order) =>
            randomizedResponseRdp(event.noiseParameter, event.buckets, order),
          )
        : infinite(orders);
    case 'local-dp-sgd': {
      const release: PrivacyEvent = { version: 1, kind: 'gaussian', noiseMultiplier: event.noiseMultiplier };
      return times(poissonSampled(release, event.samplingRate, question), event.steps);
    }
    case 'poisson-sampled':
      return poissonSampled(event.event, event.samplingRate, question);
    case 'sampled-without-replacement':
      return sampledWithoutReplacement(event.event, event.sampleSize / event.populationSize, question);
    case 'random-allocation':
      return randomAllocation(event.event, event.selections, event.steps, question);
    case 'parallel-composed':
      return parallel(event.events, question);
  }
}

/**
 * A record is in one of the sets. Add/remove, zero-out: only its part changes, so at each order the dearest part is paid. Replace-one: the new record
 * may belong to another set: then one part loses a record and another gains one, and divergences of the two add
 * (composition); else one part sees a replacement. Charged: the larger of the two dearest add/remove costs together and
 * the dearest replacement.
 */
function parallel(events: readonly PrivacyEvent[], question: Question): Curve {
  const zero = (): Curve => new Float64Array(question.orders.length);
  const dearest = events.map((event) => question.price(event, question)).reduce(larger, zero());
  if (question.relation !== 'replace-one' || events.length < 2) return dearest;
  let first = zero();
  let second = zero();
  for (const event of events) {
    const costs = question.price(event, { ...question, relation: 'add-remove' });
    second = larger(second, smaller(first, costs));
    first = larger(first, costs);
  }
  return larger(dearest, add(first, second));
}
