import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InvalidTableSchema } from '../../src/synthesis/errors.js';
import type { Row } from '../../src/synthesis/synthesizer.js';
import { describeConstraint, enforced, violations } from '../../src/synthesis/table/constraints.js';
import { readCsv } from '../../src/synthesis/table/csv.js';
import { parseTableSchema, type TableSchema } from '../../src/synthesis/table/schema.js';
import { csv, rngOf } from './fixtures.js';
import { breaks, isValidRow } from './naiveConstraints.js';

const FIELDS = [
  { name: 'state', type: 'string', constraints: { enum: ['north', 'south', 'west'] } },
  { name: 'city', type: 'string', constraints: { enum: ['a', 'b', 'c', 'd'] } },
  { name: 'zone', type: 'integer', constraints: { required: true, enum: [1, 2, 3] } },
  { name: 'employed', type: 'boolean', constraints: { required: true } },
  { name: 'trade', type: 'string', constraints: { enum: ['farm', 'shop'] } },
  { name: 'age', type: 'integer', constraints: { required: true, minimum: 0, maximum: 30 } },
  { name: 'years', type: 'integer', constraints: { minimum: 5, maximum: 25 } },
  { name: 'income', type: 'number', constraints: { minimum: -1, maximum: 20 } },
  { name: 'start', type: 'date', constraints: { minimum: '2000-01-01', maximum: '2000-02-10' } },
  { name: 'end', type: 'date', constraints: { minimum: '1999-12-20', maximum: '2000-01-31' } },
] as const;

const schemaWith = (...constraints: readonly object[]): TableSchema =>
  parseTableSchema({ fields: FIELDS, 'chorale:constraints': constraints });

const refusal = (...constraints: readonly object[]): InvalidTableSchema => {
  try {
    schemaWith(...constraints);
  } catch (error) {
    if (error instanceof InvalidTableSchema) return error;
    throw error;
  }
  throw new Error('was accepted');
};

const ROW: Row = {
  state: 'north',
  city: 'a',
  zone: 1,
  employed: true,
  trade: 'farm',
  age: 20,
  years: 10,
  income: 3.5,
  start: '2000-01-05',
  end: '2000-01-20',
};

const less = (low: string, high: string, strict = false) => ({ type: 'inequality', low, high, strict });
const combinations = (columns: readonly string[], ...rows: readonly (readonly unknown[])[]) => ({
  type: 'fixedCombinations',
  columns,
  combinations: rows,
});
const missing = (column: string, other: string, values: readonly unknown[], more: object = {}) => ({
  type: 'impliedMissing',
  column,
  when: { column: other, values },
  ...more,
});

