import { describe, expect, it } from 'vitest';
import { parseConditions } from '../../../src/synthesis/conditions.js';
import { ordersOf } from '../../../src/synthesis/marginals/ordering.js';
import {
  allowedPieces,
  common,
  type Piece,
  type Pieces,
  wholePieces,
  without,
} from '../../../src/synthesis/marginals/pieces.js';
import { uniforms } from '../../../src/synthesis/randomness.js';
import type { ColumnCondition } from '../../../src/synthesis/synthesizer.js';
import { type Block, decodeCell } from '../../../src/synthesis/table/encoding.js';
import { fineCells } from '../../../src/synthesis/table/fineCells.js';
import { parseTableSchema } from '../../../src/synthesis/table/schema.js';
import { rngOf } from '../fixtures.js';

const range = (name: string, type: string, minimum: unknown, maximum: unknown) => ({
  name,
  type,
  constraints: { minimum, maximum },
});
const schema = parseTableSchema({
  fields: [
    range('years', 'integer', 0, 99),
    range('far', 'integer', -70_000, 90_000),
    range('part', 'number', -1.5, 2.5),
    range('wide', 'number', 0, 1e6),
    range('day', 'date', '1950-01-01', '2020-12-31'),
    range('at', 'datetime', '2020-01-01T00:00:00Z', '2020-12-31T23:59:59Z'),
    range('month', 'yearmonth', '1901-01', '1999-12'),
  ],
});
const { blocks } = fineCells(schema);
const CONDITIONS: readonly (readonly [string, ColumnCondition, (value: never) => boolean])[] = [
  ['years', { above: 17, below: 23 }, (value: number) => value > 17 && value < 23],
  ['far', { from: -1234, to: 777 }, (value: number) => value >= -1234 && value <= 777],
  ['far', { in: [-69_999, 3, 88_888] }, (value: number) => [-69_999, 3, 88_888].includes(value)],
  ['part', { above: 0, to: 0.3337 }, (value: number) => value > 0 && value <= 0.3337],
  [
    'wide',
    { from: 12_345.678, below: 500_000.01 },
    (value: number) => value >= 12_345.678 && value < 500_000.01,
  ],
  [
    'day',
    { from: '1999-02-27', to: '2001-03-01' },
    (value: string) => value >= '1999-02-27' && value <= '2001-03-01',
  ],
  ['at', { above: '2020-05-05T05:05:05Z' }, (value: string) => value > '2020-05-05T05:05:05Z'],
  ['month', { below: '1950-07' }, (value: string) => value < '1950-07'],
];
const widthIn = (pieces: readonly Piece[]) => pieces.reduce((sum, { from, to }) => sum + to - from, 0);

describe('the pieces of a condition', () => {
  it.each(CONDITIONS)(
    'hold exactly the values that it lets through, and the rest the others: %s %o',
    (name, condition, holds) => {
      const { where } = parseConditions(schema, { where: { [name]: condition } });
      const [[column, allowed]] = [...where] as [[number, NonNullable<ReturnType<typeof where.get>>]];
      const block = blocks[column] as Block;
      const kept = allowedPieces(block, allowed);
      const left = without(wholePieces(block), kept);
      // Where a border is left out, it is 2⁻⁴⁰ of a cell.
      kept.forEach((pieces, fine) => {
        expect(Math.abs(widthIn(pieces) + widthIn(left[fine] as Piece[]) - 1)).toBeLessThan(1e-9);
      });
      const coins = [0, 1e-12, 0.5, 1 - 2 ** -33, ...uniforms(rngOf(1), 20)];
      const values = (all: Pieces) =>
        all
          .flat()
          .flatMap(({ fine, from, to }) =>
            to - from > 1e-9 ? coins.map((coin) => decodeCell(block, fine, from + (to - from) * coin)) : [],
          );
      expect(values(kept).length).toBeGreaterThan(0);
      expect(values(kept).filter((value) => value === null || !holds(value as never))).toEqual([]);
      // The rest may begin a hair before its border: a value may be let through that the condition holds, but hardly ever.
      const stray = values(left).filter((value) => value !== null && holds(value as never));
      expect(stray.length).toBeLessThan(5);
      expect(common(kept, left).flat()).toEqual([]);
    },
  );
});

describe('inequalities as trees', () => {
  const columns = (required: boolean) =>
    ['a', 'b', 'c', 'd'].map((name) => ({
      ...range(name, 'integer', 0, 9),
      constraints: { minimum: 0, maximum: 9, required },
    }));
  const orders = (pairs: readonly string[], required = true) =>
    ordersOf(
      parseTableSchema({
        fields: columns(required),
        'chorale:constraints': pairs.map((pair) => ({
          type: 'inequality',
          low: pair[0],
          high: pair.at(-1),
          strict: pair.length === 2,
        })),
      }),
    );

  it('leave out what follows, unless a value in between may be missing or it says more', () => {
    expect(orders(['a≤b', 'b≤c', 'a≤c'])).toMatchObject([{ columns: [0, 1, 2], edges: [{}, {}] }]);
    expect(orders(['ab', 'b≤c', 'ac'])[0]?.edges).toHaveLength(2);
    expect(() => orders(['a≤b', 'b≤c', 'ac'])).toThrow(/a, b, c are a ring/);
    expect(() => orders(['a≤b', 'b≤c', 'a≤c'], false)).toThrow(/ring/);
    expect(orders(['a≤b', 'cd'])).toHaveLength(2);
    expect(orders(['a≤b', 'ab'])[0]?.edges).toEqual([{ low: 0, high: 1, strict: true }]);
    expect(orders([])).toEqual([]);
  });
});
