import { expect, it } from 'vitest';
import { InvalidOptions } from '../../../src/synthesis/errors.js';
import { marginalsSynthesizer as marginals } from '../../../src/synthesis/marginals/marginals.js';
import { parseTableSchema } from '../../../src/synthesis/table/schema.js';
import { smallContext } from '../fixtures.js';

const wide = (columns: number, values: number, constraints: readonly object[] = []) =>
  smallContext(
    parseTableSchema({
      fields: Array.from({ length: columns }, (_, column) => ({
        name: `c${column}`,
        type: 'integer',
        constraints: { required: true, enum: Array.from({ length: values }, (_v, value) => value) },
      })),
      'chorale:constraints': constraints,
    }),
  );
const options = marginals.parseOptions({});
const refusal = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidOptions);
    return (error as Error).message;
  }
  throw new Error('was not refused');
};

it('hazard D4: columns of many categories that must be held together are refused with the bytes, before a record is read', () => {
  const pairs = [
    {
      type: 'fixedCombinations',
      columns: ['c0', 'c1'],
      combinations: [
        [1, 1],
        [2, 2],
      ],
    },
  ];
  // 1,024² cells of 8 bytes, six times: 48 MiB and the rest.
  expect(refusal(() => marginals.plan(wide(3, 1024, pairs), options))).toMatch(
    /c0, c1: some 48\.0 MiB .*group categories/,
  );
  expect(marginals.plan(wide(3, 300, pairs), options)).toHaveLength(4);
  const tree = [0, 1, 2, 3].map((column) => ({
    type: 'fixedCombinations',
    columns: [`c${column}`, `c${(column + 1) % 4}`],
    combinations: [[1, 1]],
  }));
  // Each pair fits alone; the ring of them does not.
  expect(refusal(() => marginals.plan(wide(4, 300, tree), options))).toMatch(/GiB|MiB/);
});

it('hazard D4: a table of more cells than the model may have is refused likewise, and one of many columns is not', () => {
  expect(refusal(() => marginals.plan(wide(30, 100), { ...options, modelCells: 2000 }))).toMatch(
    /3000 at least.*KiB|3000 at least.*MiB/,
  );
  expect(marginals.plan(wide(30, 100), options)).toHaveLength(4);
  expect(() => wide(70, 1000)).not.toThrow();
  expect(refusal(() => marginals.plan(wide(70, 1000), options))).toMatch(/2 to 64 columns/);
});
