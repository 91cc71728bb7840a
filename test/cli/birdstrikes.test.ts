import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import { describe, expect, it } from 'vitest';
import { isHeldOut, loadBirdStrikes, writeGroupCsv } from '../../src/cli/demo/birdstrikes.js';
import { canonicalDigest } from '../../src/crypto/canonical.js';
import { columnCells } from '../../src/evaluation/cells.js';
import { JointCounts } from '../../src/evaluation/jointCounts.js';
import { tableEncoding } from '../../src/synthesis/table/encoding.js';
import { parseTableSchema } from '../../src/synthesis/table/schema.js';

const strikes = loadBirdStrikes();
const schema = parseTableSchema(strikes.schema);

describe('the demo’s bird strikes', () => {
  it('come in eight groups and a hold-out that together are the 10,000 rows of the file', () => {
    expect(strikes.groups.map(({ id, rows }) => [id, rows.length])).toEqual([
      ['american', 1966],
      ['us-airways', 980],
      ['delta', 766],
      ['southwest', 765],
      ['military', 731],
      ['united', 489],
      ['cargo-and-business', 1111],
      ['other-airlines', 2197],
    ]);
    const shared = strikes.groups.reduce((sum, { rows }) => sum + rows.length, 0);
    expect(shared + strikes.holdOut.length).toBe(10_000);
  });

  it('hold out a tenth by row number: no row is on both sides', () => {
    expect(strikes.holdOut).toHaveLength(995);
    expect(Array.from({ length: 10_000 }, (_, i) => isHeldOut(i)).filter(Boolean)).toHaveLength(995);
    // By identity: two different strikes may read alike once dates are months.
    const held = new Set<unknown>(strikes.holdOut);
    expect(strikes.groups.flatMap(({ rows }) => rows).some((row) => held.has(row))).toBe(false);
  });

  it('are valid by the public schema, every row, and keep missing speeds missing', () => {
    const counts = new JointCounts(columnCells(schema));
    for (const row of [...strikes.groups.flatMap(({ rows }) => rows), ...strikes.holdOut]) counts.add(row);
    expect([counts.rows, counts.invalidRows]).toEqual([10_000, 0]);
    const speed = counts.columns.findIndex(({ name }) => name === 'speed_knots');
    expect(Math.round(10_000 * counts.marginal(speed).at(-1)!)).toBe(2836);
    // Positive control: the same check refuses a row that is out of bounds.
    expect(counts.add({ ...strikes.holdOut[0]!, speed_knots: 401 })).toBe(false);
  });

  it('fit a modest row vector: ten columns, 81 cells', () => {
    const encoding = tableEncoding(schema);
    expect(encoding.blocks).toHaveLength(10);
    expect(encoding.width).toBe(81);
  });

  it('hazard P16: the schema is a constant of the source, no category or bound follows the rows', () => {
    expect(JSON.stringify(strikes.schema)).toContain('En Route');
    const enRoute = strikes.groups.flatMap(({ rows }) => rows).filter(({ phase }) => phase === 'En Route');
    expect(enRoute).toHaveLength(0);
    const speeds = strikes.groups.flatMap(({ rows }) => rows).map((row) => Number(row.speed_knots ?? 0));
    expect(Math.max(...speeds)).toBeLessThan(400);
  });

  it('are the same at every call', () => {
    expect(canonicalDigest(loadBirdStrikes())).toBe(canonicalDigest(strikes));
  });

  it('are written as one CSV a member, the hold-out nowhere', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'chorale-birdstrikes-'));
    try {
      const written = await writeGroupCsv(join(directory, 'data'));
      expect(written.map(({ id }) => id)).toEqual(strikes.groups.map(({ id }) => id));
      for (const [index, { path, rows }] of written.entries()) {
        const records: Record<string, string>[] = parse(await readFile(path), { columns: true });
        expect(records).toHaveLength(rows);
        const first = Object.entries(strikes.groups[index]!.rows[0]!).map(([name, value]) => [
          name,
          String(value ?? ''),
        ]);
        expect(records[0]).toEqual(Object.fromEntries(first));
      }
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});
