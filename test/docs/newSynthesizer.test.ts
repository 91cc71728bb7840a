import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AnySynthesizer } from '../../src/synthesis/index.js';
import { mixedSchema, smallContext } from '../synthesis/fixtures.js';
import { CHECKS } from '../synthesis/suite/checks.js';
import type { Subject } from '../synthesis/suite/run.js';

/* The page's example is compiled as strictly as the sources, where it says that it lies, and does what every synthesizer must. */

const root = fileURLToPath(new URL('../..', import.meta.url));
const page = readFileSync(join(root, 'docs/new-synthesizer.md'), 'utf8');
const code = /```ts\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
const PLACE = 'src/synthesis/histograms/histograms.ts';

/** What the compiler says of each source, as if it were a file there. */
function faults(...sources: readonly string[]): string[][] {
  const files = new Map(sources.map((source, i) => [resolve(root, PLACE, `../${i}.ts`), source]));
  const config = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile).config;
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, root);
  const own = { ...options, incremental: false, tsBuildInfoFile: undefined };
  const host = ts.createCompilerHost(own);
  const { fileExists, readFile } = host;
  host.fileExists = (name) => files.has(resolve(name)) || fileExists.call(host, name);
  host.readFile = (name) => files.get(resolve(name)) ?? readFile.call(host, name);
  const program = ts.createProgram([...files.keys()], own, host);
  return [...files.keys()].map((file) =>
    ts
      .getPreEmitDiagnostics(program, program.getSourceFile(file))
      .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, ' ')),
  );
}

let folder = '';
let synthesizer: AnySynthesizer;
beforeAll(async () => {
  folder = mkdtempSync(join(root, 'test/docs/.new-synthesizer-'));
  const file = join(folder, 'histograms.ts');
  // Two folders deep, as the place that it names; only what is beside it lies elsewhere.
  writeFileSync(
    file,
    code
      .replaceAll("'../../", "'../../../src/")
      .replaceAll("'../", (match, at: number, whole: string) =>
        whole.startsWith("'../../../src/", at) ? match : "'../../../src/synthesis/",
      ),
  );
  const registry = new Map<string, AnySynthesizer>();
  const { histograms } = (await import(file)) as { histograms: AnySynthesizer };
  registry.set(histograms.kind, histograms);
  synthesizer = registry.get('histograms') as AnySynthesizer;
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('docs/new-synthesizer.md', () => {
  it('shows a synthesizer in 60 lines, imports and all, which compiles', () => {
    const lines = code.split('\n').filter((line) => line !== '');
    expect(lines.length).toBeLessThanOrEqual(60);
    // As wide as the sources (biome.json), so that they are not few by being long.
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(110);
    // The control: the compiler looks at it.
    const [right, wrong] = faults(code, code.replace("kind: 'histograms',", 'kind: 7,'));
    expect(right).toEqual([]);
    expect(wrong).not.toEqual([]);
    // A whole compiler's work, beside the other tests.
  }, 240_000);

  it.each(Object.entries(CHECKS))('its example %s', async (_, check) => {
    const options = synthesizer.parseOptions({ noiseMultiplier: 5 });
    const subject: Subject = { synthesizer, options, context: smallContext(mixedSchema()) };
    await check(subject);
  });
});
