import { createHash, randomUUID } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { StoreError } from './errors.js';

/** One connection, for statements that Prisma's client has no words for. */
export interface Session {
  query(sql: string, values?: readonly unknown[]): Promise<readonly Record<string, unknown>[]>;
  /** Any number of statements. */
  script(sql: string): Promise<void>;
}

export interface Migration {
  readonly name: string;
  readonly sql: string;
  /** SHA-256 of the file, lower-case hex: Prisma's own checksum. */
  readonly checksum: string;
}

/** The key that Prisma's engine locks, so that `prisma migrate deploy` and this runner wait for each other. */
const PRISMA_MIGRATE_LOCK = 72_707_369;

/** Prisma's own bookkeeping table, as its engine creates it. */
const CREATE_BOOKKEEPING = `CREATE TABLE IF NOT EXISTS "_prisma_migrations" (
  "id" VARCHAR(36) PRIMARY KEY NOT NULL,
  "checksum" VARCHAR(64) NOT NULL,
  "finished_at" TIMESTAMPTZ,
  "migration_name" VARCHAR(255) NOT NULL,
  "logs" TEXT,
  "rolled_back_at" TIMESTAMPTZ,
  "started_at" TIMESTAMPTZ NOT NULL DEFAULT now(),
  "applied_steps_count" INTEGER NOT NULL DEFAULT 0
)`;

/** The migrations that came with this version, oldest first. */
export function shippedMigrations(): Migration[] {
  const folder = migrationsFolder();
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort()
    .map((name) => {
      const bytes = readFileSync(join(folder, name, 'migration.sql'));
      return {
        name,
        sql: bytes.toString('utf8'),
        checksum: createHash('sha256').update(bytes).digest('hex'),
      };
    });
}

/** prisma/migrations of this package, from src/store as from dist/src/store. */
function migrationsFolder(): string {
  for (let at = dirname(fileURLToPath(import.meta.url)); ; at = dirname(at)) {
    const folder = join(at, 'prisma', 'migrations');
    if (existsSync(join(folder, 'migration_lock.toml'))) return folder;
    if (at === dirname(at)) throw new Error('prisma/migrations is missing: install chorale again');
  }
}

/**
 * Brings the database to the newest of `migrations`; returns the names of those it applied. All in one transaction
 * under an advisory lock: coordinators that start together apply each migration once, and one that fails leaves
 * nothing behind.
 *
 * Throws StoreError 'DatabaseNewer', 'MigrationChanged' or 'MigrationUnfinished', having changed nothing.
 */
export async function migrate(session: Session, migrations: readonly Migration[]): Promise<string[]> {
  await session.script('BEGIN');
  try {
    await session.query('SELECT pg_advisory_xact_lock($1)', [PRISMA_MIGRATE_LOCK]);
    await session.script(CREATE_BOOKKEEPING);
    const pending = await pendingMigrations(session, migrations);
    for (const { name, sql, checksum } of pending) {
      await session.script(sql);
      await session.query(
        `INSERT INTO "_prisma_migrations" ("id", "checksum", "migration_name", "finished_at", "applied_steps_count")
         VALUES ($1, $2, $3, now(), 1)`,
        [randomUUID(), checksum, name],
      );
    }
    await session.script('COMMIT');
    return pending.map(({ name }) => name);
  } catch (error) {
    await session.script('ROLLBACK');
    throw error;
  }
}

async function pendingMigrations(session: Session, migrations: readonly Migration[]): Promise<Migration[]> {
  const applied = await session.query(
    `SELECT "migration_name" AS "name", "checksum", "finished_at" IS NOT NULL AS "finished"
     FROM "_prisma_migrations" WHERE "rolled_back_at" IS NULL`,
  );
  const known = new Map(migrations.map((migration) => [migration.name, migration]));
  for (const { name, checksum, finished } of applied as readonly AppliedMigration[]) {
    const migration = known.get(name);
    if (migration === undefined) {
      throw new StoreError(
        'DatabaseNewer',
        `the data folder was written by a newer version of chorale: it has the migration ${name}, which this version does not know; upgrade chorale`,
        { migration: name },
      );
    }
    if (!finished) {
      throw new StoreError(
        'MigrationUnfinished',
        `the migration ${name} was begun and did not finish: repair it with \`prisma migrate resolve\`, then start again`,
        { migration: name },
      );
    }
    if (migration.checksum !== checksum) {
      throw new StoreError(
        'MigrationChanged',
        `the migration ${name} was applied with another text than this version's: the database and this chorale do not belong together; install the version that wrote it, or restore the file`,
        { migration: name, applied: checksum, shipped: migration.checksum },
      );
    }
  }
  const done = new Set((applied as readonly AppliedMigration[]).map(({ name }) => name));
  return migrations.filter(({ name }) => !done.has(name));
}

interface AppliedMigration extends Record<string, unknown> {
  readonly name: string;
  readonly checksum: string;
  readonly finished: boolean;
}
