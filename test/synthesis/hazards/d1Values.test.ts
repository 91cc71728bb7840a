import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeTable } from '../../../src/cli/simulate/table.js';
import type { Row } from '../../../src/synthesis/synthesizer.js';
import { readCsv } from '../../../src/synthesis/table/csv.js';
import {
  type Block,
  cellsOf,
  decodeCell,
  type TableEncoding,
  tableEncoding,
} from '../../../src/synthesis/table/encoding.js';
import { fineCells } from '../../../src/synthesis/table/fineCells.js';
import { parseTableSchema } from '../../../src/synthesis/table/schema.js';
import { csv, rngOf } from '../fixtures.js';
import { isValidRow } from '../naiveConstraints.js';

/** Every type, bounds that are no multiples of a bin, dates on both sides of 1970, and missing values beside required ones. */
const schema = parseTableSchema({
  missingValues: ['', 'NA'],
  fields: [
    { name: 'colour', type: 'string', constraints: { enum: ['red', 'NA ', '1970-01-01', 'a,b"c\nd'] } },
    { name: 'night', type: 'boolean' },
    { name: 'stars', type: 'integer', constraints: { enum: [3, -1, 10] } },
    { name: 'weight', type: 'number', constraints: { required: true, enum: [0.5, 3, 1e21] } },
    { name: 'age', type: 'integer', constraints: { minimum: -7, maximum: 1013 } },
    { name: 'income', type: 'number', constraints: { minimum: -0.37, maximum: 99_999.5 } },
    { name: 'huge', type: 'number', constraints: { required: true, minimum: -8e307, maximum: 8e307 } },
    { name: 'born', type: 'date', constraints: { minimum: '1969-12-27', maximum: '1970-03-02' } },
    {
      name: 'seen',
      type: 'datetime',
      constraints: { required: true, minimum: '1969-12-31T23:50:00Z', maximum: '2038-01-19T03:14:08Z' },
    },
    {
      name: 'heard',
      type: 'datetime',
      constraints: { minimum: '1969-12-31T23:50:00', maximum: '1970-01-01T00:10:00' },
    },
    {
      name: 'month',
      type: 'yearmonth',
      constraints: { required: true, minimum: '0999-11', maximum: '1000-02' },
    },
    { name: 'year', type: 'year', constraints: { minimum: 998, maximum: 1002 } },
    { name: 'crowned', type: 'year', constraints: { required: true, enum: ['0800', 1066] } },
  ],
});
const encoders: readonly (readonly [string, TableEncoding])[] = [
  ['the default cells', tableEncoding(schema)],
  ['the fine cells of marginals and gan', fineCells(schema)],
];
const UNIFORMS = [0, 1e-12, 0.37, 0.5, 0.999_999, 1 - 2 ** -53];

/** Rows that together have every cell of every column, at each uniform. */
function rowsOf({ blocks }: TableEncoding, decode: typeof decodeCell): Row[] {
  const longest = Math.max(...blocks.map(({ cells }) => cells));
  return UNIFORMS.flatMap((uniform) =>
    Array.from({ length: longest }, (_, i) =>
      Object.fromEntries(blocks.map((block) => [block.field.name, decode(block, i % block.cells, uniform)])),
    ),
  );
}

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'chorale-d1-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function* streamed(rows: readonly Row[]) {
  yield* rows;
}

/** The rows as the command writes them, read back as a participant reads them, on the encoder's cells. */
async function roundTrip(rows: readonly Row[], encoding: TableEncoding): Promise<number[][]> {
  const file = join(folder, 'rows.csv');
  await writeTable(file, schema, streamed(rows));
  const records = await readCsv(file, schema);
  const cells: number[][] = [];
  for await (const batch of records.sample(1, rngOf(1))) {
    const flat = [...cellsOf(encoding, batch)];
    while (flat.length > 0) cells.push(flat.splice(0, schema.fields.length));
  }
  await records.close();
  return cells;
}

