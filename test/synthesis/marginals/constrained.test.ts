import { beforeAll, describe, expect, it } from 'vitest';
import { InvalidCondition, InvalidOptions } from '../../../src/synthesis/errors.js';
import { marginalsSynthesizer as marginals } from '../../../src/synthesis/marginals/marginals.js';
import { cellsIn } from '../../../src/synthesis/marginals/model/domain.js';
import { marginalOf } from '../../../src/synthesis/marginals/model/elimination.js';
import { decodeRelease } from '../../../src/synthesis/marginals/release.js';
import { uniforms } from '../../../src/synthesis/randomness.js';
import type { Row, SampleConditions } from '../../../src/synthesis/synthesizer.js';
import { violations } from '../../../src/synthesis/table/constraints.js';
import { parseTableSchema } from '../../../src/synthesis/table/schema.js';
import { rngOf, smallContext } from '../fixtures.js';
import { completionsOf, QUICK, releaseOf, rowsOf, variationOf } from './released.js';

const CONSTRAINTS = [
  { type: 'inequality', low: 'admitted', high: 'discharged' },
  { type: 'inequality', low: 'paid', high: 'charged', strict: true },
  { type: 'inequality', low: 'start', high: 'middle' },
  { type: 'inequality', low: 'middle', high: 'end', strict: true },
  { type: 'inequality', low: 'start', high: 'end' },
  {
    type: 'fixedCombinations',
    columns: ['city', 'region'],
    combinations: [
      ['Bern', 'BE'],
      ['Thun', 'BE'],
      ['Zurich', 'ZH'],
      [null, 'ZH'],
    ],
  },
  { type: 'impliedMissing', column: 'due', when: { column: 'sex', values: ['M'] }, otherwiseRequired: false },
] as const;

const fields = [
  // Wide cells: 30 years of days in at most 32.
  {
    name: 'admitted',
    type: 'date',
    constraints: { required: true, minimum: '1990-01-01', maximum: '2019-12-31' },
  },
  { name: 'discharged', type: 'date', constraints: { minimum: '1995-01-01', maximum: '2024-12-31' } },
  { name: 'paid', type: 'number', constraints: { required: true, minimum: 0, maximum: 1000 } },
  { name: 'charged', type: 'number', constraints: { required: true, minimum: 0, maximum: 900 } },
  ...['start', 'middle', 'end'].map((name) => ({
    name,
    type: 'integer',
    constraints: { required: true, minimum: 0, maximum: 5000 },
    'chorale:bins': 6,
  })),
  { name: 'city', type: 'string', constraints: { enum: ['Bern', 'Thun', 'Zurich'] } },
  { name: 'region', type: 'string', constraints: { required: true, enum: ['BE', 'ZH'] } },
  { name: 'sex', type: 'string', constraints: { required: true, enum: ['F', 'M'] } },
  { name: 'due', type: 'integer', constraints: { minimum: 0, maximum: 40 } },
];
const schemaWith = (constraints: readonly object[]) =>
  parseTableSchema({ fields, 'chorale:constraints': constraints });
const context = smallContext(schemaWith(CONSTRAINTS));
const { schema } = context;

const day = (ordinal: number) => new Date(ordinal * 86_400_000).toISOString().slice(0, 10);
function records(count: number): string[] {
  const coins = uniforms(rngOf(3, 'constrained'), count * 10);
  return Array.from({ length: count }, (_, i) => {
    const u = (k: number) => coins[10 * i + k] as number;
    const admitted = 9131 + Math.floor(7000 * u(0));
    const stay = Math.floor(40 * u(1) ** 3);
    const charged = 1 + 899 * u(2) ** 2;
    const paid = u(3) < 0.2 ? 0 : charged * u(3) * 0.99;
    const start = Math.floor(2000 * u(4));
    const middle = start + Math.floor(1500 * u(5) ** 2);
    const end = middle + 1 + Math.floor(1400 * u(6) ** 2);
    const [city, region] = [
      ['Bern', 'BE'],
      ['Thun', 'BE'],
      ['Zurich', 'ZH'],
      ['', 'ZH'],
    ][Math.floor(4 * u(7))] as [string, string];
    const sex = u(8) < 0.5 ? 'F' : 'M';
    const due = sex === 'M' || u(9) < 0.3 ? '' : Math.floor(40 * u(9));
    const discharged = u(9) > 0.9 ? '' : day(Math.max(9131, admitted + stay));
    return `${day(admitted)},${discharged},${paid.toFixed(2)},${charged.toFixed(2)},${start},${middle},${end},${city},${region},${sex},${due}`;
  });
}

