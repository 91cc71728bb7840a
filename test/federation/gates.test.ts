import { describe, expect, it } from 'vitest';
import { canonicalJson } from '../../src/crypto/canonical.js';
import {
  charterDigest,
  describeRelease,
  parseCharter,
  readCharter,
  synthesisContext,
} from '../../src/federation/charter.js';
import { assertGatesPassed, gateResults } from '../../src/federation/gates.js';
import { meanDistance, totalOf } from '../../src/synthesis/quality/distances.js';
import { attackAdvantage } from '../../src/synthesis/quality/ranks.js';
import type { QualityReport } from '../../src/synthesis/quality/report.js';
import { normals, seededRng } from '../../src/synthesis/randomness.js';
import { SCHEMA } from './harness.js';

const DIGEST = '45945b0b4ddef3229004a93e9a0cc74cd60d1baeebe25382fe1952119d08c742';

const report = {
  twoWay: { mean: { estimate: 0.05, lower: 0.02, upper: 0.1 } },
  attack: { advantage: { estimate: 0.01, lower: 0, upper: 0.08 }, references: 100 },
} as QualityReport;

/** As many as `report` has. */
const fewestReferences = 100;

describe('gates', () => {
  it('take the end of the interval that speaks against the release', () => {
    const states = (minFidelity: number, maxAttackAdvantage: number) =>
      gateResults({ minFidelity, maxAttackAdvantage }, { epsilon: 1, report, fewestReferences }).map(
        ({ state }) => state,
      );
    // The estimates alone, 0.95 and 0.01, would pass all of these.
    expect(states(0.9, 0.08)).toEqual(['passed', 'passed']);
    expect(states(0.91, 0.08)).toEqual(['failed', 'passed']);
    expect(states(0.9, 0.07)).toEqual(['passed', 'failed']);
  });

  it('are closed by what is not measured, by an infinite ε and by what is no number', () => {
    expect(
      gateResults({ minFidelity: 0 }, { epsilon: 1, report: undefined, fewestReferences })[0]?.state,
    ).toBe('not-measured');
    for (const epsilon of [Number.POSITIVE_INFINITY, Number.NaN])
      expect(gateResults({ maxEpsilon: 3 }, { epsilon, report, fewestReferences })[0]?.state).toBe('failed');
    expect(() =>
      assertGatesPassed(
        'run',
        gateResults({ maxEpsilon: 3, minFidelity: 0 }, { epsilon: 1, report: undefined, fewestReferences }),
      ),
    ).toThrow(/ε at most 3: found 1, passed; fidelity at least 0: not measured yet/);
  });

  it('are closed by a measurement whose own noise says more than the records, whatever it came to', () => {
    /** Of a table that has the records' very shares: 1,800 of them in ten tables of 64 cells, each count under noise. */
    const measured = (deviation: number, seed: number): QualityReport => {
      const noise = normals(seededRng(new Uint8Array(32).fill(seed), 'noise'), 10 * 64 + 22);
      const variance = deviation ** 2;
      const tables = Array.from({ length: 10 }, (_, table) => ({
        variance,
        shares: new Float64Array(64).fill(1 / 64),
        counts: Float64Array.from({ length: 64 }, (_, k) => 1800 / 64 + deviation * noise[64 * table + k]!),
      }));
      const distances = (from: number) => ({
        variance,
        counts: Float64Array.from({ length: 11 }, (_, k) => 1800 / 11 + deviation * noise[from + k]!),
      });
      const mean = meanDistance(tables, totalOf(tables));
      return {
        twoWay: { mean },
        attack: { advantage: attackAdvantage(distances(640), distances(651)), references: 100 },
      } as QualityReport;
    };
    const states = (deviation: number, seed: number) =>
      gateResults(
        { minFidelity: 0.5, maxAttackAdvantage: 0.5 },
        { epsilon: 1, report: measured(deviation, seed), fewestReferences },
      ).map(({ state }) => state);
    for (let seed = 0; seed < 50; seed++) {
      // The control: so good a table passes where the noise leaves something to see.
      expect(states(5, seed)).toEqual(['passed', 'passed']);
      for (const deviation of [1e3, 1e4, 1e6])
        expect(states(deviation, seed), `deviation ${deviation}`).toEqual(['failed', 'failed']);
    }
  });

  it('are closed to an attack that was given too few synthetic rows to find anything near', () => {
    const results = (references: number) =>
      gateResults(
        { minFidelity: 0, maxAttackAdvantage: 0.5 },
        { epsilon: 1, report: { ...report, attack: { ...report.attack, references } }, fewestReferences },
      );
    expect(results(100).map(({ state }) => state)).toEqual(['passed', 'passed']);
    expect(results(99).map(({ state, found }) => [state, found !== null])).toEqual([
      ['passed', true],
      ['not-measured', false],
    ]);
    expect(() => assertGatesPassed('run', results(99))).toThrow(/searched 99 synthetic rows.*from 100 on/);
  });

  it('that are not asked hold nothing back', () => {
    expect(
      gateResults({}, { epsilon: Number.POSITIVE_INFINITY, report: undefined, fewestReferences }),
    ).toEqual([]);
    expect(() => assertGatesPassed('run', [])).not.toThrow();
  });
});

describe('a charter with a hold-out and gates', () => {
  const plain = {
    chorale: 1,
    federation: 'choir',
    version: 1,
    previous: null,
    members: ['a', 'b', 'c'].map((id, i) => ({
      id,
      name: id,
      publicKey: String(i).repeat(64),
      declaredRecords: 100,
    })),
    schema: SCHEMA,
    privacy: { unit: 'record', relation: 'add-remove', epsilon: 3, delta: 1e-6, orders: [8] },
    cohort: { minSurvivors: 3, maxColluders: 1 },
  };

  it('leaves a charter without them as it was, to the byte of its digest', () => {
    const body = canonicalJson(plain);
    expect(canonicalJson(readCharter(body))).toBe(body);
    // Reckoned before either field was there.
    expect(charterDigest(parseCharter(plain))).toBe(DIGEST);
    expect(synthesisContext(parseCharter(plain))).not.toHaveProperty('holdOut');
    expect(describeRelease(parseCharter(plain))).toMatch(/no records are held out/);
  });

  it('has them in its canonical text, and tells synthesizers the share', () => {
    const charter = parseCharter({ ...plain, holdOut: 0.2, releaseGates: { minFidelity: 0.9 } });
    expect(readCharter(canonicalJson(charter))).toEqual(charter);
    expect(synthesisContext(charter).holdOut).toBe(0.2);
    expect(describeRelease(charter)).toMatch(/20 %.*fidelity is measured as at least 0\.9/);
  });

  it.each([
    [{ holdOut: 0 }],
    [{ holdOut: 0.51 }],
    [{ releaseGates: { minFidelity: 0.9 } }],
    [{ releaseGates: { maxAttackAdvantage: 0.1 } }],
    [{ holdOut: 0.2, releaseGates: { minFidelity: 1.1 } }],
    [{ holdOut: 0.2, releaseGates: { minFidelty: 0.9 } }],
  ])('refuses %j', (change) => {
    expect(() => parseCharter({ ...plain, ...change })).toThrow(/charter is not valid/);
  });
});
