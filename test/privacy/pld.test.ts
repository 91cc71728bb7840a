import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { dominatingLaw } from '../../src/privacy/accountants/pld/discretization.js';
import { transform } from '../../src/privacy/accountants/pld/fourier.js';
import {
  gaussianPair,
  type LossPair,
  sampledRemovePair,
} from '../../src/privacy/accountants/pld/lossPair.js';
import {
  composedEvent,
  deltaInterval,
  epsilonInterval,
  epsilonOf,
  gaussianDelta,
  gaussianEpsilon,
  gaussianEvent,
  type PrivacyEvent,
  type PrivacyInterval,
  poissonSampledEvent,
  privacyCurve,
  selfComposedEvent,
} from '../../src/privacy/index.js';
import { DELTA_CASES, EPSILON_CASES, gaussian, laplace, relationOf, response } from './pldVectors.js';
import { goldenCases } from './support.js';

/** What is wrong with an interval around a number that is known to `tolerance`. */
function faults(
  { lower, upper }: PrivacyInterval,
  truth: number,
  allowed: { readonly tolerance: number; readonly width: number },
): string[] {
  return [
    ...(upper >= truth * (1 - allowed.tolerance) ? [] : [`upper end ${upper} below ${truth}`]),
    ...(lower <= truth * (1 + allowed.tolerance) ? [] : [`lower end ${lower} above ${truth}`]),
    ...(upper - lower <= allowed.width ? [] : [`${upper - lower} wide`]),
  ];
}

/** 10^-3, relative where ε is above 10. */
const width = (epsilon: number): number => 1e-3 * (epsilon > 10 ? epsilon : 1);

/** Atoms of a loss and their probabilities, `count` times: every sum, by one convolution after another. */
function convolved(atoms: readonly (readonly [number, number])[], count: number): Map<number, number> {
  let sums = new Map([[0, 1]]);
  for (let i = 0; i < count; i++) {
    const next = new Map<number, number>();
    for (const [steps, p] of sums)
      for (const [step, q] of atoms) next.set(steps + step, (next.get(steps + step) ?? 0) + p * q);
    sums = next;
  }
  return sums;
}

/** Exact δ of randomized response: losses are multiples of the largest. */
function responseDelta(noise: number, buckets: number, count: number, epsilon: number): number {
  const other = noise / buckets;
  const truth = 1 - noise + other;
  const largest = Math.log(truth / other);
  let delta = 0;
  for (const [steps, p] of convolved(
    [
      [-1, other],
      [0, noise - 2 * other],
      [1, truth],
    ],
    count,
  ))
    if (steps * largest > epsilon) delta -= p * Math.expm1(epsilon - steps * largest);
  return delta;
}

/** δ of one step of a sampled Gaussian, record in and record out: H is homogeneous, so both are the Gaussian's at another ε. */
function oneStepDelta(noiseMultiplier: number, rate: number, epsilon: number): number {
  const remove = rate * gaussianDelta({ noiseMultiplier, epsilon: Math.log1p(Math.expm1(epsilon) / rate) });
  const kept = 1 - (1 - rate) * Math.exp(epsilon);
  const inner = Math.log((rate * Math.exp(epsilon)) / kept);
  return kept > 0
    ? Math.max(remove, kept * gaussianDelta({ noiseMultiplier, epsilon: Math.max(0, inner) }))
    : remove;
}

