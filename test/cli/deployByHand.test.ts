import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, expect, test } from 'vitest';

const PORT = 4641;
const MAIN = resolve('dist/src/cli/main.js');

interface Block {
  readonly terminal: number;
  readonly text: string;
}

/** The sh blocks of the page in order, each with the terminal that its heading names. */
function blocksOf(page: string): Block[] {
  const blocks: Block[] = [];
  let terminal = 0;
  for (const [, heading, text] of page.matchAll(/^## Terminal (\d)|^```sh\n([\s\S]*?)^```$/gm)) {
    if (heading !== undefined) terminal = Number(heading);
    else if (text !== undefined && terminal > 0) blocks.push({ terminal, text });
  }
  return blocks;
}

/** What a reader's machine has otherwise: another folder, and a port that nobody uses. */
function adapted(text: string): string {
  return text
    .replaceAll('http://127.0.0.1:4000', `http://127.0.0.1:${PORT}`)
    .replace(/^(chorale coordinator start .*)$/gm, `$1 --port ${PORT}`)
    .replaceAll('node dist/src/cli/main.js', `node ${MAIN}`);
}

let shells: ChildProcess[] = [];
let folder: string | undefined;
afterEach(() => {
  // Their children too: each shell leads a group of its own.
  for (const { pid } of shells) if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  shells = [];
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

test('docs/deploy-by-hand.md, followed word by word in three terminals, ends in a table and a checked ledger', {
  timeout: 280_000,
}, async () => {
  const cwd = (folder = mkdtempSync(join(tmpdir(), 'chorale-by-hand-')));
  const blocks = blocksOf(readFileSync('docs/deploy-by-hand.md', 'utf8'));
  expect(new Set(blocks.map((block) => block.terminal))).toEqual(new Set([1, 2, 3]));

  const open = () => {
    const shell = spawn('bash', ['-e'], {
      cwd,
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, CHORALE_URL: `http://127.0.0.1:${PORT}` },
    });
    shells.push(shell);
    let said = '';
    const watchers = new Set<() => void>();
    const hear = (chunk: Buffer) => {
      said += chunk.toString();
      for (const watcher of [...watchers]) watcher();
    };
    shell.stdout!.on('data', hear);
    shell.stderr!.on('data', hear);
    return {
      type: (text: string) => void shell.stdin!.write(`${text}\n`),
      until: (words: string) =>
        new Promise<string>((done, fail) => {
          const look = () => {
            if (!said.includes(words)) return;
            watchers.delete(look);
            done(said);
          };
          watchers.add(look);
          shell.once('exit', (code) => fail(new Error(`the shell ended with ${code}: ${said}`)));
          look();
        }),
    };
  };
  const terminals = new Map([1, 2, 3].map((number) => [number, open()]));
  let output = '';
  for (const [index, { terminal, text }] of blocks.entries()) {
    const shell = terminals.get(terminal)!;
    shell.type(adapted(text));
    if (terminal === 1) {
      await shell.until('Tokens:');
      continue;
    }
    shell.type(`echo "block ${index} is done"`);
    const said = await shell.until(`block ${index} is done`);
    if (terminal === 3) output = said;
  }
  expect(output).toMatch(/Run \w+: completed, 100 of 100 sums/);
  expect(output).toMatch(/The ledger adds up: ε = \d\.\d+ at δ = 0\.00001 from 100 committed sums/);
  const [header, ...rows] = readFileSync(join(cwd, 'chorale-demo-by-hand/synthetic.csv'), 'utf8')
    .trim()
    .split(/\r?\n/);
  expect(header).toBe('ward,age,nights,readmitted');
  expect(rows).toHaveLength(1000);
});
