import { describe, expect, test } from 'vitest';
import { isGrid } from '../../src/privacy/encoding.js';
import {
  checkQuery,
  type EncodingRequest,
  eventOf,
  integerSensitivity,
  type PrivacyError,
  planEncoding,
  QueryRefused,
  rdp,
  type SumQuery,
} from '../../src/privacy/index.js';
import { cohort, sumQuery } from './support.js';

const request: EncodingRequest = {
  dimension: 10_000,
  l2Sensitivity: 1,
  noiseMultiplier: 1.1,
  maxCoordinate: 50,
  cohort,
  members: 8,
  rounding: 'nearest',
};

function refusal(run: () => unknown): PrivacyError {
  try {
    run();
  } catch (error) {
    return error as PrivacyError;
  }
  throw new Error('it was not refused');
}

function planned(overrides: Partial<EncodingRequest> = {}): SumQuery {
  const full = { ...request, ...overrides };
  return sumQuery({
    dimension: full.dimension,
    l2Sensitivity: full.l2Sensitivity,
    encoding: planEncoding(full),
  });
}

/** The grid that a request without one gets: planned with a maxCoordinate that always fits. */
const gridOf = (asked: EncodingRequest): number => planEncoding({ ...asked, maxCoordinate: 1e-9 }).grid;

const effective = (query: SumQuery, contributors: number, colluders: number): number => {
  const { numerator, denominator } = query.encoding.shareVariance;
  const share = Number(numerator) / Number(denominator);
  return Math.sqrt((contributors - colluders) * share - 4) / integerSensitivity(query);
};

