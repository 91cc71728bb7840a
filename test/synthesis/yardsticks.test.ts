import { describe, expect, it } from 'vitest';
import { sourceOf } from '../../src/evaluation/audit/inventedRecords.js';
import { InvalidOptions, MalformedBytes } from '../../src/synthesis/errors.js';
import { bootstrapRows, synthesizerKinds, synthesizerOf } from '../../src/synthesis/index.js';
import type { Row } from '../../src/synthesis/synthesizer.js';
import { recordRows } from '../../src/synthesis/table/recordRows.js';
import { mixedSchema, rngOf, smallContext, smallRecords, smallSchema } from './fixtures.js';
import { isValid } from './suite/checks.js';
import { recordsOf } from './suite/neighbours.js';
import { rowsOf, runOf, type Subject, sumOver } from './suite/run.js';

async function listed(rows: AsyncIterable<Row>): Promise<Row[]> {
  const out: Row[] = [];
  for await (const row of rows) out.push(row);
  return out;
}

describe('independent columns', () => {
  const synthesizer = synthesizerOf('independent');
  const context = smallContext();
  const subject: Subject = {
    synthesizer,
    options: synthesizer.parseOptions({ noiseMultiplier: 0.1 }),
    context,
  };

  it('have each column’s shares to the row, and nothing between columns', async () => {
    const tables = await Promise.all(context.members.map(() => smallRecords(90)));
    const { release } = await runOf(subject, sumOver(subject, tables));
    const rows = await rowsOf(subject, release, 0, 16_384);
    const share = (keep: (row: Row) => boolean) => rows.filter(keep).length / rows.length;
    // Stratified draws: a block of rows has each share but for the noise of the sum and one row.
    for (const value of ['x', 'y', 'z']) expect(share(({ a }) => a === value)).toBeCloseTo(1 / 3, 2);
    expect(share(({ c }) => c === 'x')).toBeCloseTo(1 / 2, 2);
    expect(share(({ c }) => c === 'z')).toBeLessThan(0.01);
    // In the records a and b always agree: 1 of 1. Here 1/3; five deviations of 16,384 rows are .018.
    expect(Math.abs(share(({ a, b }) => a === b) - 1 / 3)).toBeLessThan(0.018);
  });

  it('have a release of their own schema only, and none before the sum', async () => {
    const { release, states } = await runOf(
      subject,
      sumOver(subject, await Promise.all(context.members.map(() => smallRecords(9)))),
    );
    expect(() => synthesizer.release(states[0])).toThrow(InvalidOptions);
    for (const bytes of [release.slice(0, -8), new Uint8Array(10), Buffer.concat([release, release])])
      await expect(rowsOf(subject, bytes, 0, 1)).rejects.toThrow(MalformedBytes);
    await expect(rowsOf({ ...subject, context: smallContext(mixedSchema()) }, release, 0, 1)).rejects.toThrow(
      MalformedBytes,
    );
    await expect(rowsOf(subject, release, -1, 1)).rejects.toThrow(InvalidOptions);
  });
});

describe('the bootstrap', () => {
  const schema = mixedSchema();
  const seed = new Uint8Array(32).fill(1);

  it('is no federation’s: asked for by its kind it is refused, in words', () => {
    expect(synthesizerKinds).not.toContain('bootstrap');
    expect(() => synthesizerOf('bootstrap').plan(smallContext(), {})).toThrow(InvalidOptions);
    expect(() => synthesizerOf('bootstrap')).toThrow(/local yardstick/);
  });

  it('gives real rows and nothing else, about as often as each other, the same for the same seed', async () => {
    const records = await sourceOf(schema, recordsOf(schema).slice(0, 50));
    const own = (await listed(recordRows(records, rngOf(1)))).map((row) => JSON.stringify(row));
    const rows = await listed(bootstrapRows(records, { seed, offset: 0, count: 5000 }));
    const counts = new Map(own.map((row) => [row, 0]));
    for (const row of rows) {
      expect(isValid(schema, row)).toBe(true);
      const text = JSON.stringify(row);
      counts.set(text, (counts.get(text) ?? Number.NaN) + 1);
    }
    // Binomial of mean 100: beyond six deviations once in ten million runs.
    for (const count of counts.values()) expect(Math.abs(count - 100)).toBeLessThan(60);
    expect(await listed(bootstrapRows(records, { seed, offset: 4090, count: 20 }))).toEqual(
      rows.slice(4090, 4110),
    );
  });

  it('has nothing to draw from an empty table', async () => {
    const records = await sourceOf(smallSchema(), []);
    await expect(listed(bootstrapRows(records, { seed, offset: 0, count: 1 }))).rejects.toThrow(/none/);
  });
});
