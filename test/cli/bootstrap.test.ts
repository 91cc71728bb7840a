import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTerminal } from '../../src/cli/demo/terminal.js';
import { bootstrapTable } from '../../src/cli/simulate/bootstrap.js';
import { MIXED_HEADER, MIXED_SCHEMA_JSON } from '../synthesis/fixtures.js';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'chorale-bootstrap-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('chorale simulate --synthesizer bootstrap', () => {
  const lines = ['red,true,120,0.5,2000-01-01,2000-01,1992,2', 'blue,false,,1,NA,2000-02,1993,4'];

  it('writes real rows of one file, for its owner alone, and says that nothing protects them', async () => {
    const said: string[] = [];
    const terminal = createTerminal({ json: false, isTty: false, write: (line) => said.push(line) });
    const path = (name: string) => join(folder, name);
    writeFileSync(path('schema.json'), JSON.stringify(MIXED_SCHEMA_JSON));
    writeFileSync(path('own.csv'), `${[MIXED_HEADER, ...lines].join('\n')}\n`);
    const settings = {
      schema: path('schema.json'),
      participants: [path('own.csv')],
      outOfBounds: 'refuse' as const,
      rows: 40,
      seed: '1',
      out: path('again.csv'),
    };
    await bootstrapTable(settings, terminal);
    const [header, ...rows] = readFileSync(settings.out, 'utf8').trimEnd().split('\r\n');
    expect(header).toBe(MIXED_HEADER);
    expect(rows).toHaveLength(40);
    expect(new Set(rows)).toEqual(new Set([lines[0], 'blue,false,,1,,2000-02,1993,4']));
    expect(statSync(settings.out).mode & 0o777).toBe(0o600);
    expect(said.join('\n')).toMatch(/real record: ε is infinite/);
    await bootstrapTable({ ...settings, out: path('same.csv') }, terminal);
    expect(readFileSync(path('same.csv'))).toEqual(readFileSync(settings.out));
    const two = { ...settings, participants: [path('own.csv'), path('own.csv')] };
    await expect(bootstrapTable(two, terminal)).rejects.toThrow(/one file, your own/);
  });
});
