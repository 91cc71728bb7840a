import { beforeAll, describe, expect, it } from 'vitest';
import { InvalidCondition } from '../../../src/synthesis/errors.js';
import { completeRows } from '../../../src/synthesis/sampling.js';
import type { Row } from '../../../src/synthesis/synthesizer.js';
import {
  asyncOf,
  completionsOf,
  peopleContext,
  peopleRows,
  QUICK,
  releaseOf,
  rowsOf,
  SEED,
  variationOf,
} from './released.js';

const context = peopleContext();
const { fields } = context.schema;
let release: Uint8Array;
let all: Row[];
beforeAll(async () => {
  release = await releaseOf(context, QUICK, peopleRows(20_000));
  all = await rowsOf(context, release, { count: 65_536 });
});

describe('partial synthesis', () => {
  it('keeps what is given as it stands, and draws the rest with the law that the release has given it', async () => {
    const given = Array.from({ length: 8000 }, () => ({ sex: 'F', wage: 1723.4567 }));
    const rows = await completionsOf(context, release, { columns: ['sex', 'wage'], rows: given });
    expect(rows).toHaveLength(8000);
    expect(rows.every((row) => row.sex === 'F' && row.wage === 1723.4567)).toBe(true);
    expect(Object.keys(rows[0] as Row)).toEqual(fields.map(({ name }) => name));
    // The model knows of a wage the cell that it is in, about 150 wide here: so wide a condition has the same law.
    const kept = all.filter((row) => row.sex === 'F' && Math.abs((row.wage as number) - 1723) < 75);
    expect(kept.length).toBeGreaterThan(300);
    for (const key of [
      (row: Row) => `${row.income}`,
      (row: Row) => `${Math.floor((row.age as number) / 10)}`,
    ])
      expect(variationOf(rows, kept, key)).toBeLessThan(0.12);
    expect(variationOf(rows, all, (row) => `${row.income}`)).toBeGreaterThan(0.5);
  });

  it('has the release’s joint law when columns are given as the release draws them', async () => {
    const columns = ['age', 'income', 'state'];
    const given = all
      .slice(0, 20_000)
      .map((row) => Object.fromEntries(columns.map((name) => [name, row[name] ?? null])));
    const rows = await completionsOf(context, release, { columns, rows: given });
    const wage = (row: Row) => (row.wage === null ? '' : `${Math.floor((row.wage as number) / 500)}`);
    for (const key of [
      (row: Row) => `${wage(row)} ${row.income} ${row.sex}`,
      (row: Row) => `${wage(row)} ${Math.floor((row.age as number) / 10)}`,
    ])
      expect(variationOf(rows, all, key)).toBeLessThan(0.06);
    // Positive control: rows that were completed without looking at what is given are far off.
    const blind = rows.map((row, i) => ({ ...row, wage: (rows[(i + 7) % rows.length] as Row).wage ?? null }));
    expect(variationOf(blind, all, (row) => `${wage(row)} ${row.income}`)).toBeGreaterThan(0.2);
  });

  it('hazard D5: completes a row by its own values and place alone, whatever the others are', async () => {
    const rows = (wage: number) =>
      Array.from({ length: 1500 }, (_, i) => ({
        wage: i === 1200 ? 40 : wage + i,
        sex: i % 2 === 0 ? 'F' : 'M',
      }));
    const [a, b] = await Promise.all(
      [100, 2000].map((wage) =>
        completionsOf(context, release, { columns: ['wage', 'sex'], rows: rows(wage) }),
      ),
    );
    expect(a?.[1200]).toEqual(b?.[1200]);
    expect(a?.[0]).not.toEqual(b?.[0]);
    expect(
      await completionsOf(context, release.slice(), { columns: ['wage', 'sex'], rows: rows(100) }),
    ).toEqual(a);
  });

  it('reads given rows as completed ones are taken, and needs none before', async () => {
    let read = 0;
    async function* endless(): AsyncGenerator<Row> {
      for (;;) yield { sex: read++ % 2 === 0 ? 'F' : 'M' };
    }
    const published = { context, kind: 'marginals', options: QUICK, release };
    const rows = completeRows(published, { seed: SEED, columns: ['sex'], rows: endless() });
    for await (const row of rows) if (row.sex === 'M') break;
    expect(read).toBeLessThan(10_000);
  });

  it('is refused by row and column, never by value, where what is given is not of the schema', async () => {
    const rows: readonly (readonly [Row, string])[] = [
      [{ sex: 'F', age: 16 }, 'age'],
      [{ sex: null, age: 40 }, 'sex'],
      [{ sex: 'secret', age: 40 }, 'sex'],
    ];
    for (const [bad, column] of rows) {
      const given = [{ sex: 'F', age: 40 }, bad];
      const error = await completionsOf(context, release, { columns: ['sex', 'age'], rows: given }).catch(
        (reason: unknown) => reason,
      );
      expect(error).toBeInstanceOf(InvalidCondition);
      expect(error).toMatchObject({ fault: 'outside-schema', column });
      expect((error as Error).message).toContain('row 2');
      expect((error as Error).message).not.toMatch(/secret|16/);
    }
    await expect(completionsOf(context, release, { columns: ['sex', 'sex'], rows: [] })).rejects.toThrow(
      /twice/,
    );
    await expect(completionsOf(context, release, { columns: ['town'], rows: [] })).rejects.toThrow(
      /no such column/,
    );
  });

  it('is not put to a kind that cannot do it', () => {
    const published = { context, kind: 'gan', options: undefined, release };
    const request = { seed: SEED, columns: ['sex'], rows: asyncOf([]) };
    expect(() => completeRows(published, request)).toThrow(/gan cannot hold given columns .*marginals/);
  });
});
