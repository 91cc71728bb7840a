import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { InvalidRecords } from '../../src/synthesis/errors.js';
import { type CsvOptions, type MovedCounts, readCsv } from '../../src/synthesis/table/csv.js';
import { checkCsv } from '../../src/synthesis/table/csvCheck.js';
import { cellsOf, tableEncoding } from '../../src/synthesis/table/encoding.js';
import type { RecordSource } from '../../src/synthesis/table/records.js';
import { parseTableSchema } from '../../src/synthesis/table/schema.js';
import { csv, MIXED_HEADER, MIXED_SCHEMA_JSON, mixedSchema, rngOf } from './fixtures.js';

const GOOD = 'red,true,120,0.5,2000-02-29,2000-01,1992,4';

async function allCells(source: RecordSource): Promise<number[]> {
  const encoding = tableEncoding(source.schema);
  const cells: number[] = [];
  for await (const batch of source.sample(1, rngOf(1))) cells.push(...cellsOf(encoding, batch));
  return cells;
}

async function refusal(lines: readonly string[], options: CsvOptions = {}): Promise<InvalidRecords> {
  const error = await readCsv(csv(...lines), mixedSchema(), options).then(
    () => new Error('was accepted'),
    (reason: unknown) => reason,
  );
  if (error instanceof InvalidRecords) return error;
  throw error;
}

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'chorale-csv-'));
});
afterAll(() => rm(folder, { recursive: true }));

