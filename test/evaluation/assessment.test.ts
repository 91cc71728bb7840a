import { beforeAll, describe, expect, it } from 'vitest';
import type { Assessment } from '../../src/evaluation/assess.js';
import { ceilingCurve, largestTpr, privacyCeiling } from '../../src/evaluation/attacks/ceiling.js';
import { type GowerRows, gowerSpace, nearest } from '../../src/evaluation/attacks/nearest.js';
import { type CodedTable, readCoded } from '../../src/evaluation/codedTable.js';
import { propensityError } from '../../src/evaluation/discriminator.js';
import { fidelityScores, subsampleShare } from '../../src/evaluation/fidelityScores.js';
import { labelTask } from '../../src/evaluation/labelTask.js';
import { cellsOfTable, measuringCells } from '../../src/evaluation/measuringCells.js';
import { principalPlane } from '../../src/evaluation/principalComponents.js';
import { renderAssessment } from '../../src/evaluation/report/renderAssessment.js';
import { chooseTuples, jointShares, tupleDistances } from '../../src/evaluation/tupleDistances.js';
import { verdicts } from '../../src/evaluation/verdict.js';
import { seededRng } from '../../src/synthesis/randomness.js';
import type { Row } from '../../src/synthesis/synthesizer.js';
import { parseTableSchema } from '../../src/synthesis/table/schema.js';
import { assessed, FRESH, HOLD_OUT, people, SCHEMA, SCHEMA_JSON, TRAIN } from './assessmentFixture.js';

let train: CodedTable;
let fresh: CodedTable;
let assessment: Assessment;
beforeAll(async () => {
  train = await readCoded(SCHEMA, TRAIN);
  fresh = await readCoded(SCHEMA, FRESH);
  assessment = await assessed(FRESH, { privacy: { epsilon: 1, delta: 1e-9 } });
});

describe('measuring cells', () => {
  it('give a value that a tenth of the rows hold a cell of its own, and the others about equal mass', () => {
    const cells = measuringCells(SCHEMA, train);
    const hours = cells[2]!;
    expect(hours.labels).toContain('40');
    expect(hours.labels.filter((label) => label.includes('not 40'))).toHaveLength(1);
    expect(hours.labels.at(-1)).toBe('missing');
    expect([40, 39.9, 40.1, Number.NaN].map(hours.cellOf).map((cell) => hours.labels[cell])).toEqual([
      '40',
      expect.stringContaining('not 40'),
      expect.stringContaining('not 40'),
      'missing',
    ]);
    const shares = jointShares(
      cellsOfTable(cells, train),
      cells.map(({ labels }) => labels.length),
      [4],
    );
    expect(shares).toHaveLength(10);
    for (const share of shares) expect(share).toBeCloseTo(0.1, 2);
  });

  it('have at most eight coarse cells, each a run of neighbours, and missing by itself', () => {
    for (const { coarse, coarseCells, kind, labels } of measuringCells(SCHEMA, train)) {
      expect(coarseCells).toBeLessThanOrEqual(8);
      expect(new Set(coarse).size).toBe(coarseCells);
      if (kind === 'bins') expect([...coarse]).toEqual([...coarse].sort((a, b) => a - b));
      if (labels.at(-1) === 'missing')
        expect([...coarse].filter((cell) => cell === coarse.at(-1))).toHaveLength(1);
    }
  });

  it('put the rarest of very many categories together', async () => {
    const names = Array.from({ length: 400 }, (_, i) => `n${i}`);
    const wide = parseTableSchema({
      fields: [{ name: 'n', type: 'string', constraints: { required: true, enum: names } }],
    });
    const rows = await readCoded(
      wide,
      Array.from({ length: 4000 }, (_, i) => ({ n: names[Math.floor(Math.sqrt(i * 39))]! })),
    );
    const [cells] = measuringCells(wide, rows);
    expect(cells!.labels).toHaveLength(255);
    expect(cells!.labels.at(-1)).toBe('146 others');
    expect(cells!.labels[cells!.cellOf(0)]).toBe('146 others');
    expect(cells!.labels[cells!.cellOf(394)]).toBe('n394');
  });
});

