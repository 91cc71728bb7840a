import { describe, expect, it } from 'vitest';
import { InvalidTableSchema } from '../../src/synthesis/errors.js';
import { formatCalendar, parseCalendar } from '../../src/synthesis/table/calendar.js';
import {
  type CategoricalField,
  parseTableSchema,
  type RangeField,
} from '../../src/synthesis/table/schema.js';
import { unconfirmedFields, withoutMarks } from '../../src/synthesis/table/unconfirmed.js';
import { MIXED_SCHEMA_JSON, mixedSchema } from './fixtures.js';

const withField = (field: object) => ({ fields: [field] });
const refusal = (json: unknown): InvalidTableSchema => {
  try {
    parseTableSchema(json);
  } catch (error) {
    if (error instanceof InvalidTableSchema) return error;
    throw error;
  }
  throw new Error('was accepted');
};

describe('table schema', () => {
  it('reads fields of every type, with dates as ordinals', () => {
    const schema = mixedSchema();
    expect(schema.fields.map((field) => [field.name, field.domain, field.required])).toEqual([
      ['colour', 'categories', true],
      ['night', 'categories', true],
      ['speed', 'range', false],
      ['mass', 'range', true],
      ['day', 'range', false],
      ['month', 'range', true],
      ['year', 'range', true],
      ['engines', 'categories', true],
    ]);
    const month = schema.fields[5] as RangeField;
    expect(month.maximum - month.minimum).toBe(15);
    expect(schema.fields[0]?.label).toBe(true);
    expect(schema.json).toEqual(MIXED_SCHEMA_JSON);
  });

  it('keeps a copy of the JSON that later changes do not reach', () => {
    const json = {
      ...structuredClone(MIXED_SCHEMA_JSON),
      fields: [...MIXED_SCHEMA_JSON.fields] as unknown[],
    };
    const schema = parseTableSchema(json);
    json.fields.pop();
    expect(schema.json).toEqual(MIXED_SCHEMA_JSON);
  });

  it.each([
    ['a string without categories', { name: 'f', type: 'string' }, /enum.*public/],
    ['an integer without bounds', { name: 'f', type: 'integer' }, /minimum.*maximum.*public/],
    [
      'a number with one bound',
      { name: 'f', type: 'number', constraints: { minimum: 0 } },
      /minimum.*maximum/,
    ],
    ['a date without bounds', { name: 'f', type: 'date' }, /minimum.*maximum/],
    [
      'bounds the wrong way round',
      { name: 'f', type: 'integer', constraints: { minimum: 2, maximum: 1 } },
      /below/,
    ],
    [
      'a fractional bound of an integer',
      { name: 'f', type: 'integer', constraints: { minimum: 0.5, maximum: 1 } },
      /of type integer/,
    ],
    [
      'a date that does not exist',
      { name: 'f', type: 'date', constraints: { minimum: '2001-02-29', maximum: '2002-01-01' } },
      /of type date/,
    ],
    ['a category twice', { name: 'f', type: 'string', constraints: { enum: ['a', 'a'] } }, /twice/],
    [
      'a category that is a missing value',
      { name: 'f', type: 'string', constraints: { enum: [''] } },
      /missing value/,
    ],
    [
      'bounds of which one is in UTC and the other is not',
      {
        name: 'f',
        type: 'datetime',
        constraints: { minimum: '2001-01-01T00:00:00Z', maximum: '2002-01-01T00:00:00' },
      },
      /both bounds must end in Z/,
    ],
    [
      'a policy for categories outside',
      { name: 'f', type: 'string', constraints: { enum: ['a'] }, 'chorale:outside': 'clamp' },
      /chorale:outside/,
    ],
    ['a policy that there is not', { name: 'f', type: 'boolean', 'chorale:outside': 'drop' }, /refuse/],
    ['an unknown type', { name: 'f', type: 'geopoint' }, /type/],
    [
      'a constraint that would be ignored',
      { name: 'f', type: 'string', constraints: { pattern: 'x' } },
      /pattern/,
    ],
    ['an unknown property', { name: 'f', type: 'boolean', 'chorale:bin': 3 }, /chorale:bin/],
    [
      'bins that do not end at the maximum',
      { name: 'f', type: 'integer', constraints: { minimum: 0, maximum: 9 }, 'chorale:bins': [0, 5] },
      /end at the maximum/,
    ],
    [
      'bins that do not increase',
      { name: 'f', type: 'integer', constraints: { minimum: 0, maximum: 9 }, 'chorale:bins': [0, 5, 5, 9] },
      /increase/,
    ],
    [
      'bins on categories',
      { name: 'f', type: 'string', constraints: { enum: ['a'] }, 'chorale:bins': 3 },
      /bins/,
    ],
  ])('refuses %s, naming the field', (_, field, message) => {
    const error = refusal(withField(field));
    expect(error.code).toBe('INVALID_TABLE_SCHEMA');
    expect(error.field).toBe('f');
    expect(error.message).toMatch(message);
  });

  it('reads protected and unconfirmed fields, policies for values outside, and datetimes in UTC or local time', () => {
    const bounds = (minimum: string, maximum: string) => ({ constraints: { minimum, maximum } });
    const schema = parseTableSchema({
      'chorale:outside': 'clamp',
      fields: [
        { name: 'sex', type: 'boolean', 'chorale:protected': true },
        {
          name: 'age',
          type: 'integer',
          constraints: { minimum: 0, maximum: 99 },
          'chorale:unconfirmed': true,
          'chorale:outside': 'refuse',
        },
        { name: 'seen', type: 'datetime', ...bounds('1970-01-01T00:00:00Z', '1970-01-02T00:00:01Z') },
        { name: 'heard', type: 'datetime', ...bounds('1969-12-31T23:59:59', '1970-01-02T00:00:00') },
      ],
    });
    expect(schema.fields.map((field) => field.protected)).toEqual([true, false, false, false]);
    expect(unconfirmedFields(schema)).toEqual(['age']);
    expect(schema.outside).toBe('clamp');
    const [, age, seen, heard] = schema.fields as readonly RangeField[];
    expect([age?.outside, seen?.outside]).toEqual(['refuse', 'clamp']);
    expect([seen?.minimum, seen?.maximum, seen?.utc]).toEqual([0, 86_401, true]);
    expect([heard?.minimum, heard?.utc]).toEqual([-1, false]);
    expect(unconfirmedFields(parseTableSchema(withoutMarks(schema.json)))).toEqual([]);
    expect(unconfirmedFields(schema)).toEqual(['age']);
  });

  it('has no policy of its own unless it says so: values outside are refused', () => {
    expect(mixedSchema().outside).toBe('refuse');
    expect(mixedSchema().constraints).toEqual([]);
    for (const field of mixedSchema().fields)
      if (field.domain === 'range') expect(field.outside).toBe('refuse');
  });

  it('reads categories with and without labels as an enum, and refuses them where Table Schema has none', () => {
    const parsed = (field: object) =>
      parseTableSchema(withField({ name: 'f', ...field })).fields[0] as CategoricalField;
    const enumerated = parsed({ type: 'integer', constraints: { enum: [2, 1] } });
    expect(parsed({ type: 'integer', categories: [2, 1], categoriesOrdered: true })).toEqual(enumerated);
    const labelled = [{ value: 2, label: 'two' }, { value: 1 }];
    expect(parsed({ type: 'integer', categories: labelled })).toEqual(enumerated);
    for (const [field, message] of [
      [{ type: 'string', categories: ['a'], constraints: { enum: ['a'] } }, /list the values once/],
      [{ type: 'number', categories: [1] }, /strings and integers/],
      [{ type: 'string', categories: [1] }, /not of type string/],
      [{ type: 'boolean', categories: ['a'] }, /strings and integers/],
      [{ type: 'string', constraints: { enum: ['a'] }, categoriesOrdered: true }, /categoriesOrdered/],
    ] as const)
      expect(refusal(withField({ name: 'f', ...field })).message).toMatch(message);
  });

  it('reads years below 1000 as numbers and with their leading zeros', () => {
    const year = (constraints: object) =>
      parseTableSchema(withField({ name: 'f', type: 'year', constraints })).fields[0];
    expect(year({ minimum: 900, maximum: '0999' })).toMatchObject({ minimum: 900, maximum: 999 });
    const listed = year({ enum: ['0007', 1066] }) as CategoricalField;
    expect(listed.categories).toEqual([7, 1066]);
    expect([...listed.indexOf]).toEqual([
      ['0007', 0],
      ['1066', 1],
    ]);
  });

  it('refuses two fields of one name, keys it cannot keep to, and what is no schema', () => {
    const field = { name: 'f', type: 'boolean' };
    expect(refusal({ fields: [field, field] }).message).toMatch(/twice/);
    expect(refusal({ fields: [field], primaryKey: 'f' }).message).toMatch(/primaryKey/);
    expect(refusal({ fields: [] }).message).toMatch(/fields/);
    expect(refusal(null).message).toMatch(/object/);
  });
});

