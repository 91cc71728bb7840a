import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  addUnits,
  admits,
  commit,
  commitToPlan,
  costUnits,
  epsilonOfUnits,
  type FilterLimit,
  gaussianEvent,
  limitUnits,
  nonPrivateEvent,
  noSpending,
  parseUnits,
  planUnits,
  poissonSampledEvent,
  reserve,
  type Spending,
  serializeUnits,
  totalUnits,
  unitsOfRdp,
  voidReservation,
} from '../../src/privacy/index.js';
import { INFINITE_UNITS, rdpOfUnits } from '../../src/privacy/units.js';
import { goldenCases } from './support.js';

const one: FilterLimit = { epsilon: 3, delta: 1e-6, orders: [8] };
const several: FilterLimit = { epsilon: 3, delta: 1e-6, orders: [4, 8, 16] };

function reserved(limit: FilterLimit, spending: Spending, cost: readonly bigint[]): Spending {
  const result = reserve(limit, spending, cost);
  expect(result.kind).toBe('reserved');
  return result.spending;
}

describe('the limit', () => {
  test('spending all of it is ε or a hair less, at every order', () => {
    for (const order of [1, 2, 4, 8, 63, 1024]) {
      for (const delta of [1e-3, 1e-6, 1e-12]) {
        const limit = { epsilon: 20, delta, orders: [order] };
        const [units] = limitUnits(limit) as [bigint];
        if (units < 0n) continue;
        const epsilon = epsilonOfUnits(limit, [units]);
        expect(epsilon).toBeLessThanOrEqual(20);
        expect(epsilon).toBeGreaterThan(20 - 1e-10);
      }
    }
  });

  test('m orders share δ: each order’s limit is what it would have alone at δ/m, and lower than at δ', () => {
    const limit = { epsilon: 10, delta: 1e-6, orders: [4, 8, 16] };
    const alone = limit.orders.map(
      (order) => limitUnits({ ...limit, delta: limit.delta / 3, orders: [order] })[0] as bigint,
    );
    const undivided = limit.orders.map((order) => limitUnits({ ...limit, orders: [order] })[0] as bigint);
    limitUnits(limit).forEach((units, i) => {
      expect(Math.abs(Number((alone[i] as bigint) - units))).toBeLessThan(100);
      expect(units).toBeLessThan(undivided[i] as bigint);
    });
  });

  test('an order that can’t reach ε at δ admits nothing but nothing', () => {
    const limit = { epsilon: 0.1, delta: 1e-9, orders: [2] };
    expect(limitUnits(limit)).toEqual([-1n]);
    expect(admits(limit, [0n])).toBe(true);
    expect(admits(limit, [1n])).toBe(false);
  });

  test.each([
    [{ ...one, epsilon: 0 }],
    [{ ...one, epsilon: Number.NaN }],
    [{ ...one, epsilon: Number.POSITIVE_INFINITY }],
    [{ ...one, delta: 0 }],
    [{ ...one, delta: 1 }],
    [{ ...one, orders: [] }],
    [{ ...one, orders: [0] }],
    [{ ...one, orders: [2.5] }],
    [{ ...one, orders: [8, 8] }],
  ])('%j is no limit', (limit) => {
    expect(() => limitUnits(limit)).toThrow(expect.objectContaining({ code: 'argument-invalid' }));
  });
});

