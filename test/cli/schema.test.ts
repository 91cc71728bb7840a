import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import fc from 'fast-check';
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';
import { registerSchema } from '../../src/cli/commands/schema.js';
import { createTerminal } from '../../src/cli/demo/terminal.js';
import { EXIT, explain } from '../../src/cli/exits.js';
import { draftSchema } from '../../src/cli/schema/draft.js';
import { movedNotices, unconfirmedWarning } from '../../src/cli/schema/notices.js';
import { roundCalendar, roundNumbers } from '../../src/cli/schema/roundOutward.js';
import { simulate } from '../../src/cli/simulate/simulate.js';
import { type Charter, parseCharter } from '../../src/federation/charter.js';
import { checkCsv, parseTableSchema, readCsv } from '../../src/synthesis/index.js';
import { parseCalendar } from '../../src/synthesis/table/calendar.js';
import { csv } from '../synthesis/fixtures.js';

const folder = mkdtempSync(join(tmpdir(), 'chorale-schema-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string) => join(folder, name);

const HEADER = 'id,name,ward,age,weight,income,born,seen,admitted,zip,smoker,arm,note,empty';
const COLOURS = ['north', 'south', 'east'];
const lines = Array.from({ length: 60 }, (_, i) =>
  [
    1000 + 7 * i,
    `Patient ${i}`,
    i % 9 === 0 ? '?' : COLOURS[i % 3],
    18 + ((i * 7) % 50),
    (3.05 + ((i * 13) % 50) / 37).toFixed(4),
    i % 4 === 0 ? 'N' : `${(i * 137) % 5000}.0`,
    `19${50 + (i % 40)}-0${1 + (i % 9)}-1${i % 10}`,
    `2024-03-${String(1 + (i % 20)).padStart(2, '0')}T0${i % 10}:00:00Z`,
    1990 + ((i * 3) % 31),
    `0${1000 + (i % 5)}`,
    i % 2 === 0 ? 'True' : 'False',
    i % 3,
    `free text ${i % 50}`,
    'NA',
  ].join(','),
);
const file = () => csv(HEADER.replace('admitted', 'year admitted'), ...lines);
writeFileSync(at('data.csv'), [HEADER.replace('admitted', 'year admitted'), ...lines, ''].join('\n'));

const CHARTER: Omit<Charter, 'schema'> = {
  chorale: 1,
  federation: 'trial',
  version: 1,
  previous: null,
  members: Array.from({ length: 3 }, (_, i) => ({
    id: `m${i}`,
    name: `M${i}`,
    publicKey: String(i).repeat(64),
    declaredRecords: 50,
  })),
  privacy: { unit: 'record', relation: 'add-remove', epsilon: 1, delta: 1e-6, orders: [8] },
  cohort: { minSurvivors: 3, maxColluders: 1 },
};

async function cli(...args: readonly string[]) {
  const out: string[] = [];
  const err: string[] = [];
  vi.spyOn(console, 'log').mockImplementation((line) => out.push(String(line)));
  vi.spyOn(console, 'error').mockImplementation((line) => err.push(String(line)));
  const program = new Command('chorale').option('--json').exitOverride();
  registerSchema(program);
  let failure: ReturnType<typeof explain> | undefined;
  const before = process.exitCode;
  process.exitCode = EXIT.ok;
  await program.parseAsync(['schema', ...args], { from: 'user' }).catch((error: unknown) => {
    failure = explain(error);
  });
  const exitCode = failure?.exitCode ?? process.exitCode;
  process.exitCode = before;
  return { out: out.join('\n'), err: err.join('\n'), exitCode, failure };
}
afterEach(() => {
  vi.restoreAllMocks();
});

describe('a drafted schema', () => {
  test('has types, categories and round bounds, all of them marked, and leaves out what is no column of a model', async () => {
    const { schema, unconfirmed, leftOut } = await draftSchema(file(), 40);
    const field = (name: string) => schema.fields.find((one) => one.name === name);
    const mark = { 'chorale:unconfirmed': true };
    expect(schema.missingValues).toEqual(['', '?', 'NA']);
    expect(field('ward')).toEqual({
      name: 'ward',
      type: 'string',
      constraints: { enum: ['east', 'north', 'south'] },
      ...mark,
    });
    expect(field('age')).toEqual({
      name: 'age',
      type: 'integer',
      constraints: { required: true, minimum: 15, maximum: 70 },
      ...mark,
    });
    expect(field('weight')).toMatchObject({ type: 'number', constraints: { minimum: 3, maximum: 4.4 } });
    expect(field('income')).toMatchObject({
      type: 'integer',
      missingValues: ['', '?', 'NA', 'N'],
      constraints: { minimum: 0, maximum: 5000 },
    });
    expect(field('income')?.constraints).not.toHaveProperty('required');
    expect(field('born')).toMatchObject({
      type: 'date',
      constraints: { minimum: '1950-01-01', maximum: '1989-12-31' },
    });
    expect(field('seen')).toMatchObject({
      type: 'datetime',
      constraints: { minimum: '2024-03-01T00:00:00Z', maximum: '2024-03-31T23:59:59Z' },
    });
    expect(field('year admitted')).toMatchObject({
      type: 'year',
      constraints: { minimum: 1990, maximum: 2030 },
    });
    expect(field('zip')).toMatchObject({
      type: 'string',
      constraints: { enum: ['01000', '01001', '01002', '01003', '01004'] },
    });
    expect(field('smoker')).toEqual({ name: 'smoker', type: 'boolean', constraints: { required: true } });
    expect(field('arm')).toMatchObject({ type: 'integer', constraints: { enum: [0, 1, 2] } });
    expect(leftOut.map(({ column, reason }) => [column, reason.split(';')[0]])).toEqual([
      ['id', expect.stringContaining('likely an identifier')],
      ['name', expect.stringContaining('likely an identifier')],
      ['note', 'it has more than 40 different texts'],
      ['empty', 'it has no values'],
    ]);
    expect(unconfirmed).toEqual(schema.fields.map(({ name }) => name).filter((name) => name !== 'smoker'));
    expect(JSON.stringify(schema)).not.toContain('chorale:label');
  });

  test('is valid, and every record of its own file is valid by it', async () => {
    const schema = parseTableSchema((await draftSchema(file(), 40)).schema);
    const findings = await checkCsv(file(), schema);
    expect([findings.records, [...findings.faults]]).toEqual([60, []]);
    await (await readCsv(file(), schema)).close();
    expect(schema.fields.filter((field) => field.unconfirmed)).toHaveLength(schema.fields.length - 1);
  });

  test('leaves out columns without a name of their own, and says so where nothing is left', async () => {
    const { leftOut, schema } = await draftSchema(csv('a,,b,b', '1,2,3,4', '2,2,3,4'), 10);
    expect(schema.fields.map(({ name }) => name)).toEqual(['a']);
    expect(leftOut.map(({ column }) => column)).toEqual(['column 2', 'b', 'b']);
    await expect(draftSchema(csv('a', 'NA'), 10)).rejects.toThrow(
      /No column can be drafted: "a": it has no values/,
    );
  });

  test('bounds are rounded outward, never inward, whatever the numbers', () => {
    const double = fc.double({ noNaN: true, noDefaultInfinity: true });
    fc.assert(
      fc.property(double, double, (one, other) => {
        const extent = { minimum: Math.min(one, other), maximum: Math.max(one, other) };
        if (extent.minimum === extent.maximum || !Number.isFinite(extent.maximum - extent.minimum)) return;
        const { minimum, maximum } = roundNumbers(extent);
        expect(minimum).toBeLessThanOrEqual(extent.minimum);
        expect(maximum).toBeGreaterThanOrEqual(extent.maximum);
        expect(Number.isFinite(minimum) && Number.isFinite(maximum)).toBe(true);
      }),
      { numRuns: 500, seed: 3 },
    );
    expect(roundNumbers({ minimum: 17, maximum: 90 })).toEqual({ minimum: 10, maximum: 90 });
    expect(roundNumbers({ minimum: -9_850, maximum: 1_423_000 })).toEqual({
      minimum: -200_000,
      maximum: 1_600_000,
    });
    const day = (text: string) => parseCalendar('date', text) as number;
    for (const [from, to, low, high] of [
      ['2024-02-11', '2024-02-28', '2024-02-01', '2024-02-29'],
      ['1999-12-31', '2000-02-01', '1999-12-01', '2000-02-29'],
      ['1969-06-01', '1971-06-01', '1969-01-01', '1971-12-31'],
    ] as const)
      expect(roundCalendar('date', { minimum: day(from), maximum: day(to) })).toEqual({
        minimum: low,
        maximum: high,
      });
  });
});

describe('chorale schema', () => {
  test('init writes a new file, says in words what was read from data, and never overwrites one', async () => {
    const drafted = await cli('init', at('data.csv'), '--out', at('schema.json'), '--max-categories', '40');
    expect(drafted.exitCode).toBe(EXIT.ok);
    expect(drafted.out).toBe('');
    expect(drafted.err).toMatch(/10 of 14 columns/);
    expect(drafted.err).toMatch(/Left out: "id": all its values differ, so it is likely an identifier/);
    expect(drafted.err).toMatch(/Read from the data: the bounds or categories of "ward", "age"/);
    expect(drafted.err).toMatch(
      /Replace each by what anybody may know[\s\S]*delete the field’s\n"chorale:unconfirmed"/,
    );
    const schema = JSON.parse(readFileSync(at('schema.json'), 'utf8'));
    expect(parseTableSchema(schema).fields).toHaveLength(10);
    const again = await cli('init', at('data.csv'), '--out', at('schema.json'));
    expect(again.failure).toMatchObject({
      exitCode: EXIT.refused,
      message: expect.stringMatching(/there already/),
    });
    expect(JSON.parse(readFileSync(at('schema.json'), 'utf8'))).toEqual(schema);
    const printed = await cli('init', at('data.csv'), '--max-categories', '40');
    expect(JSON.parse(printed.out)).toEqual(schema);
    expect((await cli('init', at('none.csv'))).failure?.code).toBe('ENOENT');
  });

  test('check says columns, cells and constraints, and what a charter would refuse', async () => {
    writeFileSync(
      at('plain.json'),
      JSON.stringify({
        fields: [
          {
            name: 'low',
            type: 'integer',
            constraints: { minimum: 0, maximum: 9 },
            'chorale:protected': true,
          },
          {
            name: 'high',
            type: 'integer',
            constraints: { required: true, minimum: 0, maximum: 99 },
            'chorale:outside': 'clamp',
          },
          { name: 'kind', type: 'string', constraints: { enum: ['x', 'y'] }, 'chorale:unconfirmed': true },
        ],
        'chorale:constraints': [{ type: 'inequality', low: 'low', high: 'high' }],
      }),
    );
    const { out, exitCode } = await cli('check', at('plain.json'));
    expect(exitCode).toBe(EXIT.ok);
    expect(out).toContain('3 columns, 30 cells by default:');
    expect(out).toContain('"low" (integer): 0 to 9, 11 cells, may be missing, protected');
    expect(out).toContain(
      '"high" (integer): 0 to 99, values outside moved onto the bounds, 16 cells, never missing',
    );
    expect(out).toContain('"kind" (string): 2 categories, 3 cells, may be missing, unconfirmed');
    expect(out).toContain('a record that breaks one is refused');
    expect(out).toContain('#1 "low" is at most "high", where both are present');
    expect(out).toMatch(/a charter refuses the schema: .* "kind" were read from data/);
  });

  test('check counts what a file has outside, for its holder, without a value or a line', async () => {
    writeFileSync(at('rows.csv'), 'low,high,kind\n3,120,x\n12,50,secret\nabc,5,\n7,5,y\n,-1,x\n');
    const { out, exitCode } = await cli('check', at('plain.json'), at('rows.csv'));
    expect(exitCode).toBe(EXIT.refused);
    expect(out).toContain('5 records. These counts are as private as the records are.');
    expect(out).toContain('"low": outside the bounds in 1 of 5 records, refused');
    expect(out).toContain('"low": not of the type in 1 of 5 records, refused');
    expect(out).toContain('"high": outside the bounds in 2 of 5 records, moved onto them');
    expect(out).toContain('"kind": none of the categories in 1 of 5 records, refused');
    expect(out).toContain('constraint #1 is broken in 1 of 5 records, refused');
    expect(out).toContain('"kind": missing in 1 of 5 records');
    expect(out).not.toMatch(/secret|abc|line \d/);
    writeFileSync(at('good.csv'), 'low,high,kind\n3,120,x\n,5,\n');
    const good = await cli('--json', 'check', at('plain.json'), at('good.csv')).catch(() => undefined);
    expect(good?.exitCode).toBe(EXIT.ok);
  });

  test('notices say how much was moved, and nothing where nothing was', () => {
    const schema = parseTableSchema(JSON.parse(readFileSync(at('plain.json'), 'utf8')));
    const moved = { clamped: new Map([['high', 2]]), repaired: new Map([[0, 3]]) };
    expect(movedNotices(moved, schema)).toEqual([
      '2 values of "high" outside the bounds, moved onto them',
      '3 records against constraint #1 ("low" is at most "high", where both are present), moved onto the nearest that keeps it',
    ]);
    expect(movedNotices({ clamped: new Map(), repaired: new Map() }, schema)).toEqual([]);
    expect(unconfirmedWarning(['kind'])).toMatch(/"kind" were read from data/);
  });

  test('simulate tries an unconfirmed schema, with a warning, and says to the holder what was moved', async () => {
    const schema = {
      'chorale:outside': 'clamp',
      fields: [
        { name: 'low', type: 'integer', constraints: { required: true, minimum: 0, maximum: 9 } },
        {
          name: 'high',
          type: 'integer',
          constraints: { required: true, minimum: 0, maximum: 9 },
          'chorale:unconfirmed': true,
        },
      ],
      'chorale:constraints': [{ type: 'inequality', low: 'low', high: 'high' }],
    };
    writeFileSync(at('trial.json'), JSON.stringify(schema));
    for (const [i, name] of ['p0.csv', 'p1.csv', 'p2.csv'].entries()) {
      const rows = Array.from({ length: 60 }, (_, row) => `${(row * 3) % 8},${8 + (row % 2)}`);
      writeFileSync(at(name), ['low,high', ...rows, ...(i === 1 ? ['7,12', '9,3'] : []), ''].join('\n'));
    }
    const said: string[] = [];
    const simulation = await simulate(
      {
        schema: at('trial.json'),
        participants: [at('p?.csv')],
        outOfBounds: 'refuse',
        synthesizer: 'independent',
        options: {},
        epsilon: 3,
        delta: 1e-6,
        maxColluders: 1,
        rows: 40,
        seed: '1',
        transport: 'memory',
        out: at('trial.csv'),
      },
      createTerminal({ json: false, isTty: false, write: (line) => said.push(line) }),
    );
    expect(simulation.rows).toBe(40);
    const text = said.join('\n');
    expect(text).toMatch(/Warning: bounds or categories of "high" were read from data/);
    expect(text).toMatch(/p1\.csv: 1 value of "high" outside/);
    expect(text).toMatch(/p1\.csv: 1 record against constraint #1/);
    expect(text).not.toMatch(/p0\.csv: \d/);
    const trial = parseTableSchema(schema);
    const findings = await checkCsv(at('trial.csv'), trial);
    expect([findings.records, [...findings.faults], findings.broken]).toEqual([40, [], [0]]);
    expect(() => parseCharter({ ...CHARTER, schema })).toThrow(/read from data, of "high"/);
  }, 120_000);
});
