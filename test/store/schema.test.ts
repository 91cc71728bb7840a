import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { bindMigrationAwareSqlAdapterFactory } from '@prisma/driver-adapter-utils';
import * as wasm from '@prisma/schema-engine-wasm/schema_engine_bg';
import { PrismaPGlite } from 'pglite-prisma-adapter';
import { beforeAll, expect, test } from 'vitest';
import { migrate, shippedMigrations } from '../../src/store/migrate.js';

/** Prisma's own schema engine, in WebAssembly: the judge of whether migrations, schema and runner agree. */
const schema = readFileSync('prisma/schema.prisma', 'utf8');
const filters = { externalTables: [], externalEnums: [] };
const lockfile = {
  path: 'migration_lock.toml',
  content: readFileSync('prisma/migrations/migration_lock.toml', 'utf8'),
};
const none = { tag: 'empty' } as const;

beforeAll(async () => {
  const main = createRequire(import.meta.url).resolve('@prisma/schema-engine-wasm');
  const { instance } = await WebAssembly.instantiate(
    readFileSync(join(dirname(main), 'schema_engine_bg.wasm')),
    {
      './schema_engine_bg.js': wasm as unknown as WebAssembly.ModuleImports,
    },
  );
  const bindings = wasm as unknown as { __wbg_set_wasm(exports: WebAssembly.Exports): void };
  bindings.__wbg_set_wasm(instance.exports);
  (instance.exports.__wbindgen_start as () => void)();
});

function schemaEngine(database: PGlite): Promise<wasm.SchemaEngine> {
  const adapter = bindMigrationAwareSqlAdapterFactory(new PrismaPGlite(database));
  return wasm.SchemaEngine.new({ datamodels: [['schema.prisma', schema]] }, () => undefined, adapter);
}

/** The SQL that leads from one to the other. */
async function difference(engine: wasm.SchemaEngine, to: string): Promise<string> {
  const target = {
    tag: 'schemaDatamodel',
    files: [{ path: 'schema.prisma', content: to }],
  } satisfies wasm.DiffTarget;
  const common = { script: true, exitCode: null, shadowDatabaseUrl: null, filters };
  return (await engine.diff({ ...common, from: none, to: target })).stdout ?? '';
}

async function migrated(): Promise<PGlite> {
  const database = await PGlite.create();
  await migrate(
    {
      query: async (sql, values) =>
        (await database.query<Record<string, unknown>>(sql, [...(values ?? [])])).rows,
      script: async (sql) => void (await database.exec(sql)),
    },
    shippedMigrations(),
  );
  return database;
}

const migrationsList = () => ({
  baseDir: 'prisma/migrations',
  lockfile,
  shadowDbInitScript: '',
  migrationDirectories: shippedMigrations().map(({ name, sql }) => ({
    path: name,
    migrationFile: { path: 'migration.sql', content: { tag: 'ok', value: sql } as const },
  })),
});

test('the checked-in migrations make every table, column, index and key of schema.prisma', {
  timeout: 120_000,
}, async () => {
  const database = await PGlite.create();
  const statements = (sql: string) =>
    sql
      .split(/;\s*\n/)
      .map((part) => part.replace(/^--.*$/gm, '').trim())
      .filter(Boolean);
  const engine = await schemaEngine(database);
  const shipped = new Set(shippedMigrations().flatMap(({ sql }) => statements(sql)));
  const missing = (wanted: string) => statements(wanted).filter((statement) => !shipped.has(statement));
  expect(missing(await difference(engine, schema))).toEqual([]);
  // Positive control: a column that no migration makes is noticed.
  const grown = schema.replace('model Budget {', 'model Budget {\n  colour String');
  expect(missing(await difference(engine, grown))).toHaveLength(1);
  await database.close();
});

test('`prisma migrate deploy` finds nothing to do after our runner', { timeout: 120_000 }, async () => {
  const database = await migrated();
  const engine = await schemaEngine(database);
  const diagnosis = await engine.diagnoseMigrationHistory({
    migrationsList: migrationsList(),
    optInToShadowDatabase: false,
    filters,
  });
  expect(diagnosis).toMatchObject({
    editedMigrationNames: [],
    failedMigrationNames: [],
    hasMigrationsTable: true,
    history: null,
  });
  const outcome = await engine.applyMigrations({ migrationsList: migrationsList(), filters });
  expect(outcome.appliedMigrationNames).toEqual([]);
  await database.close();
});
