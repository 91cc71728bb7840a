import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { systemRng } from '../../src/crypto/rng.js';
import {
  discreteGaussian,
  PrivacyError,
  type Rational,
  sampleDiscreteGaussian,
} from '../../src/privacy/index.js';
import { expNegative } from '../../src/privacy/noise/exponential.js';
import { halfGaussianTable, resolveIndex } from '../../src/privacy/noise/halfGaussian.js';
import { RandomBits } from '../../src/privacy/noise/randomBits.js';
import {
  bernoulliExp,
  discreteLaplace,
  referenceDiscreteGaussian,
} from '../../src/privacy/noise/reference.js';
import { chiSquareTail, goldenCases, goodnessOfFit, scriptedRng, seededRng } from './support.js';
import { DISCRETE_GAUSSIAN_PMF } from './vectors.js';

/** Seeds are fixed; had they been drawn afresh, each test would fail a right sampler with this probability. */
const FALSE_ALARM = 1e-6;
const integer = (value: number): Rational => ({ numerator: String(value), denominator: '1' });

/** Counts of y = −reach … reach, with both tails in the end cells. */
function histogram(samples: ArrayLike<number>, reach: number): number[] {
  const counts = new Array<number>(2 * reach + 1).fill(0);
  for (let i = 0; i < samples.length; i++) {
    const y = Math.max(-reach, Math.min(reach, samples[i] as number));
    counts[y + reach] = (counts[y + reach] as number) + 1;
  }
  return counts;
}

function twoSided(half: readonly number[]): number[] {
  return [...half.slice(1).reverse(), ...half];
}

/** Cell probabilities between cuts of the discrete Gaussian of a large σ, by summing its mass function. */
function cellsOf(sigma: number, cuts: readonly number[]): number[] {
  const edges = [-12 * sigma, ...cuts, 12 * sigma];
  return edges.slice(1).map((to, i) => {
    let sum = 0;
    for (let y = Math.ceil(edges[i] as number); y < to; y++) sum += Math.exp(-(y * y) / (2 * sigma * sigma));
    return sum / (sigma * Math.sqrt(2 * Math.PI));
  });
}

function countCells(samples: ArrayLike<number>, cuts: readonly number[]): number[] {
  const counts = new Array<number>(cuts.length + 1).fill(0);
  for (let i = 0; i < samples.length; i++) {
    const cell = cuts.filter((cut) => (samples[i] as number) >= cut).length;
    counts[cell] = (counts[cell] as number) + 1;
  }
  return counts;
}

const CUTS = Array.from({ length: 41 }, (_, i) => (i - 20) / 6);

describe('the tests’ own yardsticks', () => {
  test('χ² tail at tabulated points', () => {
    expect(chiSquareTail(3.841458820694124, 1)).toBeCloseTo(0.05, 9);
    expect(chiSquareTail(18.307038053275146, 10)).toBeCloseTo(0.05, 9);
    expect(chiSquareTail(149.44925277903886, 100)).toBeCloseTo(0.001, 9);
  });
});

