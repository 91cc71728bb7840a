import { Readable } from 'node:stream';
import { seededRng } from '../../src/synthesis/randomness.js';
import type { SynthesisContext } from '../../src/synthesis/synthesizer.js';
import { readCsv } from '../../src/synthesis/table/csv.js';
import type { RecordSource } from '../../src/synthesis/table/records.js';
import { parseTableSchema, type TableSchema } from '../../src/synthesis/table/schema.js';

/** One field of each kind, two of them with missing values. */
export const MIXED_SCHEMA_JSON = {
  $schema: 'https://datapackage.org/profiles/2.0/tableschema.json',
  fields: [
    {
      name: 'colour',
      type: 'string',
      constraints: { required: true, enum: ['red', 'green', 'blue'] },
      'chorale:label': true,
    },
    { name: 'night', type: 'boolean', constraints: { required: true } },
    {
      name: 'speed',
      type: 'integer',
      constraints: { minimum: 0, maximum: 400 },
      'chorale:bins': [0, 100, 150, 400],
    },
    {
      name: 'mass',
      type: 'number',
      constraints: { required: true, minimum: -1.5, maximum: 2.5 },
      'chorale:bins': 5,
    },
    { name: 'day', type: 'date', constraints: { minimum: '1999-12-30', maximum: '2000-03-02' } },
    {
      name: 'month',
      type: 'yearmonth',
      constraints: { required: true, minimum: '1999-11', maximum: '2001-02' },
    },
    { name: 'year', type: 'year', constraints: { required: true, minimum: 1990, maximum: 1994 } },
    { name: 'engines', type: 'integer', constraints: { required: true, enum: [1, 2, 4] } },
  ],
  missingValues: ['', 'NA'],
} as const;

export const mixedSchema = (): TableSchema => parseTableSchema(structuredClone(MIXED_SCHEMA_JSON));

export const csv = (...lines: readonly string[]): Readable => Readable.from([`${lines.join('\n')}\n`]);

export const MIXED_HEADER = 'colour,night,speed,mass,day,month,year,engines';

/** Two categorical columns that always agree, so that a model has something to learn. */
export const smallSchema = (): TableSchema =>
  parseTableSchema({
    fields: ['a', 'b', 'c'].map((name) => ({
      name,
      type: 'string',
      constraints: { required: true, enum: ['x', 'y', 'z'] },
    })),
  });

export async function smallRecords(count: number, extra: readonly string[] = []): Promise<RecordSource> {
  const rows = Array.from({ length: count }, (_, i) => {
    const value = 'xyz'[(i * 7) % 3];
    return `${value},${value},${'xyz'[i % 2]}`;
  });
  return readCsv(csv('a,b,c', ...rows, ...extra), smallSchema());
}

export function smallContext(schema = smallSchema()): SynthesisContext {
  return {
    schema,
    members: Array.from({ length: 6 }, (_, i) => ({ id: `member-${i}`, declaredRecords: 100 })),
    cohort: { minSurvivors: 4, maxColluders: 1 },
  };
}

export const rngOf = (seed: number, label = 'test') => seededRng(new Uint8Array(32).fill(seed), label);
