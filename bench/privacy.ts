import { compositionsOf } from '../src/privacy/accountants/pld/components.js';
import { termsOf, wantedWidth } from '../src/privacy/accountants/pld/epsilonInterval.js';
import { transform } from '../src/privacy/accountants/pld/fourier.js';
import { gridFor, sketches, tiltAtDelta } from '../src/privacy/accountants/pld/plan.js';
import {
  composedEvent,
  deltaInterval,
  epsilonInterval,
  epsilonOf,
  noiseFor,
  type PrivacyEvent,
  stepsFor,
} from '../src/privacy/index.js';
import {
  DELTA_CASES,
  EPSILON_CASES,
  type EpsilonCase,
  gaussian,
  relationOf,
} from '../test/privacy/pldVectors.js';

const RUNS = 5;

/**
 * CPU time (all threads, so that collecting garbage counts) of the accountants on one core, in ms: every golden case, then the worst
 * of each sort. Beside a privacy loss distribution its floor, measured in turn with it: the bare Fourier transforms, one a
 * mechanism and one back, of the size that its grid has for one direction.
 */
export async function* benchPrivacy(): AsyncIterable<object> {
  const worst = new Map<string, number>();
  const measured = (bench: string, what: object, ways: Readonly<Record<string, () => unknown>>): object => {
    const times = medians(ways);
    worst.set(bench, Math.max(worst.get(bench) ?? 0, Object.values(times)[0] as number));
    return { bench, ...what, runs: RUNS, ...times };
  };
  for (const golden of EPSILON_CASES) {
    const { id, event, delta, epsilon } = golden;
    const relation = relationOf(golden);
    const { lower, upper } = epsilonInterval(event, { delta, relation });
    const { size, transforms } = gridOf(golden);
    const found = {
      epsilon,
      below: round(epsilon - lower),
      above: round(upper - epsilon),
      width: round(upper - lower),
    };
    yield measured(
      'pld',
      { id, ...found, size, unit: 'ms' },
      {
        epsilonInterval: () => epsilonInterval(event, { delta, relation }),
        transformsAlone: bare(size, transforms),
      },
    );
  }
  for (const golden of DELTA_CASES) {
    const { id, event, epsilon } = golden;
    const relation = relationOf(golden);
    const { lower, upper } = deltaInterval(event, { epsilon, relation });
    yield measured(
      'pld delta',
      { id, delta: golden.delta, width: round((upper - lower) / golden.delta), unit: 'ms' },
      { deltaInterval: () => deltaInterval(event, { epsilon, relation }) },
    );
  }
  for (const [event, delta] of RENYI_CASES)
    yield measured(
      'rdp',
      { epsilon: epsilonOf(event, delta), unit: 'ms' },
      { epsilonOf: () => epsilonOf(event, delta) },
    );
  for (const target of NOISE_TARGETS)
    yield measured(
      'noise for',
      { ...target, noise: noiseFor(target), unit: 'ms' },
      { noiseFor: () => noiseFor(target) },
    );
  for (const target of STEPS_TARGETS)
    yield measured(
      'steps for',
      { ...target, steps: stepsFor(target), unit: 'ms' },
      { stepsFor: () => stepsFor(target) },
    );
  yield { bench: 'privacy, worst of each', unit: 'ms', ...Object.fromEntries(worst) };
}

/** Medians over RUNS after two to warm up, the ways taken in turn. */
function medians(ways: Readonly<Record<string, () => unknown>>): Record<string, number> {
  const times = new Map(Object.keys(ways).map((way) => [way, [] as number[]]));
  for (let run = -2; run < RUNS; run++)
    for (const [way, act] of Object.entries(ways)) {
      const before = process.cpuUsage();
      act();
      const { user, system } = process.cpuUsage(before);
      if (run >= 0) times.get(way)!.push((user + system) / 1000);
    }
  return Object.fromEntries(
    [...times].map(([way, values]) => [way, round(values.sort((a, b) => a - b)[RUNS >> 1]!)]),
  );
}

/** The size of the transforms for "the record is in", 1 where a closed form needs none. */
function gridOf(golden: EpsilonCase): { size: number; transforms: number } {
  const [composition] = compositionsOf(golden.event, relationOf(golden));
  const terms = composition ? termsOf(composition, 'remove') : [];
  if (terms.length === 0 || (terms.length === 1 && terms[0]?.count === 1)) return { size: 1, transforms: 0 };
  const logDelta = Math.log(golden.delta);
  const parts = sketches(terms, logDelta);
  const { tilt, epsilon } = tiltAtDelta(parts, logDelta);
  const { size } = gridFor(terms, {
    tilt,
    epsilon,
    logDelta,
    width: wantedWidth({}, epsilon),
    sketches: parts,
  });
  return { size, transforms: terms.length + 1 };
}

function bare(size: number, transforms: number): () => void {
  const re = new Float64Array(size);
  const im = new Float64Array(size);
  return () => {
    re.fill(0);
    im.fill(0);
    re[1 % size] = 1;
    for (let i = 0; i < transforms; i++) transform(re, im, i % 2 ? 1 : -1);
  };
}

const round = (value: number): number => Number(value.toPrecision(3));

const RENYI_CASES: readonly (readonly [PrivacyEvent, number])[] = [
  [gaussian(1, 0.01, 1000), 1e-5],
  [gaussian(1.5, 0.04, 2250), 1e-5],
  [gaussian(0.8, 0.001, 100), 1e-6],
  [gaussian(2, 0.01, 100_000), 1e-8],
  [gaussian(1, 1, 1), 1e-5],
  [gaussian(5, 1, 100), 1e-12],
  [composedEvent([gaussian(1, 0.01, 500), gaussian(1.5, 0.02, 1000), gaussian(2, 0.005, 2000)]), 1e-6],
  [gaussian(20, 0.001, 500_000), 1e-10],
  [gaussian(0.5, 1e-4, 10_000), 1e-7],
];

const NOISE_TARGETS = [
  { epsilon: 3, delta: 1e-5, samplingRate: 0.01, steps: 1000 },
  { epsilon: 8, delta: 1e-5, samplingRate: 0.04, steps: 2250 },
  { epsilon: 1, delta: 1e-6, samplingRate: 0.001, steps: 10_000 },
  { epsilon: 2, delta: 1e-5, samplingRate: 0.004266666666666667, steps: 14_063 },
  { epsilon: 1, delta: 1e-5, samplingRate: 0.05, steps: 100 },
  { epsilon: 0.5, delta: 1e-8, samplingRate: 0.02, steps: 500 },
  { epsilon: 10, delta: 1e-6, samplingRate: 0.2, steps: 100 },
  { epsilon: 1, delta: 1e-5, samplingRate: 1, steps: 50 },
  { epsilon: 4, delta: 1e-10, samplingRate: 0.001, steps: 200_000 },
] as const;

const STEPS_TARGETS = [
  { epsilon: 10, delta: 1e-5, noiseMultiplier: 2, samplingRate: 0.008533333333333334 },
  { epsilon: 2, delta: 1e-5, noiseMultiplier: 1, samplingRate: 0.01 },
  { epsilon: 1, delta: 1e-6, noiseMultiplier: 4, samplingRate: 0.02 },
] as const;
