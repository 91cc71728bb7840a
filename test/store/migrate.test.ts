import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openStore } from '../../src/store/index.js';
import { shippedMigrations } from '../../src/store/migrate.js';
import { databases } from './databases.js';

describe.each(databases)('migrations on $name', (database) => {
  const fresh = database.use();

  /** Opens a new database, does `sql` to it and closes it. */
  async function tampered(sql: string) {
    const location = await fresh.location();
    const { prisma, close } = await fresh.open(location);
    await prisma.$executeRawUnsafe(sql);
    await close();
    return location;
  }
  const applied = `SELECT "migration_name" AS "name", "checksum" FROM "_prisma_migrations" ORDER BY 1`;

  test('a second start applies nothing', async () => {
    const location = await tampered('SELECT 1');
    const { prisma } = await fresh.open(location);
    expect(await prisma.$queryRawUnsafe(applied)).toEqual(
      shippedMigrations().map(({ name, checksum }) => ({ name, checksum })),
    );
  });

  test('a database with a migration of a newer version is refused, and left as it is', async () => {
    const location = await tampered(
      `INSERT INTO "_prisma_migrations" ("id", "checksum", "migration_name", "finished_at") VALUES ('x', 'y', '99990101000000_later', now())`,
    );
    for (let attempt = 0; attempt < 2; attempt++) {
      await expect(openStore(location)).rejects.toMatchObject({
        name: 'StoreError',
        code: 'DatabaseNewer',
        message: expect.stringMatching(
          /written by a newer version of chorale.*99990101000000_later.*upgrade/,
        ),
      });
    }
  });

  test('a migration that has another text now is refused', async () => {
    const location = await tampered(`UPDATE "_prisma_migrations" SET "checksum" = repeat('0', 64)`);
    await expect(openStore(location)).rejects.toMatchObject({ code: 'MigrationChanged' });
  });

  test('a migration that another tool began and did not finish is refused; one rolled back is applied', async () => {
    const begun = await tampered(`UPDATE "_prisma_migrations" SET "finished_at" = NULL`);
    await expect(openStore(begun)).rejects.toMatchObject({ code: 'MigrationUnfinished' });
    const rolledBack = await tampered(
      `INSERT INTO "_prisma_migrations" ("id", "checksum", "migration_name", "rolled_back_at") VALUES ('x', 'y', '99990101000000_later', now())`,
    );
    await (await fresh.open(rolledBack)).close();
  });

  test('two at once are safe', async () => {
    const location = await fresh.location();
    const opened = await Promise.allSettled(Array.from({ length: 4 }, () => fresh.open(location)));
    const winners = opened.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
    // A server takes them all, one after the other; a folder takes one and refuses the others by name.
    expect(winners).toHaveLength('directory' in location ? 1 : 4);
    for (const outcome of opened) {
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'DirectoryLocked' });
    }
    expect(await winners[0]!.prisma.$queryRawUnsafe(applied)).toHaveLength(shippedMigrations().length);
  });
});

test('a folder of another PostgreSQL version is refused before anything touches it', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'chorale-newer-'));
  try {
    mkdirSync(join(directory, 'postgres'));
    writeFileSync(join(directory, 'postgres', 'PG_VERSION'), '99\n');
    await expect(openStore({ directory })).rejects.toMatchObject({
      code: 'DatabaseNewer',
      details: { found: 99 },
    });
    expect(existsSync(join(directory, 'coordinator.lock'))).toBe(false);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
