import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseCalendar } from '../../src/synthesis/table/calendar.js';
import { readCsv } from '../../src/synthesis/table/csv.js';
import { type Block, cellsOf, decodeCell, tableEncoding } from '../../src/synthesis/table/encoding.js';
import { type Field, parseTableSchema } from '../../src/synthesis/table/schema.js';
import { csv, MIXED_HEADER, mixedSchema, rngOf } from './fixtures.js';

const cellText = (value: string | number | boolean | null): string => (value === null ? '' : String(value));

/** Written apart from the code under test: what the schema says of one value. */
function isValid(field: Field, value: string | number | boolean | null): boolean {
  if (value === null) return !field.required;
  if (field.domain === 'categories') return field.categories.includes(value);
  if (field.type === 'number')
    return (value as number) >= field.minimum && (value as number) <= field.maximum;
  if (field.type === 'integer' || field.type === 'year')
    return (
      Number.isInteger(value) && (value as number) >= field.minimum && (value as number) <= field.maximum
    );
  const ordinal = parseCalendar(field.type, value as string);
  return ordinal !== undefined && ordinal >= field.minimum && ordinal <= field.maximum;
}

describe('table encoding', () => {
  const encoding = tableEncoding(mixedSchema());

  it('gives each field a block of public cells, and one more for missing values', () => {
    expect(encoding.blocks.map((block) => block.cells)).toEqual([3, 2, 3 + 1, 5, 16 + 1, 16, 5, 3]);
    expect(encoding.width).toBe(55);
    expect(encoding.blocks.map((block) => block.start)).toEqual([0, 3, 5, 9, 14, 31, 47, 52]);
  });

  it('hazard D1: every value of every cell is valid by the schema, and goes back into its cell', async () => {
    const uniforms = [0, 1e-12, 0.25, 0.5, 0.999_999, 1 - 2 ** -53];
    for (const uniform of uniforms)
      for (const [column, block] of encoding.blocks.entries())
        for (let cell = 0; cell < block.cells; cell++) {
          const value = decodeCell(block, cell, uniform);
          expect(isValid(block.field, value), `${block.field.name} ${cell} ${uniform} ${value}`).toBe(true);
          const row = encoding.blocks.map((other, i) =>
            cellText(i === column ? value : decodeCell(other, 0, 0)),
          );
          const source = await readCsv(csv(MIXED_HEADER, row.join(',')), encoding.schema);
          for await (const batch of source.sample(1, rngOf(1)))
            expect(cellsOf(encoding, batch)[column]).toBe(cell);
        }
  });

  it('keeps every cell within its block, whatever bytes a source of records holds', () => {
    const { blocks, layout } = encoding;
    for (const byte of [0x00, 0x7f, 0xfe, 0xff]) {
      const rows = new Uint8Array(layout.bytes).fill(byte);
      const cells = cellsOf(encoding, { count: 1, rows });
      for (const [column, block] of blocks.entries()) expect(cells[column]).toBeLessThan(block.cells);
    }
  });

  it('hazard D1: generated values are valid for any bounds and bins', () => {
    const bounds = fc
      .tuple(
        fc.integer({ min: -1e6, max: 1e6 }),
        fc.integer({ min: 1, max: 1e6 }),
        fc.integer({ min: 1, max: 64 }),
      )
      .chain(([low, span, bins]) =>
        fc.record({
          type: fc.constantFrom('integer', 'number'),
          constraints: fc.constant({ minimum: low / 8, maximum: (low + span) / 8, required: true }),
          bins: fc.constant(bins),
          uniform: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        }),
      );
    fc.assert(
      fc.property(bounds, ({ type, constraints, bins, uniform }) => {
        const whole = type === 'integer';
        const minimum = whole ? constraints.minimum * 8 : constraints.minimum;
        const maximum = whole ? constraints.maximum * 8 : constraints.maximum;
        const schema = parseTableSchema({
          fields: [
            { name: 'f', type, constraints: { required: true, minimum, maximum }, 'chorale:bins': bins },
          ],
        });
        const block = tableEncoding(schema).blocks[0] as Block;
        for (let cell = 0; cell < block.cells; cell++)
          if (!isValid(block.field, decodeCell(block, cell, uniform))) return false;
        return true;
      }),
      { numRuns: 300, seed: 1 },
    );
  });

  it('draws evenly within a bin, both ends of the last one too', () => {
    const year = encoding.blocks[6] as Block;
    expect(Array.from({ length: 5 }, (_, cell) => decodeCell(year, cell, 0.7))).toEqual([
      1990, 1991, 1992, 1993, 1994,
    ]);
    const speed = encoding.blocks[2] as Block;
    const seen = new Set(Array.from({ length: 2510 }, (_, i) => decodeCell(speed, 2, i / 2510)));
    expect([Math.min(...(seen as Set<number>)), Math.max(...(seen as Set<number>)), seen.size]).toEqual([
      150, 400, 251,
    ]);
  });

  it('has finite, increasing edges also where the bounds are almost as far apart as doubles go', () => {
    for (const [minimum, maximum] of [
      [-8e307, 8e307],
      [0, Number.MAX_VALUE],
      [-Number.MAX_VALUE, 0],
    ]) {
      const schema = parseTableSchema({
        fields: [{ name: 'f', type: 'number', constraints: { required: true, minimum, maximum } }],
      });
      const block = tableEncoding(schema).blocks[0] as Block;
      const edges = block.edges as readonly number[];
      expect(edges.every(Number.isFinite)).toBe(true);
      expect(edges.slice(1).filter((edge, i) => !((edges[i] as number) < edge))).toEqual([]);
      for (let cell = 0; cell < block.cells; cell++)
        for (const uniform of [0, 0.5, 1 - 2 ** -53])
          expect(isValid(block.field, decodeCell(block, cell, uniform))).toBe(true);
    }
  });

  it('hazard D4: refuses a schema that is too wide before any memory is taken', () => {
    const wide = (name: string) => ({
      name,
      type: 'string',
      constraints: { enum: Array.from({ length: 1000 }, (_, i) => `v${i}`) },
    });
    const schema = parseTableSchema({ fields: Array.from({ length: 9 }, (_, i) => wide(`f${i}`)) });
    expect(() => tableEncoding(schema)).toThrow(/9009 cells/);
  });
});