describe('reading CSV', () => {
  it('finds columns by name in any order and leaves others unread', async () => {
    const straight = await readCsv(csv(MIXED_HEADER, GOOD), mixedSchema());
    const mixed = await readCsv(
      csv(
        'engines,year,secret,month,day,mass,speed,night,colour',
        '4,1992,Jane,2000-01,2000-02-29,0.5,120,true,red',
      ),
      mixedSchema(),
    );
    expect(await allCells(mixed)).toEqual(await allCells(straight));
  });

  it('reads a byte order mark, CRLF, quotes and empty lines', async () => {
    const plain = await readCsv(csv(MIXED_HEADER, GOOD, GOOD), mixedSchema());
    const text = `\uFEFF"colour",${MIXED_HEADER.slice(7)}\r\n${GOOD}\r\n\r\n"red"${GOOD.slice(3)}\r\n`;
    const odd = await readCsv(Readable.from([Buffer.from(text)]), mixedSchema());
    expect(await allCells(odd)).toEqual(await allCells(plain));
  });

  it('reads a path, and says so when it is not there', async () => {
    const path = join(folder, 'good.csv');
    await writeFile(path, `${MIXED_HEADER}\n${GOOD}\n`);
    expect(await allCells(await readCsv(path, mixedSchema()))).toHaveLength(8);
    await expect(readCsv(join(folder, 'none.csv'), mixedSchema())).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it.each([
    ['a missing column', [MIXED_HEADER.replace('mass,', ''), GOOD], 'missing-column', 1, 'mass'],
    ['a column twice', [`${MIXED_HEADER},year`, `${GOOD},1990`], 'duplicate-column', 1, 'year'],
    [
      'an unknown category',
      [MIXED_HEADER, GOOD, GOOD.replace('red', 'mauve')],
      'unknown-category',
      3,
      'colour',
    ],
    ['an unknown number category', [MIXED_HEADER, GOOD.replace(/4$/, '3')], 'unknown-category', 2, 'engines'],
    ['an unknown boolean', [MIXED_HEADER, GOOD.replace('true', 'yes')], 'unknown-category', 2, 'night'],
    ['a number above its bound', [MIXED_HEADER, GOOD.replace('120', '401')], 'out-of-bounds', 2, 'speed'],
    ['a number below its bound', [MIXED_HEADER, GOOD.replace('0.5', '-1.51')], 'out-of-bounds', 2, 'mass'],
    [
      'a date out of bounds',
      [MIXED_HEADER, GOOD.replace('2000-02-29', '2000-03-03')],
      'out-of-bounds',
      2,
      'day',
    ],
    ['a fraction for an integer', [MIXED_HEADER, GOOD.replace('120', '120.5')], 'not-of-type', 2, 'speed'],
    ['text for a number', [MIXED_HEADER, GOOD.replace('0.5', '0x1')], 'not-of-type', 2, 'mass'],
    ['infinity', [MIXED_HEADER, GOOD.replace('0.5', '1e999')], 'not-of-type', 2, 'mass'],
    ['NaN', [MIXED_HEADER, GOOD.replace('0.5', 'NaN')], 'not-of-type', 2, 'mass'],
    ['a date that is none', [MIXED_HEADER, GOOD.replace('02-29', '02-30')], 'not-of-type', 2, 'day'],
    ['a missing required value', [MIXED_HEADER, GOOD.replace('0.5', 'NA')], 'missing-value', 2, 'mass'],
    ['too few cells', [MIXED_HEADER, GOOD, 'red,true'], 'cell-count', 3, undefined],
    ['too many cells', [MIXED_HEADER, `${GOOD},7`], 'cell-count', 2, undefined],
    ['a quote inside a cell', [MIXED_HEADER, GOOD.replace('red', 're"d"')], 'malformed-csv', 2, undefined],
    ['a quote left open', [MIXED_HEADER, `"${GOOD}`], 'malformed-csv', undefined, undefined],
  ] as const)('refuses %s, by line and column', async (_, lines, reason, line, column) => {
    const error = await refusal(lines);
    expect(error).toMatchObject({ code: 'INVALID_RECORDS', reason, column });
    if (line !== undefined) expect(error.line).toBe(line);
  });

  it('hazard S28: a refusal never repeats a value of the file', async () => {
    const planted = 'PLANTED-7f3a';
    for (const [index, cell] of GOOD.split(',').entries()) {
      const cells = GOOD.split(',').with(index, `${planted}`);
      const error = await refusal([MIXED_HEADER, cells.join(',')]);
      expect(`${error.message} ${error.stack} ${JSON.stringify(error)}`).not.toContain(planted);
      expect(error.column).toBe(MIXED_HEADER.split(',')[index]);
      expect(cell).not.toBe(planted);
    }
    const open = await refusal([MIXED_HEADER, `"${planted}`]);
    const inside = await refusal([MIXED_HEADER, `${planted}"x"`]);
    for (const error of [open, inside])
      expect(`${error.message} ${error.stack} ${JSON.stringify(error)} ${String(error.cause)}`).not.toContain(
        planted,
      );
  });

  it('refuses an empty file and one with a header alone', async () => {
    const empty = readCsv(Readable.from([Buffer.alloc(0)]), mixedSchema());
    await expect(empty).rejects.toMatchObject({ reason: 'empty-file' });
    await expect(readCsv(Readable.from([Buffer.from('\uFEFF')]), mixedSchema())).rejects.toMatchObject({
      reason: 'empty-file',
    });
    expect((await refusal([MIXED_HEADER])).reason).toBe('empty-file');
  });

  it('counts lines within quoted cells and empty lines', async () => {
    const note = `${MIXED_HEADER},note`;
    const error = await refusal([
      note,
      `${GOOD},"one\ntwo"`,
      '',
      `${GOOD},x`,
      `${GOOD.replace('red', 'mauve')},x`,
    ]);
    expect(error.line).toBe(6);
  });

  it('hazard P16: clamps to the bounds only when told to, each value to its own end', async () => {
    const beyond = [MIXED_HEADER, GOOD.replace('120', '999').replace('0.5', '-7')];
    expect((await refusal(beyond)).reason).toBe('out-of-bounds');
    const clamped = await readCsv(csv(...beyond), mixedSchema(), { outOfBounds: 'clamp' });
    const edge = await readCsv(
      csv(MIXED_HEADER, GOOD.replace('120', '400').replace('0.5', '-1.5')),
      mixedSchema(),
    );
    expect(await allCells(clamped)).toEqual(await allCells(edge));
    // A category is never clamped to another.
    const category = await refusal([MIXED_HEADER, GOOD.replace('red', 'mauve')], { outOfBounds: 'clamp' });
    expect(category.reason).toBe('unknown-category');
  });

  it('the schema says which fields may be clamped; how many were is told once, to the reader’s own caller', async () => {
    const json = structuredClone(MIXED_SCHEMA_JSON) as unknown as { fields: Record<string, unknown>[] };
    const speed = json.fields.find(({ name }) => name === 'speed') as Record<string, unknown>;
    speed['chorale:outside'] = 'clamp';
    const schema = parseTableSchema(json);
    const fast = [MIXED_HEADER, GOOD.replace('120', '999'), GOOD, GOOD.replace('120', '-1')];
    const told: unknown[] = [];
    const counted = ({ clamped, repaired }: MovedCounts) => told.push([...clamped], [...repaired]);
    for (const outOfBounds of ['refuse', undefined] as const) {
      const options = outOfBounds === undefined ? { counted } : { counted, outOfBounds };
      await (await readCsv(csv(...fast), schema, options)).close();
    }
    expect(told).toEqual([[['speed', 2]], [], [['speed', 2]], []]);
    const light = readCsv(csv(MIXED_HEADER, GOOD.replace('0.5', '-7')), schema, { counted });
    await expect(light).rejects.toMatchObject({ reason: 'out-of-bounds', column: 'mass' });
    expect(told).toHaveLength(4);
  });

  it('reads datetimes as their bounds are written, in UTC or in local time, and never the one as the other', async () => {
    const at = (zone: string) => {
      const constraints = { minimum: `1970-01-01T00:00:00${zone}`, maximum: `1971-01-01T00:00:00${zone}` };
      return parseTableSchema({ fields: [{ name: 'f', type: 'datetime', constraints }] });
    };
    for (const [own, other] of [
      ['Z', ''],
      ['', 'Z'],
    ] as const) {
      const records = await readCsv(csv('f', `1970-06-01T12:00:00${own}`), at(own));
      for await (const { rows } of records.sample(1, rngOf(1)))
        expect(Buffer.from(rows).readDoubleLE()).toBe(Date.UTC(1970, 5, 1, 12) / 1000);
      const wrong = readCsv(csv('f', `1970-06-01T12:00:00${other}`), at(own));
      await expect(wrong).rejects.toMatchObject({ reason: 'not-of-type', line: 2, column: 'f' });
      await expect(readCsv(csv('f', '1970-06-01T12:00:00+02:00'), at(own))).rejects.toThrow(
        own === 'Z' ? /UTC, ending in Z/ : /local time, without a zone/,
      );
    }
  });

  it('counts every fault of a file without stopping at the first', async () => {
    const findings = await checkCsv(
      csv(
        MIXED_HEADER,
        GOOD,
        GOOD.replace('120', '999').replace('0.5', ''),
        GOOD.replace('120', 'fast'),
        GOOD.replace('red', 'mauve').replace('120', 'NA'),
      ),
      mixedSchema(),
    );
    expect(findings.records).toBe(4);
    expect([...findings.faults].map(([name, counts]) => [name, [...counts]])).toEqual([
      ['colour', [['unknown-category', 1]]],
      [
        'speed',
        [
          ['out-of-bounds', 1],
          ['not-of-type', 1],
        ],
      ],
      ['mass', [['missing-value', 1]]],
    ]);
    expect([...findings.missing]).toEqual([['speed', 1]]);
    await expect(checkCsv(csv(MIXED_HEADER, 'red,true'), mixedSchema())).rejects.toMatchObject({
      reason: 'cell-count',
    });
  });

  it('refuses other columns when fieldsMatch allows none', async () => {
    const exact = parseTableSchema({ ...structuredClone(MIXED_SCHEMA_JSON), fieldsMatch: ['exact'] });
    await expect(readCsv(csv(`${MIXED_HEADER},x`, `${GOOD},1`), exact)).rejects.toMatchObject({
      reason: 'extra-column',
    });
  });

  it('passes a failing stream on', async () => {
    const broken = new Readable({
      read() {
        this.push(`${MIXED_HEADER}\n`);
        this.destroy(new Error('the disk is gone'));
      },
    });
    await expect(readCsv(broken, mixedSchema())).rejects.toThrow('the disk is gone');
  });
});

describe('many rows', () => {
  it('spills to a file that has no name, and reads the same', async () => {
    const rows = Array.from({ length: 50_000 }, (_, i) => GOOD.replace('120', String(i % 401)));
    const inMemory = await readCsv(csv(MIXED_HEADER, ...rows), mixedSchema());
    const spilled = await readCsv(csv(MIXED_HEADER, ...rows), mixedSchema(), {
      memoryLimitBytes: 1024,
      spillFolder: folder,
    });
    expect((await readdir(folder)).filter((name) => name.endsWith('.rows'))).toEqual([]);
    const digest = async (source: RecordSource) => {
      let total = 0;
      let count = 0;
      for await (const batch of source.sample(0.25, rngOf(5)))
        for (let i = 0; i < batch.rows.length; i++)
          total = (total * 31 + (batch.rows[i] as number) + count++) % 2 ** 40;
      return total;
    };
    expect(await digest(spilled)).toBe(await digest(inMemory));
    await inMemory.close();
    await spilled.close();
  });

  // CHORALE_TEST_ROWS=10000000 for the full length; what is tested does not depend on it.
  const rows = Number(process.env.CHORALE_TEST_ROWS ?? 400_000);
  it(`streams ${rows} rows in a heap that could not hold them`, { timeout: 600_000 }, () => {
    // A process of its own with a heap of 40 MiB: as parsed rows they would need ten times that, and it would die.
    const script = `
      import { Readable } from 'node:stream';
      import { parseTableSchema, readCsv } from ${JSON.stringify(resolve('dist/src/synthesis/index.js'))};
      import { systemRng } from ${JSON.stringify(resolve('dist/src/crypto/rng.js'))};
      const block = Buffer.from(${JSON.stringify(`${GOOD}\n`)}.repeat(1000));
      const generated = function* () {
        yield Buffer.from(${JSON.stringify(`${MIXED_HEADER}\n`)});
        for (let sent = 0; sent < ${rows}; sent += 1000) yield block;
      };
      const schema = parseTableSchema(${JSON.stringify(mixedSchema().json)});
      const source = await readCsv(Readable.from(generated()), schema, { memoryLimitBytes: 4 * 2 ** 20 });
      let sampled = 0;
      for await (const batch of source.sample(0.01, systemRng())) sampled += batch.count;
      await source.close();
      console.log(JSON.stringify({ sampled, peakMb: process.resourceUsage().maxRSS / 1024 }));`;
    const flags = ['--max-old-space-size=40', '--max-semi-space-size=4', '--input-type=module', '-e', script];
    const { stdout, stderr, status } = spawnSync(process.execPath, flags, { encoding: 'utf8' });
    expect(status, stderr).toBe(0);
    const { sampled, peakMb } = JSON.parse(stdout) as { sampled: number; peakMb: number };
    expect(Math.abs(sampled - rows * 0.01)).toBeLessThan(6 * Math.sqrt(rows * 0.01));
    expect(peakMb).toBeLessThan(400);
  });
});