let release: Uint8Array;
let all: Row[];
const options = { ...QUICK, modelCells: 60_000 };
beforeAll(async () => {
  release = await releaseOf(context, options, records(4000));
  all = await rowsOf(context, release, { count: 32_768 }, options);
});
const broken = (rows: readonly Row[]) => rows.filter((row) => violations(schema, row).length > 0);
const number = (value: Row[string] | undefined): number => value as number;

describe('hazard D2: constraints of the schema', () => {
  it('hold in every row, and exactly as many rows come as were asked', () => {
    expect(all).toHaveLength(32_768);
    expect(broken(all)).toEqual([]);
    // They are not held by leaving things out: wide cells keep short stays, all combinations come, values are missing.
    const days = all.flatMap(({ admitted, discharged }) =>
      discharged === null ? [] : [(Date.parse(`${discharged}`) - Date.parse(`${admitted}`)) / 86_400_000],
    );
    expect(Math.min(...days)).toBeGreaterThanOrEqual(0);
    expect(days.filter((stay) => stay < 200).length).toBeGreaterThan(1000);
    expect(new Set(all.map(({ city, region }) => `${city} ${region}`))).toEqual(
      new Set(['Bern BE', 'Thun BE', 'Zurich ZH', 'null ZH']),
    );
    expect(all.filter(({ due, sex }) => due === null && sex === 'F').length).toBeGreaterThan(1000);
    expect(all.filter(({ discharged }) => discharged === null).length).toBeGreaterThan(1000);
  });

  it('have probability 0 in the model’s own marginals, exactly', () => {
    const { model, fine, columns } = decodeRelease(schema, options, release);
    const place = (name: string) => schema.fields.findIndex((field) => field.name === name);
    const [city, region] = [place('city'), place('region')];
    const counts = marginalOf(model, [city, region]);
    const allowed = [0, 1, 2, 3].map((k) => [k, k < 2 ? 0 : 1]);
    for (let c = 0, i = 0; c < 4; c++)
      for (let r = 0; r < 2; r++, i++)
        if (
          !allowed.some(
            ([a, b]) =>
              columns[city]?.cellOf[a as number] === c && columns[region]?.cellOf[b as number] === r,
          )
        )
          expect(counts[i]).toBe(0);
    for (const [low, high] of [
      ['admitted', 'discharged'],
      ['paid', 'charged'],
      ['start', 'middle'],
      ['middle', 'end'],
      ['start', 'end'],
    ] as const) {
      const [a, b] = [place(low), place(high)];
      const table = marginalOf(model, [a, b]);
      const width = cellsIn(model.tree.domain, [b]);
      const span = (column: number, cell: number, end: 0 | 1) => {
        const edges = fine.blocks[column]?.edges as readonly number[];
        const own = (columns[column]?.cellOf ?? []).flatMap((of, k) =>
          of === cell ? [edges[k + end] ?? Number.NaN] : [],
        );
        return end === 0 ? Math.min(...own) : Math.max(...own);
      };
      let zeros = 0;
      for (const [i, count] of table.entries())
        if (span(a, Math.floor(i / width), 0) > span(b, i % width, 1)) {
          expect(count).toBe(0);
          zeros++;
        }
      expect(zeros, `${low} ${high}`).toBeGreaterThan(0);
    }
  });

  it('positive control: without them the same records give rows that break them', async () => {
    const free = smallContext(schemaWith([]));
    const rows = await rowsOf(free, await releaseOf(free, options, records(4000)), { count: 2000 }, options);
    expect(broken(rows).length).toBeGreaterThan(50);
  });

  const CONDITIONS: readonly (readonly [string, SampleConditions, (row: Row) => boolean])[] = [
    [
      'a date, within a cell of two columns in order',
      { where: { discharged: { from: '2001-03-03', to: '2001-03-20' } } },
      (row) => `${row.discharged}` >= '2001-03-03' && `${row.discharged}` <= '2001-03-20',
    ],
    [
      'both of a pair, close to each other',
      { where: { paid: { above: 301.5 }, charged: { below: 310.25 } } },
      (row) => number(row.paid) > 301.5 && number(row.charged) < 310.25,
    ],
    [
      'the ends of three in order',
      { where: { start: { from: 901 }, end: { to: 1003 } } },
      (row) => number(row.start) >= 901 && number(row.end) <= 1003,
    ],
    [
      'a combination',
      { where: { city: { in: [null] }, sex: { in: ['M'] } } },
      (row) => row.city === null && row.sex === 'M',
    ],
  ];
  it.each(CONDITIONS)('hold under a condition too: %s', async (_, conditions, holds) => {
    const rows = await rowsOf(context, release, { count: 4096, ...conditions }, options);
    expect(rows).toHaveLength(4096);
    expect(rows.every(holds)).toBe(true);
    expect(broken(rows)).toEqual([]);
  });

  it('leave a condition’s law the release’s own, for columns in order too', async () => {
    const holds = (row: Row) => number(row.middle) >= 1205 && number(row.middle) < 1777;
    const kept = all.filter(holds);
    const where = { middle: { from: 1205, below: 1777 } };
    const rows = await rowsOf(context, release, { count: 16_384, where }, options);
    expect(rows.every(holds)).toBe(true);
    expect(kept.length).toBeGreaterThan(3000);
    // 25 cells of so many rows: 0.036 in expectation, 0.009 its deviation.
    for (const name of ['start', 'end', 'middle'])
      expect(
        variationOf(rows, kept, (row) => `${Math.floor(number(row[name]) / 200)}`),
        name,
      ).toBeLessThan(0.08);
  });

  it('hold under other shares, and the shares are those that were asked', async () => {
    const balance = {
      column: 'middle',
      shares: [
        { from: 0, to: 999, share: 0.8 },
        { from: 1000, to: 5000, share: 0.2 },
      ],
    };
    const rows = await rowsOf(context, release, { count: 8192, balance }, options);
    expect(broken(rows)).toEqual([]);
    expect(rows.filter((row) => number(row.middle) < 1000).length / 8192).toBeCloseTo(0.8, 1.5);
  });

  it('hold in rows that are completed, next to the very values that are given', async () => {
    for (const columns of [
      ['admitted'],
      ['discharged', 'paid'],
      ['start', 'end'],
      ['middle', 'city'],
      ['charged', 'due'],
    ]) {
      const given = all
        .slice(0, 300)
        .map((row) => Object.fromEntries(columns.map((name) => [name, row[name] ?? null])));
      const rows = await completionsOf(context, release, { columns, rows: given }, options);
      expect(rows).toHaveLength(300);
      expect(broken(rows), columns.join()).toEqual([]);
      rows.forEach((row, i) => {
        expect(row).toMatchObject(given[i] as Row);
      });
    }
  });

  it('refuse given values and conditions that break them, by row and without the values', async () => {
    const rows = [
      { start: 10, end: 50 },
      { start: 3000, end: 200 },
    ];
    const error = await completionsOf(context, release, { columns: ['start', 'end'], rows }, options).catch(
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(InvalidCondition);
    expect(error).toMatchObject({ fault: 'impossible' });
    expect((error as Error).message).toMatch(/row 2/);
    expect((error as Error).message).not.toMatch(/3000/);
    const where = { admitted: { from: '2005-01-01' }, discharged: { to: '2004-12-31' } };
    await expect(rowsOf(context, release, { count: 1, where }, options)).rejects.toThrow(/no row/);
    const city = { city: { in: ['Bern'] }, region: { in: ['ZH'] } };
    await expect(rowsOf(context, release, { count: 1, where: city }, options)).rejects.toThrow(/no row/);
  });

  it('in a ring are refused when a run is planned, not dropped', () => {
    const ring = schemaWith([
      { type: 'inequality', low: 'start', high: 'middle' },
      { type: 'inequality', low: 'middle', high: 'end' },
      { type: 'inequality', low: 'paid', high: 'end' },
      { type: 'inequality', low: 'paid', high: 'middle', strict: true },
      { type: 'inequality', low: 'start', high: 'charged' },
      { type: 'inequality', low: 'paid', high: 'charged' },
    ]);
    expect(() => marginals.plan(smallContext(ring), options)).toThrow(InvalidOptions);
    expect(() => marginals.plan(smallContext(ring), options)).toThrow(/ring/);
  });
});
