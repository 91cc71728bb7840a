import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bytesToHex } from '@noble/hashes/utils.js';
import { Command } from 'commander';
import { parse } from 'csv-parse/sync';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { registerSample } from '../../src/cli/commands/sample.js';
import { balanceOf, whereOf } from '../../src/cli/sample/conditions.js';
import { writeRelease } from '../../src/cli/sample/releaseFile.js';
import { canonicalJson, type Json } from '../../src/crypto/canonical.js';
import { nodePrimitives } from '../../src/crypto/nodePrimitives.js';
import { asJson, charterDigest, parseCharter, synthesisContext } from '../../src/federation/charter.js';
import { marginalsSynthesizer as marginals } from '../../src/synthesis/marginals/marginals.js';
import { releaseOf } from '../synthesis/marginals/released.js';

const CHARTER = {
  chorale: 1,
  federation: 'f',
  version: 1,
  previous: null,
  members: ['a', 'b', 'c', 'd'].map((id, i) => ({
    id,
    name: id,
    publicKey: `${i}`.repeat(64),
    declaredRecords: 100,
  })),
  schema: {
    fields: [
      { name: 'age', type: 'integer', constraints: { required: true, minimum: 0, maximum: 99 } },
      { name: 'sex', type: 'string', constraints: { required: true, enum: ['F', 'M'] } },
      { name: 'income', type: 'string', constraints: { enum: ['<=50K', '>50K'] } },
    ],
  },
  privacy: { unit: 'record', relation: 'add-remove', epsilon: 1, delta: 1e-6, orders: [32] },
  cohort: { minSurvivors: 3, maxColluders: 1 },
};
const OPTIONS = { noiseMultiplier: 1, modelCells: 1000, iterations: 60 };

