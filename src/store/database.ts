import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { PrismaPGlite } from 'pglite-prisma-adapter';
import type { Bus } from '../federation/ports.js';
import { LocalBus, ServerBus } from './bus.js';
import { lockDirectory } from './directoryLock.js';
import { StoreError } from './errors.js';
import { PrismaClient } from './generated/client.js';
import { type Migration, migrate } from './migrate.js';
import { PreparedPGlite } from './preparedPGlite.js';

/** A migrated database, embedded or served, and what is particular to it. */
export interface Database {
  readonly prisma: PrismaClient;
  readonly bus: Bus;
  close(): Promise<void>;
}

/** The PostgreSQL inside PGlite 0.4. A folder of another major version cannot be read by it. */
const EMBEDDED_POSTGRES_MAJOR = 17;

/** Connections of one replica: the work of a coordinator is short transactions. */
const POOL_CONNECTIONS = 10;

/**
 * PGlite in `directory`, locked to this process. What was committed survives a kill of the process: PGlite hands every
 * write to the operating system before it answers. It runs PostgreSQL without fsync, so a power cut may lose or tear
 * the last seconds; who must survive that uses a PostgreSQL server.
 */
export async function openEmbedded(directory: string, migrations: readonly Migration[]): Promise<Database> {
  const release = lockDirectory(directory);
  let database: PreparedPGlite | undefined;
  try {
    const dataDir = join(directory, 'postgres');
    refuseOtherMajor(directory, dataDir);
    const open = new PreparedPGlite({ dataDir });
    await open.waitReady;
    database = open;
    await migrate(
      {
        query: async (sql, values) =>
          (await open.query<Record<string, unknown>>(sql, [...(values ?? [])])).rows,
        script: async (sql) => void (await open.exec(sql)),
      },
      migrations,
    );
    const prisma = new PrismaClient({ adapter: new PrismaPGlite(open) });
    return {
      prisma,
      bus: new LocalBus(),
      close: async () => {
        await prisma.$disconnect();
        await open.close();
        release();
      },
    };
  } catch (error) {
    await database?.close();
    release();
    throw error;
  }
}

/** A PostgreSQL server, 14 or newer, shared by any number of replicas. */
export async function openServed(databaseUrl: string, migrations: readonly Migration[]): Promise<Database> {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: POOL_CONNECTIONS });
  // Idle connections end when the server restarts; the pool opens others. Unheard, the event would end the process.
  pool.on('error', () => undefined);
  try {
    const client = await pool.connect();
    try {
      await migrate(
        {
          query: async (sql, values) => (await client.query(sql, [...(values ?? [])])).rows,
          script: async (sql) => void (await client.query(sql)),
        },
        migrations,
      );
    } finally {
      client.release();
    }
    const bus = await ServerBus.open(pool, () => new pg.Client({ connectionString: databaseUrl }));
    const prisma = new PrismaClient({ adapter: new PrismaPg(pool) });
    return {
      prisma,
      bus,
      close: async () => {
        await bus.close();
        await prisma.$disconnect();
        await pool.end();
      },
    };
  } catch (error) {
    await pool.end();
    throw error;
  }
}

function refuseOtherMajor(directory: string, dataDir: string): void {
  const path = join(dataDir, 'PG_VERSION');
  if (!existsSync(path)) return;
  const found = Number.parseInt(readFileSync(path, 'utf8'), 10);
  if (found === EMBEDDED_POSTGRES_MAJOR) return;
  throw new StoreError(
    'DatabaseNewer',
    `the data folder ${directory} holds a PostgreSQL ${found} database and this chorale embeds PostgreSQL ${EMBEDDED_POSTGRES_MAJOR}: use the version of chorale that wrote it`,
    { found, embedded: EMBEDDED_POSTGRES_MAJOR },
  );
}