describe('discrete Gaussian samplers against the golden mass function', () => {
  test.each(DISCRETE_GAUSSIAN_PMF)(
    'σ² = $numerator/$denominator: production and reference sampler',
    ({ pmf, ...variance }) => {
      const label = `${variance.numerator}/${variance.denominator}`;
      const expected = twoSided(pmf);
      const production = sampleDiscreteGaussian(variance, 400_000, seededRng(`production ${label}`));
      expect(goodnessOfFit(histogram(production, pmf.length - 1), expected)).toBeGreaterThan(FALSE_ALARM);
      const reference = referenceDiscreteGaussian(variance, 30_000, seededRng(`reference ${label}`)).map(
        Number,
      );
      expect(goodnessOfFit(histogram(reference, pmf.length - 1), expected)).toBeGreaterThan(FALSE_ALARM);
    },
  );

  test('positive control, hazard P10: a rounded continuous Gaussian of the same variance is caught', () => {
    const pmf = (DISCRETE_GAUSSIAN_PMF[1] as (typeof DISCRETE_GAUSSIAN_PMF)[1]).pmf;
    const bits = new RandomBits(seededRng('biased'), 800_000);
    const uniform = (): number => (bits.word() + 0.5) / 2 ** 32;
    const biased = Array.from({ length: 400_000 }, () =>
      Math.round(Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform())),
    );
    expect(goodnessOfFit(histogram(biased, pmf.length - 1), twoSided(pmf))).toBeLessThan(FALSE_ALARM);
  });

  const golden = goldenCases('discrete-gaussian.json', 'discrete-gaussian-pmf');
  test.skipIf(!golden)(
    'all golden variances with a contiguous table (skipped without ../shared/golden)',
    () => {
      for (const { id, params, expected } of golden ?? []) {
        const pmf = (expected.pmf as string[]).map(Number).slice(0, 13);
        const covered = 2 * pmf.reduce((a, b) => a + b, 0) - (pmf[0] as number);
        if (covered < 1 - 1e-9) continue;
        const samples = sampleDiscreteGaussian(params.sigma2, 200_000, seededRng(id));
        expect(goodnessOfFit(histogram(samples, 12), twoSided(pmf)), id).toBeGreaterThan(FALSE_ALARM);
      }
    },
  );

  test.each([40, 1000, 6000, 20_000])('σ = %d: 42 cells, both samplers, and control 1 %% off', (sigma) => {
    const cuts = CUTS.map((cut) => Math.round(cut * sigma));
    const cells = cellsOf(sigma, cuts);
    const production = sampleDiscreteGaussian(integer(sigma * sigma), 1_000_000, seededRng(`σ ${sigma}`));
    expect(goodnessOfFit(countCells(production, cuts), cells)).toBeGreaterThan(FALSE_ALARM);
    const reference = referenceDiscreteGaussian(
      integer(sigma * sigma),
      20_000,
      seededRng(`ref σ ${sigma}`),
    ).map(Number);
    expect(goodnessOfFit(countCells(reference, cuts), cells)).toBeGreaterThan(FALSE_ALARM);
    const off = sampleDiscreteGaussian(
      integer(Math.round((1.01 * sigma) ** 2)),
      1_000_000,
      seededRng(`off ${sigma}`),
    );
    expect(goodnessOfFit(countCells(off, cuts), cells)).toBeLessThan(FALSE_ALARM);
  });

  test('low bits are uniform at σ = 6000: the offset within a step is not skewed', () => {
    const samples = sampleDiscreteGaussian(integer(36_000_000), 1_000_000, seededRng('low bits'));
    const counts = new Array<number>(512).fill(0);
    for (const y of samples) counts[y & 511] = (counts[y & 511] as number) + 1;
    expect(
      goodnessOfFit(
        counts,
        counts.map(() => 1 / 512),
      ),
    ).toBeGreaterThan(FALSE_ALARM);
  });

  test('neighbours in a vector are uncorrelated', () => {
    const samples = sampleDiscreteGaussian(integer(1_000_000), 1_000_000, seededRng('lag'));
    for (const lag of [1, 2, 3]) {
      let sum = 0;
      for (let i = lag; i < samples.length; i++) sum += (samples[i] as number) * (samples[i - lag] as number);
      expect(Math.abs(sum / 1e6 / 1e6)).toBeLessThan(5 / Math.sqrt(1e6));
    }
  });
});

