import { describe, expect, test } from 'vitest';
import {
  composedEvent,
  distributedDiscreteGaussianEvent,
  epsilonBounds,
  explain,
  gaussianEvent,
  laplaceEvent,
  localDpSgdEvent,
  nonPrivateEvent,
  type PrivacyEvent,
  parallelComposedEvent,
  parseEvent,
  poissonSampledEvent,
  randomizedResponseEvent,
  roundedDown,
  roundedUp,
  type StatementRequest,
  sampledWithoutReplacementEvent,
  selfComposedEvent,
  statement,
  workload,
} from '../../src/privacy/index.js';

const delta = 1e-6;

const sum = (fields: { contributors?: number; colluders?: number; numerator?: string } = {}): PrivacyEvent =>
  distributedDiscreteGaussianEvent({
    contributors: fields.contributors ?? 8,
    colluders: fields.colluders ?? 1,
    shareVariance: { numerator: fields.numerator ?? '6400', denominator: '7' },
    sensitivity: 16,
    dimension: 1000,
  });

/** The lines below a heading. */
function section(event: PrivacyEvent, heading: string, request: Partial<StatementRequest> = {}): string {
  const found = statement(event, { delta, ...request }).sections.find((one) => one.heading === heading);
  return found?.lines.join('\n') ?? '';
}

describe('figures in prose', () => {
  test('are rounded outwards, to as many digits as asked for', () => {
    expect(roundedUp(1.828001, 4)).toBe('1.829');
    expect(roundedDown(1.828999, 4)).toBe('1.828');
    expect(roundedUp(1.5, 4)).toBe('1.5');
    expect(roundedUp(9.99999)).toBe('10');
    expect(roundedDown(1.000001e-9)).toBe('1e-9');
    for (let i = 1; i < 400; i++) {
      const value = Math.exp(i / 8 - 25) * (1 + i / 1e5);
      for (const digits of [1, 3, 5]) {
        const up = Number(roundedUp(value, digits));
        const down = Number(roundedDown(value, digits));
        expect(up).toBeGreaterThanOrEqual(value);
        expect(down).toBeLessThanOrEqual(value);
        expect(up - down).toBeLessThanOrEqual(value * 1.001 * 10 ** (1 - digits));
      }
    }
  });

  test('the statement never says less than the accountant', () => {
    const event = selfComposedEvent(poissonSampledEvent(0.02, sum()), 100);
    const { epsilon } = epsilonBounds(event, { delta });
    const [, said] = /ε ≤ (\S+) at δ = 0\.000001\./.exec(section(event, 'Guarantee')) ?? [];
    expect(Number(said)).toBeGreaterThanOrEqual(epsilon.upper);
    expect(Number(said)).toBeLessThan(epsilon.upper * 1.0002);
  });
});

