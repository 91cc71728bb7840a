import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InvalidTableSchema } from '../../../src/synthesis/errors.js';
import {
  type Block,
  cellsOf,
  decodeCell,
  type TableEncoding,
} from '../../../src/synthesis/table/encoding.js';
import { fineCells } from '../../../src/synthesis/table/fineCells.js';
import { ordinalOf, parseTableSchema, type RangeField } from '../../../src/synthesis/table/schema.js';

const UNIFORMS = [0, 1e-12, 0.25, 0.5, 0.999_999, 1 - 2 ** -53];

type Json = Record<string, unknown>;
const encodingOfField = (field: Json): TableEncoding =>
  fineCells(parseTableSchema({ fields: [{ name: 'f', ...field }] }));

const onlyBlock = (encoding: TableEncoding): Block => encoding.blocks[0] as Block;

/** The cell of a value of the one range column. */
function cellOf(encoding: TableEncoding, ordinal: number): number {
  const rows = new Uint8Array(8);
  new DataView(rows.buffer).setFloat64(0, ordinal, true);
  return cellsOf(encoding, { count: 1, rows })[0] as number;
}

/** Back from a table's value to the number behind it. */
function decoded(block: Block, cell: number, uniform: number): number {
  const value = decodeCell(block, cell, uniform) as string | number;
  const { type } = block.field as RangeField;
  return ordinalOf(type, value) as number;
}

const range = (type: string, minimum: unknown, maximum: unknown, bins?: unknown): Json => ({
  type,
  constraints: { required: true, minimum, maximum },
  ...(bins === undefined ? {} : { 'chorale:bins': bins }),
});

