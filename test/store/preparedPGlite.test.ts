import { PGlite } from '@electric-sql/pglite';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PreparedPGlite } from '../../src/store/preparedPGlite.js';

let prepared: PreparedPGlite;
let plain: PGlite;
beforeAll(async () => {
  prepared = new PreparedPGlite();
  plain = await PGlite.create();
  await prepared.waitReady;
}, 120_000);
afterAll(async () => {
  await prepared.close();
  await plain.close();
});

test('answers are those of PGlite itself, the first time and prepared', async () => {
  const sql = `SELECT $1::int AS i, $2::float8 AS f, $3::text AS t, $4::bool AS b, $5::jsonb AS j, $6::text[] AS a,
    $7::int8 AS big, $8::text AS nothing, $9::bytea AS bytes, '2020-02-29 12:00:00.5+00'::timestamptz AS at`;
  const values = [
    7,
    -0.1,
    'ä"\\',
    true,
    '{"k":[1,null]}',
    ['x', '', '{,}'],
    '9007199254740993',
    null,
    Uint8Array.of(0, 92, 255),
  ];
  for (let pass = 0; pass < 3; pass++) {
    for (const rowMode of ['array', 'object'] as const) {
      const [ours, theirs] = [
        await prepared.query(sql, values, { rowMode }),
        await plain.query(sql, values, { rowMode }),
      ];
      expect(ours.rows).toEqual(theirs.rows);
      expect(ours.fields).toEqual(theirs.fields);
    }
  }
});

test('rows changed are counted', async () => {
  await prepared.exec('CREATE TABLE t (a int PRIMARY KEY)');
  expect((await prepared.query('INSERT INTO t SELECT generate_series(1, 5)')).affectedRows).toBe(5);
  expect((await prepared.query('UPDATE t SET a = a + $1', [10])).affectedRows).toBe(5);
  expect((await prepared.query('DELETE FROM t WHERE a > $1', [13])).affectedRows).toBe(2);
  expect((await prepared.query('SELECT a FROM t')).affectedRows).toBe(0);
});

test('an error keeps its SQLSTATE, ends its transaction, and the connection goes on', async () => {
  const insert = 'INSERT INTO t VALUES ($1)';
  await expect(prepared.query(insert, [11])).rejects.toMatchObject({ code: '23505' });
  await expect(prepared.query('SELECT nonsense')).rejects.toMatchObject({ code: '42703' });
  await expect(
    prepared.transaction(async (tx) => {
      await tx.query(insert, [99]);
      await tx.query(insert, [11]);
    }),
  ).rejects.toMatchObject({ code: '23505' });
  expect((await prepared.query('SELECT a FROM t WHERE a = 99')).rows).toEqual([]);
  await prepared.query(insert, [99]);
  expect((await prepared.query('SELECT a FROM t WHERE a = 99')).rows).toEqual([{ a: 99 }]);
});

test('more statements than are kept: the oldest give way and come back', async () => {
  for (let pass = 0; pass < 2; pass++) {
    for (let index = 0; index < 300; index++) {
      expect((await prepared.query(`SELECT ${index} AS n`)).rows).toEqual([{ n: index }]);
    }
  }
  const [kept] = (
    await prepared.query<{ n: number }>('SELECT count(*)::int AS n FROM pg_prepared_statements')
  ).rows;
  expect(kept!.n).toBeLessThanOrEqual(257);
});
