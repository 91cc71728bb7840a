import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  addShare,
  checkQuery,
  dequantize,
  integerSensitivity,
  planEncoding,
  quantize,
  type SumQuery,
  sampleDiscreteGaussian,
} from '../../src/privacy/index.js';
import { noiseReach } from '../../src/privacy/ring.js';
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
    [-0.49999999999999994, 0],
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
    // Scaled to ring steps it underflows to 0; it is not 0.
    const coarse = sumQuery({ dimension: 1, encoding: { grid: 4, rounding: 'exact' } });
    expect(() => quantize(coarse, Float64Array.of(5e-324))).toThrow(
      expect.objectContaining({ code: 'vector-invalid' }),
    );
    expect([...quantize(coarse, Float64Array.of(-0))]).toEqual([0]);
  });

  test('on any grid, what is on it comes back exactly, through the ring too', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -60, max: 60 }),
        fc.integer({ min: 8, max: 32 }),
        fc.double({ min: -1, max: 1, noNaN: true }),
        (exponent, modulusBits, share) => {
          const maxCoordinate = 2 ** (modulusBits - 1) - 1;
          const query = sumQuery({
            dimension: 1,
            encoding: { grid: 2 ** exponent, maxCoordinate, modulusBits },
          });
          const value = Math.round(share * maxCoordinate) * 2 ** exponent;
          const [back] = dequantize(
            query,
            addShare(query, quantize(query, Float64Array.of(value)), noNoise(1)),
          );
          expect(back).toBe(value + 0);
        },
      ),
    );
  });
});

describe('hazard S15: what is out of range', () => {
  const query = sumQuery({ dimension: 3, encoding: { grid: 0.5, maxCoordinate: 100, modulusBits: 12 } });

  test('hazard S15: a coordinate beyond ± maxCoordinate becomes that, and nothing tells that it was clamped', () => {
    const clamped = quantize(query, Float64Array.of(50.2, -1e300, Number.MAX_VALUE));
    expect(clamped).toEqual(quantize(query, Float64Array.of(50, -50, 50)));
    expect([...clamped]).toEqual([100, -100, 100]);
  });

  test('hazard S15: clamping moves no two sums apart: the sensitivity stays', () => {
    const one = fc.double({ min: -200, max: 200, noNaN: true });
    fc.assert(
      fc.property(one, one, (a, b) => {
        const [p] = quantize(query, Float64Array.of(a, 0, 0));
        const [q] = quantize(query, Float64Array.of(b, 0, 0));
        // 1-Lipschitz before rounding, which moves either end by half a step.
        expect(Math.abs((p as number) - (q as number))).toBeLessThanOrEqual(Math.abs(a - b) / 0.5 + 1);
        if (a < b) expect(p as number).toBeLessThanOrEqual(q as number);
      }),
    );
  });
});

/** A query whose ring is full to its last element by clamped sums and the furthest that noise is allowed to reach. */
function fullRing(modulusBits: number, members: number): { query: SumQuery; reach: number } {
  const dimension = 2;
  for (let variance = 16; ; variance++) {
    const shareVariance = { numerator: String(variance), denominator: '1' };
    const reach = noiseReach(shareVariance, members, dimension);
    const room = 2 ** (modulusBits - 1) - 1 - reach;
    if (room % members !== 0) continue;
    const maxCoordinate = room / members;
    const encoding = { grid: 1, rounding: 'exact' as const, maxCoordinate, modulusBits, shareVariance };
    return { query: sumQuery({ dimension, encoding }), reach };
  }
}

describe('hazard S21: a ring that the solver calls just large enough', () => {
  const members = 8;
  describe.each([8, 13, 16, 31, 32])('of %d bits', (modulusBits) => {
    const { query, reach } = fullRing(modulusBits, members);

    /** Every member far beyond the clamp, up in one coordinate and down in the other, and `noise` on top. */
    function opened(noise: number, bits = modulusBits): number[] {
      const ring = { ...query, encoding: { ...query.encoding, modulusBits: bits } };
      const values = quantize(ring, Float64Array.of(1e12, -1e12));
      const uploads = Array.from({ length: members }, (_, member) =>
        addShare(ring, values, member === 0 ? Int32Array.of(noise, -noise) : noNoise(2)),
      );
      return [...dequantize(ring, ringSum(uploads, bits))];
    }

    test('hazard S21: all members at ± maxCoordinate and noise at its reach do not wrap', () => {
      const edge = 2 ** (modulusBits - 1) - 1;
      expect(members * query.encoding.maxCoordinate + reach).toBe(edge);
      expect(opened(reach)).toEqual([edge, -edge]);
    });

    test('hazard S21: control: a bit less wraps, and so does noise one step further', () => {
      const edge = 2 ** (modulusBits - 1) - 1;
      expect(opened(reach, modulusBits - 1)).not.toEqual([edge, -edge]);
      // Two's complement has one more below than above.
      expect(opened(reach + 1)).toEqual([-edge - 1, -edge - 1]);
    });

    test('hazard S21: the member accepts it, and refuses it with one step, one member or one bit more to hold', () => {
      const { maxCoordinate } = query.encoding;
      expect(checkQuery(query, cohort, members)).toEqual(query);
      const refused = (encoding: Partial<SumQuery['encoding']>, among = members): void =>
        expect(() =>
          checkQuery({ ...query, encoding: { ...query.encoding, ...encoding } }, cohort, among),
        ).toThrow(
          expect.objectContaining({ code: expect.stringMatching(/^(modulus-too-small|query-malformed)$/) }),
        );
      refused({ maxCoordinate: maxCoordinate + 1 });
      refused({}, members + 1);
      refused({ modulusBits: modulusBits - 1 });
      refused({
        shareVariance: { numerator: `${query.encoding.shareVariance.numerator}0`, denominator: '1' },
      });
    });
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
