import { describe, expect, it } from 'vitest';
import { domainOf } from '../../../src/synthesis/marginals/model/domain.js';
import { marginalOf } from '../../../src/synthesis/marginals/model/elimination.js';
import {
  ImpossibleEvidence,
  InvalidModelInput,
  ModelTooLarge,
} from '../../../src/synthesis/marginals/model/errors.js';
import { condition, type Model, modelOf } from '../../../src/synthesis/marginals/model/model.js';
import { rngOf } from '../fixtures.js';
import {
  distance,
  drawsOf,
  indexOf,
  jointOf,
  marginalOfJoint,
  randomFactors,
  randomSets,
  valuesOf,
} from './modelByBruteForce.js';

const TOTAL = 1000;

function cliqueMarginals({
  tree,
  calibration,
}: Model): { attributes: readonly number[]; values: Float64Array }[] {
  return tree.cliques.map(({ attributes, offset, cells }) => ({
    attributes,
    values: calibration.marginals.subarray(offset, offset + cells),
  }));
}

const expectation = (domain: Model['tree']['domain'], joint: Float64Array, attributes: readonly number[]) =>
  marginalOfJoint(domain, joint, attributes).map((p) => p * TOTAL);

describe('belief propagation', () => {
  const draws = drawsOf(rngOf(2, 'calibration'));
  const cases = Array.from({ length: 60 }, () => {
    const { domain, sets } = randomSets(draws, 6);
    return { domain, sets, factors: randomFactors(draws, domain, sets) };
  });

  it('gives the marginals and the partition function of the whole table, on trees, loops and unconnected parts', () => {
    for (const { domain, factors } of cases) {
      const model = modelOf(domain, factors, { total: TOTAL });
      const { joint, logPartition } = jointOf(domain, factors);
      expect(Math.abs(model.calibration.logPartition - logPartition)).toBeLessThan(1e-10);
      for (const { attributes, values } of cliqueMarginals(model))
        expect(distance(values, expectation(domain, joint, attributes))).toBeLessThan(1e-9);
    }
  });

  it('gives any other marginal by elimination, in any order of attributes', () => {
    for (const { domain, factors } of cases) {
      const model = modelOf(domain, factors, { total: TOTAL });
      const { joint } = jointOf(domain, factors);
      for (let k = 0; k < 10; k++) {
        const asked = domain.sizes
          .map((_, a) => a)
          .filter(() => draws.integer(2) === 0)
          .reverse();
        const expected = expectation(domain, joint, asked);
        expect(distance(marginalOf(model, asked), expected)).toBeLessThan(1e-9);
      }
    }
  });

  it('refuses a marginal that needs a table above the limit, on the way too', () => {
    // A star: what two leaves share is the centre, so that a table over all three comes up.
    const domain = domainOf([50, 7, 7]);
    const factors = randomFactors(draws, domain, [
      [0, 1],
      [0, 2],
    ]);
    const model = modelOf(domain, factors, { total: TOTAL });
    expect(marginalOf(model, [1, 2], 50 * 7 * 7).length).toBe(49);
    expect(() => marginalOf(model, [1, 2], 50 * 7 * 7 - 1)).toThrow(ModelTooLarge);
    expect(() => marginalOf(model, [0, 1], 349)).toThrow(ModelTooLarge);
    expect(() => marginalOf(model, [0, 0])).toThrow(InvalidModelInput);
  });

  it('stays exact when potentials are thousands apart', () => {
    for (const { domain, sets } of cases) {
      const factors = randomFactors(draws, domain, sets, 3000);
      const model = modelOf(domain, factors, { total: TOTAL });
      const { joint, logPartition } = jointOf(domain, factors);
      expect(model.calibration.logPartition / logPartition).toBeCloseTo(1, 12);
      for (const { attributes, values } of cliqueMarginals(model))
        expect(distance(values, expectation(domain, joint, attributes))).toBeLessThan(1e-7);
    }
  });

  it('keeps structural zeros exactly 0, in every marginal that shows them', () => {
    for (const { domain, factors } of cases.filter((one) => one.domain.sizes.length >= 3)) {
      const structuralZeros = [
        { attributes: [0, 2], cells: Int32Array.from([0, 0]) },
        { attributes: [1], cells: Int32Array.from(domain.sizes[1] === 1 ? [] : [0]) },
      ];
      if (domain.sizes[0] === 1 || domain.sizes[2] === 1) continue;
      const model = modelOf(domain, factors, { total: TOTAL, structuralZeros });
      const { joint } = jointOf(domain, factors, structuralZeros);
      const all = domain.sizes.map((_, a) => a);
      const whole = marginalOf(model, all);
      for (const [cell, p] of joint.entries()) if (p === 0) expect(whole[cell]).toBe(0);
      expect(distance(whole, expectation(domain, joint, all))).toBeLessThan(1e-9);
      expect(marginalOf(model, [2, 0])[0]).toBe(0);
    }
  });

  it('conditions on what is known of values and of pairs of them as the table does', () => {
    for (const { domain, factors } of cases) {
      const model = modelOf(domain, factors, { total: TOTAL });
      const known = [...domain.sizes.keys()].map((attribute) => [attribute]);
      known.push(...factors.map(({ attributes }) => [...attributes]));
      const evidence = known.flatMap((attributes) => {
        const cells = attributes.reduce((product, a) => product * (domain.sizes[a] as number), 1);
        const weights = Array.from({ length: cells }, () => draws.integer(4) / 3);
        weights[draws.integer(cells)] = 1;
        return draws.integer(3) === 0 ? [{ attributes, weights }] : [];
      });
      const { joint } = jointOf(domain, factors);
      const agreeing = joint.map((p, cell) => {
        const row = valuesOf(domain.sizes, cell);
        return evidence.reduce((product, { attributes, weights }) => {
          const place = attributes.reduce(
            (at, a) => at * (domain.sizes[a] as number) + (row[a] as number),
            0,
          );
          return product * (weights[place] as number);
        }, p);
      });
      const mass = agreeing.reduce((a, b) => a + b, 0);
      if (mass === 0) {
        expect(() => condition(model, evidence)).toThrow(ImpossibleEvidence);
        continue;
      }
      const conditioned = condition(model, evidence);
      for (const { attributes, values } of cliqueMarginals(conditioned))
        expect(
          distance(
            values,
            expectation(
              domain,
              agreeing.map((p) => p / mass),
              attributes,
            ),
          ),
        ).toBeLessThan(1e-9);
    }
  });

  it('refuses evidence that cannot be, zeros that leave nothing, and what is no potential', () => {
    const domain = domainOf([2, 2]);
    const total = TOTAL;
    const structuralZeros = [{ attributes: [0, 1], cells: Int32Array.from([1, 0, 1, 1]) }];
    const model = modelOf(domain, [], { total, structuralZeros });
    expect([...marginalOf(model, [0])]).toEqual([TOTAL, 0]);
    const on = (weights: readonly number[]) => () => condition(model, [{ attributes: [0], weights }]);
    for (const weights of [
      [0, 1],
      [0, 0],
    ])
      expect(on(weights)).toThrow(ImpossibleEvidence);
    for (const weights of [[1], [1, 1, 1], [1, -1], [1, Number.NaN], [1, Infinity]])
      expect(on(weights)).toThrow(InvalidModelInput);
    const nothing = [{ attributes: [0], cells: Int32Array.from([0, 1]) }];
    expect(() => modelOf(domain, [], { total, structuralZeros: nothing })).toThrow(/leave no cell/);
    const stray = [{ attributes: [0], cells: Int32Array.from([2]) }];
    expect(() => modelOf(domain, [], { total, structuralZeros: stray })).toThrow(InvalidModelInput);
    for (const wrong of [NaN, Infinity])
      expect(() =>
        modelOf(domain, [{ attributes: [1], logPotentials: Float64Array.from([wrong, wrong]) }], { total }),
      ).toThrow(InvalidModelInput);
    expect(() =>
      modelOf(domain, [{ attributes: [1], logPotentials: new Float64Array(3) }], { total }),
    ).toThrow(/3 potentials for the 2 cells/);
    expect(() => modelOf(domain, [], { total: 0 })).toThrow(/not a positive number/);
  });

  it('reads potentials row-major over the attributes in the order of the factor', () => {
    const domain = domainOf([2, 3]);
    const logPotentials = Float64Array.from({ length: 6 }, (_, i) => Math.log(i + 1));
    const model = modelOf(domain, [{ attributes: [1, 0], logPotentials }], { total: 21 });
    const expected = [1, 2, 3, 4, 5, 6];
    expect(distance(marginalOf(model, [1, 0]), expected)).toBeLessThan(1e-12);
    expect(indexOf(domain, [1, 0], [1, 2])).toBe(5);
    expect(distance(marginalOf(model, [0, 1]), [1, 3, 5, 2, 4, 6])).toBeLessThan(1e-12);
  });
});