describe('calendar', () => {
  it('round-trips every day from 1899 to 2105', () => {
    const first = parseCalendar('date', '1899-12-31') as number;
    const last = parseCalendar('date', '2105-01-01') as number;
    expect(last - first).toBe(74_876);
    for (let day = first; day <= last; day++)
      if (parseCalendar('date', formatCalendar('date', day) as string) !== day) throw new Error(`day ${day}`);
  });

  it.each(['2001-02-29', '1900-02-29', '2001-13-01', '2001-1-1', '01-01-2001', '2001-01-01T00:00', ''])(
    'takes %j for no date',
    (text) => expect(parseCalendar('date', text)).toBeUndefined(),
  );

  it('reads leap days, months and years', () => {
    expect(formatCalendar('date', parseCalendar('date', '2000-02-29') as number)).toBe('2000-02-29');
    expect(formatCalendar('yearmonth', parseCalendar('yearmonth', '0999-12') as number)).toBe('0999-12');
    expect(parseCalendar('yearmonth', '2001-00')).toBeUndefined();
    expect(formatCalendar('year', parseCalendar('year', '1990') as number)).toBe(1990);
    expect(formatCalendar('year', parseCalendar('year', '0999') as number)).toBe('0999');
  });

  it('reads datetimes with and without Z, and comes back to each second of leap days and year ends', () => {
    for (const text of ['2000-02-29T23:59:59', '1969-12-31T23:59:59', '0001-01-01T00:00:00']) {
      const second = parseCalendar('datetime', text) as number;
      expect(second).toBe(Date.parse(`${text}Z`) / 1000);
      expect(parseCalendar('datetime', `${text}Z`)).toBe(second);
      expect(parseCalendar('datetime', `${text}.75Z`)).toBe(second);
      expect(formatCalendar('datetime', second)).toBe(text);
    }
  });

  it.each([
    '2001-02-29T00:00:00',
    '2001-01-01T24:00:00',
    '2001-01-01T00:60:00',
    '2016-12-31T23:59:60Z',
    '2001-01-01T00:00:00+02:00',
    '2001-01-01 00:00:00',
    '2001-01-01T00:00',
    '2001-01-01',
  ])('takes %j for no datetime', (text) => expect(parseCalendar('datetime', text)).toBeUndefined());
});
