import { describe, expect, it } from 'vitest';
import { cellsIn, type Domain, domainOf } from '../../../src/synthesis/marginals/model/domain.js';
import { marginalOf } from '../../../src/synthesis/marginals/model/elimination.js';
import { InvalidModelInput, ModelTooLarge } from '../../../src/synthesis/marginals/model/errors.js';
import { estimate } from '../../../src/synthesis/marginals/model/estimation.js';
import { junctionTree } from '../../../src/synthesis/marginals/model/junctionTree.js';
import type { Measurement } from '../../../src/synthesis/marginals/model/measurements.js';
import { modelOf, type StructuralZeros } from '../../../src/synthesis/marginals/model/model.js';
import { totalOf } from '../../../src/synthesis/marginals/model/total.js';
import { rngOf } from '../fixtures.js';
import {
  counted,
  type Draws,
  distance,
  drawsOf,
  jointOf,
  leastObjective,
  marginalOfJoint,
  measuredCells,
  objectiveOf,
  randomFactors,
} from './modelByBruteForce.js';

const TOTAL = 500;
const LONG = { total: TOTAL, maxIterations: 4000, tolerance: 1e-12 };

/** Counts of the joint's marginals with normal noise; bins only where given. */
function measured(
  draws: Draws,
  domain: Domain,
  joint: Float64Array,
  queries: readonly Pick<Measurement, 'attributes' | 'bins'>[],
  deviation: number,
): Measurement[] {
  return queries.map((query) => {
    const cells = query.attributes.reduce((product, a, i) => {
      const bin = query.bins?.[i];
      return product * (bin === undefined ? (domain.sizes[a] as number) : Math.max(...bin) + 1);
    }, 1);
    const exact = counted(measuredCells(domain, query), joint, cells);
    const noise = draws.normal(cells);
    const values = exact.map((p, i) => p * TOTAL + deviation * (noise[i] as number));
    return { ...query, values, variance: Math.max(deviation, 1) ** 2 };
  });
}

const domain = domainOf([3, 4, 2, 3]);
const pairs = (...sets: number[][]) => sets.map((attributes) => ({ attributes }));
const STRUCTURES = {
  'single attributes': pairs([0], [1], [2], [3]),
  'a chain': pairs([0, 1], [1, 2], [2, 3]),
  'a ring': pairs([0, 1], [1, 2], [2, 3], [3, 0]),
  'a triangle, and a part of its own': pairs([0, 1], [1, 2], [0, 2], [3]),
  'a pair measured thrice, once the other way round': pairs([0, 1], [1, 0], [0, 1], [2], [3, 2]),
  'coarse bins beside fine counts': [
    { attributes: [0, 1], bins: [Int32Array.from([0, 0, 1]), Int32Array.from([0, 1, 1, 0])] },
    { attributes: [3, 1], bins: [undefined, Int32Array.from([0, 0, 1, 1])] },
    { attributes: [1] },
    { attributes: [2, 3] },
  ],
};

function randomJoint(draws: Draws, structuralZeros: readonly StructuralZeros[] = []): Float64Array {
  return jointOf(domain, randomFactors(draws, domain, [[0, 1, 2, 3]], 1.2), structuralZeros).joint;
}

describe('estimation from exact counts', () => {
  const draws = drawsOf(rngOf(3, 'exact'));
  for (const [name, queries] of Object.entries(STRUCTURES))
    it(`recovers them: ${name}`, () => {
      const joint = randomJoint(draws);
      const measurements = measured(draws, domain, joint, queries, 0);
      const { model, objective, trace } = estimate(domain, measurements, LONG);
      expect(objective).toBeLessThan(1e-8);
      expect(objective).toBe(trace.reduce((a, b) => Math.min(a, b)));
      const whole = marginalOf(model, [0, 1, 2, 3]).map((n) => n / TOTAL);
      for (const m of measurements)
        expect(
          distance(
            counted(measuredCells(domain, m), whole, m.values.length),
            m.values.map((y) => y / TOTAL),
          ),
        ).toBeLessThan(1e-6);
    });

  it('is the distribution of largest entropy: that of iterative proportional fitting from the uniform one', () => {
    const joint = randomJoint(draws);
    const measurements = measured(draws, domain, joint, STRUCTURES['a triangle, and a part of its own'], 0);
    let fitted = joint.map(() => 1 / joint.length);
    for (let sweep = 0; sweep < 500; sweep++)
      for (const m of measurements) {
        const map = measuredCells(domain, m);
        const have = counted(map, fitted, m.values.length);
        fitted = fitted.map((p, c) => {
          const i = map[c] as number;
          return (p * (m.values[i] as number)) / TOTAL / (have[i] as number);
        });
      }
    const { model } = estimate(domain, measurements, { ...LONG, tolerance: 0 });
    expect(
      distance(
        marginalOf(model, [0, 1, 2, 3]).map((n) => n / TOTAL),
        fitted,
      ),
    ).toBeLessThan(1e-5);
    expect(distance(joint, fitted)).toBeGreaterThan(1e-3); // positive control: not the table it was counted on
  });
});