describe.each(encoders)('hazard D1 on %s', (_, encoding) => {
  const rows = rowsOf(encoding, decodeCell);
  const cellOf = (row: number, block: Block) =>
    (row % Math.max(...encoding.blocks.map(({ cells }) => cells))) % block.cells;

  it('no generated value is outside categories, bounds or type', () => {
    expect(rows.filter((row) => !isValidRow(schema, row))).toEqual([]);
  });

  it('every generated row is one that a participant would accept, and goes back into the cells it came from', async () => {
    const cells = await roundTrip(rows, encoding);
    expect(cells).toEqual(rows.map((_, i) => encoding.blocks.map((block) => cellOf(i, block))));
  });

  it('positive control: a decoder that draws one bin too far is caught', () => {
    const beyond = (block: Block, cell: number, uniform: number) =>
      block.edges === undefined || (!block.field.required && cell === block.cells - 1)
        ? decodeCell(block, cell, uniform)
        : decodeCell({ ...block, edges: block.edges.map((edge) => edge + 1) }, cell, uniform);
    expect(rowsOf(encoding, beyond).filter((row) => !isValidRow(schema, row))).not.toEqual([]);
  });

  it('integers come as integers, not as 3.0, and a file’s 3.0 is the integer 3', async () => {
    const file = join(folder, 'integers.csv');
    await writeTable(file, schema, streamed(rows));
    const [header, ...lines] = (await readFile(file, 'utf8')).split('\r\n');
    const at = (header ?? '').split(',').indexOf('age');
    // The texts of `colour` need quotes, those after it do not.
    const ages = lines
      .filter((line) => line !== '')
      .map((line) => line.replace(/"[^"]*(?:""[^"]*)*"/, 'q').split(',')[at]);
    expect(ages.filter((text) => text !== undefined && !/^(-?\d+)?$/.test(text))).toEqual([]);
    for (const row of rows)
      for (const name of ['age', 'stars'])
        expect(row[name] === null || Number.isInteger(row[name])).toBe(true);
    const asReal = { ...rows[0], age: '3.0', stars: '10.00', weight: '3.0', income: '7' } as unknown as Row;
    const asWhole = { ...rows[0], age: 3, stars: 10, weight: 3, income: 7 } as Row;
    expect(await roundTrip([asReal], encoding)).toEqual(await roundTrip([asWhole], encoding));
  });

  it('dates are dates, and neither a missing one nor an ordinal of zero becomes another', async () => {
    const born = encoding.blocks.find(({ field }) => field.name === 'born') as Block;
    for (const row of rows)
      for (const [name, form] of [
        ['born', /^\d{4}-\d\d-\d\d$/],
        ['seen', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/],
        ['heard', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/],
        ['month', /^\d{4}-\d\d$/],
      ] as const)
        if (row[name] !== null) expect(row[name]).toMatch(form);
    const missing = { ...rows[0], born: null, heard: null } as Row;
    const epoch = { ...missing, born: '1970-01-01', heard: '1970-01-01T00:00:00' } as Row;
    const [without, first] = await roundTrip([missing, epoch], encoding);
    const column = schema.fields.findIndex(({ name }) => name === 'born');
    expect(without?.[column]).toBe(born.cells - 1);
    expect(first?.[column]).not.toBe(born.cells - 1);
    expect(rows.filter(({ born: day }) => day === '1970-01-01').length).toBeLessThan(rows.length / 10);
  });

  it('missing values neither appear nor vanish', async () => {
    const source = Array.from({ length: 40 }, (_, i): Row => {
      const row = { ...rows[0] } as Record<string, Row[string]>;
      schema.fields.forEach(({ name, required }, f) => {
        if (!required) row[name] = (i + f) % 3 === 0 ? null : (rows[i]?.[name] ?? null);
      });
      return row;
    });
    const back = (await roundTrip(source, encoding)).map((cells) =>
      encoding.blocks.map((block, f) => decodeCell(block, cells[f] as number, 0.5)),
    );
    expect(back.map((row) => row.map((value) => value === null))).toEqual(
      source.map((row) => schema.fields.map(({ name }) => row[name] === null)),
    );
    for (const row of rows)
      for (const { name, required } of schema.fields) if (required) expect(row[name]).not.toBeNull();
  });
});

describe('hazard D1: identifiers', () => {
  it('a column whose values cannot be listed is no field, and columns that are not in the schema are in no row', async () => {
    expect(() => parseTableSchema({ fields: [{ name: 'id', type: 'string' }] })).toThrow(/constraints.enum/);
    const plain = parseTableSchema({ fields: [{ name: 'night', type: 'boolean' }] });
    const records = await readCsv(csv('id,night', 'P-1,true', 'P-2,false'), plain);
    expect(records.layout.bytes).toBe(2);
    const rows: string[] = [];
    for await (const { rows: bytes } of records.sample(1, rngOf(1)))
      rows.push(Buffer.from(bytes).toString('hex'));
    expect(rows).toEqual(['01000000']);
    const file = join(folder, 'plain.csv');
    await writeTable(file, plain, Readable.from([{ night: true }]) as AsyncIterable<Row>);
    expect(await readFile(file, 'utf8')).toBe('night\r\ntrue\r\n');
  });
});
