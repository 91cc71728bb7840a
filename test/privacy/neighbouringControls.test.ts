import { describe, expect, it } from 'vitest';
import { integerSensitivity, quantize } from '../../src/privacy/quantization.js';
import type { SumQuery } from '../../src/privacy/sumQuery.js';
import { normals } from '../../src/synthesis/randomness.js';
import { rngOf } from '../synthesis/fixtures.js';
import { withinSensitivity } from './neighbouring.js';
import { sumQuery } from './support.js';

/*
 * The positive controls of the replay: mechanisms that are broken as real ones have been, over the same pairs of tables. Each must be
 * caught by the very check that neighbouring.test.ts makes of the real ones; the right one must pass it on all pairs.
 */

/** A table of records, each a real vector; what leaves is its clipped sum on the ring, before (or with) the noise. */
type Records = readonly Float64Array[];
type Mechanism = (query: SumQuery, records: Records, noise: Int32Array) => Int32Array;

const CLIP = 1;
const COARSE = 24;
const FINE = 4096;

/** Sums that are rounded: clip norm 1, 64 steps a clip norm, √24 steps for the rounding. */
const rounded = sumQuery({
  dimension: COARSE,
  l2Sensitivity: CLIP,
  encoding: { grid: 2 ** -6, rounding: 'nearest', maxCoordinate: 200, modulusBits: 32 },
});
/** Sums of whole steps, as the GAN's: 2¹⁴ a clip norm, nothing for rounding. */
const whole = sumQuery({
  dimension: FINE,
  l2Sensitivity: CLIP,
  encoding: { grid: 2 ** -14, rounding: 'exact', maxCoordinate: 2 ** 24, modulusBits: 32 },
});

const vector = (dimension: number, valueAt: (i: number) => number) =>
  Float64Array.from({ length: dimension }, (_, i) => valueAt(i));

/** Records in [−1, 1]^d are in bounds; the charter says so, and files say otherwise. */
function recordsOf(dimension: number): readonly Float64Array[] {
  const step = 2 ** -6;
  return [
    vector(dimension, () => 0),
    ...[1, 2, 3, 4].map((seed) => Float64Array.from(normals(rngOf(seed), dimension))),
    vector(dimension, (i) => (i === 0 ? 1 : 0)),
    vector(dimension, (i) => (i % 2 === 0 ? 1 : -1)),
    vector(dimension, (i) => (i === 0 ? 1 : 2 ** -13)),
    vector(dimension, () => 1e30),
    vector(dimension, (i) => (i === 1 ? Number.NaN : 0.5)),
    vector(dimension, (i) => (i === 2 ? Number.NEGATIVE_INFINITY : 0.5)),
    vector(dimension, () => 5e-324),
    // On the borders, from below: half a step less a hair, and the neighbour that takes every coordinate over it.
    vector(dimension, () => 0.5 * step - 2 ** -40),
    vector(dimension, () => 12 * step + 2 ** -39),
  ];
}

/** Every record beside the empty table, beside each single other, and beside all others. */
function pairsOf(dimension: number): readonly (readonly [Records, Float64Array])[] {
  const records = recordsOf(dimension);
  return records.flatMap((record, i) => [
    [[], record] as const,
    ...records.map((other) => [[other], record] as const),
    [records.filter((_, j) => j !== i), record] as const,
  ]);
}

/** How many pairs the replay refuses. */
function caught(query: SumQuery, mechanism: Mechanism): number {
  const noise = Int32Array.from(normals(rngOf(8, 'noise'), query.dimension), (x) => Math.round(40 * x));
  const ring = (records: Records) => Uint32Array.from(mechanism(query, records, noise));
  return pairsOf(query.dimension).filter(
    ([table, record]) => !withinSensitivity(query, ring(table), ring([...table, record])),
  ).length;
}

const norm = (values: Float64Array): number =>
  Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
const finite = (record: Float64Array): boolean => record.every(Number.isFinite);
const scaled = (record: Float64Array, factor: number): Float64Array => record.map((value) => value * factor);
const add = (a: Float64Array, b: Float64Array): Float64Array => a.map((value, i) => value + b[i]!);
const sumOf = (query: SumQuery, vectors: Records): Float64Array =>
  vectors.reduce(add, new Float64Array(query.dimension));
const withNoise = (values: Int32Array, noise: Int32Array): Int32Array =>
  values.map((value, i) => value + noise[i]!);

/** A hair below C, as the float error of the norm demands; zero unless all is finite (hazard P5). */
function clip(record: Float64Array): Float64Array {
  if (!finite(record)) return scaled(record.fill(0), 0);
  const largest = record.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  if (largest === 0) return record;
  const length = largest * norm(scaled(record, 1 / largest));
  return length <= CLIP * (1 - 2 ** -40) ? record : scaled(record, (CLIP * (1 - 2 ** -40)) / length);
}

const right: Mechanism = (query, records, noise) =>
  withNoise(
    quantize(
      query,
      sumOf(
        query,
        records.map((record) => clip(record.slice())),
      ),
    ),
    noise,
  );

