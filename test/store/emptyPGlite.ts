import { randomBytes } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PGlite } from '@electric-sql/pglite';

/** PGlite's initdb takes seconds of one core, a copy of its outcome a tenth of one: made once, shared by all tests. */
const CACHE = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'node_modules', '.cache');
const TEMPLATE = join(CACHE, 'chorale-pglite-0.4');

/**
 * Puts an empty database, as PGlite's initdb leaves it, where a store in the folder `directory` looks for its own. Nothing
 * of chorale is in it yet.
 */
export async function emptyPGlite(directory: string): Promise<void> {
  await ensureTemplate();
  cpSync(TEMPLATE, join(directory, 'postgres'), { recursive: true });
}

async function ensureTemplate(): Promise<void> {
  if (existsSync(TEMPLATE)) return;
  mkdirSync(CACHE, { recursive: true });
  const draft = `${TEMPLATE}.${randomBytes(6).toString('hex')}`;
  const database = await PGlite.create({ dataDir: draft });
  await database.close();
  try {
    renameSync(draft, TEMPLATE);
  } catch (error) {
    // Another test file was first; its template is as good.
    rmSync(draft, { recursive: true, force: true });
    if (!existsSync(TEMPLATE)) throw error;
  }
}