describe('planEncoding', () => {
  test.each([
    {},
    { dimension: 1, l2Sensitivity: 1e-6, noiseMultiplier: 0.5, maxCoordinate: 1e-3 },
    { dimension: 2 ** 20, noiseMultiplier: 4, maxCoordinate: 10 },
    {
      rounding: 'exact' as const,
      dimension: 100,
      l2Sensitivity: 1.7,
      noiseMultiplier: 30,
      maxCoordinate: 10_000,
    },
    {
      rounding: 'exact' as const,
      dimension: 100,
      l2Sensitivity: 1,
      noiseMultiplier: 0.4,
      maxCoordinate: 10_000,
    },
    { cohort: { minSurvivors: 40, maxColluders: 10 }, members: 50 },
  ])('%j: the noise that counts is what was asked for, hardly more; the client accepts it', (overrides) => {
    const full = { ...request, ...overrides };
    const query = planned(overrides);
    const { grid, modulusBits } = query.encoding;
    expect(isGrid(grid)).toBe(true);
    const multiplier = effective(query, full.cohort.minSurvivors, full.cohort.maxColluders);
    expect(multiplier).toBeGreaterThanOrEqual(full.noiseMultiplier);
    expect(multiplier).toBeLessThan(full.noiseMultiplier * 1.001);
    expect(modulusBits).toBeLessThanOrEqual(32);
    expect(integerSensitivity(query) * grid).toBeLessThanOrEqual(full.l2Sensitivity * 1.0100001);
    expect(checkQuery(query, full.cohort, full.members)).toEqual(query);
  });

  test('the event at minSurvivors costs no more than a Gaussian of the multiplier asked for', () => {
    const query = planned();
    const actual = rdp(eventOf(query, cohort.minSurvivors, cohort), [8]);
    const asked = rdp({ version: 1, kind: 'gaussian', noiseMultiplier: 1.1 }, [8]);
    expect(actual[0] as number).toBeLessThanOrEqual((asked[0] as number) * (1 + 1e-9));
  });

  test('integers need no finer grid than 1, unless the noise is small', () => {
    const counts = { rounding: 'exact' as const, dimension: 50, maxCoordinate: 1000 };
    expect(planEncoding({ ...request, ...counts, noiseMultiplier: 40 }).grid).toBe(1);
    const fine = planEncoding({ ...request, ...counts, noiseMultiplier: 1 });
    expect(fine.grid).toBeLessThan(1);
    expect(integerSensitivity(sumQuery({ dimension: 50, encoding: fine }))).toBeCloseTo(1 / fine.grid, 6);
  });

  test('the ring holds every clamped sum and its noise at 2^-40, and one bit less would not', () => {
    const query = planned();
    const { maxCoordinate, modulusBits, shareVariance } = query.encoding;
    const variance = Number(shareVariance.numerator) / Number(shareVariance.denominator);
    const reach = (x: number): number => 2 * query.dimension * Math.exp((-x * x) / (2 * 8 * variance));
    const margin = (bits: number): number => 2 ** (bits - 1) - 1 - 8 * maxCoordinate;
    expect(reach(margin(modulusBits))).toBeLessThanOrEqual(2 ** -40);
    expect(margin(modulusBits - 1) < 0 || reach(margin(modulusBits - 1)) > 2 ** -40).toBe(true);
  });

  test('hazard P12: a grid that inflates the sensitivity by more than 1 % is refused, with the one that would do', () => {
    const error = refusal(() => planEncoding({ ...request, dimension: 2 ** 20, grid: 0.25 }));
    expect(error.code).toBe('encoding-refused');
    expect(error.details.inflation).toBeCloseTo(256, 6);
    const grid = error.details.grid as number;
    const good = planEncoding({ ...request, dimension: 2 ** 20, grid });
    expect((Math.sqrt(2 ** 20) * good.grid) / 1).toBeLessThanOrEqual(0.01);
    // Control: twice that grid is over.
    expect(refusal(() => planEncoding({ ...request, dimension: 2 ** 20, grid: 2 * grid })).code).toBe(
      'encoding-refused',
    );
  });

  const tooLarge: [string, Partial<EncodingRequest>, string[]][] = [
    ['a huge maxCoordinate', { maxCoordinate: 1e9 }, ['maxCoordinate']],
    ['a maxCoordinate a little too large', { maxCoordinate: 20_000 }, ['maxCoordinate', 'members']],
    ['a grid finer than needed', { maxCoordinate: 500, grid: 2 ** -24 }, ['maxCoordinate', 'grid']],
    ['many members', { members: 2000, maxCoordinate: 100 }, ['maxCoordinate', 'members', 'dimension']],
    ['overwhelming noise', { noiseMultiplier: 1e9, grid: 2 ** -14 }, ['noiseMultiplier']],
    [
      'a long vector',
      { dimension: 2 ** 24, maxCoordinate: 3000, noiseMultiplier: 4 },
      ['maxCoordinate', 'dimension'],
    ],
  ];
  test.each(tooLarge)(
    'hazard P12: %s: the refusal names what to turn, and how far',
    (_, overrides, named) => {
      const asked = { ...request, ...overrides };
      const error = refusal(() => planEncoding(asked));
      expect(error.code).toBe('encoding-refused');
      const { modulusBits, ...knobs } = error.details as Record<string, number>;
      expect(modulusBits).toBeGreaterThan(32);
      expect(Object.keys(knobs)).toEqual(expect.arrayContaining(named));
      const query = sumQuery({ dimension: asked.dimension });
      const grid = asked.grid ?? gridOf(asked);
      for (const [knob, value] of Object.entries(knobs)) {
        expect(error.message).toContain(String(value));
        // maxCoordinate and noise are named for the grid as it is; fewer dimensions choose theirs anew.
        const at = knob === 'dimension' || knob === 'grid' ? asked : { ...asked, grid };
        const turned = planEncoding({ ...at, [knob]: value });
        expect(turned.modulusBits).toBe(32);
        const accepted = { ...query, dimension: knob === 'dimension' ? value : asked.dimension };
        const members = knob === 'members' ? value : asked.members;
        expect(checkQuery({ ...accepted, encoding: turned }, asked.cohort, members).encoding).toEqual(turned);
        // One notch short of it is refused still.
        const notch = { maxCoordinate: grid, members: 1, dimension: 1, noiseMultiplier: value / 50, grid: 0 }[
          knob
        ] as number;
        const short = knob === 'grid' ? value / 2 : value + notch;
        expect(refusal(() => planEncoding({ ...at, [knob]: short })).details.modulusBits).toBe(33);
      }
    },
  );

  test('where no knob fits the ring alone, the refusal says so', () => {
    const error = refusal(() => planEncoding({ ...request, noiseMultiplier: 1e9, maxCoordinate: 1e12 }));
    expect(Object.keys(error.details)).toEqual(['modulusBits']);
    expect(error.message).toContain('no knob fits it alone');
  });

  test('shares below 16 grid steps² are refused, with the grid that would do', () => {
    const counts = { ...request, rounding: 'exact' as const, dimension: 10, noiseMultiplier: 2 };
    const error = refusal(() => planEncoding({ ...counts, grid: 1 }));
    expect(error.code).toBe('encoding-refused');
    expect(planEncoding({ ...counts, grid: error.details.grid as number }).grid).toBe(error.details.grid);
  });

  test.each([
    [{ grid: 0.3 }, 'encoding-refused'],
    [{ grid: 2 ** -61 }, 'encoding-refused'],
    [{ dimension: 0 }, 'argument-invalid'],
    [{ dimension: 1.5 }, 'argument-invalid'],
    [{ l2Sensitivity: 0 }, 'argument-invalid'],
    [{ l2Sensitivity: Number.NaN }, 'argument-invalid'],
    [{ noiseMultiplier: -1 }, 'argument-invalid'],
    [{ maxCoordinate: Number.POSITIVE_INFINITY }, 'argument-invalid'],
    [{ cohort: { minSurvivors: 2, maxColluders: 1 } }, 'argument-invalid'],
    [{ cohort: { minSurvivors: 5, maxColluders: 0 } }, 'argument-invalid'],
    [{ members: 4 }, 'argument-invalid'],
  ])('%j is refused as %s', (overrides, code) => {
    expect(refusal(() => planEncoding({ ...request, ...overrides })).code).toBe(code);
  });

  test('grids are powers of two from 2^-60 to 2^60', () => {
    for (let e = -60; e <= 60; e++) expect(isGrid(2 ** e)).toBe(true);
    for (const grid of [
      0,
      -1,
      3,
      1.0000000000000002,
      2 ** 61,
      2 ** -61,
      Number.NaN,
      Number.POSITIVE_INFINITY,
    ])
      expect(isGrid(grid)).toBe(false);
  });
});

