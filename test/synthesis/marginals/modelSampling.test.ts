import { describe, expect, it } from 'vitest';
import { conditionalPlan } from '../../../src/synthesis/marginals/model/conditionalPlan.js';
import { sampleRowsGiven } from '../../../src/synthesis/marginals/model/conditionalSampling.js';
import { domainOf } from '../../../src/synthesis/marginals/model/domain.js';
import { ImpossibleEvidence, InvalidModelInput } from '../../../src/synthesis/marginals/model/errors.js';
import { condition, type Model, modelOf } from '../../../src/synthesis/marginals/model/model.js';
import { sampleRows, samplingPlan } from '../../../src/synthesis/marginals/model/sampling.js';
import { uniforms } from '../../../src/synthesis/randomness.js';
import { goodnessOfFit } from '../../privacy/support.js';
import { rngOf } from '../fixtures.js';
import { drawsOf, jointOf, randomFactors, valuesOf } from './modelByBruteForce.js';

/** Of each χ² test, on a fixed seed. The whole file makes about 60 of them: one false alarm in 16,000 choices of seeds. */
const FALSE_ALARM = 1e-6;
const ROWS = 60_000;

const domain = domainOf([2, 3, 2, 3, 2, 2]);
const WIDTH = domain.sizes.length;
const draws = drawsOf(rngOf(6, 'sampling'));
const pairs = [
  [0, 1],
  [1, 2],
  [2, 3],
  [3, 4],
];
const MODELS: Record<string, Model> = {
  'a chain, and a part of its own': modelOf(domain, randomFactors(draws, domain, pairs), { total: 10 }),
  'a ring with a triple': modelOf(domain, randomFactors(draws, domain, [...pairs, [4, 0], [1, 4, 5]]), {
    total: 10,
  }),
  'a star': modelOf(
    domain,
    randomFactors(
      draws,
      domain,
      [0, 2, 3, 4, 5].map((leaf) => [1, leaf]),
    ),
    { total: 10 },
  ),
  'structural zeros': modelOf(domain, randomFactors(draws, domain, pairs), {
    total: 10,
    structuralZeros: [
      { attributes: [0, 1], cells: Int32Array.from([0, 0, 1, 2]) },
      { attributes: [3], cells: Int32Array.from([2]) },
    ],
  }),
};

const joint = ({ factors, structuralZeros }: Model) => jointOf(domain, factors, structuralZeros).joint;

function counts(rows: Uint16Array): Float64Array {
  const out = new Float64Array(domain.sizes.reduce((a, b) => a * b));
  for (let at = 0; at < rows.length; at += WIDTH) {
    const cell = domain.sizes.reduce((index, size, a) => index * size + (rows[at + a] as number), 0);
    out[cell] = (out[cell] as number) + 1;
  }
  return out;
}

/** p-value of rows against a distribution over all cells, none of them in a cell of probability 0. */
function pValueOf(rows: Uint16Array, probabilities: Float64Array): number {
  const seen = counts(rows);
  if (seen.some((n, cell) => n > 0 && probabilities[cell] === 0)) return 0;
  return goodnessOfFit([...seen], [...probabilities]);
}

/** The joint where the row has the given values, scaled to 1. */
function jointGiven(model: Model, given: readonly number[], values: readonly number[]): Float64Array {
  const agreeing = joint(model).map((p, cell) => {
    const row = valuesOf(domain.sizes, cell);
    return given.every((a, i) => row[a] === values[i]) ? p : 0;
  });
  const mass = agreeing.reduce((a, b) => a + b, 0);
  return agreeing.map((p) => p / mass);
}

