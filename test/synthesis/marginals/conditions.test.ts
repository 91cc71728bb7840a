import { beforeAll, describe, expect, it } from 'vitest';
import { InvalidCondition } from '../../../src/synthesis/errors.js';
import { marginalsSynthesizer as marginals } from '../../../src/synthesis/marginals/marginals.js';
import { sampleRows } from '../../../src/synthesis/sampling.js';
import type { Row, SampleConditions } from '../../../src/synthesis/synthesizer.js';
import { peopleContext, peopleRows, QUICK, releaseOf, rowsOf, SEED, variationOf } from './released.js';

const context = peopleContext();
let release: Uint8Array;
/** The release's own law: so many rows that a condition's part of them shows it. */
let all: Row[];
beforeAll(async () => {
  release = await releaseOf(context, QUICK, peopleRows(20_000));
  all = await rowsOf(context, release, { count: 160_000 });
});

const drawn = (count: number, conditions: SampleConditions) =>
  rowsOf(context, release, { count, ...conditions });
const number = (value: Row[string] | undefined): number => value as number;

const CONDITIONS: readonly (readonly [string, SampleConditions['where'], (row: Row) => boolean])[] = [
  ['a category', { state: { in: ['NJ'] } }, (row) => row.state === 'NJ'],
  ['a missing value', { state: { in: [null, 'VT'] } }, (row) => row.state === null || row.state === 'VT'],
  // The model's cells of age and wage are some 32; these bounds lie within them.
  ['bounds inside a cell', { age: { from: 33, to: 34 } }, (row) => [33, 34].includes(number(row.age))],
  [
    'bounds of a number that no cell has',
    { wage: { above: 812.3, to: 1234.5 } },
    (row) => row.wage !== null && number(row.wage) > 812.3 && number(row.wage) <= 1234.5,
  ],
  ['a heavy value', { wage: { in: [0] } }, (row) => row.wage === 0],
  [
    'dates',
    { since: { from: '2003-05-05', below: '2004-01-01' } },
    (row) => `${row.since}` >= '2003-05-05' && `${row.since}` < '2004-01-01',
  ],
  [
    'several columns',
    { sex: { in: ['F'] }, age: { above: 39, below: 61 }, income: { in: ['>50K'] } },
    (row) => row.sex === 'F' && number(row.age) > 39 && number(row.age) < 61 && row.income === '>50K',
  ],
];

describe('rows under a condition', () => {
  it.each(CONDITIONS)(
    'all meet it, as many as were asked, with the law that the release has given it: %s',
    async (_, where, holds) => {
      const rows = await drawn(16_384, { where });
      expect(rows).toHaveLength(16_384);
      expect(rows.filter((row) => !holds(row))).toEqual([]);
      const kept = all.filter(holds);
      // Of k cells and n kept rows the distance of two samples of one law is √(k/2πn) at most in expectation, 1/√n its deviation;
      // 5 of them over it: one false alarm in a million over all checks.
      const worst = (cells: number) =>
        Math.sqrt(cells / (2 * Math.PI * kept.length)) + 5 * Math.sqrt(1 / kept.length) * 0.5 + 0.02;
      for (const [name, cells, key] of [
        ['sex and income', 4, (row: Row) => `${row.sex} ${row.income}`],
        ['state', 5, (row: Row) => `${row.state}`],
        ['age in fives', 15, (row: Row) => `${Math.floor(number(row.age) / 5)}`],
        [
          'wage in hundreds',
          51,
          (row: Row) => (row.wage === null ? '' : `${Math.floor(number(row.wage) / 100)}`),
        ],
        ['year', 30, (row: Row) => `${row.since}`.slice(0, 4)],
      ] as const)
        expect(variationOf(rows, kept, key), name).toBeLessThan(worst(cells));
    },
  );

  it('positive control: the same distances find a sampler that only overwrites the column', async () => {
    const where = { income: { in: ['>50K'] } };
    const kept = all.filter(({ income }) => income === '>50K');
    const overwritten = all.slice(0, 16_384).map((row) => ({ ...row, income: '>50K' }));
    const age = (row: Row) => `${Math.floor(number(row.age) / 5)}`;
    expect(variationOf(overwritten, kept, age)).toBeGreaterThan(0.2);
    expect(variationOf(await drawn(16_384, { where }), kept, age)).toBeLessThan(0.05);
  });

  it('is had for what happens once in some thousand rows without drawing more than a block', async () => {
    const where = { state: { in: ['VT'] }, age: { from: 80 }, sex: { in: ['F'] } };
    expect(
      all.filter((row) => row.state === 'VT' && number(row.age) >= 80 && row.sex === 'F').length,
    ).toBeLessThan(80);
    expect(await drawn(1000, { where })).toHaveLength(1000);
  });
});

