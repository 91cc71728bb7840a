import { describe, expect, it } from 'vitest';
import { InvalidTableSchema } from '../../src/synthesis/errors.js';
import { formatCalendar, parseCalendar } from '../../src/synthesis/table/calendar.js';
import { parseTableSchema, type RangeField } from '../../src/synthesis/table/schema.js';
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
  });
});