describe('the golden numbers', () => {
  test.each(EPSILON_CASES)('ε of $id: $epsilon', (golden) => {
    const { event, delta, epsilon } = golden;
    const relation = relationOf(golden);
    const found = epsilonInterval(event, { delta, relation });
    expect(faults(found, epsilon, { tolerance: 1.2e-8, width: width(epsilon) })).toEqual([]);
    // A Rényi bound is never the better one here.
    expect(found.upper).toBeLessThanOrEqual(epsilonOf(event, delta, undefined, relation) + 1e-9);
    expect(epsilonInterval(event, { delta, relation, ends: 'upper' }).lower).toBe(0);
  });

  test.each(DELTA_CASES)('δ of $id: $delta', (golden) => {
    const { event, epsilon, delta } = golden;
    const found = deltaInterval(event, { epsilon, relation: relationOf(golden) });
    expect(faults(found, delta, { tolerance: 1.2e-8, width: 1e-2 * delta })).toEqual([]);
  });

  const mechanisms = [
    'poisson-subsampled-gaussian',
    'composition',
    'laplace',
    'randomized-response',
    'delta-at-epsilon',
  ];
  const files = mechanisms.map((mechanism) => goldenCases('accounting-pld.json', mechanism));
  test.skipIf(!files[0])('every case of the file was copied (skipped without ../shared/golden)', () => {
    const known = new Map<string, number>([
      ...EPSILON_CASES.map(({ id, epsilon }): [string, number] => [id, epsilon]),
      ...DELTA_CASES.map(({ id, delta }): [string, number] => [id, delta]),
    ]);
    const cases = files.flatMap((file) => file ?? []);
    expect(cases.length).toBe(known.size);
    for (const { id, expected } of cases) {
      if (id === 'laplace-4') continue;
      expect(known.get(id), id).toBe(expected.epsilon ?? expected.delta);
    }
  });

  test('laplace-4 is not what the file says: the whole contour, with the atoms’ part', () => {
    // Σ over the frequencies u of E[e^(zL)]^100·e^(−zε)/(z(z + 1)), z = λ + iu; spaced by 0.2 it repeats δ every 2π/0.2, at e^(−31λ).
    const [b, count, lambda, spacing] = [0.1, 100, 5.43, 0.2];
    const contour = (epsilon: number, reach: number): number => {
      let sum = 0;
      for (let j = 0; j * spacing < reach; j++) {
        const u = j * spacing;
        const [co, si] = [Math.cos(u * b), Math.sin(u * b)];
        const top = Math.exp(lambda * b) / 2;
        const bottom = Math.exp(-b - lambda * b) / 2;
        const h = lambda + 0.5;
        const [grow, fall] = [Math.exp(h * b), Math.exp(-h * b)];
        const between = Math.exp(-b / 2) / 4 / (h * h + u * u);
        const [nr, ni] = [(grow - fall) * co, (grow + fall) * si];
        const re = (top + bottom) * co + between * (nr * h + ni * u);
        const im = (top - bottom) * si + between * (ni * h - nr * u);
        const size = Math.exp(count * Math.log(Math.hypot(re, im)) - lambda * epsilon);
        const angle = count * Math.atan2(im, re) - u * epsilon;
        const [kr, ki] = [lambda * (lambda + 1) - u * u, u * (2 * lambda + 1)];
        const term = (size * (Math.cos(angle) * kr + Math.sin(angle) * ki)) / (kr * kr + ki * ki);
        sum += j === 0 ? term / 2 : term;
      }
      return (sum * spacing) / Math.PI;
    };
    expect(contour(4.6926674146787, 2e4) / 1e-6).toBeCloseTo(1, 8);
    expect(contour(4.69265869981, 2e4) / 1e-6).toBeGreaterThan(1 + 4e-5);
  });

  test('positive control: a transform without tilt drowns δ = 10^-10 in rounding, and falls below the truth', () => {
    const golden = EPSILON_CASES.find(
      ({ id }) => id === 'poisson-gaussian-14',
    ) as (typeof EPSILON_CASES)[number];
    const pair = sampledRemovePair(gaussianPair(0.5), 1e-4);
    const answers = [2e-4, 2.5e-4, 3e-4, 3.5e-4].map((grid) =>
      untiltedEpsilon(pair, { grid, count: 500_000, delta: golden.delta }),
    );
    const caught = answers.map((epsilon) =>
      faults({ lower: epsilon, upper: epsilon }, golden.epsilon, { tolerance: 5e-3, width: 1 }),
    );
    // Rounding has no sign: pessimistic cells don't help.
    expect(caught.flat().some((fault) => fault.startsWith('upper end'))).toBe(true);
  });
});

/** As a textbook has it: the dominating law, one transform, a power, back. */
function untiltedEpsilon(
  pair: LossPair,
  { grid, count, delta }: { readonly grid: number; readonly count: number; readonly delta: number },
): number {
  const size = 2 ** 17;
  const [from, to, start] = [Math.floor(-4e-4 / grid), Math.ceil(12.5 / grid), Math.floor(-5 / grid)];
  const nodes = Float64Array.from({ length: to - from }, (_, i) => i + from);
  const { masses } = dominatingLaw(pair, { width: grid, offset: 0 }, nodes);
  const at = (k: number): number => ((k % size) + size) % size;
  const re = new Float64Array(size);
  const im = new Float64Array(size);
  nodes.forEach((k, i) => {
    re[at(k)] = masses[i] as number;
  });
  transform(re, im, -1);
  for (let j = 0; j < size; j++) {
    const modulus = Math.hypot(re[j] as number, im[j] as number) ** count / size;
    const angle = count * Math.atan2(im[j] as number, re[j] as number);
    re[j] = modulus * Math.cos(angle);
    im[j] = modulus * Math.sin(angle);
  }
  transform(re, im, 1);
  const deltaAt = (epsilon: number): number => {
    let sum = 0;
    for (let k = Math.ceil(epsilon / grid); k < start + size; k++)
      sum -= (re[at(k)] as number) * Math.expm1(epsilon - k * grid);
    return sum;
  };
  let [low, high] = [0, 30];
  while (high - low > 1e-6) {
    const middle = (low + high) / 2;
    if (deltaAt(middle) > delta) low = middle;
    else high = middle;
  }
  return high;
}