describe('golden filter cases, at integer orders with δ multiplied by their number', () => {
  const cases = goldenCases('filter.json', 'renyi-filter')?.filter(({ params }) =>
    Array.isArray(params.orders),
  );
  test.skipIf(!cases)('outcomes and ε after each request (skipped without ../shared/golden)', () => {
    let compared = 0;
    for (const { id, params, expected } of cases ?? []) {
      const keep = (params.orders as number[]).map((order) => Number.isInteger(order));
      const orders = (params.orders as number[]).filter(Number.isInteger);
      const limit: FilterLimit = { epsilon: params.epsilon, delta: params.delta * orders.length, orders };
      let spending = noSpending(limit);
      (params.requests as { rdp: unknown[] }[]).forEach(({ rdp }, i) => {
        let outcome: string;
        try {
          if (rdp.length !== keep.length) throw Object.assign(new Error('length'), { code: 'cost-invalid' });
          const numbers = rdp.map((value) =>
            value === 'NaN' || value === 'Infinity' || value === '-Infinity' ? Number(value) : value,
          );
          const cost = unitsOfRdp(numbers as number[]).filter((_, j) => keep[j]);
          const result = reserve(limit, spending, cost);
          outcome = result.kind === 'reserved' ? 'admitted' : 'over-budget';
          if (result.kind === 'reserved') spending = commit(result.spending, cost, cost);
        } catch (error) {
          expect(error).toMatchObject({ code: 'cost-invalid' });
          outcome = 'invalid';
        }
        expect(outcome, `${id} request ${i}`).toBe(expected.outcomes[i]);
        expect(epsilonOfUnits(limit, spending.spent), `${id} ε after ${i}`).toBeCloseTo(
          expected.epsilonAfter[i],
          7,
        );
        compared += 1;
      });
    }
    expect(compared).toBeGreaterThan(100);
  });
});

describe('reserve, commit, void', () => {
  const cost = costUnits(gaussianEvent(20), several.orders);

  test('a run goes on until the next reservation would be over, and not one further', () => {
    const step = costUnits(poissonSampledEvent(0.05, gaussianEvent(1.5)), one.orders);
    let spending = noSpending(one);
    let steps = 0;
    for (;;) {
      const result = reserve(one, spending, step);
      if (result.kind === 'over-budget') {
        expect(result.spending).toBe(spending);
        break;
      }
      spending = commit(result.spending, step, step);
      steps += 1;
    }
    expect(BigInt(steps)).toBe((limitUnits(one)[0] as bigint) / (step[0] as bigint));
    expect(epsilonOfUnits(one, spending.spent)).toBeLessThanOrEqual(one.epsilon);
    expect(epsilonOfUnits(one, addUnits(spending.spent, step))).toBeGreaterThan(one.epsilon);
  });

  test('reservations count against the limit until they are voided', () => {
    const [limit] = limitUnits(one) as [bigint];
    const all = reserved(one, noSpending(one), [limit]);
    expect(reserve(one, all, [1n]).kind).toBe('over-budget');
    expect(voidReservation(all, [limit])).toEqual(noSpending(one));
  });

  test('the surviving noise may cost less than what was reserved, never more', () => {
    const held = reserved(several, noSpending(several), cost);
    const cheaper = cost.map((unit) => unit / 2n);
    expect(commit(held, cost, cheaper)).toEqual({ spent: cheaper, reserved: [0n, 0n, 0n] });
    const dearer = cost.map((unit, i) => (i === 1 ? unit + 1n : unit));
    expect(() => commit(held, cost, dearer)).toThrow(
      expect.objectContaining({ code: 'spending-inconsistent' }),
    );
  });

  test('a reservation is settled once', () => {
    const held = reserved(several, noSpending(several), cost);
    const spent = commit(held, cost, cost);
    expect(() => commit(spent, cost, cost)).toThrow(
      expect.objectContaining({ code: 'spending-inconsistent' }),
    );
    expect(() => voidReservation(spent, cost)).toThrow(
      expect.objectContaining({ code: 'spending-inconsistent' }),
    );
  });

  test('any order of reserve, commit and void keeps spent + reserved within the limit at some order', () => {
    const [limit] = limitUnits(one) as [bigint];
    const action = fc.record({
      kind: fc.constantFrom('reserve', 'commit', 'void'),
      part: fc.integer({ min: 1, max: 60 }),
    });
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
        let spending = noSpending(one);
        const open: bigint[][] = [];
        for (const { kind, part } of actions) {
          const next = kind === 'reserve' ? undefined : open.pop();
          if (next === undefined) {
            const asked = [(limit * BigInt(part)) / 100n];
            const result = reserve(one, spending, asked);
            if (result.kind === 'reserved') open.push(asked);
            spending = result.spending;
          } else {
            const less = next.map((unit) => (unit * BigInt(part)) / 60n);
            spending = kind === 'commit' ? commit(spending, next, less) : voidReservation(spending, next);
          }
          expect(admits(one, totalUnits(spending))).toBe(true);
          expect(spending.reserved).toEqual([open.reduce((sum, [unit]) => sum + (unit as bigint), 0n)]);
        }
      }),
    );
  });
});