let folder: string;
const at = (name: string) => join(folder, name);
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'chorale-sample-'));
  const charter = parseCharter(CHARTER);
  const rows = Array.from(
    { length: 400 },
    (_, i) => `${i % 100},${i % 2 === 0 ? 'F' : 'M'},${i % 100 < 60 ? '<=50K' : '>50K'}`,
  );
  const bytes = await releaseOf(synthesisContext(charter), marginals.parseOptions(OPTIONS), rows);
  writeRelease(at('r'), {
    ...{ run: 'run-1', bytes, digest: bytesToHex(nodePrimitives.sha256(bytes)) },
    ...{ synthesizer: 'marginals', options: OPTIONS as Json },
    charter: { body: canonicalJson(asJson(charter)), digest: charterDigest(charter) },
  });
  writeFileSync(at('own.csv'), 'sex,age,income,id\r\nF,12,<=50K,1\r\nM,88,>50K,2\r\nM,33,,3\r\n');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function sample(...args: readonly string[]): Promise<string[]> {
  const lines: string[] = [];
  const say = (line: string) => void lines.push(line);
  const spies = [
    vi.spyOn(console, 'log').mockImplementation(say),
    vi.spyOn(console, 'error').mockImplementation(say),
  ];
  const program = new Command().option('--json').exitOverride();
  registerSample(program);
  try {
    await program.parseAsync(['sample', ...args], { from: 'user' });
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
  return lines;
}
const fromFile = (...args: readonly string[]) =>
  sample('--release', at('r'), '--charter', at('r.charter.json'), '--out', at('out.csv'), ...args);
const table = (): Record<string, string>[] => parse(readFileSync(at('out.csv')), { columns: true });

describe('conditions on the command line', () => {
  it('are signs after a column’s name: the first one counts', () => {
    expect(whereOf(['age>=65', 'age<80', 'sex=F', 'state=NY|NJ', 'income=>50K', 'note='])).toEqual({
      age: { from: '65', below: '80' },
      sex: { in: ['F'] },
      state: { in: ['NY', 'NJ'] },
      income: { in: ['>50K'] },
      note: { in: [null] },
    });
    expect(whereOf(['{"a=b":{"in":["x|y"]}}'])).toEqual({ 'a=b': { in: ['x|y'] } });
    expect(whereOf([])).toBeUndefined();
    for (const wrong of [['age'], ['=3'], ['sex=F', 'sex=M'], ['age>=1', 'age>=2'], ['{"a"']])
      expect(() => whereOf(wrong)).toThrow(expect.objectContaining({ exitCode: 2 }));
  });

  it('give shares to values, which end at their last colon', () => {
    const shares = [
      { value: '>50K', share: 0.5 },
      { value: '<=50K', share: 0.5 },
    ];
    expect(balanceOf('income=>50K:0.5,<=50K:0.5')).toEqual({ column: 'income', shares });
    expect(balanceOf('a=x:y:0.2,:0.1')).toEqual({
      column: 'a',
      shares: [
        { value: 'x:y', share: 0.2 },
        { value: null, share: 0.1 },
      ],
    });
    for (const wrong of ['income', 'income=>50K', 'income=>50K:', '=x:1'])
      expect(() => balanceOf(wrong)).toThrow(expect.objectContaining({ exitCode: 2 }));
  });
});

describe('chorale sample from a release file', () => {
  it('draws rows under conditions, as many as asked, and the same ones again', async () => {
    await fromFile('--rows', '500', '--where', 'age>=60', '--where', 'sex=F', '--seed', 's');
    const rows = table();
    expect(rows).toHaveLength(500);
    expect(rows.every(({ age, sex }) => Number(age) >= 60 && sex === 'F')).toBe(true);
    const bytes = readFileSync(at('out.csv'));
    await fromFile('--rows', '500', '--where', 'sex=F', '--where', 'age>=60', '--seed', 's');
    expect(readFileSync(at('out.csv')).equals(bytes)).toBe(true);
    await fromFile('--rows', '4000', '--balance', 'income=>50K:0.8,<=50K:0.2');
    expect(Math.abs(table().filter(({ income }) => income === '>50K').length / 4000 - 0.8)).toBeLessThan(
      0.04,
    );
  });

  it('completes one’s own records, in a file for oneself, with a warning', async () => {
    const said = await fromFile('--complete', at('own.csv'), '--columns', 'age,sex');
    expect(table().map(({ age, sex }) => [age, sex])).toEqual([
      ['12', 'F'],
      ['88', 'M'],
      ['33', 'M'],
    ]);
    expect(
      table()
        .slice(0, 2)
        .map(({ income }) => income),
    ).toEqual(['<=50K', '>50K']);
    expect(statSync(at('out.csv')).mode & 0o777).toBe(0o600);
    expect(said.join()).toContain('your own records');
  });

  it('puts one’s own records beside synthetic ones and tells which are which', async () => {
    writeFileSync(at('out.csv'), 'an older file that anybody may read', { mode: 0o644 });
    const said = await fromFile('--hybrid', at('own.csv'), '--rows', '20', '--where', 'age<50');
    const rows = table();
    expect(Object.keys(rows[0] as object)).toEqual(['age', 'sex', 'income', 'chorale:origin']);
    const [real, synthetic] = ['real', 'synthetic'].map((origin) =>
      rows.filter((row) => row['chorale:origin'] === origin),
    );
    expect(real?.map(({ age, sex, income }) => [age, sex, income])).toEqual([
      ['12', 'F', '<=50K'],
      ['88', 'M', '>50K'],
      ['33', 'M', ''],
    ]);
    expect(synthetic).toHaveLength(20);
    expect(synthetic?.every(({ age }) => Number(age) < 50)).toBe(true);
    expect(statSync(at('out.csv')).mode & 0o777).toBe(0o600);
    expect(said.join()).toContain('3 of your own records');
  });

  it('refuses a file that was changed, another charter, and options that say nothing together', async () => {
    const bytes = readFileSync(at('r'));
    bytes[bytes.length - 1] = (bytes.at(-1) as number) ^ 1;
    writeFileSync(at('changed'), bytes);
    writeFileSync(at('other.json'), JSON.stringify({ ...CHARTER, version: 2, previous: '0'.repeat(64) }));
    const charter = ['--charter', at('r.charter.json')];
    const out = ['--out', at('out.csv')];
    await expect(sample('--release', at('changed'), ...charter, ...out)).rejects.toThrow(/changed/);
    await expect(sample('--release', at('own.csv'), ...charter, ...out)).rejects.toThrow(/no release file/);
    await expect(sample('--release', at('r'), '--charter', at('other.json'), ...out)).rejects.toThrow(
      /another/,
    );
    await expect(fromFile('--where', 'age>99')).rejects.toThrow(/no value/);
    await expect(fromFile('--complete', at('own.csv'), '--columns', 'town')).rejects.toThrow(/no column/);
    for (const args of [
      out,
      ['run', '--release', at('r'), ...charter, ...out],
      ['--release', at('r'), ...out],
      ['run'],
      ['run', ...out, '--complete', at('own.csv')],
      ['run', ...out, '--complete', at('own.csv'), '--columns', 'sex', '--hybrid', at('own.csv')],
      ['run', ...out, '--complete', at('own.csv'), '--columns', 'sex', '--where', 'age>3'],
    ])
      await expect(sample(...args)).rejects.toThrow(expect.objectContaining({ exitCode: 2 }));
  });
});
