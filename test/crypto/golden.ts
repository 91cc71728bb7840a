import { existsSync, readFileSync } from 'node:fs';

/** The published vectors beside the repository; tests that need them skip, with a word, where they are not. */
export function golden<T>(name: string): T | undefined {
  const path = new URL(`../../../shared/golden/crypto/${name}`, import.meta.url);
  if (!existsSync(path)) {
    console.warn(`skipped: ../shared/golden/crypto/${name} is not here`);
    return undefined;
  }
  return JSON.parse(readFileSync(path, 'utf8')) as T;
}
