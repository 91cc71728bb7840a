import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, inject } from 'vitest';
import { type OpenedStore, openStore, type StoreLocation } from '../../src/store/index.js';
import { emptyPGlite } from './emptyPGlite.js';
import { postgresUrl, runSql } from './postgresServer.js';

/**
 * Both engines for `describe.each(databases)('$name', (database) => { const fresh = database.use(); … })`.
 * `use()` registers the hooks that start the engine before the file's tests, and close and remove what each test opened.
 */
export interface TestDatabase {
  readonly name: string;
  use(): FreshDatabases;
}

export interface FreshDatabases {
  /** A new, empty database; nothing of chorale is in it yet. */
  location(): Promise<StoreLocation>;
  /**
   * With a `location`: a store on it, opened anew and closed after the test. Without: a store whose tables are empty. It
   * may have served an earlier test, after which every table was emptied; no other test has it at the same time.
   */
  open(location?: StoreLocation): Promise<OpenedStore>;
}

export const databases: readonly TestDatabase[] = [
  { name: 'PGlite in a folder', use: () => freshDatabases(embeddedEngine()) },
  { name: 'PostgreSQL server', use: () => freshDatabases(servedEngine()) },
];

interface Engine {
  start(): Promise<void>;
  stop(): Promise<void>;
  location(): Promise<StoreLocation>;
}

/** A store for one test after the other, and whether one of them closed it. */
interface KeptStore {
  readonly opened: OpenedStore;
  closed: boolean;
}

function freshDatabases(engine: Engine): FreshDatabases {
  const ownPlace: OpenedStore[] = [];
  const inUse: KeptStore[] = [];
  const idle: KeptStore[] = [];
  beforeAll(() => engine.start(), 120_000);
  afterAll(async () => {
    for (const { opened } of idle) await opened.close();
    await engine.stop();
  });
  afterEach(async () => {
    for (const store of ownPlace.splice(0).reverse()) await store.close();
    for (const kept of inUse.splice(0)) {
      if (kept.closed) continue;
      await emptyTables(kept.opened);
      idle.push(kept);
    }
  });
  return {
    location: () => engine.location(),
    async open(location) {
      if (location !== undefined) {
        const store = await openStore(location);
        ownPlace.push(store);
        return store;
      }
      const kept = idle.pop() ?? { opened: await openStore(await engine.location()), closed: false };
      inUse.push(kept);
      return lent(kept);
    },
  };
}

function lent(kept: KeptStore): OpenedStore {
  const close = (): Promise<void> => {
    kept.closed = true;
    return kept.opened.close();
  };
  return { ...kept.opened, store: { ...kept.opened.store, close }, close };
}

/** All but the migrations' bookkeeping. Opening a database takes a second of one core, emptying it some milliseconds. */
async function emptyTables({ prisma }: OpenedStore): Promise<void> {
  const tables = await prisma.$queryRaw<{ readonly name: string }[]>`
    SELECT quote_ident(tablename) AS name FROM pg_tables
    WHERE schemaname = current_schema() AND tablename <> '_prisma_migrations'`;
  await prisma.$executeRawUnsafe(`TRUNCATE ${tables.map(({ name }) => name).join(', ')} RESTART IDENTITY`);
}

function embeddedEngine(): Engine {
  const root = mkdtempSync(join(tmpdir(), 'chorale-pglite-'));
  let count = 0;
  return {
    async start() {},
    async stop() {
      rmSync(root, { recursive: true, force: true });
    },
    async location() {
      const directory = join(root, `store-${count++}`);
      await emptyPGlite(directory);
      return { directory };
    },
  };
}

function servedEngine(): Engine {
  const made: string[] = [];
  let url = '';
  return {
    async start() {
      url = await postgresUrl(inject('postgresDesk'));
    },
    async stop() {
      for (const name of made) await runSql(url, 'postgres', `DROP DATABASE ${name} WITH (FORCE)`);
    },
    async location() {
      const name = `store_${randomBytes(8).toString('hex')}`;
      await runSql(url, 'postgres', `CREATE DATABASE ${name}`);
      made.push(name);
      return { databaseUrl: `${url}/${name}` };
    },
  };
}