describe('sampling', () => {
  for (const [name, model] of Object.entries(MODELS))
    it(`draws from the model: ${name}`, () => {
      const plan = samplingPlan(model);
      const rows = sampleRows(plan, uniforms(rngOf(7, name), ROWS * plan.draws));
      expect(pValueOf(rows, joint(model))).toBeGreaterThan(FALSE_ALARM);
    });

  it('is found out where it draws from another model, or from its marginals alone', () => {
    const model = MODELS['a ring with a triple'] as Model;
    const plan = samplingPlan(MODELS['a chain, and a part of its own'] as Model);
    const rows = sampleRows(plan, uniforms(rngOf(8), ROWS * plan.draws));
    expect(pValueOf(rows, joint(model))).toBeLessThan(FALSE_ALARM);
    const right = samplingPlan(model);
    const shuffled = sampleRows(right, uniforms(rngOf(9), ROWS * right.draws));
    for (let at = 0; at + WIDTH < shuffled.length; at += WIDTH) shuffled[at] = shuffled[at + WIDTH] as number;
    expect(pValueOf(shuffled, joint(model))).toBeLessThan(FALSE_ALARM);
  });

  it('draws from the model given allowed values', () => {
    for (const model of Object.values(MODELS)) {
      const evidence = [
        { attributes: [1], weights: domain.sizes[1] === 3 ? [0, 1, 1] : [0, 1] },
        {
          attributes: [4],
          weights: Array.from({ length: domain.sizes[4] as number }, (_, v) => Number(v === 0)),
        },
      ];
      const conditioned = condition(model, evidence);
      const plan = samplingPlan(conditioned);
      const rows = sampleRows(plan, uniforms(rngOf(10), ROWS * plan.draws));
      const agreeing = joint(model).map((p, cell) => {
        const row = valuesOf(domain.sizes, cell);
        return row[1] !== 0 && row[4] === 0 ? p : 0;
      });
      const mass = agreeing.reduce((a, b) => a + b, 0);
      expect(
        pValueOf(
          rows,
          agreeing.map((p) => p / mass),
        ),
      ).toBeGreaterThan(FALSE_ALARM);
    }
  });

  it('gives a row by its own uniforms: the same again, in pages, and in another order', () => {
    const plan = samplingPlan(MODELS['a ring with a triple'] as Model);
    const page = 50 * plan.draws;
    const all = uniforms(rngOf(11), 4 * page);
    const rows = sampleRows(plan, all);
    expect(sampleRows(plan, all)).toEqual(rows);
    for (const k of [2, 0, 3, 1])
      expect(sampleRows(plan, all.subarray(k * page, (k + 1) * page))).toEqual(
        rows.subarray(k * 50 * WIDTH, (k + 1) * 50 * WIDTH),
      );
  });

  it('stays within the cells that there are at the ends of the uniforms', () => {
    for (const model of Object.values(MODELS)) {
      const plan = samplingPlan(model);
      for (const end of [2 ** -33, 1 - 2 ** -33, Number.MIN_VALUE, 1 - 2 ** -53]) {
        const row = counts(sampleRows(plan, new Float64Array(plan.draws).fill(end)));
        expect(joint(model)[row.indexOf(1)]).toBeGreaterThan(0);
      }
    }
    expect(() => sampleRows(samplingPlan(MODELS['a star'] as Model), new Float64Array(4))).toThrow(
      InvalidModelInput,
    );
  });
});

