import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { createProcesses } from '../../dist/src/cli/demo/processes.js';
import { emptyPGlite } from '../store/emptyPGlite.js';

const MAIN = resolve('dist/src/cli/main.js');
const folder = mkdtempSync(join(tmpdir(), 'chorale-cli-'));
const processes = createProcesses(join(folder, 'logs'));
afterAll(async () => {
  await processes.endAll();
  rmSync(folder, { recursive: true, force: true });
});

function chorale(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  return { status, stdout, stderr };
}

const INIT = [
  ...['--coordinator', 'http://127.0.0.1:4651', '--federation', 'f', '--name', 'alto'],
  ...['--declared-records', '10'],
];

/** A participant's folder of its own, a copy of one that `participant init` made, and a file of records beside it. */
function identity(name: string): string {
  const first = join(folder, 'first');
  if (!existsSync(first)) expect(chorale('participant', 'init', '--dir', first, ...INIT).status).toBe(0);
  const dir = join(folder, name);
  cpSync(first, dir, { recursive: true });
  writeFileSync(`${dir}.csv`, 'a\n1\n');
  return dir;
}

describe('the command line', () => {
  test('every command has help, with examples where there is something to explain', () => {
    const help = chorale('--help');
    expect(help.status).toBe(0);
    for (const command of [
      'demo',
      'schema',
      'coordinator',
      'participant',
      'charter',
      'run',
      'budget',
      'sample',
    ]) {
      expect(help.stdout).toContain(`\n  ${command} `);
      expect(chorale(command, '--help').status).toBe(0);
    }
    expect(help.stdout).toContain('Exit codes:');
    expect(chorale('participant', 'start', '--help').stdout).toContain('Example:');
  });

  test('a wrong command line is exit code 2, an unreachable coordinator 4, with JSON where it was asked for', () => {
    expect(chorale('run', 'approve').status).toBe(2);
    expect(chorale('coordinator', 'start', '--data', folder, '--port', '99999').status).toBe(2);
    const down = chorale('--json', 'budget', '--url', 'http://127.0.0.1:9', '--token', 'x'.repeat(20));
    expect(down.status).toBe(4);
    expect(JSON.parse(down.stdout)).toMatchObject({ event: 'error', code: 'Unreachable' });
    expect(down.stderr).toBe('');
  });

  test('a file that is not JSON, or not there, is refused in one line without a stack', () => {
    const file = join(folder, 'not.json');
    writeFileSync(file, '{');
    for (const path of [file, join(folder, 'nowhere.json')]) {
      const refused = chorale('budget', 'verify', path);
      expect(refused.status).toBe(3);
      expect(refused.stderr.trim().split('\n')).toHaveLength(1);
    }
  });
});

describe('a participant’s folder', () => {
  test('the key is made once, for its owner alone', () => {
    const dir = identity('alto');
    expect(statSync(join(dir, 'identity.key')).mode & 0o777).toBe(0o600);
    const again = chorale('participant', 'init', '--dir', dir, ...INIT);
    expect(again.status).toBe(3);
    expect(again.stderr).toContain('exists already');
  });

  test('a key that others can read, or that is no key, is refused before anything is sent', () => {
    const dir = identity('bass');
    chmodSync(join(dir, 'identity.key'), 0o644);
    const readable = chorale('participant', 'start', '--dir', dir, '--records', `${dir}.csv`);
    expect(readable.status).toBe(3);
    expect(readable.stderr).toMatch(/can be read by others .*chmod 600/);
    chmodSync(join(dir, 'identity.key'), 0o600);
    writeFileSync(join(dir, 'identity.key'), 'not a key\n');
    const wrong = chorale('participant', 'start', '--dir', dir, '--records', `${dir}.csv`);
    expect(wrong.status).toBe(3);
    expect(wrong.stderr).toContain('is not an identity key');
  });

  test('a missing records file is known at once, not after the wait for a charter', () => {
    const missing = chorale(
      'participant',
      'start',
      '--dir',
      identity('cantus'),
      '--records',
      join(folder, 'nowhere.csv'),
    );
    expect(missing.status).toBe(3);
    expect(missing.stderr).toContain('nowhere.csv');
  });

  test('with the coordinator down it waits, and says so', async () => {
    const dir = identity('tenor');
    const waiting = processes.start('tenor', [
      'participant',
      'start',
      '--dir',
      dir,
      '--records',
      `${dir}.csv`,
    ]);
    const line = await waiting.line('waiting for the coordinator');
    expect(line.coordinator).toBe('http://127.0.0.1:4651');
    // A second process on the same folder would think it had the whole budget.
    const second = chorale('participant', 'start', '--dir', dir, '--records', `${dir}.csv`);
    expect(second.status).toBe(3);
    expect(second.stderr).toContain(`Process ${waiting.pid} already runs`);
    waiting.kill();
    await waiting.ended;
  });
});

describe('a coordinator’s folder', () => {
  const start = (data: string, port: number) => [
    'coordinator',
    'start',
    '--data',
    join(folder, data),
    '--federation',
    'f',
    '--port',
    String(port),
  ];

  test('a port that is taken is exit code 3, and the folder can be used afterwards', {
    timeout: 120_000,
  }, async () => {
    await emptyPGlite(join(folder, 'port', 'database'));
    const taken = createServer();
    await new Promise<void>((done) => taken.listen(4652, '127.0.0.1', done));
    const refused = chorale(...start('port', 4652));
    expect(refused.status).toBe(3);
    expect(refused.stderr).toContain('Choose another port with --port');
    await new Promise((done) => taken.close(done));

    const running = processes.start('port', start('port', 4652));
    await running.line('listening');
    // Two coordinators on one folder.
    const second = chorale(...start('port', 4653));
    expect(second.status).toBe(3);
    expect(second.stderr).toContain(String(running.pid));
    // A second federation in the folder of the first.
    running.kill();
    await running.ended;
    const other = chorale(
      'coordinator',
      'start',
      '--data',
      join(folder, 'port'),
      '--federation',
      'g',
      '--port',
      '4652',
    );
    expect(other.status).toBe(3);
    expect(other.stderr).toContain('belongs to the federation "f"');

    // Written by a newer version: refused, and nothing is touched.
    const settings = join(folder, 'port', 'federation.json');
    writeFileSync(settings, JSON.stringify({ format: 99, federation: 'f' }));
    const newer = chorale(...start('port', 4652));
    expect(newer.status).toBe(3);
    expect(newer.stderr).toContain('was written by a newer version of chorale');
    expect(JSON.parse(readFileSync(settings, 'utf8'))).toEqual({ format: 99, federation: 'f' });
  });
});

describe('the demo', () => {
  test('Ctrl-C ends every process that it started', { timeout: 280_000 }, async () => {
    const demo = spawn(
      process.execPath,
      [MAIN, '--json', 'demo', '--quick', '--out', join(folder, 'demo'), '--port', '4661'],
      {
        stdio: ['ignore', 'pipe', 'ignore'],
      },
    );
    let said = '';
    demo.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
    while (!said.includes('"event":"participants"')) await new Promise((tick) => setTimeout(tick, 100));
    const participants = said.split('\n').find((line) => line.includes('"event":"participants"'))!;
    const pids = (JSON.parse(participants) as { participants: { pid: number }[] }).participants.map(
      ({ pid }) => pid,
    );
    expect(pids).toHaveLength(8);
    const ended = new Promise<number | null>((done) => demo.on('exit', done));
    demo.kill('SIGINT');
    expect(await ended).toBe(130);
    for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow();
  });
});
