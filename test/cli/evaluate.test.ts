import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { stringify } from 'csv-stringify/sync';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { registerEvaluate } from '../../src/cli/commands/evaluate.js';
import { rowsOf } from '../../src/cli/evaluate/rows.js';
import { EXIT, explain } from '../../src/cli/exits.js';
import type { Assessment } from '../../src/evaluation/assess.js';
import { RELEASE_NOTE } from '../../src/evaluation/report/renderAssessment.js';
import type { Row } from '../../src/synthesis/synthesizer.js';
import { parseTableSchema } from '../../src/synthesis/table/schema.js';
import { people, SCHEMA, SCHEMA_JSON } from '../evaluation/assessmentFixture.js';

const folder = mkdtempSync(join(tmpdir(), 'chorale-evaluate-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(() => vi.restoreAllMocks());
const at = (name: string) => join(folder, name);

const write = (name: string, rows: readonly Row[]) =>
  writeFileSync(
    at(name),
    stringify([...rows], { header: true, columns: SCHEMA.fields.map(({ name: column }) => column) }),
  );

beforeAll(() => {
  writeFileSync(at('schema.json'), JSON.stringify(SCHEMA_JSON));
  write('train.csv', people(600, 'cli train'));
  write('test.csv', people(400, 'cli test'));
  write(
    'synthetic.csv',
    people(500, 'cli synthetic').map((row, i) => (i === 7 ? { ...row, age: 17 } : row)),
  );
});

/** What the command printed, or the error with which it ended. */
async function run(...options: readonly string[]): Promise<string> {
  const lines: string[] = [];
  vi.spyOn(console, 'log').mockImplementation((line: string) => lines.push(line));
  const program = new Command('chorale').option('--json').exitOverride();
  registerEvaluate(program);
  const files = ['--real', at('test.csv'), '--train', at('train.csv'), '--synthetic', at('synthetic.csv')];
  await program.parseAsync([
    'node',
    'chorale',
    'evaluate',
    ...files,
    '--schema',
    at('schema.json'),
    ...options,
  ]);
  return lines.join('\n');
}

describe('chorale evaluate', () => {
  test('prints one JSON document, the same for the same files and seed', async () => {
    const printed = await run('--epsilon', '1', '--delta', '1e-9', '--protected', 'school');
    const assessment = JSON.parse(printed) as Assessment;
    expect(assessment.rows).toEqual({ train: 600, real: 400, synthetic: 500 });
    expect(assessment.validity).toMatchObject({ invalidRows: 1, invalidValues: { age: 1 } });
    expect(assessment.utility!.label.name).toBe('income');
    expect(assessment.groups.map(({ column }) => column)).toEqual(['group', 'school']);
    expect(assessment.attacks.ceiling).toMatchObject({ epsilon: 1, delta: 1e-9 });
    expect(await run('--epsilon', '1', '--delta', '1e-9', '--protected', 'school')).toBe(printed);
    expect(await run('--epsilon', '1', '--delta', '1e-9', '--protected', 'school', '--seed', 'x')).not.toBe(
      printed,
    );
  });

  test('with --out writes a page that loads nothing and the JSON beside it, and says in words what it found', async () => {
    const words = await run('--out', at('report.html'), '--label', 'school');
    expect(words).toContain('✗ bad    Rows follow the schema');
    expect(words).toContain('smoke test, no proof');
    expect(words).toContain('no ε covers');
    const page = readFileSync(at('report.html'), 'utf8');
    expect(page).toContain(RELEASE_NOTE);
    expect(page).not.toMatch(/<(script|link|img|iframe)\b/);
    expect(
      [...page.matchAll(/https?:\/\/[^\s"'<)]+/g)]
        .map(([url]) => url)
        .filter((url) => !url.startsWith('http://www.w3.org/')),
    ).toEqual([]);
    expect(page).not.toMatch(/NaN|undefined|\[object/);
    expect(page).not.toContain(folder);
    const json = JSON.parse(readFileSync(at('report.json'), 'utf8')) as Assessment;
    expect(json.utility!.label.name).toBe('school');
    expect(existsSync(at('report.html.part'))).toBe(false);
  });

  test('refuses what it cannot judge, with what to do, and writes nothing', async () => {
    const refusal = async (...options: readonly string[]) =>
      explain(
        await run('--out', at('never.html'), ...options).then(
          () => undefined,
          (error: unknown) => error,
        ),
      );
    expect(await refusal('--epsilon', '1')).toMatchObject({
      exitCode: EXIT.usage,
      message: expect.stringContaining('--delta'),
    });
    expect(await refusal('--out', at('never.txt'))).toMatchObject({
      exitCode: EXIT.usage,
      message: expect.stringContaining('.html'),
    });
    expect(await refusal('--label', 'wage')).toMatchObject({
      exitCode: EXIT.refused,
      message: expect.stringContaining('no column "wage"'),
    });
    expect(await refusal('--real', at('missing.csv'))).toMatchObject({
      exitCode: EXIT.refused,
      code: 'ENOENT',
    });
    writeFileSync(at('short.csv'), 'age,school\n20,none\n');
    expect(await refusal('--synthetic', at('short.csv'))).toMatchObject({
      exitCode: EXIT.refused,
      message: expect.stringMatching(/short\.csv.*"hours"/),
    });
    writeFileSync(at('empty.csv'), '');
    expect(await refusal('--train', at('empty.csv'))).toMatchObject({
      message: expect.stringContaining('is empty'),
    });
    expect(await refusal('--train', at('synthetic.csv'))).toMatchObject({
      code: 'RealRowOutsideSchema',
      message: expect.stringContaining('(in: age)'),
    });
    expect(existsSync(at('never.html'))).toBe(false);
  });
});

test('rows are read as the schema writes them: missing values, booleans, numbers, and what it does not know as it stands', async () => {
  const schema = parseTableSchema({
    fields: [
      { name: 'b', type: 'boolean', trueValues: ['yes'], falseValues: ['no'] },
      { name: 'n', type: 'integer', constraints: { minimum: 0, maximum: 9 } },
      { name: 'd', type: 'date', constraints: { minimum: '2000-01-01', maximum: '2001-01-01' } },
      { name: 'e', type: 'integer', constraints: { enum: [1, 2] } },
    ],
    missingValues: ['', 'n/a'],
  });
  writeFileSync(
    at('typed.csv'),
    'x,d,n,b,e\r\n1,2000-02-03,4.0,yes,2.0\r\n2,n/a,,no,\r\n3,soon,0x1f,true,3\r\n',
  );
  const rows: Row[] = [];
  for await (const row of rowsOf(at('typed.csv'), schema)) rows.push(row);
  expect(rows).toEqual([
    { b: true, n: 4, d: '2000-02-03', e: 2 },
    { b: false, n: null, d: null, e: null },
    { b: 'true', n: '0x1f', d: 'soon', e: '3' },
  ]);
});