describe('exactness where floats and tables end', () => {
  test('e^−x is enclosed: known digits', () => {
    const known: [bigint, bigint, string][] = [
      [1n, 1n, '0367879441171442321595523770161460867445811131031767834507836801'],
      [1n, 2n, '0606530659712633423603799534991180453441918135487186955682892158'],
      [29n, 4n, '0000710174388842549063584600370577544408676302387361895885564452'],
      [0n, 1n, '1000000000000000000000000000000000000000000000000000000000000000'],
    ];
    for (const [n, d, digits] of known) {
      const { low, high } = expNegative(n, d, 180);
      const scaled = (BigInt(digits) << 180n) / 10n ** 63n;
      expect(low <= scaled + 1n && scaled <= high).toBe(true);
      expect(high - low <= 2n).toBe(true);
    }
  });

  test('e^−x is enclosed: coarse enclosures hold fine ones, and e^−a·e^−b meets e^−(a+b)', () => {
    const rational = fc.record({ n: fc.bigInt(0n, 10n ** 12n), d: fc.bigInt(10n ** 10n, 10n ** 12n) });
    fc.assert(
      fc.property(rational, rational, (a, b) => {
        const coarse = expNegative(a.n, a.d, 96);
        const fine = expNegative(a.n, a.d, 256);
        expect(coarse.low <= fine.high >> 160n && fine.low >> 160n <= coarse.high).toBe(true);
        const other = expNegative(b.n, b.d, 256);
        const both = expNegative(a.n * b.d + b.n * a.d, a.d * b.d, 256);
        expect((fine.low * other.low) >> 256n <= both.high).toBe(true);
        expect(both.low <= ((fine.high * other.high) >> 256n) + 1n).toBe(true);
      }),
    );
  });

  test('a word on a border is decided by the bits that follow: both ways', () => {
    // σ² = 1: c_1 = P(K = 0) of the one-sided law, to 64 bits.
    const table = halfGaussianTable(1n, 2n);
    const { low: w0 } = expNegative(0n, 1n, 128);
    let total = 0n;
    for (let k = 0n; k < 20n; k++) total += expNegative(k * k, 2n, 128).low;
    const border = (w0 << 64n) / total;
    const word = Number(border >> 32n);
    const next = Number(border & 0xffffffffn);
    expect(table.low[1]).toBe(word);
    const resolve = (second: number): number =>
      resolveIndex(table, word, new RandomBits(scriptedRng([second]), 8));
    expect(resolve(next - 2)).toBe(0);
    expect(resolve(next + 2)).toBe(1);
    expect(resolve(0)).toBe(0);
    expect(resolve(2 ** 32 - 1)).toBe(1);
  });

  test('an acceptance on a float’s border is decided by the bits that follow: both ways', () => {
    // σ² = 4096: steps of m = 4, table of σ/m = 16. Index word 0 is k = 0, offset 3: accepted with p = e^(−9/8192).
    const sampler = discreteGaussian(integer(4096));
    const p = expNegative(9n, 8192n, 64).low;
    const word = Number(p >> 32n);
    const next = Number(p & 0xffffffffn);
    const first = (second: number): number =>
      sampler.fill(new Int32Array(1), scriptedRng([0, 3, word, second, 0, 2, 0]))[0] as number;
    expect(first(next - 2)).toBe(3);
    expect(first(next + 3)).toBe(2);
    expect(sampler.fill(new Int32Array(1), scriptedRng([0, 3, word - 1]))[0]).toBe(3);
    expect(sampler.fill(new Int32Array(1), scriptedRng([0, 3, word + 1, 0, 2, 0]))[0]).toBe(2);
    expect(sampler.fill(new Int32Array(1), scriptedRng([0, 2 ** 31 + 3, 0]))[0]).toBe(-3);
  });

  test('−0 is drawn again', () => {
    expect(
      discreteGaussian(integer(1)).fill(new Int32Array(1), scriptedRng([0, 2 ** 31, 0xa0000000, 0]))[0],
    ).toBe(1);
  });

  test('the tail beyond the table has its exact law', () => {
    // First word all ones: U ≥ 1 − 2^-32, where only |y| ≥ 6 live for σ² = 1.
    const bits = new RandomBits(seededRng('tail'), 1 << 14);
    const table = halfGaussianTable(1n, 2n);
    const samples = Array.from({ length: 4000 }, () => resolveIndex(table, 2 ** 32 - 1, bits));
    const weight = (k: number): number => Math.exp((-k * k) / 2);
    const total = Array.from({ length: 30 }, (_, k) => weight(k)).reduce((a, b) => a + b, 0);
    const beyond = Array.from({ length: 12 }, (_, i) => weight(i + 6) / total);
    const tail = beyond.reduce((a, b) => a + b, 0);
    const rest = beyond.slice(1).reduce((a, b) => a + b, 0);
    const above7 = beyond.slice(2).reduce((a, b) => a + b, 0);
    const slice = 2 ** -32;
    // The slice is cut out of k = 6 from above, or holds it wholly with a bit of k = 5.
    const six = Math.min(slice, tail) - rest;
    const probabilities = [Math.max(0, slice - tail), six, rest - above7, above7].map((p) => p / slice);
    const counts = [0, 0, 0, 0];
    for (const k of samples) {
      const cell = Math.min(3, Math.max(0, k - 5));
      counts[cell] = (counts[cell] as number) + 1;
    }
    expect(goodnessOfFit(counts, probabilities)).toBeGreaterThan(FALSE_ALARM);
    expect(Math.max(...samples)).toBeGreaterThanOrEqual(7);
  });

  test('all-ones words forever do not cut the tail off: larger and larger samples, no loop', () => {
    const table = halfGaussianTable(1n, 2n);
    const ones = (count: number): number =>
      resolveIndex(table, 2 ** 32 - 1, new RandomBits(scriptedRng(new Array(count).fill(2 ** 32 - 1)), 8));
    expect(ones(3)).toBeGreaterThan(ones(1));
    expect(ones(12)).toBeGreaterThan(20);
  });
});