describe('sampling given values', () => {
  const GIVEN = [[1], [3, 0], [4, 5], [2, 1, 5], [0, 2, 4], [5]];
  for (const [name, model] of Object.entries(MODELS))
    it(`draws from the model given each row's own values: ${name}`, () => {
      for (const given of GIVEN) {
        const plan = conditionalPlan(model, given);
        // Rows take turns with three combinations that can occur.
        const combinations = [0, 1, 2].map((k) => {
          const p = joint(model);
          const possible = [...p.keys()].filter((cell) => (p[cell] as number) > 0);
          const row = valuesOf(domain.sizes, possible[(k * 17 + 5) % possible.length] as number);
          return given.map((a) => row[a] as number);
        });
        const values = Uint16Array.from({ length: ROWS * given.length }, (_, i) => {
          const row = Math.floor(i / given.length);
          return combinations[row % 3]?.[i % given.length] as number;
        });
        const rows = sampleRowsGiven(plan, values, uniforms(rngOf(12, given.join()), ROWS * plan.draws));
        const p = [0, 1, 2].map((k) => {
          const own = rows.filter((_, i) => Math.floor(i / WIDTH) % 3 === k);
          return pValueOf(own, jointGiven(model, given, combinations[k] as number[]));
        });
        expect(Math.min(...p)).toBeGreaterThan(FALSE_ALARM);
      }
    });

  it('is found out where the given values only replace those of an unconditional row', () => {
    const model = MODELS['a ring with a triple'] as Model;
    const plan = samplingPlan(model);
    const rows = sampleRows(plan, uniforms(rngOf(13), ROWS * plan.draws));
    const p = [0, 1].map((value) => {
      for (let at = 0; at < rows.length; at += WIDTH) rows[at] = value;
      return pValueOf(rows, jointGiven(model, [0], [value]));
    });
    expect(Math.max(...p)).toBeLessThan(FALSE_ALARM);
  });

  it('gives a row by its own values and uniforms, whatever rows came before', () => {
    const model = MODELS['a ring with a triple'] as Model;
    const given = [3, 5, 0];
    const plan = conditionalPlan(model, given);
    const count = 200;
    const values = Uint16Array.from({ length: count * 3 }, (_, i) =>
      draws.integer(domain.sizes[given[i % 3] as number] as number),
    );
    const all = uniforms(rngOf(14), count * plan.draws);
    const rows = sampleRowsGiven(plan, values, all);
    for (let row = count - 1; row >= 0; row--)
      expect(
        sampleRowsGiven(
          plan,
          values.subarray(row * 3, row * 3 + 3),
          all.subarray(row * plan.draws, (row + 1) * plan.draws),
        ),
      ).toEqual(rows.subarray(row * WIDTH, (row + 1) * WIDTH));
    for (let row = 0; row < count; row++)
      expect(given.map((a) => rows[row * WIDTH + a])).toEqual([...values.subarray(row * 3, row * 3 + 3)]);
  });

  it('draws as the model does where nothing is given, and gives back what is where all is', () => {
    const model = MODELS['a star'] as Model;
    const none = conditionalPlan(model, []);
    const rows = sampleRowsGiven(none, new Uint16Array(0), uniforms(rngOf(15), ROWS * none.draws));
    expect(pValueOf(rows, joint(model))).toBeGreaterThan(FALSE_ALARM);
    const all = conditionalPlan(model, [5, 4, 3, 2, 1, 0]);
    const back = sampleRowsGiven(all, Uint16Array.from([1, 0, 2, 1, 2, 1]), uniforms(rngOf(16), all.draws));
    expect([...back]).toEqual([1, 2, 1, 2, 0, 1]);
  });

  it('respects evidence for all rows under the values of each', () => {
    const conditioned = condition(MODELS['a star'] as Model, [{ attributes: [3], weights: [1, 0, 1] }]);
    const plan = conditionalPlan(conditioned, [0]);
    const rows = sampleRowsGiven(plan, new Uint16Array(ROWS).fill(1), uniforms(rngOf(17), ROWS * plan.draws));
    expect(pValueOf(rows, jointGiven(conditioned, [0], [1]))).toBeGreaterThan(FALSE_ALARM);
  });

  it('weighs evidence that is all but impossible without losing it to underflow', () => {
    // Each of forty given values has odds of exp(−60) for the hidden one being 0, each way: together exp(−2400).
    const many = domainOf(new Array<number>(41).fill(2));
    const factors = Array.from({ length: 40 }, (_, k) => ({
      attributes: [0, k + 1],
      logPotentials: Float64Array.from(k % 2 === 0 ? [0, -60, -60, 0] : [-60, 0, 0, -60]),
    }));
    const given = Array.from({ length: 40 }, (_, k) => k + 1);
    const plan = conditionalPlan(modelOf(many, factors, { total: 1 }), given);
    const ones = new Uint16Array(400 * 40).fill(1); // twenty say 1, twenty say 0: even odds
    const rows = sampleRowsGiven(plan, ones, uniforms(rngOf(18), 400 * plan.draws));
    const sum = Array.from({ length: 400 }, (_, row) => rows[row * 41] as number).reduce((a, b) => a + b);
    expect(Math.abs(sum - 200)).toBeLessThan(4.892 * 10); // two-sided 1e-6 of a binomial of variance 100
  });

  it('refuses a row that cannot be, by its number, and values that there are not', () => {
    const plan = conditionalPlan(MODELS['structural zeros'] as Model, [0, 1]);
    const u = new Float64Array(3 * plan.draws).fill(0.5);
    const values = Uint16Array.from([0, 1, 1, 1, 0, 0]);
    try {
      sampleRowsGiven(plan, values, u);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(ImpossibleEvidence);
      expect((error as ImpossibleEvidence).row).toBe(2);
    }
    values[4] = 2;
    expect(() => sampleRowsGiven(plan, values, u)).toThrow(/row 2: no such value of attribute 0/);
    expect(() => sampleRowsGiven(plan, values.subarray(1), u)).toThrow(InvalidModelInput);
    expect(() => conditionalPlan(MODELS['a star'] as Model, [0, 0])).toThrow(InvalidModelInput);
  });
});
