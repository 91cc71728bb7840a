import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import ts from 'typescript';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openStore } from '../../src/store/index.js';
import { databases } from './databases.js';
import { runningFederation } from './fixtures.js';

/** Sources compiled for a child process, inside the repository so that they find node_modules and prisma/. */
let compiled: string;
const children: ChildProcess[] = [];

beforeEach(() => {
  mkdirSync('node_modules/.cache', { recursive: true });
  compiled = resolve(mkdtempSync('node_modules/.cache/store-crash-'));
  const sources = ['src/store', 'src/federation', 'src/crypto'].flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)),
  );
  for (const source of sources.filter((name) => name.endsWith('.ts'))) {
    const { outputText } = ts.transpileModule(readFileSync(source, 'utf8'), {
      compilerOptions: {
        module: ts.ModuleKind.ESNext,
        target: ts.ScriptTarget.ES2023,
        verbatimModuleSyntax: true,
      },
    });
    const target = join(compiled, source.replace(/\.ts$/, '.js'));
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, outputText);
  }
  writeFileSync(join(compiled, 'package.json'), '{"type":"module"}');
});

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(compiled, { recursive: true });
});

/** A process of its own that opens the store and then runs `body`; its lines of output, as they come. */
function run(directory: string, body: string) {
  const script = `import { openStore } from './src/store/index.js';
    const { store } = await openStore({ directory: ${JSON.stringify(directory)} });
    console.log('open');
    ${body}`;
  const path = join(compiled, `child-${children.length}.js`);
  writeFileSync(path, script);
  const child = spawn(process.execPath, [path], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  return { child, lines: createInterface({ input: child.stdout! }) };
}

describe('a process that is killed', () => {
  const fresh = databases[0]!.use();

  test('hazard V1: loses no acknowledged message, whenever the kill comes', {
    timeout: 120_000,
  }, async () => {
    const location = await fresh.location();
    if (!('directory' in location)) throw new Error('PGlite is in a folder');
    const first = await fresh.open(location);
    await runningFederation(first.store);
    await first.close();
    const acknowledged = new Set<number>();
    for (const lifetime of [3, 40, 150]) {
      const from = acknowledged.size === 0 ? 0 : Math.max(...acknowledged) + 100;
      const { child, lines } = run(
        location.directory,
        `for (let slot = ${from}; ; slot++) {
          const body = new Uint8Array(2000).fill(slot);
          await store.appendMessage({ blockId: 'block', slot, phase: 2, participantId: 'alto', body });
          process.stdout.write(slot + '\\n');
        }`,
      );
      let heard = 0;
      for await (const line of lines) {
        if (line === 'open') continue;
        acknowledged.add(Number(line));
        if (++heard === lifetime) child.kill('SIGKILL');
      }
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    }
    expect(acknowledged.size).toBeGreaterThanOrEqual(193);
    // The lock of the dead process is no obstacle.
    const { prisma } = await fresh.open(location);
    const kept = await prisma.message.findMany({ where: { blockId: 'block' } });
    const slots = new Set(kept.map(({ slot }) => slot));
    expect([...acknowledged].filter((slot) => !slots.has(slot))).toEqual([]);
    expect(
      kept.every(({ slot, body }) => body!.length === 2000 && body!.every((byte) => byte === slot % 256)),
    ).toBe(true);
  });

  test('while it lives, a second opener is refused with its pid', { timeout: 120_000 }, async () => {
    const location = await fresh.location();
    if (!('directory' in location)) throw new Error('PGlite is in a folder');
    const { child, lines } = run(location.directory, 'setInterval(() => undefined, 1000);');
    await once(lines, 'line');
    const refusal = { name: 'StoreError', code: 'DirectoryLocked', details: { pid: child.pid } };
    await expect(openStore(location)).rejects.toMatchObject(refusal);
    await expect(openStore(location)).rejects.toThrow(String(child.pid));
    child.kill('SIGKILL');
    await once(child, 'exit');
    await (await fresh.open(location)).close();
  });
});