describe('Canonne, Kamath, Steinke 2020, the parts', () => {
  test('Algorithm 1 is a coin of e^−γ, also above 1', () => {
    const bits = new RandomBits(seededRng('coins'), 1 << 14);
    for (const [n, d] of [
      [0n, 1n],
      [1n, 3n],
      [1n, 1n],
      [5n, 2n],
    ] as const) {
      let heads = 0;
      for (let i = 0; i < 20_000; i++) if (bernoulliExp(bits, n, d)) heads += 1;
      const p = Math.exp(-Number(n) / Number(d));
      expect(Math.abs(heads / 20_000 - p)).toBeLessThanOrEqual(5 * Math.sqrt((p * (1 - p)) / 20_000));
    }
  });

  test('Algorithm 2 is the discrete Laplace', () => {
    const bits = new RandomBits(seededRng('laplace'), 1 << 14);
    const samples = Array.from({ length: 30_000 }, () => Number(discreteLaplace(bits, 3n)));
    const ratio = Math.exp(-1 / 3);
    const half = Array.from({ length: 21 }, (_, k) => ((1 - ratio) / (1 + ratio)) * ratio ** k);
    half[20] = (half[20] as number) / (1 - ratio);
    expect(goodnessOfFit(histogram(samples, 20), twoSided(half))).toBeGreaterThan(FALSE_ALARM);
  });
});

describe('the interface', () => {
  test('one seed, one vector; a chunk border does not show', () => {
    const variance = { numerator: '1000003', denominator: '7' };
    const a = sampleDiscreteGaussian(variance, 100_000, seededRng('same'));
    expect(sampleDiscreteGaussian(variance, 100_000, seededRng('same'))).toEqual(a);
    expect(sampleDiscreteGaussian(variance, 100_000, seededRng('other'))).not.toEqual(a);
    expect(new Set(a.slice(0, 1000)).size).toBeGreaterThan(600);
  });

  test('equal variances written differently are one law', () => {
    const a = sampleDiscreteGaussian({ numerator: '50', denominator: '2' }, 1000, seededRng('x'));
    expect(a).toEqual(sampleDiscreteGaussian({ numerator: '25', denominator: '1' }, 1000, seededRng('x')));
  });

  test.each([
    ['0', '1'],
    ['-1', '1'],
    ['1', '0'],
    ['1.5', '1'],
    [String(2n ** 55n + 1n), '1'],
    ['1e9', '1'],
    ['', '1'],
  ])('variance %s/%s is refused', (numerator, denominator) => {
    expect(() => sampleDiscreteGaussian({ numerator, denominator }, 1, seededRng('no'))).toThrow(
      PrivacyError,
    );
  });

  test('the largest variance works', () => {
    const samples = sampleDiscreteGaussian(
      { numerator: String(2n ** 55n), denominator: '1' },
      10_000,
      seededRng('large'),
    );
    let squares = 0;
    for (const y of samples) squares += y * y;
    expect(squares / 10_000 / 2 ** 55).toBeCloseTo(1, 1);
  });
});

describe('hazard P9: two participants that draw at the same moment', () => {
  const variance = integer(400);
  const draw = (rng: (length: number) => Uint8Array): string =>
    sampleDiscreteGaussian(variance, 64, rng).join();

  test('have different noise, each time', () => {
    const drawn = Array.from({ length: 50 }, () => [systemRng(), systemRng()].map(draw)).flat();
    expect(new Set(drawn).size).toBe(100);
  });

  test('positive control: seeded by the clock they have the same', () => {
    const now = Date.now();
    const seeded = () => seededRng(`${now}`);
    expect(draw(seeded())).toBe(draw(seeded()));
  });
});