describe('against exact answers of another kind', () => {
  test('the Gaussian’s closed form, alone and composed', () => {
    for (const [noise, count, delta] of [
      [1, 1, 1e-5],
      [0.3, 7, 1e-9],
      [20, 1, 1e-3],
      [50, 12_345, 1e-12],
    ] as const) {
      const exact = gaussianEpsilon({ noiseMultiplier: noise / Math.sqrt(count), delta });
      const found = epsilonInterval(gaussian(noise, 1, count), { delta });
      expect(faults(found, exact, { tolerance: 1e-10, width: 1e-9 * exact + 1e-11 })).toEqual([]);
    }
  });

  test('a Gaussian that goes through the transform (beside randomized response that says nothing) has its closed form', () => {
    for (const [noise, delta] of [
      [1, 1e-5],
      [0.2, 1e-10],
      [30, 1e-3],
      [2, 1e-40],
    ] as const) {
      const event = composedEvent([gaussianEvent(2 * noise), response(1 - 1e-9, 2, 1)]);
      const exact = gaussianEpsilon({ noiseMultiplier: noise, delta });
      const found = epsilonInterval(event, { delta, relation: 'replace-one' });
      expect(faults(found, exact, { tolerance: 1e-8, width: width(exact) })).toEqual([]);
    }
  });

  test('one step of a sampled Gaussian, both directions', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.2, max: 5, noNaN: true }),
        fc.double({ min: -12, max: -0.01, noNaN: true }),
        fc.double({ min: 0, max: 6, noNaN: true }),
        (noise, logRate, epsilon) => {
          const rate = Math.exp(logRate);
          const exact = oneStepDelta(noise, rate, epsilon);
          const found = deltaInterval(gaussian(noise, rate, 1), { epsilon });
          // The closed form is itself rounded up, by 10^-11; the interval by 10^-13 of the tail.
          expect(found.upper).toBeGreaterThanOrEqual(exact * (1 - 1e-10));
          expect(found.lower).toBeLessThanOrEqual(exact * (1 + 1e-10));
          expect(found.upper - found.lower).toBeLessThanOrEqual(1e-9 * exact + 1e-12);
        },
      ),
      { numRuns: 200, seed: 3 },
    );
  });

  test.each([
    [0.5, 2, 8],
    [0.9, 2, 100],
    [0.25, 4, 5],
    [0.8, 10, 30],
    [0.99, 3, 400],
  ])(
    'randomized response %d over %d values, %d times, as a sum over its outcomes',
    (noise, buckets, count) => {
      const largest = count * Math.log1p((buckets * (1 - noise)) / noise);
      for (const part of [0, 0.05, 0.2, 0.5, 0.9, 0.999]) {
        const epsilon = part * largest;
        const exact = responseDelta(noise, buckets, count, epsilon);
        const found = deltaInterval(response(noise, buckets, count), { epsilon, relation: 'replace-one' });
        expect(faults(found, exact, { tolerance: 1e-11, width: 1e-8 * exact + 1e-60 })).toEqual([]);
      }
      expect(
        deltaInterval(response(noise, buckets, count), { epsilon: largest * 1.001, relation: 'replace-one' }),
      ).toEqual({
        lower: 0,
        upper: 0,
      });
    },
  );

  test('Laplace, once: δ = 1 − e^((ε − 1/b)/2)', () => {
    for (const [scale, epsilon] of [
      [1, 0.3],
      [4, 0.2],
      [0.1, 9.99],
      [1, 0],
    ] as const) {
      const exact = -Math.expm1((epsilon - 1 / scale) / 2);
      expect(
        faults(deltaInterval(laplace(scale, 1), { epsilon }), exact, { tolerance: 1e-12, width: 1e-12 }),
      ).toEqual([]);
    }
  });

  test('so deep that no sum of tails has digits: 40-digit contour integrals of 1,000 sampled Gaussians', () => {
    const event = gaussian(1, 0.01, 1000);
    // δ(29.5988) = 9.99286137833·10^-101, δ(80.016) = 9.98848919512·10^-281 (mpmath, ours).
    for (const [epsilon, delta] of [
      [29.5988, 9.99286137833e-101],
      [80.016, 9.98848919512e-281],
    ] as const) {
      expect(
        faults(epsilonInterval(event, { delta }), epsilon, { tolerance: 1e-10, width: width(epsilon) }),
      ).toEqual([]);
      const found = deltaInterval(event, { epsilon: 29.5988 });
      expect(faults(found, 9.99286137833e-101, { tolerance: 1e-9, width: 1e-102 })).toEqual([]);
    }
  });
});