describe('distances of tuples', () => {
  it('agree with counting by strings, for one, two and three columns', () => {
    const cells = measuringCells(SCHEMA, train);
    const sizes = cells.map(({ labels }) => labels.length);
    const [a, b] = [cellsOfTable(cells, train), cellsOfTable(cells, fresh)];
    const brute = (tuple: readonly number[]): number => {
      const counts = new Map<string, number>();
      for (const [table, sign] of [
        [a, 1],
        [b, -1],
      ] as const)
        for (let row = 0; row < table[0]!.length; row++) {
          const key = tuple.map((column) => table[column]![row]).join();
          counts.set(key, (counts.get(key) ?? 0) + sign / table[0]!.length);
        }
      return [...counts.values()].reduce((sum, value) => sum + Math.abs(value), 0) / 2;
    };
    const tuples = [[3], [0, 2], [1, 5], [0, 1, 2], [2, 3, 5]];
    const [distances] = tupleDistances(a, [b], sizes, tuples);
    for (const [t, tuple] of tuples.entries()) expect(distances![t]).toBeCloseTo(brute(tuple), 12);
  });

  it('choose all tuples while they are few, and as many different ones as are wanted where they are not', () => {
    const rng = seededRng(new Uint8Array(4), 'choose');
    expect(chooseTuples(6, 2, 2000, rng)).toHaveLength(15);
    expect(chooseTuples(6, 3, 300, rng)).toHaveLength(20);
    const chosen = chooseTuples(200, 3, 300, rng);
    expect(new Set(chosen.map(String)).size).toBe(300);
    for (const [a, b, c] of chosen) expect(a! < b! && b! < c!).toBe(true);
  });

  it('find the size of a sub-sample from its distance', () => {
    const cells = measuringCells(SCHEMA, train);
    const table = cellsOfTable(cells, train);
    const tenth = table.map((column) => column.filter((_, row) => row % 10 === 3));
    const { ways } = fidelityScores(
      cells,
      { train: table, holdOut: tenth, synthetic: tenth },
      new Uint8Array(4),
    );
    for (const { asGoodAs } of ways.slice(1)) {
      expect(asGoodAs.bound).toBe('at');
      expect(asGoodAs.share).toBeGreaterThan(0.07);
      expect(asGoodAs.share).toBeLessThan(0.14);
    }
    const line = [
      { share: 0.01, distance: 0.2 },
      { share: 0.8, distance: 0.01 },
    ];
    expect(subsampleShare(line, 0.3)).toEqual({ share: 0.01, bound: 'below' });
    expect(subsampleShare(line, 0.001)).toEqual({ share: 0.8, bound: 'above' });
  });
});

describe('the nearest row', () => {
  it('is the one of comparing all, with Gower’s distance', async () => {
    const rows = await readCoded(SCHEMA, HOLD_OUT.slice(0, 200));
    const space = gowerSpace(SCHEMA, train);
    const [some, all] = [space.encode(rows), space.encode(train)];
    const { distances, indices } = nearest(some, all);
    const between = (a: GowerRows, i: number, b: GowerRows, j: number): number => {
      let sum = 0;
      for (let c = 0; c < a.width; c++)
        sum += Math.min(1, Math.abs(a.values[i * a.width + c]! - b.values[j * b.width + c]!) / 65_535);
      return sum / a.width;
    };
    for (let i = 0; i < some.rows; i++) {
      const every = Array.from({ length: all.rows }, (_, j) => between(some, i, all, j));
      expect(distances[i]).toBeCloseTo(Math.min(...every), 9);
      expect(every[indices[i]!]).toBeCloseTo(distances[i]!, 9);
    }
  });

  it('is itself where it is there, and a missing number is a whole column away from any other', async () => {
    const person = { age: 30, school: 'none', hours: 20, group: 'north', distance: 5, income: 'low' };
    const table = (hours: number | null) => readCoded(SCHEMA, [{ ...person, hours }]);
    const space = gowerSpace(SCHEMA, train);
    const from = space.encode(await table(null));
    expect(nearest(from, space.encode(await table(20))).distances[0]).toBeCloseTo(1 / 6, 12);
    expect(nearest(from, space.encode(await table(null))).distances[0]).toBe(0);
  });
});

