import { describe, expect, test } from 'vitest';
import { canonicalJson } from '../../src/crypto/canonical.js';
import {
  composedEvent,
  discreteGaussianEvent,
  distributedDiscreteGaussianEvent,
  epsilonOf,
  gaussianEvent,
  laplaceEvent,
  localDpSgdEvent,
  MAX_EVENT_DEPTH,
  nonPrivateEvent,
  PrivacyError,
  type PrivacyEvent,
  parallelComposedEvent,
  parseEvent,
  poissonSampledEvent,
  randomAllocationEvent,
  randomizedResponseEvent,
  rdp,
  STANDARD_ORDERS,
  sampledWithoutReplacementEvent,
  selfComposedEvent,
  zcdp,
} from '../../src/privacy/index.js';

const ddg = distributedDiscreteGaussianEvent({
  contributors: 8,
  colluders: 1,
  shareVariance: { numerator: '12345', denominator: '7' },
  sensitivity: 100.5,
  dimension: 1000,
});

const discrete = discreteGaussianEvent({
  variance: { numerator: '81', denominator: '2' },
  sensitivity: 3,
  dimension: 10,
});

const everyKind: PrivacyEvent[] = [
  gaussianEvent(1.5),
  laplaceEvent(0.5),
  discrete,
  randomizedResponseEvent(0.25, 4),
  localDpSgdEvent({ noiseMultiplier: 1.1, samplingRate: 0.01, steps: 500 }),
  sampledWithoutReplacementEvent(32, 1000, gaussianEvent(2)),
  randomAllocationEvent(2, 100, ddg),
  parallelComposedEvent([gaussianEvent(1), laplaceEvent(1)]),
  ddg,
  poissonSampledEvent(0.01, ddg),
  selfComposedEvent(poissonSampledEvent(0.01, gaussianEvent(2)), 1000),
  composedEvent([gaussianEvent(3), selfComposedEvent(ddg, 0)]),
  nonPrivateEvent(),
];

const malformed: [string, unknown][] = [
  ['null', null],
  ['text', 'gaussian'],
  ['a kind of tomorrow', { version: 1, kind: 'shuffled', batches: 100, event: gaussianEvent(1) }],
  ['Laplace with a foreign field', { version: 1, kind: 'laplace', scale: 1 }],
  [
    'a sample above the population',
    {
      version: 1,
      kind: 'sampled-without-replacement',
      sampleSize: 3,
      populationSize: 2,
      event: gaussianEvent(1),
    },
  ],
  [
    'more selections than steps',
    { version: 1, kind: 'random-allocation', selections: 3, steps: 2, event: gaussianEvent(1) },
  ],
  ['one bucket', { version: 1, kind: 'randomized-response', noiseParameter: 0.5, buckets: 1 }],
  ['a probability above 1', { version: 1, kind: 'randomized-response', noiseParameter: 1.5, buckets: 2 }],
  ['no steps', { version: 1, kind: 'local-dp-sgd', noiseMultiplier: 1, samplingRate: 0.5, steps: 0 }],
  ['a float variance', { ...discrete, variance: 40.5 }],
  ['a version of tomorrow', { version: 2, kind: 'gaussian', noiseMultiplier: 1 }],
  ['no version', { kind: 'gaussian', noiseMultiplier: 1 }],
  ['a field too many', { version: 1, kind: 'gaussian', noiseMultiplier: 1, note: '' }],
  ['negative noise', { version: 1, kind: 'gaussian', noiseMultiplier: -1 }],
  ['noise that is NaN', { version: 1, kind: 'gaussian', noiseMultiplier: Number.NaN }],
  ['infinite noise', { version: 1, kind: 'gaussian', noiseMultiplier: Number.POSITIVE_INFINITY }],
  ['rate 0', { version: 1, kind: 'poisson-sampled', samplingRate: 0, event: gaussianEvent(1) }],
  ['rate above 1', { version: 1, kind: 'poisson-sampled', samplingRate: 1.1, event: gaussianEvent(1) }],
  ['a negative count', { version: 1, kind: 'self-composed', count: -1, event: gaussianEvent(1) }],
  ['half a count', { version: 1, kind: 'self-composed', count: 0.5, event: gaussianEvent(1) }],
  [
    'an unknown child',
    { version: 1, kind: 'composed', events: [gaussianEvent(1), { version: 1, kind: 'x' }] },
  ],
  ['a negative variance', { ...ddg, shareVariance: { numerator: '-1', denominator: '1' } }],
  ['a denominator of 0', { ...ddg, shareVariance: { numerator: '1', denominator: '0' } }],
  ['a variance in floats', { ...ddg, shareVariance: 16.5 }],
  ['half a contributor', { ...ddg, contributors: 1.5 }],
  ['negative colluders', { ...ddg, colluders: -1 }],
  ['sensitivity 0', { ...ddg, sensitivity: 0 }],
  ['no dimension', { ...ddg, dimension: 0 }],
];

