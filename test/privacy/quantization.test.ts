import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  addShare,
  dequantize,
  integerSensitivity,
  planEncoding,
  quantize,
  sampleDiscreteGaussian,
} from '../../src/privacy/index.js';
import { cohort, seededRng, sumQuery } from './support.js';

const noNoise = (length: number): Int32Array => new Int32Array(length);

/** Ring sums, as the coordinator unmasks them. */
function ringSum(vectors: readonly Uint32Array[], modulusBits: number): Uint32Array {
  const sum = new Uint32Array((vectors[0] as Uint32Array).length);
  for (const vector of vectors)
    for (const [i, value] of vector.entries()) sum[i] = ((sum[i] as number) + value) % 2 ** modulusBits;
  return sum;
}

describe('hazard S22: rounding', () => {
  const unit = sumQuery({ dimension: 1, encoding: { grid: 1, maxCoordinate: 1000 } });
  const round = (value: number): number => quantize(unit, Float64Array.of(value))[0] as number;

  test.each([
    [0.5, 0],
    [1.5, 2],
    [2.5, 2],
    [-0.5, 0],
    [-1.5, -2],
    [-2.5, -2],
    [0.49999999999999994, 0],
    [0.5000000000000001, 1],
    [-0.5000000000000001, -1],
    [-0, 0],
    [5e-324, 0],
    [-5e-324, 0],
    [999.5, 1000],
    [1000.4, 1000],
    [1e300, 1000],
    [-1e300, -1000],
    [Number.MAX_VALUE, 1000],
  ])('%d becomes %d: halves to even, clamped', (value, expected) => {
    expect(Object.is(round(value), expected)).toBe(true);
  });

  test('is odd, moves by at most one half, and has no drift', () => {
    fc.assert(
      fc.property(fc.double({ min: -999, max: 999, noNaN: true }), (value) => {
        expect(round(value) + round(-value)).toBe(0);
        expect(Math.abs(round(value) - value)).toBeLessThanOrEqual(0.5);
      }),
    );
    let drift = 0;
    for (let i = -4000; i <= 4000; i++) drift += round(i / 8) - i / 8;
    expect(drift).toBe(0);
  });

  test('tiny grids scale exactly, also subnormal floats', () => {
    const fine = sumQuery({ dimension: 2, encoding: { grid: 2 ** -60, maxCoordinate: 2 ** 31 - 1 } });
    expect([...quantize(fine, Float64Array.of(3 * 2 ** -60, -(2 ** -59)))]).toEqual([3, -2]);
    expect([...quantize(fine, Float64Array.of(2 ** -1074, Number.MAX_VALUE))]).toEqual([0, 2 ** 31 - 1]);
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    'hazard S15: %d is refused, and not named in the error',
    (value) => {
      const query = sumQuery({ dimension: 2 });
      for (const vector of [Float64Array.of(0, value), Float32Array.of(0, value)]) {
        expect(() => quantize(query, vector)).toThrow(
          expect.objectContaining({ code: 'vector-invalid', details: { coordinate: 1 } }),
        );
      }
    },
  );

  test('lengths must agree', () => {
    const query = sumQuery();
    expect(() => quantize(query, new Float64Array(3))).toThrow(
      expect.objectContaining({ code: 'vector-invalid' }),
    );
    expect(() => addShare(query, noNoise(4), noNoise(5))).toThrow(
      expect.objectContaining({ code: 'vector-invalid' }),
    );
    expect(() => dequantize(query, new Uint32Array(5))).toThrow(
      expect.objectContaining({ code: 'vector-invalid' }),
    );
  });

  test("'exact' takes what is on the grid and refuses the rest", () => {
    const query = sumQuery({ dimension: 2, encoding: { grid: 0.5, rounding: 'exact' } });
    expect([...quantize(query, Float64Array.of(1.5, -2))]).toEqual([3, -4]);
    expect(() => quantize(query, Float64Array.of(1.25, 0))).toThrow(
      expect.objectContaining({ code: 'vector-invalid' }),
    );
  });
});

describe('hazard S21: the ring and its edges', () => {
  test.each([8, 12, 16, 31, 32])('%d bits: every clamped value comes back, sign and all', (modulusBits) => {
    const maxCoordinate = 2 ** (modulusBits - 1) - 1;
    const query = sumQuery({ dimension: 6, encoding: { grid: 0.25, maxCoordinate, modulusBits } });
    const steps = [0, 1, -1, maxCoordinate, -maxCoordinate, 37];
    const values = quantize(
      query,
      Float64Array.from(steps, (step) => step * 0.25),
    );
    const ring = addShare(query, values, noNoise(6));
    for (const residue of ring) expect(residue).toBeLessThan(2 ** modulusBits);
    expect([...dequantize(query, ring)]).toEqual(steps.map((step) => step * 0.25));
  });

  test('the lowest residue of the upper half is the most negative number; one step further wraps', () => {
    const query = sumQuery({ dimension: 2, encoding: { grid: 1, modulusBits: 8, maxCoordinate: 127 } });
    expect([...dequantize(query, Uint32Array.of(127, 128))]).toEqual([127, -128]);
    expect([...dequantize(query, addShare(query, Int32Array.of(127, -127), Int32Array.of(1, -2)))]).toEqual([
      -128, 127,
    ]);
    expect(() => dequantize(query, Uint32Array.of(0, 256))).toThrow(
      expect.objectContaining({ code: 'vector-invalid' }),
    );
  });

  test('noise at the edge of 32-bit integers stays the right residue', () => {
    for (const modulusBits of [8, 31, 32]) {
      const query = sumQuery({ dimension: 1, encoding: { grid: 1, modulusBits } });
      const [residue] = addShare(
        query,
        Int32Array.of(2 ** 31 - 1),
        Int32Array.of(2 ** 31 - 1),
      ) as unknown as [number];
      expect(residue).toBe(Number(BigInt.asUintN(modulusBits, 2n ** 32n - 2n)));
    }
  });

  test('the sum opened is the sum of what went in, step for step, all members at their limits', () => {
    const request = {
      dimension: 200,
      l2Sensitivity: 1,
      noiseMultiplier: 1,
      maxCoordinate: 30,
      cohort,
      members: 8,
      rounding: 'nearest' as const,
    };
    const query = sumQuery({ dimension: 200, encoding: planEncoding(request) });
    const rng = seededRng('ring sum');
    const integers = Array.from({ length: 8 }, () => {
      const values = quantize(query, new Float64Array(200).fill(1e9));
      return { values, noise: sampleDiscreteGaussian(query.encoding.shareVariance, 200, rng) };
    });
    const sum = dequantize(
      query,
      ringSum(
        integers.map(({ values, noise }) => addShare(query, values, noise)),
        query.encoding.modulusBits,
      ),
    );
    sum.forEach((value, i) => {
      const exact = integers.reduce(
        (total, { values, noise }) => total + (values[i] as number) + (noise[i] as number),
        0,
      );
      expect(value).toBe(exact * query.encoding.grid);
    });
  });

  test('the noise on an opened sum has the variance that was planned', () => {
    const request = {
      dimension: 50_000,
      l2Sensitivity: 1,
      noiseMultiplier: 2,
      maxCoordinate: 1,
      cohort,
      members: 8,
      rounding: 'nearest' as const,
    };
    const query = sumQuery({ dimension: 50_000, encoding: planEncoding(request) });
    const rng = seededRng('variance');
    const zeros = quantize(query, new Float64Array(50_000));
    const survivors = 5;
    const uploads = Array.from({ length: survivors }, () =>
      addShare(query, zeros, sampleDiscreteGaussian(query.encoding.shareVariance, 50_000, rng)),
    );
    const sum = dequantize(query, ringSum(uploads, query.encoding.modulusBits));
    const variance = sum.reduce((total, value) => total + value * value, 0) / sum.length;
    // 4 of the 5 shares are to make σ = 2 × 1.01; five make 5/4 of its square.
    expect(variance).toBeGreaterThan(5 * 0.96);
    expect(variance).toBeLessThan(5 * 1.02 ** 2 * 1.04);
  });
});

describe('neighbouring replay: one record moves the integers by at most the declared sensitivity', () => {
  const dimension = 24;
  const query = sumQuery({ dimension, l2Sensitivity: 1, encoding: { grid: 2 ** -6, maxCoordinate: 200 } });
  const sensitivity = integerSensitivity(query);
  const distance = (a: Int32Array, b: Int32Array): number =>
    Math.hypot(...a.map((value, i) => value - (b[i] as number)));
  // Sums on and next to rounding borders and the clamp, and others.
  const border = fc
    .integer({ min: -300, max: 300 })
    .chain((k) => fc.constantFrom(0, 2 ** -50, -(2 ** -50)).map((nudge) => (k + 0.5) * 2 ** -6 + nudge));
  const coordinate = fc.oneof(border, fc.double({ min: -5, max: 5, noNaN: true }));
  const vector = fc.array(coordinate, { minLength: dimension, maxLength: dimension });
  const direction = fc.array(
    fc.oneof(fc.constantFrom(0, 1, -1), fc.double({ min: -1, max: 1, noNaN: true })),
    {
      minLength: dimension,
      maxLength: dimension,
    },
  );

  test('on rounding borders, at the clamp, anywhere', () => {
    fc.assert(
      fc.property(vector, direction, (sum, towards) => {
        const norm = Math.hypot(...towards);
        // Float error of the neighbour's sum is part of the declared sensitivity upstream; here the record is a hair shorter.
        const scale = norm > 0 ? (1 - 2 ** -40) / norm : 0;
        const neighbour = sum.map((value, i) => value + scale * (towards[i] as number));
        const moved = distance(
          quantize(query, Float64Array.from(sum)),
          quantize(query, Float64Array.from(neighbour)),
        );
        expect(moved).toBeLessThanOrEqual(sensitivity);
      }),
      { numRuns: 500 },
    );
  });

  test('control: rounding does inflate, so that the sensitivity without its √d would be broken', () => {
    const sum = new Float64Array(dimension).fill(0.5 * 2 ** -6 - 2 ** -50);
    const record = (1 - 2 ** -40) / Math.sqrt(dimension);
    const steps = Math.floor(record * 2 ** 6);
    const neighbour = sum.map((value) => value + (steps + 2 ** -40) * 2 ** -6);
    const moved = distance(quantize(query, sum), quantize(query, neighbour));
    const real = Math.sqrt(dimension) * (steps + 2 ** -40);
    expect(moved).toBeGreaterThan(real * 1.05);
    expect(moved).toBeLessThanOrEqual(sensitivity);
  });

  test('integer data move by no more than themselves', () => {
    const counts = sumQuery({ dimension, encoding: { grid: 1, rounding: 'exact', maxCoordinate: 50 } });
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: -60, max: 60 }), { minLength: dimension, maxLength: dimension }),
        fc.nat(dimension - 1),
        (sum, at) => {
          const neighbour = sum.map((value, i) => value + (i === at ? 1 : 0));
          const moved = distance(
            quantize(counts, Float64Array.from(sum)),
            quantize(counts, Float64Array.from(neighbour)),
          );
          expect(moved).toBeLessThanOrEqual(integerSensitivity(counts));
        },
      ),
    );
  });
});