describe('eventOf', () => {
  test('carries the survivors, the colluders, the share and the rounded sensitivity', () => {
    const query = sumQuery();
    expect(eventOf(query, 7, cohort)).toEqual({
      version: 1,
      kind: 'distributed-discrete-gaussian',
      contributors: 7,
      colluders: 1,
      shareVariance: { numerator: '1000000', denominator: '1' },
      sensitivity: integerSensitivity(query),
      dimension: 4,
    });
    expect(integerSensitivity(query)).toBeGreaterThanOrEqual(1026);
    expect(integerSensitivity(query)).toBeCloseTo(1026, 9);
    expect(integerSensitivity(sumQuery({ encoding: { rounding: 'exact' } }))).toBeCloseTo(1024, 9);
  });

  test('a sampled query is a sampled event', () => {
    expect(eventOf(sumQuery({ samplingRate: 0.25 }), 7, cohort)).toMatchObject({
      kind: 'poisson-sampled',
      samplingRate: 0.25,
    });
  });
});

describe('checkQuery: what a client refuses', () => {
  const good = planned();
  const broken: [string, string, unknown][] = [
    ['no object', 'query-malformed', null],
    ['an unknown version', 'query-malformed', { ...good, version: 2 }],
    ['an unknown field', 'query-malformed', { ...good, hint: 1 }],
    ['an unknown encoding field', 'query-malformed', { ...good, encoding: { ...good.encoding, hint: 1 } }],
    ['dimension 0', 'query-malformed', { ...good, dimension: 0 }],
    ['a huge dimension', 'query-malformed', { ...good, dimension: 2 ** 27 }],
    ['rate 0', 'query-malformed', { ...good, samplingRate: 0 }],
    ['rate 1.5', 'query-malformed', { ...good, samplingRate: 1.5 }],
    ['sensitivity NaN', 'query-malformed', { ...good, l2Sensitivity: Number.NaN }],
    ['no sensitivity', 'query-malformed', { ...good, l2Sensitivity: 0 }],
    ['a ring of 7 bits', 'query-malformed', { ...good, encoding: { ...good.encoding, modulusBits: 7 } }],
    ['a ring of 33 bits', 'query-malformed', { ...good, encoding: { ...good.encoding, modulusBits: 33 } }],
    [
      'half a maxCoordinate',
      'query-malformed',
      { ...good, encoding: { ...good.encoding, maxCoordinate: 0.5 } },
    ],
    [
      'stochastic rounding',
      'query-malformed',
      { ...good, encoding: { ...good.encoding, rounding: 'stochastic' } },
    ],
    [
      'a negative variance',
      'query-malformed',
      { ...good, encoding: { ...good.encoding, shareVariance: { numerator: '-5', denominator: '1' } } },
    ],
    [
      'a model without digest',
      'query-malformed',
      { ...good, models: [{ name: 'critic', digest: 'abc', bytes: 1 }] },
    ],
    ['a grid of 0.3', 'grid-not-a-power-of-two', { ...good, encoding: { ...good.encoding, grid: 0.3 } }],
    [
      'a coarse grid',
      'grid-inflates-sensitivity',
      { ...good, encoding: { ...good.encoding, grid: good.encoding.grid * 2 ** 8 } },
    ],
    [
      'a share under the floor',
      'share-variance-below-floor',
      { ...good, encoding: { ...good.encoding, shareVariance: { numerator: '159', denominator: '10' } } },
    ],
    [
      'a ring one bit short',
      'modulus-too-small',
      { ...good, encoding: { ...good.encoding, modulusBits: good.encoding.modulusBits - 1 } },
    ],
  ];

  test('the good query passes', () => {
    expect(checkQuery(structuredClone(good), cohort, 8)).toEqual(good);
  });

  test.each(broken)('hazard P12: %s: %s', (_, code, query) => {
    expect(() => checkQuery(query, cohort, 8)).toThrow(QueryRefused);
    expect(() => checkQuery(query, cohort, 8)).toThrow(expect.objectContaining({ code }));
  });

  test('parameters of hostile depth are refused like any other malformed query', () => {
    let parameters: unknown = 1;
    for (let i = 0; i < 100_000; i++) parameters = [parameters];
    expect(() => checkQuery({ ...good, parameters }, cohort, 8)).toThrow(
      expect.objectContaining({ code: 'query-malformed' }),
    );
  });

  test('hazard S25: a cohort that could open one member alone is refused', () => {
    for (const floor of [
      { minSurvivors: 2, maxColluders: 1 },
      { minSurvivors: 5, maxColluders: 4 },
      { minSurvivors: 5, maxColluders: 0 },
      { minSurvivors: 9, maxColluders: 1 },
    ]) {
      expect(() => checkQuery(good, floor, 8)).toThrow(
        expect.objectContaining({ code: 'cohort-below-floor' }),
      );
    }
  });
});