describe('table constraints', () => {
  it('count in a row by their place, and hold where one side is missing', () => {
    const schema = schemaWith(
      less('years', 'age'),
      combinations(['state', 'city'], ['north', 'a'], ['south', null]),
      missing('trade', 'employed', [false], { otherwiseRequired: true }),
    );
    expect(violations(schema, ROW)).toEqual([]);
    expect(violations(schema, { ...ROW, years: 21 })).toEqual([0]);
    expect(violations(schema, { ...ROW, years: null })).toEqual([]);
    expect(violations(schema, { ...ROW, city: null, employed: false })).toEqual([1, 2]);
    expect(violations(schema, { ...ROW, trade: null })).toEqual([2]);
    expect(schema.constraints.map(describeConstraint)).toEqual([
      '"years" is at most "age", where both are present',
      '"state", "city" have one of 2 listed combinations',
      '"trade" is missing exactly where "employed" is false',
    ]);
  });

  it('exchange two values in the wrong order where each suits the other’s bounds, else move the upper one up', () => {
    const schema = schemaWith(less('years', 'age'), less('start', 'end', true));
    expect(enforced(schema, { ...ROW, years: 21, age: 9 })).toEqual({ ...ROW, years: 9, age: 21 });
    expect(enforced(schema, { ...ROW, years: 21, age: 4 })).toEqual({ ...ROW, years: 21, age: 21 });
    const equal = { ...ROW, start: '2000-01-20', end: '2000-01-20' };
    expect(enforced(schema, equal)).toEqual({ ...equal, end: '2000-01-21' });
    const late = { ...ROW, start: '2000-02-10', end: '1999-12-25' };
    expect(enforced(schema, late)).toEqual({ ...late, start: '2000-01-30', end: '2000-01-31' });
  });

  it('move real values apart by about a millionth of their range, and whole ones beside them to whole ones', () => {
    const strict = schemaWith(less('income', 'age', true));
    expect(enforced(strict, { ...ROW, income: 7.25, age: 7 })).toMatchObject({ income: 7.25, age: 8 });
    const real = parseTableSchema({
      fields: ['low', 'high'].map((name, i) => ({
        name,
        type: 'number',
        constraints: { required: true, minimum: i, maximum: 10 },
      })),
      'chorale:constraints': [less('low', 'high', true)],
    });
    expect(enforced(real, { low: 2.5, high: 2.5 })).toEqual({ low: 2.5, high: 2.500001 });
    expect(enforced(real, { low: 10, high: 10 })).toEqual({ low: 9.99999, high: 10 });
  });

  it('take the combination that agrees in the most columns, of several the first listed', () => {
    const schema = schemaWith(
      combinations(['state', 'city', 'zone'], ['south', 'b', 2], ['north', 'b', 1], [null, 'a', 1]),
    );
    expect(enforced(schema, { ...ROW, city: 'b' })).toMatchObject({ state: 'north', city: 'b', zone: 1 });
    expect(enforced(schema, ROW)).toMatchObject({ state: 'north', city: 'b', zone: 1 });
    expect(enforced(schema, { ...ROW, state: 'west' })).toMatchObject({ state: null, city: 'a', zone: 1 });
    expect(enforced(schema, { ...ROW, city: 'd', zone: 3 })).toMatchObject({
      state: 'north',
      city: 'b',
      zone: 1,
    });
    expect(enforced(schema, { ...ROW, city: 'd', state: 'west', zone: 3 })).toMatchObject({
      state: 'south',
      city: 'b',
      zone: 2,
    });
  });

  it('blank what must be missing, and fill what must not be with the stated value, the middle or the first category', () => {
    const exactly = { otherwiseRequired: true };
    const stated = schemaWith(missing('income', 'employed', [false], { ...exactly, fill: 12.5 }));
    expect(enforced(stated, { ...ROW, employed: false })).toMatchObject({ employed: false, income: null });
    expect(enforced(stated, { ...ROW, income: null })).toMatchObject({ income: 12.5 });
    const unstated = schemaWith(
      missing('years', 'employed', [false], exactly),
      missing('trade', 'state', [null, 'west'], exactly),
      missing('end', 'start', [null]),
    );
    expect(enforced(unstated, { ...ROW, years: null, trade: null, start: null })).toMatchObject({
      years: 15,
      trade: 'farm',
      end: null,
    });
    expect(enforced(unstated, { ...ROW, state: null })).toMatchObject({ trade: null });
  });

  it('are settled in the order of their dependence: a list, then what it implies to be missing, then inequalities', () => {
    const schema = schemaWith(
      less('years', 'age'),
      missing('years', 'trade', [null], { otherwiseRequired: true, fill: 25 }),
      missing('trade', 'city', ['c', null], { otherwiseRequired: true }),
      combinations(['state', 'city'], ['north', 'a'], ['south', 'c']),
      combinations(['city', 'zone'], ['a', 1], ['c', 2], ['a', 3]),
    );
    const row = { ...ROW, state: 'south', city: 'd', zone: 3, trade: null, years: null, age: 6 };
    const repaired = enforced(schema, row);
    expect(repaired).toEqual({ ...row, state: 'north', city: 'a', trade: 'farm', years: 6, age: 25 });
    expect(violations(schema, repaired)).toEqual([]);
  });

  it.each([
    [
      'a column that is not there',
      [less('years', 'aeg')],
      'aeg',
      /constraint #1 \(inequality\).*no such field/,
    ],
    ['an inequality of categories', [less('city', 'age')], 'city', /categories, which have no order/],
    ['an inequality of a date and a number', [less('start', 'age')], 'age', /of type integer.*of type date/],
    ['an inequality with itself', [less('age', 'age')], 'age', /itself/],
    [
      'inequalities in a circle',
      [less('years', 'age'), less('age', 'income'), less('income', 'years')],
      undefined,
      /circle among "years", "age", "income"/,
    ],
    [
      'a combination of a range',
      [combinations(['age', 'city'], [1, 'a'])],
      'age',
      /#1 \(fixedCombinations\).*bounds and no categories/,
    ],
    [
      'a combination of too few values',
      [combinations(['state', 'city'], ['a'])],
      undefined,
      /1 values for 2/,
    ],
    ['an unknown category', [combinations(['state', 'city'], ['north', 'e'])], 'city', /"e" is none/],
    ['null for a required column', [combinations(['state', 'zone'], ['north', null])], 'zone', /required/],
    [
      'a combination twice',
      [combinations(['state', 'city'], ['north', 'a'], ['north', 'a'])],
      undefined,
      /combination 2 is there twice/,
    ],
    [
      'lists that contradict each other',
      [combinations(['state', 'city'], ['north', 'a']), combinations(['city', 'zone'], ['b', 1])],
      undefined,
      /"state", "city", "zone" contradict/,
    ],
    ['a required column that is to be missing', [missing('age', 'employed', [false])], 'age', /required/],
    ['values of a range', [missing('trade', 'age', [3])], 'age', /only be missing \(null\)/],
    ['a column that depends on itself', [missing('city', 'city', ['a'])], 'city', /itself/],
    [
      'absences in a circle',
      [missing('city', 'trade', ['shop']), missing('trade', 'city', ['a'])],
      undefined,
      /circle among .*"trade"/,
    ],
    [
      'absences that contradict each other',
      [missing('trade', 'employed', [false]), missing('trade', 'zone', [1], { otherwiseRequired: true })],
      'trade',
      /impliedMissing #1, #2: .*nothing is left/,
    ],
    [
      'an absence that no combination allows',
      [combinations(['state', 'city'], ['north', 'a']), missing('city', 'employed', [false])],
      undefined,
      /impliedMissing #2/,
    ],
    [
      'an absence that all combinations break',
      [combinations(['state', 'city'], ['north', 'a']), missing('city', 'state', ['north'])],
      undefined,
      /no fixed combination of "state", "city" keeps/,
    ],
    ['a fill without need', [missing('trade', 'employed', [false], { fill: 'shop' })], 'trade', /fill/],
    [
      'a fill out of bounds',
      [missing('income', 'employed', [false], { fill: 21, otherwiseRequired: true })],
      'income',
      /fill must be/,
    ],
    ['a kind that there is not', [{ type: 'unique', columns: ['age'] }], undefined, /constraint #1.*type/],
    ['a property that would be ignored', [{ ...less('years', 'age'), when: 1 }], undefined, /when/],
  ])('refuse %s when the schema is read, naming constraint and column', (_, constraints, column, message) => {
    const error = refusal(...constraints);
    expect(error.message).toMatch(message);
    expect(error.field).toBe(column);
  });

  it('refuse bounds that leave an inequality no room, also along a chain', () => {
    const field = (name: string, minimum: number, maximum: number) => ({
      name,
      type: 'integer',
      constraints: { minimum, maximum },
    });
    const chain = (last: number) => () =>
      parseTableSchema({
        fields: [field('a', 5, 9), field('b', 0, 9), field('c', 0, last)],
        'chorale:constraints': [less('a', 'b', true), less('b', 'c', true)],
      });
    expect(chain(6)).toThrow(/field "a": no value within its bounds/);
    expect(chain(7)).not.toThrow();
  });

  it('may contradict each other in parts that a list of combinations rules out', () => {
    const both = [
      missing('trade', 'employed', [false], { otherwiseRequired: true }),
      missing('trade', 'state', [null], { otherwiseRequired: true }),
    ];
    expect(refusal(...both).message).toMatch(/nothing is left/);
    const together = combinations(['employed', 'state'], [false, null], [true, 'north'], [true, 'south']);
    const schema = schemaWith(...both, together);
    expect(violations(schema, enforced(schema, { ...ROW, employed: false }))).toEqual([]);
  });
});

describe('records that break a constraint', () => {
  const header = 'state,city,zone,employed,trade,age,years,income,start,end';
  const good = 'north,a,1,true,farm,20,10,3.5,2000-01-05,2000-01-20';
  const bad = good.replace('20,10', '9,11');
  const rowBytes = async (source: Awaited<ReturnType<typeof readCsv>>) => {
    const rows: string[] = [];
    for await (const batch of source.sample(1, rngOf(1))) rows.push(Buffer.from(batch.rows).toString('hex'));
    return rows;
  };

  it('are refused by line and constraint, and without their values', async () => {
    const reading = readCsv(csv(header, good, bad), schemaWith(less('years', 'age')));
    await expect(reading).rejects.toMatchObject({ reason: 'broken-constraint', line: 3, column: undefined });
    await expect(readCsv(csv(header, good, bad), schemaWith(less('years', 'age')))).rejects.toThrow(
      /line 3: the record breaks constraint #1 of the schema: "years" is at most "age"/,
    );
  });

  it('are moved onto the nearest that keeps it where the schema or --clamp says so, and counted for the holder alone', async () => {
    const json = { fields: FIELDS, 'chorale:constraints': [less('years', 'age')] };
    const counts: (readonly (readonly [number, number])[])[] = [];
    const read = (schema: TableSchema, line: string, outOfBounds: 'refuse' | 'clamp') =>
      readCsv(csv(header, line), schema, {
        outOfBounds,
        counted: ({ repaired }) => counts.push([...repaired]),
      });
    const bySchema = parseTableSchema({ ...json, 'chorale:outside': 'clamp' });
    const expected = await rowBytes(await read(bySchema, good.replace('20,10', '11,9'), 'refuse'));
    expect(await rowBytes(await read(bySchema, bad, 'refuse'))).toEqual(expected);
    expect(await rowBytes(await read(parseTableSchema(json), bad, 'clamp'))).toEqual(expected);
    expect(counts).toEqual([[], [[0, 1]], [[0, 1]]]);
  });
});

describe('over random schemas and rows', () => {
  const categorical = FIELDS.slice(0, 5).map(({ name }) => name);
  const valuesOf = (name: string): readonly (string | number | boolean | null)[] => {
    const field = FIELDS.find((candidate) => candidate.name === name) as (typeof FIELDS)[number];
    const values: readonly (string | number | boolean)[] =
      field.type === 'boolean'
        ? [false, true]
        : 'enum' in field.constraints
          ? field.constraints.enum
          : field.type === 'date'
            ? ['2000-01-01', '2000-01-09', '2000-01-31']
            : field.name === 'years'
              ? [5, 6, 12, 25]
              : field.name === 'income'
                ? [-1, 0.5, 7.25, 12, 20]
                : [0, 5, 13, 30];
    return 'required' in field.constraints ? values : [...values, null];
  };
  const rowOf = fc.record(
    Object.fromEntries(FIELDS.map(({ name }) => [name, fc.constantFrom(...valuesOf(name))])),
  ) as fc.Arbitrary<Row>;
  const categoricalName = fc.constantFrom(...categorical);
  const constraintOf = fc.oneof(
    fc
      .tuple(
        fc.constantFrom(
          ['years', 'age'],
          ['income', 'age'],
          ['years', 'income'],
          ['start', 'end'],
          ['end', 'start'],
        ),
        fc.boolean(),
      )
      .map(([[low, high], strict]) => less(low as string, high as string, strict)),
    fc.uniqueArray(categoricalName, { minLength: 2, maxLength: 3 }).chain((columns) =>
      fc
        .uniqueArray(fc.tuple(...columns.map((column) => fc.constantFrom(...valuesOf(column)))), {
          minLength: 1,
          maxLength: 12,
          selector: (row) => JSON.stringify(row),
        })
        .map((rows) => combinations(columns, ...rows)),
    ),
    fc
      .tuple(
        fc.constantFrom('state', 'city', 'trade', 'years', 'income', 'end'),
        categoricalName,
        fc.boolean(),
      )
      .filter(([column, other]) => column !== other)
      .chain(([column, other, otherwiseRequired]) =>
        fc
          .uniqueArray(fc.constantFrom(...valuesOf(other)), { minLength: 1, maxLength: 2 })
          .map((values) => missing(column, other, values, { otherwiseRequired })),
      ),
  );
  const constraintsOf = fc.array(constraintOf, { minLength: 1, maxLength: 5 });
  const parsed = (constraints: readonly object[]): TableSchema | undefined => {
    try {
      return schemaWith(...constraints);
    } catch (error) {
      if (error instanceof InvalidTableSchema) return undefined;
      throw error;
    }
  };

  it('violations are those of a check written apart, and a repaired row is valid, keeps all, stays as it is', () => {
    let accepted = 0;
    let repaired = 0;
    fc.assert(
      fc.property(constraintsOf, fc.array(rowOf, { minLength: 8, maxLength: 8 }), (constraints, rows) => {
        const schema = parsed(constraints);
        if (schema === undefined) return;
        accepted += 1;
        for (const row of rows) {
          const broken = constraints.flatMap((constraint, i) => (breaks(constraint, row) ? [i] : []));
          expect(violations(schema, row)).toEqual(broken);
          const kept = enforced(schema, row);
          if (broken.length === 0) expect(kept).toBe(row);
          else repaired += 1;
          expect(constraints.filter((constraint) => breaks(constraint, kept))).toEqual([]);
          expect(isValidRow(schema, kept)).toBe(true);
          expect(enforced(schema, kept)).toBe(kept);
          expect(enforced(schemaWith(...constraints), row)).toEqual(kept);
        }
      }),
      { numRuns: 400, seed: 6 },
    );
    expect(accepted).toBeGreaterThan(100);
    expect(repaired).toBeGreaterThan(500);
  });

  it('positive control: a repair that forgets one constraint is caught', () => {
    let caught = 0;
    fc.assert(
      fc.property(constraintsOf, rowOf, (constraints, row) => {
        const [forgotten, ...others] = constraints as [object, ...object[]];
        const weaker = parsed(others);
        if (weaker === undefined || parsed(constraints) === undefined) return;
        if (breaks(forgotten, enforced(weaker, row))) caught += 1;
      }),
      { numRuns: 200, seed: 6 },
    );
    expect(caught).toBeGreaterThan(10);
  });

  it('what is refused as contradictory leaves some choice of the columns in "when" without a row', () => {
    // Exhaustive for one absence beside one list: accepted exactly where every value of the other column has a combination.
    fc.assert(
      fc.property(
        fc.uniqueArray(
          fc.tuple(fc.constantFrom(...valuesOf('state')), fc.constantFrom(...valuesOf('city'))),
          {
            minLength: 1,
            maxLength: 6,
            selector: (row) => JSON.stringify(row),
          },
        ),
        fc.boolean(),
        (rows, otherwiseRequired) => {
          const constraints = [
            combinations(['state', 'city'], ...rows),
            missing('city', 'employed', [false], { otherwiseRequired }),
          ];
          const possible = [false, true].every((employed) =>
            rows.some(([state, city]) =>
              constraints.every((constraint) => !breaks(constraint, { ...ROW, state, city, employed })),
            ),
          );
          expect(parsed(constraints) !== undefined).toBe(possible);
        },
      ),
      { numRuns: 200, seed: 6 },
    );
  });
});
