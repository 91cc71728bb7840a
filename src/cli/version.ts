import { readFileSync } from 'node:fs';

/** From dist/src/cli and from src/cli alike, the nearest package.json above. */
function readVersion(): string {
  for (const up of ['../../', '../../../']) {
    try {
      const manifest = JSON.parse(readFileSync(new URL(`${up}package.json`, import.meta.url), 'utf8')) as {
        name?: string;
        version?: string;
      };
      if (manifest.name === 'chorale' && manifest.version !== undefined) return manifest.version;
    } catch {
      // Not here: one folder further up.
    }
  }
  return '0.0.0';
}

export const VERSION = readVersion();