describe('what must hold whatever the truth is', () => {
  const cases: readonly (readonly [PrivacyEvent, PrivacyEvent, string])[] = [
    [gaussian(1, 0.01, 400), gaussian(1, 0.01, 401), 'one step more'],
    [gaussian(1, 0.01, 400), gaussian(1, 0.0101, 400), 'a higher rate'],
    [gaussian(1.01, 0.01, 400), gaussian(1, 0.01, 400), 'less noise'],
    [gaussian(1, 0.5, 3), gaussian(1, 1, 3), 'no sampling'],
    [laplace(2.01, 20), laplace(2, 20), 'less Laplace noise'],
    [gaussian(1, 0.02, 50), composedEvent([gaussian(1, 0.02, 50), laplace(100, 1)]), 'another mechanism'],
  ];
  test.each(cases)('costs rise: %#, %3$s', (less, more) => {
    for (const delta of [1e-3, 1e-6, 1e-12]) {
      const [a, b] = [epsilonInterval(less, { delta }), epsilonInterval(more, { delta })];
      expect(a.lower).toBeLessThanOrEqual(b.upper);
      expect(a.upper).toBeLessThanOrEqual(b.upper + width(b.upper));
    }
  });

  test('ε falls with δ, and δ with ε', () => {
    const event = composedEvent([gaussian(0.8, 0.01, 200), laplace(5, 3)]);
    const epsilons = [1e-14, 1e-9, 1e-6, 1e-4, 1e-2, 0.3].map((delta) => epsilonInterval(event, { delta }));
    const deltas = [0, 0.2, 1, 2, 4, 8].map((epsilon) => deltaInterval(event, { epsilon }));
    for (const series of [epsilons, deltas])
      series.slice(1).forEach((interval, i) => {
        expect(interval.lower).toBeLessThanOrEqual((series[i] as PrivacyInterval).upper);
        expect(interval.upper).toBeLessThanOrEqual((series[i] as PrivacyInterval).upper);
      });
  });

  test('ε → δ → ε comes back to where it was', () => {
    for (const event of [gaussian(1, 0.01, 1000), laplace(3, 12), gaussian(0.4, 1e-3, 50)]) {
      for (const delta of [1e-4, 1e-8]) {
        const { lower, upper } = epsilonInterval(event, { delta });
        expect(deltaInterval(event, { epsilon: upper }).lower).toBeLessThanOrEqual(delta);
        expect(deltaInterval(event, { epsilon: lower }).upper).toBeGreaterThanOrEqual(delta);
      }
    }
  });

  test('composition is associative and has no order', () => {
    const [a, b, c] = [gaussian(1, 0.01, 300), laplace(4, 5), gaussian(3, 1, 2)] as const;
    const answers = [
      composedEvent([a, b, c]),
      composedEvent([composedEvent([a, b]), c]),
      composedEvent([a, composedEvent([b, c])]),
    ].map((event) => epsilonInterval(event, { delta: 1e-6 }));
    expect(answers[1]).toEqual(answers[0]);
    expect(answers[2]).toEqual(answers[0]);
    const turned = epsilonInterval(composedEvent([c, b, a]), { delta: 1e-6 });
    expect(turned.upper).toBeCloseTo((answers[0] as PrivacyInterval).upper, 3);
    const step = poissonSampledEvent(0.01, gaussianEvent(1));
    expect(epsilonInterval(selfComposedEvent(selfComposedEvent(step, 20), 15), { delta: 1e-6 })).toEqual(
      epsilonInterval(selfComposedEvent(step, 300), { delta: 1e-6 }),
    );
  });

  test('the curve falls, lies between its ends, and is what δ is at each ε', () => {
    for (const event of [gaussian(1, 0.01, 300), laplace(1, 4), gaussianEvent(2)]) {
      const curve = privacyCurve(event, { points: 12 });
      expect(curve).toHaveLength(12);
      expect(curve[0]?.epsilon).toBe(0);
      curve.forEach(({ epsilon, deltaLower, deltaUpper }, i) => {
        expect(deltaLower).toBeLessThanOrEqual(deltaUpper);
        const { lower, upper } = deltaInterval(event, { epsilon });
        expect(deltaLower).toBeLessThanOrEqual(upper);
        expect(deltaUpper).toBeGreaterThanOrEqual(lower);
        if (i > 0) expect(deltaUpper).toBeLessThanOrEqual(curve[i - 1]?.deltaUpper as number);
      });
      expect(curve.at(-1)?.deltaUpper).toBeLessThanOrEqual(1.05e-10);
    }
    expect(() => privacyCurve(gaussianEvent(1), { points: 1 })).toThrow(/at least 2 points/);
  });
});
