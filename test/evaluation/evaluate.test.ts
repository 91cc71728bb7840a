import { describe, expect, it } from 'vitest';
import { canonicalJson } from '../../src/crypto/canonical.js';
import { evaluate } from '../../src/evaluation/evaluate.js';
import type { Row } from '../../src/synthesis/synthesizer.js';
import { parseTableSchema } from '../../src/synthesis/table/schema.js';
import { blurredRows, SEED, smallEvaluation } from './reportFixture.js';

const schema = parseTableSchema({
  fields: [
    {
      name: 'k',
      type: 'integer',
      constraints: { required: true, minimum: 0, maximum: 99 },
      'chorale:bins': 10,
    },
    { name: 'c', type: 'string', constraints: { required: true, enum: ['even', 'odd'] } },
  ],
});
const rowOf = (k: number): Row => ({ k, c: k % 2 === 0 ? 'even' : 'odd' });
const range = (from: number, to: number): Row[] =>
  Array.from({ length: to - from }, (_, i) => rowOf(from + i));

describe('evaluate', () => {
  it('reports perfect fidelity for the real table itself, and finds that it is copied', async () => {
    const real = range(0, 90);
    const found = await evaluate({ schema, real, holdOut: range(90, 100), synthetic: real, seed: SEED });
    expect(found.rows).toEqual({ real: 90, holdOut: 10, synthetic: 90 });
    expect(found.fidelity.synthetic).toMatchObject({
      rows: 90,
      oneWay: { mean: 0 },
      twoWay: { mean: 0 },
      associationError: 0,
    });
    expect(found.exactCopies).toEqual({ synthetic: 1, holdOut: 0 });
    // The hold-out is all of the last bin, which the real rows never meet: the worst possible on k.
    expect(found.yardsticks.realHoldOut.oneWay.worst).toEqual({ column: 'k', totalVariation: 1 });
  });

  it('compares the yardsticks at the size of the hold-out', async () => {
    const found = await evaluate({
      schema,
      real: range(0, 90),
      holdOut: range(0, 7),
      synthetic: range(10, 60),
      seed: SEED,
    });
    const { rows, ...tables } = found.yardsticks;
    expect(rows).toBe(7);
    expect(Object.values(tables).map((table) => table.rows)).toEqual([7, 7, 7]);
    expect(found.fidelity.independentColumns.rows).toBe(50);
  });

  it('counts invalid synthetic rows and says in which column, without letting them into the shares', async () => {
    const synthetic: Row[] = [rowOf(1), { k: 100, c: 'even' }, { k: 3, c: 'Odd' }, rowOf(2)];
    const found = await evaluate({
      schema,
      real: range(0, 90),
      holdOut: range(90, 100),
      synthetic,
      seed: SEED,
    });
    expect(found.validity).toEqual({ invalidRows: 2, invalidValues: { k: 1, c: 1 } });
    expect(found.rows.synthetic).toBe(4);
    expect(found.columns[1]!.synthetic).toEqual([0.5, 0.5]);
  });

  it('refuses real rows outside the schema, and names the column but no value', async () => {
    const real = [...range(0, 5), { k: 4711, c: 'even' }];
    const refused = evaluate({ schema, real, holdOut: range(0, 2), synthetic: range(0, 2), seed: SEED });
    await expect(refused).rejects.toMatchObject({ code: 'RealRowOutsideSchema' });
    await expect(refused).rejects.toThrow(/\(in: k\)/);
    await expect(refused).rejects.not.toThrow(/4711/);
  });

  it('refuses a synthetic table with no valid row', async () => {
    const refused = evaluate({ schema, real: range(0, 5), holdOut: range(0, 2), synthetic: [], seed: SEED });
    await expect(refused).rejects.toMatchObject({ code: 'EmptyTable' });
  });

  it('reads streams as it reads arrays, is deterministic, and is JSON', async () => {
    async function* stream(rows: readonly Row[]): AsyncGenerator<Row> {
      yield* rows;
    }
    const [real, holdOut, synthetic] = [range(0, 90), range(90, 100), blurredRows(range(0, 90), 70, 0.5)];
    const fromArrays = await evaluate({ schema, real, holdOut, synthetic, seed: SEED });
    const fromStreams = await evaluate({
      ...{ schema, seed: SEED, real: stream(real) },
      ...{ holdOut: stream(holdOut), synthetic: stream(synthetic) },
    });
    expect(canonicalJson(fromStreams)).toBe(canonicalJson(fromArrays));
    expect(JSON.parse(JSON.stringify(fromArrays))).toEqual(fromArrays);
  });

  it('places a blurred copy between the real rows and independent columns', async () => {
    const { fidelity, columns } = await smallEvaluation();
    expect(fidelity.synthetic.twoWay.mean).toBeGreaterThan(0);
    expect(fidelity.synthetic.twoWay.mean).toBeLessThan(fidelity.independentColumns.twoWay.mean);
    for (const column of columns) {
      for (const shares of [column.real, column.synthetic]) {
        expect(shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 12);
      }
    }
  });
});
