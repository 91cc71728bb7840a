import { beforeAll, expect, it, vi } from 'vitest';
import type { Rng } from '../../../src/crypto/rng.js';
import { peopleContext, peopleRows, QUICK, releaseOf, rowsOf } from '../marginals/released.js';

/** Every byte of randomness that a sampler draws goes through here, and is counted. */
const drawn = { bytes: 0 };
vi.mock('../../../src/synthesis/randomness.js', async (original) => {
  const real = await original<typeof import('../../../src/synthesis/randomness.js')>();
  return {
    ...real,
    seededRng: (seed: Uint8Array, label: string): Rng => {
      const rng = real.seededRng(seed, label);
      return (length) => {
        drawn.bytes += length;
        return rng(length);
      };
    },
  };
});

const context = peopleContext();
let release: Uint8Array;
beforeAll(async () => {
  release = await releaseOf(context, QUICK, peopleRows(5000));
});

async function bytesFor(work: () => Promise<unknown>): Promise<number> {
  drawn.bytes = 0;
  await work();
  return drawn.bytes;
}

it('hazard D3: a rare condition draws no more than none: nothing is drawn to be thrown away', async () => {
  const free = await bytesFor(() => rowsOf(context, release, { count: 2000 }));
  const rare = { sex: { in: ['F'] }, age: { from: 79, to: 80 }, income: { in: ['<=50K'] } };
  const found = await rowsOf(context, release, { count: 32_768 });
  const share = found.filter(
    (row) => row.sex === 'F' && [79, 80].includes(row.age as number) && row.income === '<=50K',
  );
  expect(share.length).toBeLessThan(320); // one in a hundred: a sampler by rejection would draw a hundred times as much
  expect(await bytesFor(() => rowsOf(context, release, { count: 2000, where: rare }))).toBeLessThan(
    1.1 * free,
  );
});

it('hazard D3: a condition that no row meets draws nothing, and ends', async () => {
  const where = { wage: { in: [1.2345678] } };
  const bytes = await bytesFor(() =>
    expect(rowsOf(context, release, { count: 10, where })).rejects.toThrow(/no row/),
  );
  expect(bytes).toBe(0);
});

it('positive control: a sampler by rejection is found out by the count', async () => {
  const free = await bytesFor(() => rowsOf(context, release, { count: 2000 }));
  const bytes = await bytesFor(async () => {
    for (let offset = 0, found = 0; found < 1000; offset += 16_384)
      found += (await rowsOf(context, release, { offset, count: 16_384 })).filter(
        (row) => row.age === 80,
      ).length;
  });
  expect(bytes).toBeGreaterThan(2 * free);
});
