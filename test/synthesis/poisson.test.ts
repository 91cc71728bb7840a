import { describe, expect, it } from 'vitest';
import type { Rng } from '../../src/crypto/rng.js';
import { poissonIndices } from '../../src/synthesis/table/poisson.js';
import { rngOf, smallRecords } from './fixtures.js';

/** Standard normal quantile for a two-sided false-positive rate of 1e-6. */
const Z = 4.892;

interface Draws {
  /** Records in each of the samples. */
  readonly sizes: readonly number[];
  /** How often records 0 and 1 were in the same sample. */
  readonly both: number;
}

const RECORDS = 200;
const RATE = 0.1;
const SAMPLES = 4000;

function draws(sampler: (rng: Rng) => ArrayLike<number>): Draws {
  const rng = rngOf(3);
  const sizes: number[] = [];
  let both = 0;
  for (let i = 0; i < SAMPLES; i++) {
    const indices = new Set(Array.from(sampler(rng)));
    sizes.push(indices.size);
    if (indices.has(0) && indices.has(1)) both += 1;
  }
  return { sizes, both };
}

/**
 * The variance of the sample's size tells Poisson sampling (n·q·(1 − q)) from a shuffled batch of fixed size (0). With
 * 4000 samples (s²/σ² − 1)·√(m/2) is normal to a per cent; the two tests together raise a false alarm at most 3 times in
 * a million seeds, and the seed is fixed.
 */
function isPoisson({ sizes, both }: Draws): boolean {
  const mean = sizes.reduce((a, b) => a + b, 0) / SAMPLES;
  const variance = sizes.reduce((a, b) => a + (b - mean) ** 2, 0) / (SAMPLES - 1);
  const expected = RECORDS * RATE * (1 - RATE);
  const meanFits = Math.abs(mean - RECORDS * RATE) < Z * Math.sqrt(expected / SAMPLES);
  const varianceFits = Math.abs(variance / expected - 1) * Math.sqrt(SAMPLES / 2) < Z;
  const pair = SAMPLES * RATE ** 2;
  return meanFits && varianceFits && Math.abs(both - pair) < Z * Math.sqrt(pair);
}

/** The positive control: a batch of fixed size from a shuffle, which hazard P6 is about. */
function shuffledBatch(rng: Rng): number[] {
  const order = Array.from({ length: RECORDS }, (_, i) => i);
  const bytes = rng(4 * RECORDS);
  const words = new DataView(bytes.buffer, bytes.byteOffset);
  for (let i = RECORDS - 1; i > 0; i--) {
    const j = words.getUint32(4 * i, true) % (i + 1);
    [order[i], order[j]] = [order[j] as number, order[i] as number];
  }
  return order.slice(0, RECORDS * RATE);
}

describe('hazard P6: Poisson sampling', () => {
  it('is Poisson, and a shuffled batch of fixed size is found out', () => {
    expect(isPoisson(draws((rng) => poissonIndices(RATE, rng)(RECORDS)))).toBe(true);
    expect(isPoisson(draws(shuffledBatch))).toBe(false);
    // A second control: one coin for two neighbours at a time.
    const paired = (rng: Rng) =>
      [...poissonIndices(RATE, rng)(RECORDS / 2)].flatMap((i) => [2 * i, 2 * i + 1]);
    expect(isPoisson(draws(paired))).toBe(false);
  });

  it('takes each record by a comparison of 53-bit uniforms, drawing the low bits only on a tie', () => {
    const words = (...values: number[]): Rng => {
      const bytes = new Uint8Array(65_536);
      values.forEach((value, i) => {
        new DataView(bytes.buffer).setUint32(4 * i, value, true);
      });
      return () => bytes;
    };
    const rate = (5 * 2 ** 21 + 9) / 2 ** 53;
    const [below, tieBelow, tieAt, above] = [
      poissonIndices(rate, words(4))(1),
      poissonIndices(rate, words(5, 8 << 11))(1),
      poissonIndices(rate, words(5, 9 << 11))(1),
      poissonIndices(rate, words(6))(1),
    ].map((indices) => indices?.length);
    expect([below, tieBelow, tieAt, above]).toEqual([1, 1, 0, 0]);
  });

  it('does not depend on how the records are cut into windows', () => {
    const whole = poissonIndices(0.3, rngOf(4))(90_000);
    const parts = poissonIndices(0.3, rngOf(4));
    const joined = [...parts(65_536), ...[...parts(24_464)].map((i) => i + 65_536)];
    expect(joined).toEqual([...whole]);
  });

  it.each([0, -1, 1.01, Number.NaN])('refuses the rate %d', (rate) => {
    expect(() => poissonIndices(rate, rngOf(1))).toThrow(RangeError);
  });

  it('keeps the draws of earlier records when one is appended', async () => {
    const [shorter, longer] = [await smallRecords(999), await smallRecords(999, ['z,y,x'])];
    const rows = async (source: typeof shorter) => {
      const all: number[] = [];
      for await (const batch of source.sample(0.5, rngOf(6))) all.push(...batch.rows);
      return all;
    };
    const before = await rows(shorter);
    expect((await rows(longer)).slice(0, before.length)).toEqual(before);
  });

  it('hazard P2: offers no count from which a rate could be computed', async () => {
    const source = await smallRecords(10);
    expect(Object.keys(source).sort()).toEqual(['close', 'layout', 'sample', 'schema']);
  });
});
