import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

/** A project that depends on this package and has nothing else: what it can import is what package.json exports. */
const project = mkdtempSync(join(tmpdir(), 'chorale-library-'));
beforeAll(() => {
  mkdirSync(join(project, 'node_modules'));
  symlinkSync(resolve('.'), join(project, 'node_modules', 'chorale'), 'dir');
  writeFileSync(join(project, 'package.json'), '{ "type": "module" }');
});
afterAll(() => rmSync(project, { recursive: true, force: true }));

/** Runs a module of that project and gives what it prints. */
function run(code: string): string {
  const file = join(project, 'main.js');
  writeFileSync(file, code);
  return execFileSync(process.execPath, [file], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

const readme = readFileSync('README.md', 'utf8');
const example = readme.split(/^```/m).find((block) => block.includes("from 'chorale/privacy'"));

describe('chorale/privacy in a project of its own', () => {
  test('the example of the README runs, and prints what the README says', () => {
    const code = example?.slice(example.indexOf('\n') + 1) ?? '';
    const said = [...code.matchAll(/\/\/ → (.*)$/gm)].map(([, line]) => line);
    expect(said.length).toBeGreaterThan(2);
    expect(run(code).trimEnd().split('\n')).toEqual(said);
  });

  test('control: another room cannot be imported by name', () => {
    expect(() => run(`await import('chorale/secagg');`)).toThrow(/ERR_PACKAGE_PATH_NOT_EXPORTED/);
  });

  test('its types stand without Node’s', () => {
    writeFileSync(
      join(project, 'main.ts'),
      `import { epsilonBounds, gaussianEvent, type PrivacyEvent, type PrivacyInterval } from 'chorale/privacy';
       const event: PrivacyEvent = gaussianEvent(2);
       export const interval: PrivacyInterval = epsilonBounds(event, { delta: 1e-5 }).epsilon;
       // @ts-expect-error no relation of this name
       epsilonBounds(event, { delta: 1e-5, relation: 'neighbours' });`,
    );
    const compilerOptions = { strict: true, noEmit: true, module: 'nodenext', lib: ['es2023'], types: [] };
    writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['main.ts'] }));
    const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
    const { stdout } = spawnSync(process.execPath, [tsc, '-p', '.'], { cwd: project, encoding: 'utf8' });
    expect(stdout).toBe('');
  });
});