describe('estimation from noisy counts', () => {
  const draws = drawsOf(rngOf(4, 'noisy'));
  for (const [name, queries] of Object.entries(STRUCTURES))
    it(`reaches the least objective that any table has: ${name}`, () => {
      const joint = randomJoint(draws);
      const measurements = measured(draws, domain, joint, queries, 8).map((m, k) => ({
        ...m,
        variance: k === 0 ? m.values.map((_, i) => 40 + 10 * (i % 4)) : m.variance,
        weight: 1 + (k % 2),
      }));
      const { model, objective } = estimate(domain, measurements, LONG);
      const least = leastObjective(domain, measurements, TOTAL);
      expect(objective / least).toBeGreaterThan(1 - 1e-6);
      expect(objective / least).toBeLessThan(1 + 1e-4);
      expect(objectiveOf(domain, marginalOf(model, [0, 1, 2, 3]), measurements) / objective).toBeCloseTo(
        1,
        9,
      );
    });

  it('keeps structural zeros at exactly 0 and reaches the least objective under them', () => {
    const structuralZeros = [{ attributes: [1, 3], cells: Int32Array.from([0, 0, 0, 1, 3, 2]) }];
    const joint = randomJoint(draws, structuralZeros);
    const measurements = measured(draws, domain, joint, STRUCTURES['a ring'], 8);
    const { model, objective } = estimate(domain, measurements, { ...LONG, structuralZeros });
    const barred = (row: number[]) => [0, 1, 11].includes((row[1] as number) * 3 + (row[3] as number));
    const least = leastObjective(domain, measurements, TOTAL, barred);
    expect(objective / least).toBeGreaterThan(1 - 1e-6);
    expect(objective / least).toBeLessThan(1 + 1e-4);
    const table = marginalOf(model, [1, 3]);
    expect([table[0], table[1], table[11]]).toEqual([0, 0, 0]);
    expect(table.filter((n) => n === 0).length).toBe(3);
  });

  it('says the same each time, and stops by itself or where it is told to', () => {
    const measurements = measured(draws, domain, randomJoint(draws), STRUCTURES['a ring'], 8);
    const once = estimate(domain, measurements, { ...LONG, tolerance: 1e-6 });
    const again = estimate(domain, measurements, { ...LONG, tolerance: 1e-6 });
    expect(again.trace).toEqual(once.trace);
    expect(again.model.calibration.marginals).toEqual(once.model.calibration.marginals);
    expect(once.converged).toBe(true);
    expect(once.iterations).toBeLessThan(LONG.maxIterations);
    const short = estimate(domain, measurements, { ...LONG, maxIterations: 7 });
    expect([short.converged, short.iterations]).toEqual([false, 7]);
    expect(short.objective).toBeLessThan(short.trace[0] as number);
    const least = leastObjective(domain, measurements, TOTAL);
    expect(short.objective / least).toBeGreaterThan(1 + 1e-4); // positive control: seven iterations are too few
  });
});

