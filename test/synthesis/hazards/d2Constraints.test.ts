import { describe, expect, it } from 'vitest';
import type { Row } from '../../../src/synthesis/synthesizer.js';
import { enforced, violations } from '../../../src/synthesis/table/constraints.js';
import { readCsv } from '../../../src/synthesis/table/csv.js';
import { checkCsv } from '../../../src/synthesis/table/csvCheck.js';
import { parseTableSchema } from '../../../src/synthesis/table/schema.js';
import { csv } from '../fixtures.js';

const FIELDS = [
  { name: 'admitted', type: 'integer', constraints: { required: true, minimum: 0, maximum: 365 } },
  { name: 'discharged', type: 'integer', constraints: { minimum: 0, maximum: 365 } },
  { name: 'ward', type: 'string', constraints: { required: true, enum: ['A', 'B'] } },
];
const CONSTRAINT = { type: 'inequality', low: 'admitted', high: 'discharged' };

/** The schema half: that a model keeps them is tested with each synthesizer. */
describe('hazard D2: no constraint is dropped without a word', () => {
  it.each([
    ['a pattern', { fields: [{ name: 'f', type: 'string', constraints: { enum: ['a'], pattern: 'a' } }] }],
    ['a length', { fields: [{ name: 'f', type: 'string', constraints: { enum: ['a'], maxLength: 1 } }] }],
    ['uniqueness', { fields: [{ name: 'f', type: 'boolean', constraints: { unique: true } }] }],
    ['a primary key', { fields: FIELDS, primaryKey: ['admitted'] }],
    ['a foreign key', { fields: FIELDS, foreignKeys: [] }],
    ['unique keys', { fields: FIELDS, uniqueKeys: [['ward']] }],
    ['an unknown constraint', { fields: FIELDS, 'chorale:constraints': [{ type: 'sum', columns: ['a'] }] }],
    ['a mistyped list of constraints', { fields: FIELDS, 'chorale:constraint': [CONSTRAINT] }],
    ['constraints that are no list', { fields: FIELDS, 'chorale:constraints': CONSTRAINT }],
    [
      'an unknown property of a constraint',
      { fields: FIELDS, 'chorale:constraints': [{ ...CONSTRAINT, unless: 'ward' }] },
    ],
  ])('%s that would not be kept is refused, not ignored', (_, json) => {
    expect(() => parseTableSchema(json)).toThrow(/table schema/);
  });

  const schema = parseTableSchema({ fields: FIELDS, 'chorale:constraints': [CONSTRAINT] });

  it('every constraint that was written is there, in order', () => {
    expect(schema.constraints).toEqual([{ ...CONSTRAINT, strict: false }]);
    expect(parseTableSchema(schema.json).constraints).toEqual(schema.constraints);
  });

  it('a repair changes rows and never their number; without it they would break the constraint', () => {
    const rows: Row[] = Array.from({ length: 500 }, (_, i) => ({
      admitted: (i * 37) % 366,
      discharged: i % 5 === 0 ? null : (i * 101) % 366,
      ward: i % 2 === 0 ? 'A' : 'B',
    }));
    const repaired = rows.map((row) => enforced(schema, row));
    expect(repaired).toHaveLength(rows.length);
    expect(repaired.filter((row) => violations(schema, row).length > 0)).toEqual([]);
    // Positive control.
    expect(rows.filter((row) => violations(schema, row).length > 0).length).toBeGreaterThan(100);
    expect(repaired.filter((row, i) => (row.discharged === null) !== (rows[i]?.discharged === null))).toEqual(
      [],
    );
  });

  it('records that break one are refused, or moved and counted, never taken as they are', async () => {
    const file = () => csv('admitted,discharged,ward', '1,2,A', '9,3,A', '4,,B', '5,4,B');
    await expect(readCsv(file(), schema)).rejects.toMatchObject({ reason: 'broken-constraint', line: 3 });
    let counted: readonly (readonly [number, number])[] = [];
    const records = await readCsv(file(), schema, {
      outOfBounds: 'clamp',
      counted: ({ repaired }) => {
        counted = [...repaired];
      },
    });
    expect(counted).toEqual([[0, 2]]);
    await records.close();
    expect((await checkCsv(file(), schema)).broken).toEqual([2]);
  });
});
