import { relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const root = fileURLToPath(new URL('../..', import.meta.url));

export interface Bundle {
  /** One classic script; what the entry exports is in the global `chorale`. */
  readonly code: string;
  /** Files whose code is in the bundle, relative to the repository. */
  readonly modules: readonly string[];
  /** What the bundle would still have to import: Node's modules, if there are any. */
  readonly imports: readonly string[];
}

/** Bundles a file of the repository for a browser, minified. */
export async function bundleForBrowser(entry: string): Promise<Bundle> {
  const build = await rolldown({
    input: resolve(root, entry),
    cwd: root,
    platform: 'browser',
    // Node's modules are then left as imports of the bundle, where they are counted.
    external: [/^node:/],
    resolve: { extensionAlias: { '.js': ['.ts', '.js'] } },
  });
  try {
    const { output } = await build.generate({
      format: 'iife',
      name: 'chorale',
      minify: true,
      codeSplitting: false,
      // Only the control has any, and is never run.
      globals: () => 'node',
    });
    const [chunk] = output;
    return {
      code: chunk.code,
      modules: chunk.moduleIds.map((id) => relative(root, id).replaceAll('\\', '/')),
      imports: [...chunk.imports, ...chunk.dynamicImports],
    };
  } finally {
    await build.close();
  }
}