describe('a warm start', () => {
  const draws = drawsOf(rngOf(5, 'warm'));
  const joint = randomJoint(draws);
  const queries = STRUCTURES['a chain'];
  const measurements = measured(draws, domain, joint, queries, 5);
  const first = estimate(domain, measurements, LONG);

  it('has all of the earlier model in its factors, which any larger tree takes up', () => {
    const again = modelOf(domain, first.model.factors, { total: TOTAL });
    expect(distance(marginalOf(again, [0, 1, 2, 3]), marginalOf(first.model, [0, 1, 2, 3]))).toBeLessThan(
      1e-9,
    );
    const larger = [...first.model.factors, { attributes: [3, 0], logPotentials: new Float64Array(9) }];
    const ring = modelOf(domain, larger, { total: TOTAL });
    expect(ring.tree.cliques.map((c) => c.attributes.length)).toEqual([3, 3]);
    expect(distance(marginalOf(ring, [0, 1, 2, 3]), marginalOf(first.model, [0, 1, 2, 3]))).toBeLessThan(
      1e-9,
    );
  });

  it('begins where the earlier model ended and comes to the same end', () => {
    const more = [...measurements, ...measured(draws, domain, joint, pairs([0, 3]), 5)];
    const cold = estimate(domain, more, LONG);
    const warm = estimate(domain, more, { ...LONG, warmStart: first.model.factors });
    const begin = objectiveOf(domain, marginalOf(first.model, [0, 1, 2, 3]), more);
    expect((warm.trace[0] as number) / begin).toBeCloseTo(1, 9);
    expect(warm.trace[0] as number).toBeLessThan((cold.trace[0] as number) / 5);
    expect(warm.objective / cold.objective).toBeCloseTo(1, 5);
    expect(warm.model.factors.map((f) => f.attributes.join())).toEqual(['0,1', '1,2', '2,3', '0,3']);
  });

  it('takes up factors whose clique the new tree no longer has', () => {
    const loose = domainOf([2, 9, 2, 9]);
    const sets = [
      [0, 1],
      [1, 2],
      [2, 3],
      [3, 0],
    ];
    const factors = randomFactors(draws, loose, sets);
    const old = modelOf(loose, factors, { total: TOTAL });
    const { tree } = modelOf(loose, [...factors, ...randomFactors(draws, loose, [[1, 3]], 0)], {
      total: TOTAL,
    });
    const held = (set: readonly number[]) =>
      tree.cliques.some((c) => set.every((a) => c.attributes.includes(a)));
    expect(old.tree.cliques.every((clique) => held(clique.attributes))).toBe(false);
    const values = marginalOf(old, [1, 3]);
    const { trace } = estimate(loose, [{ attributes: [1, 3], values, variance: 1 }], {
      ...LONG,
      warmStart: factors,
    });
    expect(trace[0]).toBeLessThan(1e-12);
  });
});

describe('the total', () => {
  it('is the mean of the sums by inverse variance, each variance that of its cells together', () => {
    const measurements: Measurement[] = [
      { attributes: [0], values: Float64Array.from([100, 200, 306]), variance: 4 }, // 606, variance 12
      { attributes: [2], values: Float64Array.from([300, 300]), variance: Float64Array.from([1, 3]) }, // 600, 4
    ];
    expect(totalOf(domain, measurements)).toBeCloseTo(600 + 6 / 4, 10);
    expect(totalOf(domain, [{ attributes: [], values: Float64Array.from([-7]), variance: 1 }])).toBe(1);
    expect(() => totalOf(domain, [])).toThrow(InvalidModelInput);
  });
});

describe('what is no measurement', () => {
  const values = new Float64Array(3);
  const options = { total: TOTAL, maxIterations: 10, tolerance: 0 };
  const wrong: Record<string, Measurement> = {
    'an attribute that there is not': { attributes: [4], values, variance: 1 },
    'too few values': { attributes: [0, 1], values, variance: 1 },
    'a value that is no number': { attributes: [0], values: Float64Array.from([1, NaN, 2]), variance: 1 },
    'no variance': { attributes: [0], values, variance: 0 },
    'a variance for other cells': { attributes: [0], values, variance: new Float64Array(2).fill(1) },
    'a negative weight': { attributes: [0], values, variance: 1, weight: -1 },
    'bins of another attribute': { attributes: [0], values, variance: 1, bins: [Int32Array.from([0, 1])] },
    'a bin below 0': { attributes: [0], values, variance: 1, bins: [Int32Array.from([0, -1, 2])] },
  };
  for (const [name, measurement] of Object.entries(wrong))
    it(`is refused: ${name}`, () => {
      expect(() => estimate(domain, [measurement], options)).toThrow(InvalidModelInput);
    });

  it('is refused where its cliques take more cells than the limit', () => {
    const measurement = { attributes: [0, 1], values: new Float64Array(12), variance: 1 };
    const cells = junctionTree(domain, [[0, 1]]).cells;
    expect(cells).toBe(cellsIn(domain, [0, 1]) + 2 + 3);
    expect(() => estimate(domain, [measurement], { ...options, cellLimit: cells - 1 })).toThrow(
      ModelTooLarge,
    );
    expect(estimate(domain, [measurement], { ...options, cellLimit: cells }).model.tree.cells).toBe(cells);
  });

  it('is not needed: without any the model is uniform', () => {
    const { model } = estimate(domain, [], options);
    expect(distance(marginalOf(model, [0]), new Float64Array(3).fill(TOTAL / 3))).toBeLessThan(1e-9);
    expect(marginalOfJoint(domain, new Float64Array(72).fill(1 / 72), [0])[0]).toBeCloseTo(1 / 3);
  });
});