describe('the ceiling of (ε, δ)', () => {
  it('agrees with integrating the two inequalities', () => {
    for (const [epsilon, delta] of [
      [0, 0],
      [1, 1e-9],
      [3, 0.05],
      [0.1, 0.3],
      [20, 1e-6],
    ] as const) {
      const steps = 200_000;
      let [area, advantage] = [0, 0];
      for (let i = 0; i < steps; i++) {
        const fpr = (i + 0.5) / steps;
        const tpr = largestTpr(epsilon, delta, fpr);
        area += tpr / steps;
        advantage = Math.max(advantage, tpr - fpr);
      }
      const ceiling = privacyCeiling(epsilon, delta);
      expect(ceiling.auc).toBeCloseTo(area, 4);
      expect(ceiling.advantage).toBeCloseTo(advantage, 4);
      for (const { fpr, tpr } of ceilingCurve(ceiling))
        expect(tpr).toBeCloseTo(largestTpr(epsilon, delta, fpr), 12);
    }
    expect(privacyCeiling(1, 0).advantage).toBeCloseTo((Math.E - 1) / (Math.E + 1), 12);
    expect(privacyCeiling(1e4, 0)).toMatchObject({ advantage: 1, auc: 1 });
  });
});

describe('pMSE', () => {
  it('is what Snoke and others expect where both tables are of one origin, and far more where not', async () => {
    const cells = measuringCells(SCHEMA, train);
    const real = cellsOfTable(cells, train);
    const same = propensityError(cells, real, cellsOfTable(cells, fresh))!;
    // Fresh rows were not fitted to these very rows: the expectation is then c(1 − c)(k − 1)/N, twice as much at c = ½.
    expect(same.ratio / 2).toBeGreaterThan(0.4);
    expect(same.ratio / 2).toBeLessThan(1.8);
    const shifted = await readCoded(
      SCHEMA,
      FRESH.map((row): Row => ({ ...row, group: 'north' })),
    );
    expect(propensityError(cells, real, cellsOfTable(cells, shifted))!.ratio).toBeGreaterThan(20);
  });
});

describe('the principal plane', () => {
  it('finds the direction in which two columns agree, and centres the real table', async () => {
    const pair = parseTableSchema({
      fields: ['a', 'b', 'c'].map((name) => ({ name, type: 'boolean', constraints: { required: true } })),
    });
    const rows = Array.from(
      { length: 1000 },
      (_, i): Row => ({ a: i % 2 === 0, b: i % 2 === 0, c: i % 5 === 0 }),
    );
    const coded = await readCoded(pair, rows);
    const cells = measuringCells(pair, coded);
    const table = cellsOfTable(cells, coded);
    const plane = principalPlane(table, table, [2, 2, 2], new Uint8Array(4));
    // Variance of a and b together 4 · ¼, of c 2 · 0.16.
    expect(plane.explained[0]).toBeCloseTo(1 / 1.32, 6);
    expect(plane.explained[1]).toBeCloseTo(0.32 / 1.32, 6);
    const mean = plane.real.reduce((sum, [x]) => sum + x, 0) / plane.real.length;
    expect(mean).toBeCloseTo(0, 3);
  });
});