/** Steps of one record, shortened until its own integers are short enough by `length`: what the GAN's clipping does, exactly. */
function wholeRecord(record: Float64Array, length: (values: Float64Array) => number = norm): Float64Array {
  const clipped = finite(record)
    ? scaled(record, Math.min(1, CLIP / length(record)))
    : scaled(record.fill(0), 0);
  for (let factor = 1; ; factor *= 1 - 2 ** -10) {
    const steps = scaled(clipped, factor * 2 ** 14).map(Math.round);
    if (length(steps) <= 2 ** 14) return scaled(steps, 2 ** -14);
  }
}

/** Added up as a GPU or a naive loop may do it: a square below half an ulp of the sum so far is lost. */
function float32Norm(values: Float64Array): number {
  let squares = 0;
  for (const value of values) squares = Math.fround(squares + Math.fround(value * value));
  return Math.fround(Math.sqrt(squares));
}

const wholeRecords =
  (length: (values: Float64Array) => number): Mechanism =>
  (query, records, noise) =>
    withNoise(
      quantize(
        query,
        sumOf(
          query,
          records.map((record) => wholeRecord(record.slice(), length)),
        ),
      ),
      noise,
    );

describe('the replay lets pass', () => {
  it('a sum of clipped records, rounded once', () => {
    expect(caught(rounded, right)).toBe(0);
  });

  it('a sum of records that were clipped and rounded each, and measured after it', () => {
    expect(caught(whole, wholeRecords(norm))).toBe(0);
  });
});

describe('the replay catches', () => {
  it('hazard P7: clipping after the sum and its noise', () => {
    const mechanism: Mechanism = (query, records, noise) => {
      const noisy = add(
        sumOf(query, records.filter(finite)),
        Float64Array.from(noise, (x) => x * 2 ** -6),
      );
      return quantize(query, clip(noisy));
    };
    expect(caught(rounded, mechanism)).toBeGreaterThan(0);
  });

  it('hazard P10: a norm that was added up in float32, where small squares vanish beside a large one', () => {
    expect(caught(whole, wholeRecords(float32Norm))).toBeGreaterThan(0);
  });

  it('hazard P5: min(1, C/norm), which lets NaN and infinity through', () => {
    const mechanism: Mechanism = (query, records, noise) => {
      const clipped = records.map((record) => scaled(record, Math.min(1, CLIP / norm(record))));
      // NaN becomes 0 in an integer array: every other record vanishes with it.
      const steps = sumOf(query, clipped).map((value) =>
        Math.max(-200, Math.min(200, Math.round(value * 64))),
      );
      return withNoise(Int32Array.from(steps), noise);
    };
    expect(caught(rounded, mechanism)).toBeGreaterThan(0);
  });

  it('records beyond the bounds, where clamping to the bounds is all that limits them', () => {
    const bounded = sumQuery({
      ...rounded,
      l2Sensitivity: Math.sqrt(COARSE),
      encoding: { ...rounded.encoding, maxCoordinate: 2 ** 30 },
    });
    const clamp = (value: number) => (Number.isNaN(value) ? 0 : Math.max(-1, Math.min(1, value)));
    const total =
      (limit: (value: number) => number): Mechanism =>
      (query, records, noise) =>
        withNoise(
          quantize(
            query,
            sumOf(
              query,
              records.filter(finite).map((record) => record.map(limit)),
            ),
          ),
          noise,
        );
    expect(caught(bounded, total(clamp))).toBe(0);
    expect(
      caught(
        bounded,
        total((value) => value),
      ),
    ).toBeGreaterThan(0);
  });

  it('a sum that is not clamped before it is rounded: beyond 2⁵³ a record moves it by more than itself', () => {
    const far = vector(COARSE, () => 2 ** 53 + 2);
    const record = vector(COARSE, (i) => (i === 0 ? 1 : 0));
    const unclamped = (sum: Float64Array) =>
      Uint32Array.from(sum, (value) => Number(BigInt(value * 64) & 0xffffffffn));
    const clamped = (sum: Float64Array) => Uint32Array.from(quantize(rounded, sum));
    const sums = [far, add(far, record)] as const;
    expect(withinSensitivity(rounded, clamped(sums[0]), clamped(sums[1]))).toBe(true);
    expect(withinSensitivity(rounded, unclamped(sums[0]), unclamped(sums[1]))).toBe(false);
  });

  it('hazard P12: a rounded sum that is declared without the √d that rounding adds', () => {
    const bare: SumQuery = { ...rounded, encoding: { ...rounded.encoding, rounding: 'exact' } };
    expect(integerSensitivity(bare)).toBeLessThan(integerSensitivity(rounded));
    const mechanism: Mechanism = (_, records, noise) => right(rounded, records, noise);
    expect(caught(bare, mechanism)).toBeGreaterThan(0);
  });

  it('hazard P12: every record rounded by itself, and declared as if none were', () => {
    const bare: SumQuery = { ...rounded, encoding: { ...rounded.encoding, rounding: 'exact' } };
    const mechanism: Mechanism = (query, records, noise) => {
      const steps = records.map((record) => clip(record.slice()).map((value) => Math.round(value * 64) / 64));
      return withNoise(quantize(query, sumOf(query, steps)), noise);
    };
    expect(caught(bare, mechanism)).toBeGreaterThan(0);
  });

  it('hazard P8: half of the declared sensitivity, for the right mechanism', () => {
    const half = { ...rounded, l2Sensitivity: CLIP / 2 };
    expect(caught(half, right)).toBeGreaterThan(0);
  });
});