describe('fine cells', () => {
  it.each([
    ['integer', -5, 20],
    ['integer', 0, 511],
    ['year', 1990, 2000],
    ['date', '1999-12-30', '2000-03-02'],
    ['yearmonth', '1999-11', '2001-02'],
  ])('of a short range of type %s from %s to %s are its single values', (type, minimum, maximum) => {
    const encoding = encodingOfField(range(type, minimum, maximum));
    const block = onlyBlock(encoding);
    const { minimum: low, maximum: high } = block.field as RangeField;
    expect(block.cells).toBe(high - low + 1);
    for (let value = low; value <= high; value++) {
      const cell = cellOf(encoding, value);
      expect(cell).toBe(value - low);
      for (const uniform of UNIFORMS) expect(decoded(block, cell, uniform)).toBe(value);
    }
  });

  it.each([
    ['integer', -10_000, 10_000],
    ['integer', -(2 ** 53 - 1), 2 ** 53 - 1],
    ['integer', 0, 512],
    ['integer', 5, 90_000],
    ['number', -1.5, 1e6],
    ['number', 0, 1],
    ['number', -3, 0],
    ['number', 20, 30],
    ['number', -1e308, 7e307],
    ['date', '1950-01-01', '2020-12-31'],
    ['date', '0000-01-01', '9999-12-31'],
    ['year', '0000', '9999'],
    ['yearmonth', '0000-01', '0900-12'],
  ])('of a long range of type %s from %s to %s keep zero and both bounds apart', (type, minimum, maximum) => {
    const encoding = encodingOfField(range(type, minimum, maximum));
    const block = onlyBlock(encoding);
    const { minimum: low, maximum: high } = block.field as RangeField;
    expect(block.cells).toBeLessThan(505);
    const step = (value: number) => (type === 'number' ? Math.max(5e-324, Math.abs(value) * 2 ** -52) : 1);
    for (const value of [low, 0, high].filter((v) => v >= low && v <= high)) {
      const cell = cellOf(encoding, value);
      for (const uniform of UNIFORMS) expect(decoded(block, cell, uniform)).toBe(value);
      if (value > low) expect(cellOf(encoding, value - step(value))).toBe(cell - 1);
      if (value < high) expect(cellOf(encoding, value + step(value))).toBe(cell + 1);
    }
  });

  it.each([
    ['integer', 0, 99_999, 1000],
    ['integer', -2_500_000, 2_500_000, 50_000],
    ['number', 0, 1, 0.01],
    ['number', -0.35, 7.3, 0.1],
    ['number', 0, 1e9, 1e7],
  ])(
    'of a long range of type %s from %s to %s keep the multiples of %s apart, as they are written',
    (type, minimum, maximum, step) => {
      const encoding = encodingOfField(range(type, minimum, maximum));
      const block = onlyBlock(encoding);
      const digits = Math.max(0, -Math.floor(Math.log10(step)));
      for (let k = Math.ceil(minimum / step); k * step <= maximum; k++) {
        const value = Number((k * step).toFixed(digits));
        if (value < minimum || value > maximum) continue;
        const cell = cellOf(encoding, value);
        for (const uniform of UNIFORMS) expect(decoded(block, cell, uniform)).toBe(value);
      }
      // Dates are not amounts: none of theirs is round.
      expect(onlyBlock(encodingOfField(range('date', '1950-01-01', '2020-12-31'))).cells).toBeLessThan(265);
    },
  );

  const field: fc.Arbitrary<readonly [type: string, number, number]> = fc.oneof(
    fc
      .tuple(
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        fc.double({ noNaN: true, noDefaultInfinity: true }),
      )
      .map(([a, b]) => ['number', a, b] as const),
    fc
      .tuple(fc.integer({ min: -1000, max: 1000 }), fc.integer({ min: -1000, max: 1000 }))
      .map(([a, b]) => ['number', a / 8, b / 8] as const),
    fc.tuple(fc.maxSafeInteger(), fc.maxSafeInteger()).map(([a, b]) => ['integer', a, b] as const),
    fc
      .tuple(fc.integer({ min: -700, max: 700 }), fc.integer({ min: -700, max: 700 }))
      .map(([a, b]) => ['integer', a, b] as const),
    fc
      .tuple(fc.integer({ min: 1000, max: 9999 }), fc.integer({ min: 1000, max: 9999 }))
      .map(([a, b]) => ['year', a, b] as const),
  );
  const cases = fc
    .record({
      field,
      bins: fc.option(fc.integer({ min: 1, max: 256 }), { nil: undefined }),
      required: fc.boolean(),
      place: fc.double({ min: 0, max: 1, noNaN: true }),
      uniform: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    })
    .filter(({ field: own }) => own[1] !== own[2] && Number.isFinite(own[2] - own[1]));

  it('hazard D1: a value drawn from the cell of a value lies in that cell and within the bounds', () => {
    fc.assert(
      fc.property(cases, ({ field: [type, a, b], bins, required, place, uniform }) => {
        const [low, high] = [Math.min(a, b), Math.max(a, b)];
        const json = range(type, low, high, bins);
        const encoding = encodingOfField({ ...json, constraints: { required, minimum: low, maximum: high } });
        const block = onlyBlock(encoding);
        const within = Math.min(high, Math.max(low, low + (high - low) * place));
        const value = type === 'number' ? within : Math.round(within);
        const cell = cellOf(encoding, value);
        const drawn = decoded(block, cell, uniform);
        expect(drawn).toBeGreaterThanOrEqual(low);
        expect(drawn).toBeLessThanOrEqual(high);
        expect(cellOf(encoding, drawn)).toBe(cell);
      }),
      { numRuns: 3000, seed: 1 },
    );
  });

  it('are bins with increasing edges from one bound to the other, of which only the last is a point', () => {
    fc.assert(
      fc.property(cases, ({ field: [type, a, b], bins }) => {
        const [low, high] = [Math.min(a, b), Math.max(a, b)];
        const { edges = [], cells } = onlyBlock(encodingOfField(range(type, low, high, bins)));
        expect(cells).toBe(edges.length - 1);
        const ends = [edges[0], edges.at(-2), edges.at(-1)] as number[];
        expect(ends.map((edge, i) => edge - (i === 0 ? low : high))).toEqual([0, 0, 0]);
        for (let i = 1; i < edges.length - 1; i++) expect(edges[i]).toBeGreaterThan(edges[i - 1] as number);
      }),
      { numRuns: 1000, seed: 2 },
    );
  });

  it('are the schema’s own bins where it names their edges', () => {
    const bins = [0, 100, 150, 4000];
    expect(onlyBlock(encodingOfField(range('integer', 0, 4000, bins))).edges).toEqual(bins);
    const months = ['1990-01', '1991-07', '2020-12'];
    expect(onlyBlock(encodingOfField(range('yearmonth', '1990-01', '2020-12', months))).cells).toBe(2);
  });

  it('are as many equal bins as the schema asks for, and the single cells', () => {
    const { edges } = onlyBlock(encodingOfField(range('number', -100, 300, 4)));
    for (const edge of [-100, 0, 100, 200, 300]) expect(edges).toContain(edge);
    expect(edges).toHaveLength(8);
  });

  it('have one more for what is missing, the last', () => {
    const optional = { type: 'integer', constraints: { minimum: 0, maximum: 9 } };
    const encoding = encodingOfField(optional);
    expect(encoding.width).toBe(11);
    expect(cellOf(encoding, Number.NaN)).toBe(10);
    expect(decodeCell(onlyBlock(encoding), 10, 0.5)).toBeNull();
  });

  it('hazard D4: are refused where they are too many, before any memory is taken', () => {
    const wide = (count: number, required: boolean) =>
      parseTableSchema({
        fields: Array.from({ length: count }, (_, i) => ({
          name: `f${i}`,
          type: 'string',
          constraints: { required, enum: Array.from({ length: 1024 }, (_, v) => `v${v}`) },
        })),
      });
    expect(fineCells(wide(64, true)).width).toBe(65_536);
    expect(() => fineCells(wide(64, false))).toThrow(InvalidTableSchema);
    expect(() => fineCells(wide(64, false))).toThrow(/65600 cells/);
  });
});
