import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { domainOf } from '../../../src/synthesis/marginals/model/domain.js';
import { modelOf } from '../../../src/synthesis/marginals/model/model.js';
import { encodeRelease } from '../../../src/synthesis/marginals/release.js';
import { uniforms } from '../../../src/synthesis/randomness.js';
import type { SampleConditions } from '../../../src/synthesis/synthesizer.js';
import { fineCells } from '../../../src/synthesis/table/fineCells.js';
import { rngOf } from '../fixtures.js';
import { completionsOf, peopleContext, rowsOf } from '../marginals/released.js';

/** A release that no fit has a part in: every fine cell one of at most five cells, potentials and counts from a stream. */
const context = peopleContext();
const fine = fineCells(context.schema);
const grids = fine.blocks.map(({ cells }) => {
  const full = Array.from({ length: cells }, (_, k) => Math.floor((k * Math.min(5, cells)) / cells));
  const fullCells = Math.min(5, cells);
  return { full, fullCells, coarse: full, coarseCells: fullCells, ordered: true };
});
const domain = domainOf(grids.map(({ fullCells }) => fullCells));
const stream = (count: number, label: string) => uniforms(rngOf(2, label), count);
const factors = [
  [0, 1],
  [1, 2],
  [2, 3],
  [0, 4],
  [4, 5],
].map((attributes) => {
  const cells = attributes.reduce((product, a) => product * (domain.sizes[a] as number), 1);
  return { attributes, logPotentials: stream(cells, attributes.join()).map((u) => 2 * u) };
});
const base = {
  ...{ total: 1000, domain, grids, structuralZeros: [] },
  ones: fine.blocks.map(({ cells }, column) => ({ counts: stream(cells, `one ${column}`), variance: 1 })),
};
const release = encodeRelease(modelOf(domain, factors, { total: 1000 }), base, fine);

const digestOf = (rows: unknown) =>
  createHash('sha256').update(JSON.stringify(rows)).digest('hex').slice(0, 16);
const CASES: readonly (readonly [string, SampleConditions, string])[] = [
  ['no condition', {}, 'a8206f1a50e6ce88'],
  ['where', { where: { age: { from: 30, below: 50 }, state: { in: ['NY', null] } } }, '99e11bdceb23cb55'],
  ['balance', { balance: { column: 'income', shares: [{ value: '>50K', share: 0.5 }] } }, '3c6420ad8bb6c51c'],
];

it.each(CASES)(
  'hazard D5: a release and a seed give the same bytes in every process and at every time: %s',
  async (_, conditions, digest) => {
    const rows = await rowsOf(context, release, { offset: 16_300, count: 200, ...conditions });
    expect(digestOf(rows)).toBe(digest);
    // In pages, in another order, from a copy of the release.
    const copy = release.slice();
    const second = await rowsOf(context, copy, { offset: 16_400, count: 100, ...conditions });
    const first = await rowsOf(context, copy, { offset: 16_300, count: 100, ...conditions });
    expect([...first, ...second]).toEqual(rows);
  },
);

it('hazard D5: completed rows are the same bytes too', async () => {
  const rows = Array.from({ length: 50 }, (_, i) => ({ age: 20 + i, sex: i % 3 === 0 ? 'F' : 'M' }));
  expect(digestOf(await completionsOf(context, release, { columns: ['age', 'sex'], rows }))).toBe(
    '9f13d5d9314064e7',
  );
});