describe('assess', () => {
  it('says of fresh people that they are good in every respect', () => {
    expect(assessment.verdicts.filter(({ level }) => level !== 'good')).toEqual([]);
    expect(assessment.verdicts).toHaveLength(10);
    expect(assessment.attacks.ceiling!.auc).toBeGreaterThan(
      assessment.attacks.membership.attacks[0]!.auc.auc,
    );
  });

  it('is JSON, and the same for the same tables and seed', async () => {
    expect(JSON.parse(JSON.stringify(assessment))).toEqual(assessment);
    expect(await assessed(FRESH, { privacy: { epsilon: 1, delta: 1e-9 } })).toEqual(assessment);
  });

  it('counts invalid values and broken constraints, and calls them bad', async () => {
    const schema = parseTableSchema({
      ...SCHEMA_JSON,
      'chorale:constraints': [
        {
          type: 'fixedCombinations',
          columns: ['school', 'income'],
          combinations: [
            ['none', 'low'],
            ['primary', 'low'],
            ['primary', 'high'],
            ['secondary', 'low'],
            ['secondary', 'high'],
            ['tertiary', 'low'],
            ['tertiary', 'high'],
          ],
        },
      ],
    });
    const kept = (rows: readonly Row[]) =>
      rows.filter((row) => row.school !== 'none' || row.income !== 'high');
    const rows = people(400, 'constraint');
    const wrong = kept(rows).map(
      (row, i): Row =>
        i < 3 ? { ...row, age: 200 } : i < 8 ? { ...row, school: 'none', income: 'high' } : row,
    );
    const found = await assessed(wrong, { schema, train: kept(TRAIN), real: kept(HOLD_OUT) });
    expect(found.validity).toMatchObject({ invalidRows: 3, invalidValues: { age: 3 }, violatingRows: 5 });
    expect(found.validity.constraints).toEqual([
      { constraint: expect.stringContaining('school'), synthetic: 5, real: 0 },
    ]);
    expect(found.verdicts[0]).toMatchObject({
      level: 'bad',
      finding: expect.stringMatching(/3 rows.*5 rows/),
    });
  });

  it('does without a label and protected columns, and says so on the page', async () => {
    const plain = parseTableSchema({
      fields: SCHEMA_JSON.fields.map(({ 'chorale:label': _l, 'chorale:protected': _p, ...field }) => field),
    });
    const small = await assessed(FRESH.slice(0, 400), {
      schema: plain,
      train: TRAIN.slice(0, 500),
      real: HOLD_OUT.slice(0, 400),
    });
    expect([small.utility, small.groups, small.attacks.attributes]).toEqual([undefined, [], []]);
    const page = renderAssessment(small, {
      title: 'x',
      generatedAt: 'y',
      files: { train: 'a', real: 'b', synthetic: 'c' },
    });
    expect(page).toContain('no column is the label');
    expect(page).toContain('no column is protected');
  });

  it('takes several classes one against the rest, and a number above or below its median', async () => {
    const school = await assessed(FRESH.slice(0, 600), {
      label: 'school',
      train: TRAIN.slice(0, 800),
      real: HOLD_OUT.slice(0, 600),
    });
    expect(school.utility!.label.classes).toHaveLength(4);
    expect(school.utility!.models[0]!.trainedOnReal.classes.map((score) => score.class)).toEqual([
      'none',
      'primary',
      'secondary',
      'tertiary',
    ]);
    expect(school.utility!.models[0]!.trainedOnReal.auc).toBeGreaterThan(0.55);
    expect(school.groups[0]!.fairness).toBeUndefined();
    const task = labelTask(SCHEMA, train, 'age');
    expect(task.classes).toEqual([
      expect.stringMatching(/^at most \d+$/),
      expect.stringMatching(/^above \d+$/),
    ]);
    expect([18, 90, Number.NaN].map(task.classOf)).toEqual([0, 1, -1]);
  });

  it('refuses tables that say nothing, real rows outside the schema, and columns that there are not', async () => {
    await expect(assessed(FRESH.slice(0, 99))).rejects.toMatchObject({ code: 'EmptyTable' });
    const outside = [...HOLD_OUT, { ...HOLD_OUT[0]!, age: 4711 }];
    await expect(assessed(FRESH, { real: outside })).rejects.toThrow(
      /1 rows? of the real table.*\(in: age\)/,
    );
    await expect(assessed(FRESH, { real: outside })).rejects.not.toThrow(/4711/);
    await expect(assessed(FRESH, { label: 'wage' })).rejects.toThrow(/no column "wage".*age, school/);
    await expect(assessed(FRESH, { protectedColumns: ['sex'] })).rejects.toMatchObject({
      code: 'UnknownColumn',
    });
  });
});

describe('verdicts', () => {
  it('change at the thresholds that they state', () => {
    const level = (change: object, topic: string) =>
      verdicts({ ...assessment, ...change }).find((verdict) => verdict.topic === topic)!.level;
    const levels = [0.6, 0.65, 0.7, 0.8, 0.81].map((auc) =>
      level(
        { discriminator: { ...assessment.discriminator, auc: { auc, lower: 0, upper: 1 } } },
        'Telling it from real rows',
      ),
    );
    expect(levels).toEqual(['good', 'good', 'watch', 'watch', 'bad']);
    const shares = [0.2, 0.05, 0.04, 0.01, 0.009].map((share) => {
      const ways = assessment.fidelity.ways.map((way) => ({
        ...way,
        asGoodAs: { share, bound: 'at' as const },
      }));
      return level({ fidelity: { ...assessment.fidelity, ways } }, 'Values and pairs of columns');
    });
    expect(shares).toEqual(['good', 'good', 'watch', 'watch', 'bad']);
  });
});