describe('rebalanced shares', () => {
  it('are met in a block, and leave the rest of a row its law given the value', async () => {
    const rows = await drawn(16_384, {
      balance: {
        column: 'income',
        shares: [
          { value: '>50K', share: 0.5 },
          { value: '<=50K', share: 0.5 },
        ],
      },
    });
    const rich = rows.filter(({ income }) => income === '>50K');
    // Systematic sampling in each separator's rows: far below the 0.02 of five deviations of independent rows.
    expect(Math.abs(rich.length / rows.length - 0.5)).toBeLessThan(0.005);
    const kept = all.filter(({ income }) => income === '>50K');
    expect(variationOf(rich, kept, (row) => `${row.sex} ${Math.floor(number(row.age) / 5)}`)).toBeLessThan(
      0.05,
    );
  });

  it('leave what is left of 1 to the other values in their own proportions', async () => {
    const rows = await drawn(16_384, { balance: { column: 'state', shares: [{ value: null, share: 0.4 }] } });
    const share = (table: readonly Row[], state: string | null) =>
      table.filter((row) => row.state === state).length / table.length;
    expect(share(rows, null)).toBeCloseTo(0.4, 2);
    const others = 0.6 / (1 - share(all, null));
    for (const state of ['NY', 'NJ', 'CT', 'VT'])
      expect(Math.abs(share(rows, state) - others * share(all, state))).toBeLessThan(0.01);
  });

  it('are of ranges too, also within a cell, and under a condition on the same column', async () => {
    const rows = await drawn(16_384, {
      where: { age: { from: 30, to: 50 }, sex: { in: ['M'] } },
      balance: {
        column: 'age',
        shares: [
          { from: 30, to: 33, share: 0.7 },
          { in: [50], share: 0.1 },
        ],
      },
    });
    const ages = rows.map((row) => number(row.age));
    expect(Math.min(...ages)).toBe(30);
    expect(Math.max(...ages)).toBe(50);
    expect(rows.every(({ sex }) => sex === 'M')).toBe(true);
    expect(ages.filter((age) => age <= 33).length / ages.length).toBeCloseTo(0.7, 2);
    expect(ages.filter((age) => age === 50).length / ages.length).toBeCloseTo(0.1, 2);
    const young = ages.filter((age) => age <= 33);
    const kept = all.filter((row) => row.sex === 'M' && number(row.age) >= 30 && number(row.age) <= 33);
    for (const age of [30, 31, 32, 33])
      expect(young.filter((own) => own === age).length / young.length).toBeCloseTo(
        kept.filter((row) => row.age === age).length / kept.length,
        1,
      );
  });
});

