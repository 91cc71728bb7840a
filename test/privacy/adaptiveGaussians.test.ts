import { describe, expect, test } from 'vitest';
import { largestGaussianCost } from '../../src/privacy/accountants/gaussianOrder.js';
import { mills } from '../../src/privacy/accountants/mills.js';
import {
  admits,
  commit,
  costUnits,
  type FilterLimit,
  gaussianEvent,
  limitUnits,
  noSpending,
  reserve,
  type Spending,
} from '../../src/privacy/index.js';
import { UNITS_PER_NAT } from '../../src/privacy/units.js';

/**
 * An adversary against the filter in Gaussian DP: three sums, each of a size that it chooses when it has seen the answers before, or
 * none. The true δ is an integral over the first two answers, of the third's closed form; the filter is the real one.
 */
const EPSILON = 1;
const DELTA = 1e-5;
const LIMIT: FilterLimit = { epsilon: EPSILON, delta: DELTA, orders: [1] };
/** µ of the whole limit. */
const MU = Math.sqrt(2 * largestGaussianCost(EPSILON, DELTA));

const density = (x: number): number => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
const tail = (x: number): number => (x < 0 ? 1 - tail(-x) : density(x) * mills(x));

/** Smallest δ at which ε holds for one sum of µ: Φ(µ/2 − ε/µ) − e^ε Φ(−µ/2 − ε/µ), any ε (Dong, Roth, Su 2022, Cor. 2.13). */
function hockeyStick(mu: number, epsilon: number): number {
  if (mu === 0) return Math.max(0, -Math.expm1(epsilon));
  // e^ε overflows nothing: losses of 9 standard deviations are below 30 here.
  return Math.max(0, tail(epsilon / mu - mu / 2) - Math.exp(epsilon) * tail(epsilon / mu + mu / 2));
}

/** What the adversary knows: the loss so far, and the largest µ that it may ask next. */
interface Sight {
  readonly loss: number;
  readonly most: number;
}
/** µ of the next sum, 0 for none. */
type Choice = (sight: Sight) => number;

/** How a filter keeps its books: the most that it admits, and what stands after a sum; it throws where that is refused. */
interface Books<State> {
  readonly start: State;
  most(state: State): number;
  ask(state: State, mu: number): State;
}

const costOf = (mu: number) => costUnits(gaussianEvent(1 / mu), LIMIT.orders);
const [ALL] = limitUnits(LIMIT) as [bigint];
/** A hair less than what so many units pay for, so that rounding up costs no unit more. */
const sizeOf = (units: bigint): number =>
  units > 1000n ? Math.sqrt((2 * Number(units)) / UNITS_PER_NAT) * (1 - 1e-9) : 0;

const real: Books<Spending> = {
  start: noSpending(LIMIT),
  most: ({ spent }) => sizeOf(ALL - (spent[0] as bigint)),
  ask(spending, mu) {
    const cost = costOf(mu);
    const held = reserve(LIMIT, spending, cost);
    if (held.kind !== 'reserved') throw new Error(`a sum of ${mu} is not admitted`);
    return commit(held.spending, cost, cost);
  },
};

const STEPS = 64;
const REACH = 9;

/** E over P of (1 − e^(ε − L))₊ when µ are chosen one after the other; P: N(µ, 1), Q: N(0, 1), L = µx − µ²/2 each. */
function trueDelta<State>(
  books: Books<State>,
  [next, ...later]: readonly Choice[],
  state = books.start,
  loss = 0,
): number {
  if (next === undefined) return hockeyStick(0, EPSILON - loss);
  const mu = next({ loss, most: books.most(state) });
  const after = mu === 0 ? state : books.ask(state, mu);
  if (later.length === 0) return hockeyStick(mu, EPSILON - loss);
  if (mu === 0) return trueDelta(books, later, after, loss);
  // Trapezoids, which converge geometrically on a smooth integrand that vanishes at both ends (Trefethen, Weideman 2014, §5).
  let sum = 0;
  for (let i = 0; i <= STEPS; i++) {
    const z = REACH * ((2 * i) / STEPS - 1);
    sum += density(z) * trueDelta(books, later, after, loss + mu * z + (mu * mu) / 2);
  }
  return (sum * 2 * REACH) / STEPS;
}

const greedy: Choice = ({ most }) => most;
const half: Choice = () => MU * Math.SQRT1_2 * (1 - 1e-9);
const third: Choice = () => (MU / Math.sqrt(3)) * (1 - 1e-9);
/** Goes on after good luck only: the record seems to be in. */
const whileLucky: Choice = ({ loss, most }) => (loss > 0 ? most : 0);
/** Stops as soon as ε is reached: more would only blur it. */
const untilReached: Choice = ({ loss, most }) => (loss > EPSILON ? 0 : most);
/** The further it is from ε, the more it asks at once. */
const byDistance: Choice = ({ loss, most }) => most * Math.min(1, Math.abs(EPSILON - loss) / 2);

describe('the filter in Gaussian DP against whoever chooses sums in sight of the answers', () => {
  test.each<[string, readonly Choice[]]>([
    ['one sum of all that is admitted', [greedy]],
    ['two sums', [half, greedy]],
    ['a second sum after good luck only', [half, whileLucky]],
    ['until ε is reached', [half, untilReached]],
    ['three sums, the second by the distance from ε', [third, byDistance, greedy]],
    ['three sums, then by luck', [third, byDistance, whileLucky]],
    ['three sums, until ε is reached', [third, untilReached, untilReached]],
  ])('%s: δ is at most what the limit says', (_, choices) => {
    const delta = trueDelta(real, choices);
    expect(delta).toBeLessThanOrEqual(DELTA * (1 + 1e-9));
    expect(delta).toBeGreaterThan(DELTA * 0.99);
  });

  test('who asks for all that is admitted, however divided in sight of the answers, reaches δ: nothing is wasted', () => {
    for (const choices of [[greedy], [half, greedy], [third, byDistance, greedy]])
      expect(trueDelta(real, choices)).toBeGreaterThan(DELTA * (1 - 1e-4));
  });

  test('and a hair more than all that is left is refused', () => {
    for (const mu of [0.1, 0.2, MU / 2]) {
      const state = real.ask(real.start, mu);
      expect(() => real.ask(state, real.most(state) * (1 + 1e-6))).toThrow(/not admitted/);
    }
  });

  test('positive control: a filter that forgets what it has reserved lets δ be passed', () => {
    const forgetful: Books<bigint> = {
      start: 0n,
      most: () => sizeOf(ALL),
      ask: (_, mu) => {
        const cost = costOf(mu);
        if (!admits(LIMIT, cost)) throw new Error(`a sum of ${mu} is not admitted`);
        return cost[0] as bigint;
      },
    };
    expect(trueDelta(forgetful, [greedy, greedy])).toBeGreaterThan(10 * DELTA);
  });

  test('positive control: an odometer whose every reading stays at δ lets 2δ be spent (hazard P24)', () => {
    // Not the worst that may come is charged, but what the answers have told.
    const odometer: Books<bigint> = { start: 0n, most: () => MU, ask: (state) => state };
    const reading: Choice = ({ loss }) =>
      loss >= EPSILON ? 0 : Math.sqrt(2 * largestGaussianCost(EPSILON - loss, DELTA));
    expect(trueDelta(odometer, [greedy, reading])).toBeGreaterThan(1.9 * DELTA);
  });
});