describe('a plan committed before the first spend', () => {
  const several: FilterLimit = { epsilon: 3, delta: 1e-6, orders: [4, 8, 16, 32] };
  const step = poissonSampledEvent(0.05, gaussianEvent(1.5));
  const plan = [
    { event: gaussianEvent(20), count: 2 },
    { event: step, count: 100 },
  ];

  test('costs what its queries cost, to the unit', () => {
    const one = costUnits(plan[0]!.event, several.orders);
    const other = costUnits(step, several.orders);
    expect(planUnits(plan, several.orders)).toEqual(one.map((unit, i) => 2n * unit + 100n * other[i]!));
    expect(planUnits([], several.orders)).toEqual([0n, 0n, 0n, 0n]);
  });

  test('fixes the one order at which it costs least, with the whole δ', () => {
    const fixed = commitToPlan(several, plan);
    const units = planUnits(plan, several.orders);
    const epsilons = several.orders.map((order, i) =>
      epsilonOfUnits({ ...several, orders: [order] }, [units[i] as bigint]),
    );
    const best = epsilons.indexOf(Math.min(...epsilons));
    expect(fixed).toEqual({ ...several, orders: [several.orders[best]] });
    // The minimum over the orders is what the plan costs, and less than with δ divided.
    expect(epsilonOfUnits(fixed, planUnits(plan, fixed.orders))).toBe(Math.min(...epsilons));
    expect(Math.min(...epsilons)).toBeLessThan(epsilonOfUnits(several, units));
  });

  test('lets more of its steps through than the filter over all orders, and none over the limit', () => {
    const stepsUnder = (limit: FilterLimit): number => {
      const cost = costUnits(step, limit.orders);
      let spending = noSpending(limit);
      for (let steps = 0; ; steps++) {
        const result = reserve(limit, spending, cost);
        if (result.kind === 'over-budget') return steps;
        spending = commit(result.spending, cost, cost);
        expect(epsilonOfUnits(limit, spending.spent)).toBeLessThanOrEqual(limit.epsilon);
      }
    };
    expect(stepsUnder(commitToPlan(several, plan))).toBeGreaterThan(stepsUnder(several));
  });

  test('a committed order stays: another plan afterwards changes nothing', () => {
    const fixed = commitToPlan(several, plan);
    expect(commitToPlan(fixed, [{ event: gaussianEvent(0.7), count: 1 }])).toEqual(fixed);
  });

  test('an event that costs ∞, or a count that is none, is no plan', () => {
    expect(() => commitToPlan(several, [...plan, { event: nonPrivateEvent(), count: 1 }])).toThrow(
      expect.objectContaining({ code: 'cost-infinite' }),
    );
    for (const count of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => planUnits([{ event: step, count }], several.orders)).toThrow(
        expect.objectContaining({ code: 'argument-invalid' }),
      );
    }
  });
});