describe('what is claimed', () => {
  test('without a finite ε nothing is, and each part that it is due to is named', () => {
    const cases: readonly [PrivacyEvent, RegExp][] = [
      [composedEvent([gaussianEvent(2), nonPrivateEvent()]), /released without any protection/],
      [randomizedResponseEvent(0.5, 4), /under replace one, and under no other/],
      [sum({ colluders: 8 }), /no contributor is left whose noise could count/],
      [sum({ numerator: '7' }), /below 16 grid steps²/],
      [gaussianEvent(0), /kind gaussian without noise/],
    ];
    for (const [event, reason] of cases) {
      const { sections, epsilon } = statement(event, { delta });
      expect(epsilon.upper).toBe(Number.POSITIVE_INFINITY);
      expect(sections.map(({ heading }) => heading)).toEqual([
        'No guarantee',
        'Unit and neighbouring relation',
        'Mechanisms and noise',
      ]);
      expect(sections[0]?.lines.join(' ')).toMatch(reason);
    }
    // Control: the part that is in order is not blamed.
    expect(explain(composedEvent([gaussianEvent(2), nonPrivateEvent()]), { delta })).not.toMatch(
      /without noise/,
    );
  });

  test('against no more colluders than the least protected of several sums', () => {
    const event = composedEvent([sum({ colluders: 3 }), sum({ colluders: 1 })]);
    expect(section(event, 'Against whom')).toContain('up to 1 contributor who');
    expect(section(composedEvent([sum({ colluders: 3 }), sum({ colluders: 0 })]), 'Against whom')).toContain(
      'knows nobody’s noise',
    );
  });

  test('randomised response under replace one, with what it needs', () => {
    const text = explain(randomizedResponseEvent(0.5, 4), { delta, relation: 'replace-one' });
    // ε = log(1 + 4·(1 − ½)/½) = log 5, less what δ buys.
    expect(text).toMatch(/ε ≤ 1\.60/);
    expect(text).toContain('whoever collects the answers included');
    expect(text).toContain('Each record gives one answer');
    expect(text).not.toMatch(/Sensitivity|A sum/);
  });

  test('an ε that bounds nothing is not put as a promise', () => {
    expect(section(gaussianEvent(0.1), 'Guarantee')).toContain('should not be called private');
    expect(section(gaussianEvent(4), 'Guarantee')).not.toContain('should not be called private');
  });

  test('of a participant only what is true of one', () => {
    const participant = { delta, unit: 'participant' } as const;
    expect(() =>
      statement(localDpSgdEvent({ noiseMultiplier: 1, samplingRate: 0.1, steps: 9 }), participant),
    ).toThrow(/single records/);
    expect(() => statement(sum(), participant)).toThrow(/takes its noise along/);
    const text = explain(poissonSampledEvent(0.1, sum()), { ...participant, relation: 'zero-out' });
    expect(text).toContain('each participant with probability 0.1');
    expect(text).toContain('participants are sampled');
    expect(text).toContain('not drawn adds its share of the noise all the same');
    expect(text).not.toMatch(/each record/);
  });
});

describe('mechanisms in prose', () => {
  const said = (event: PrivacyEvent): string => section(event, 'Mechanisms and noise');

  test('equal ones are said once, and what was done together stays together', () => {
    const laplace = laplaceEvent(2);
    expect(said(composedEvent([laplace, gaussianEvent(3), composedEvent([laplace])]))).toBe(
      '- 2 times: Laplace noise, scale 2 × the L1 sensitivity\n- Gaussian noise, standard deviation 3 × the L2 sensitivity',
    );
    expect(said(selfComposedEvent(composedEvent([laplace]), 3))).toBe(
      '3 times: Laplace noise, scale 2 × the L1 sensitivity',
    );
    // Two answers about one set are not answers about two sets.
    const together = composedEvent([laplace, gaussianEvent(3)]);
    expect(said(parallelComposedEvent([together, laplace, laplace]))).toBe(
      [
        'on disjoint sets of records, each record in one of them:',
        '  - together:',
        '      - Laplace noise, scale 2 × the L1 sensitivity',
        '      - Gaussian noise, standard deviation 3 × the L2 sensitivity',
        '  - on each of 2 sets: Laplace noise, scale 2 × the L1 sensitivity',
      ].join('\n'),
    );
    expect(said(composedEvent([]))).toBe('nothing');
  });

  test('sampling says what kind, for each kind', () => {
    const event = composedEvent([
      sampledWithoutReplacementEvent(10, 2000, gaussianEvent(4)),
      parseEvent({
        version: 1,
        kind: 'random-allocation',
        selections: 1,
        steps: 50,
        event: gaussianEvent(4),
      }),
    ]);
    expect(said(event)).toContain('on 10 records drawn without replacement from 2,000:');
    expect(said(event)).toContain('50 steps, each record in 1 of them, drawn evenly; one step:');
    const sampling = section(event, 'Sampling');
    expect(sampling).toContain('Without replacement');
    expect(sampling).toContain('and there are never fewer');
    expect(sampling).toContain('Random allocation');
    expect(sampling).not.toContain('Poisson');
  });
});

describe('the work that an event makes', () => {
  test('counts every release, and each mechanism once', () => {
    const inner = selfComposedEvent(gaussianEvent(4), 1000);
    expect(workload(poissonSampledEvent(0.1, inner))).toEqual({ distinct: 1, releases: 1000 });
    const allocated = parseEvent({
      version: 1,
      kind: 'random-allocation',
      selections: 1,
      steps: 50,
      event: inner,
    });
    expect(workload(composedEvent([allocated, allocated, inner]))).toEqual({
      distinct: 2,
      releases: 101_000,
    });
  });
});