describe('a request', () => {
  const refusal = async (conditions: SampleConditions, fault: string, column?: string): Promise<string> => {
    const error = await drawn(1, conditions).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(InvalidCondition);
    expect(error).toMatchObject({ fault, ...(column !== undefined && { column }) });
    return (error as Error).message;
  };

  it('is refused in words where the schema has no such column or value', async () => {
    for (const [where, column] of [
      [{ town: { in: ['x'] } }, 'town'],
      [{ state: { in: ['TX'] } }, 'state'],
      [{ sex: { in: [null] } }, 'sex'],
      [{ age: { in: [16] } }, 'age'],
      [{ age: { in: [33.5] } }, 'age'],
      [{ age: { above: 90 } }, 'age'],
      [{ age: { from: 40, below: 40 } }, 'age'],
      [{ since: { from: '2003-02-31' } }, 'since'],
    ] as const)
      await refusal({ where }, 'outside-schema', column);
    expect(await refusal({ where: { state: { in: ['TX'] } } }, 'outside-schema')).toContain('NY, NJ, CT, VT');
  });

  it('is refused where it is no condition, or contradicts itself', async () => {
    for (const where of [
      { age: {} },
      { age: { in: [] } },
      { age: { in: [20], from: 30 } },
      { age: { from: 30, above: 30 } },
      { state: { from: 'NJ' } },
      { age: { least: 30 } },
    ])
      await refusal({ where: where as unknown as SampleConditions['where'] }, 'malformed');
    const balance = (shares: readonly object[]) =>
      ({ balance: { column: 'state', shares } }) as unknown as SampleConditions;
    await refusal(
      balance([
        { value: 'NY', share: 0.7 },
        { in: ['NY', 'NJ'], share: 0.1 },
      ]),
      'malformed',
      'state',
    );
    await refusal(
      balance([
        { value: 'NY', share: 0.7 },
        { value: 'NJ', share: 0.4 },
      ]),
      'malformed',
      'state',
    );
    await refusal(balance([{ value: 'NY', share: 0 }]), 'malformed', 'state');
    await refusal(balance([{ value: 'NY', in: ['NJ'], share: 0.2 }]), 'malformed', 'state');
  });

  it('hazard D3: ends with an error, and not never, where the model has no such row', async () => {
    // On the grid on which wages are drawn there is no such amount.
    expect(await refusal({ where: { wage: { in: [812.345678] } } }, 'impossible', 'wage')).toContain(
      'no row',
    );
    const balance = { column: 'income', shares: [{ value: '>50K', share: 1 }] };
    await refusal({ where: { income: { in: ['<=50K'] } }, balance }, 'impossible', 'income');
    const half = { column: 'sex', shares: [{ value: 'F', share: 0.5 }] };
    await refusal({ where: { sex: { in: ['F'] } }, balance: half }, 'impossible', 'sex');
  });

  it('may be written as a CSV file writes values', async () => {
    const texts = { where: { age: { in: ['40'] }, state: { in: [''] } } };
    const values = { where: { age: { in: [40] }, state: { in: [null] } } };
    expect(await drawn(50, texts)).toEqual(await drawn(50, values));
  });

  it('hazard D5: gives row i by release, seed, conditions and i alone, so its pages agree', async () => {
    const conditions = {
      where: { age: { from: 60 } },
      balance: { column: 'sex', shares: [{ value: 'F', share: 0.9 }] },
    };
    const whole = await drawn(17_000, conditions);
    const page = (offset: number, count: number) =>
      rowsOf(context, release.slice(), { offset, count, ...conditions });
    expect(await page(16_000, 1000)).toEqual(whole.slice(16_000));
    expect(await page(0, 3)).toEqual(whole.slice(0, 3));
    expect(
      await rowsOf(context, release, { seed: SEED.map((byte) => byte + 1), count: 50, ...conditions }),
    ).not.toEqual(whole.slice(0, 50));
  });

  it('is not put to a kind that cannot hold it: it is refused by name, with the kinds that can', () => {
    const published = { context, kind: 'gan', options: undefined, release };
    const request = { seed: SEED, offset: 0, count: 1, where: { sex: { in: ['F'] } } };
    expect(() => sampleRows(published, request)).toThrow(/^condition: gan cannot hold .*marginals/);
    expect(() => sampleRows({ ...published, kind: marginals.kind }, request)).not.toThrow();
  });
});