describe('hazard P15: units', () => {
  test('less noise is never less spend', () => {
    const orders = [2, 8, 64];
    let before = costUnits(poissonSampledEvent(0.1, gaussianEvent(64)), orders);
    for (const noise of [32, 8, 2, 1, 0.5, 0.1, 0.01]) {
      const cost = costUnits(poissonSampledEvent(0.1, gaussianEvent(noise)), orders);
      cost.forEach((unit, i) => {
        expect(unit).toBeGreaterThan(before[i] as bigint);
      });
      before = cost;
    }
    expect(() => costUnits(gaussianEvent(0), orders)).toThrow(
      expect.objectContaining({ code: 'cost-infinite' }),
    );
    expect(() => costUnits({ version: 1, kind: 'gaussian', noiseMultiplier: -2 }, orders)).toThrow(
      expect.objectContaining({ code: 'cost-infinite' }),
    );
  });

  test('the step that is over the limit is refused, not the one after it', () => {
    const [limit] = limitUnits(one) as [bigint];
    for (const steps of [1n, 2n, 7n, 1000n]) {
      const step = limit / steps;
      const held = reserved(one, noSpending(one), [step * steps]);
      expect(reserve(one, held, [limit - step * steps + 1n]).kind).toBe('over-budget');
      expect(reserve(one, held, [limit - step * steps]).kind).toBe('reserved');
    }
  });

  test.each([
    [Number.NaN],
    [-1],
    [-1e-300],
    [5e-324],
    [2 ** -1023],
    [Number.NEGATIVE_INFINITY],
    ['0.1' as unknown as number],
  ])('a cost of %s is refused', (value) => {
    expect(() => unitsOfRdp([value])).toThrow(expect.objectContaining({ code: 'cost-invalid' }));
  });

  test('a negative spend refunds nothing', () => {
    const spending = { spent: [100n, 100n, 100n], reserved: [0n, 0n, 0n] };
    expect(() => reserve(several, spending, [-1n, 0n, 0n])).toThrow(
      expect.objectContaining({ code: 'cost-invalid' }),
    );
    expect(() => commit(spending, [0n, 0n, 0n], [-1n, 0n, 0n])).toThrow(
      expect.objectContaining({ code: 'cost-invalid' }),
    );
    expect(() => voidReservation(spending, [-1n, 0n, 0n])).toThrow(
      expect.objectContaining({ code: 'cost-invalid' }),
    );
  });

  test('no positive spend vanishes: the tiniest costs one unit', () => {
    expect(unitsOfRdp([0, 2 ** -1022, 1e-300, 2 ** -40, 2 ** -40 * (1 + 2 ** -52)])).toEqual([
      0n,
      1n,
      1n,
      1n,
      2n,
    ]);
    expect(costUnits(gaussianEvent(1e150), one.orders)).toEqual([1n]);
  });

  test('units are never less than the divergence, and at most one more', () => {
    fc.assert(
      fc.property(fc.double({ min: 2 ** -1022, max: 1e6, noNaN: true }), (value) => {
        const [unit] = unitsOfRdp([value]) as [bigint];
        expect(rdpOfUnits(unit)).toBeGreaterThanOrEqual(value);
        expect(rdpOfUnits(unit)).toBeLessThanOrEqual((value + 2 ** -40) * (1 + 2 ** -50));
      }),
    );
  });

  test('infinity at one order kills that order only; at all orders the event is refused', () => {
    const killed = unitsOfRdp([Number.POSITIVE_INFINITY, 0.1, 0.1]);
    expect(killed[0]).toBe(INFINITE_UNITS);
    const spending = commit(reserved(several, noSpending(several), killed), killed, killed);
    expect(epsilonOfUnits(several, spending.spent)).toBeLessThan(3);
    expect(() => costUnits(nonPrivateEvent(), several.orders)).toThrow(
      expect.objectContaining({ code: 'cost-infinite' }),
    );
  });

  test('decimal strings, and nothing else, come back', () => {
    const units = [0n, 1n, 2n ** 100n];
    expect(parseUnits(serializeUnits(units))).toEqual(units);
    for (const text of ['-1', '01', '', ' 1', '1.0', '1e3', '0x1', '+1', '9'.repeat(61)]) {
      expect(() => parseUnits([text])).toThrow(expect.objectContaining({ code: 'cost-invalid' }));
    }
  });

  test('costs for other orders are refused', () => {
    expect(() => admits(several, [1n])).toThrow(expect.objectContaining({ code: 'cost-invalid' }));
    expect(() => addUnits([1n], [1n, 2n])).toThrow(expect.objectContaining({ code: 'cost-invalid' }));
  });
});