describe('privacy events', () => {
  test.each(everyKind.map((event) => [event.kind, event] as const))(
    '%s survives canonical JSON',
    (_, event) => {
      const again = parseEvent(JSON.parse(canonicalJson(event)));
      expect(again).toEqual(event);
      expect(canonicalJson(again)).toBe(canonicalJson(event));
    },
  );

  test('are frozen, and apart from what they were parsed from', () => {
    const source = { version: 1, kind: 'gaussian', noiseMultiplier: 1 };
    const event = parseEvent(source);
    source.noiseMultiplier = 100;
    expect(event).toMatchObject({ noiseMultiplier: 1 });
    for (const one of everyKind) expect(Object.isFrozen(parseEvent(one))).toBe(true);
  });

  test.each(malformed)('%s is refused by parseEvent', (_, json) => {
    expect(() => parseEvent(json)).toThrow(PrivacyError);
    expect(() => parseEvent(json)).toThrow(expect.objectContaining({ code: 'event-malformed' }));
  });

  test.each(malformed)('hazard P25: %s costs ε = ∞, alone and among good events', (_, json) => {
    const event = json as PrivacyEvent;
    const hidden = { version: 1, kind: 'composed', events: [gaussianEvent(5), event] } as PrivacyEvent;
    for (const one of [event, hidden]) {
      expect([...rdp(one)]).toEqual(STANDARD_ORDERS.map(() => Number.POSITIVE_INFINITY));
      expect(zcdp(one)).toBe(Number.POSITIVE_INFINITY);
      expect(epsilonOf(one, 1e-6)).toBe(Number.POSITIVE_INFINITY);
    }
    // Control: without it the rest is finite.
    expect(epsilonOf(composedEvent([gaussianEvent(5)]), 1e-6)).toBeLessThan(2);
  });

  test.each([
    [
      'Gaussian noise by its standard deviation alone',
      { version: 1, kind: 'gaussian', standardDeviation: 5 },
    ],
    [
      'discrete noise without a sensitivity',
      {
        version: 1,
        kind: 'discrete-gaussian',
        variance: discrete.kind === 'discrete-gaussian' ? discrete.variance : null,
        dimension: 10,
      },
    ],
    ['distributed noise of sensitivity ∞', { ...ddg, sensitivity: Number.POSITIVE_INFINITY }],
    ['noise of sensitivity NaN', { ...discrete, sensitivity: Number.NaN }],
  ])('hazard P18: %s is not an event, and costs ε = ∞', (_, json) => {
    expect(() => parseEvent(json)).toThrow(expect.objectContaining({ code: 'event-malformed' }));
    expect(epsilonOf(json as PrivacyEvent, 1e-6)).toBe(Number.POSITIVE_INFINITY);
    // Control: the same noise with its sensitivity is one.
    expect(epsilonOf(discrete, 1e-6)).toBeLessThan(10);
  });

  test('nesting is bounded: hostile depth is refused, not a stack overflow', () => {
    let deep: unknown = gaussianEvent(1);
    for (let i = 0; i < 100_000; i++) deep = { version: 1, kind: 'composed', events: [deep] };
    expect(() => parseEvent(deep)).toThrow(expect.objectContaining({ code: 'event-malformed' }));
    expect(epsilonOf(deep as PrivacyEvent, 1e-6)).toBe(Number.POSITIVE_INFINITY);
    let allowed = gaussianEvent(5);
    for (let i = 0; i < MAX_EVENT_DEPTH; i++) allowed = composedEvent([allowed]);
    expect(epsilonOf(allowed, 1e-6)).toBeLessThan(2);
  });
});
