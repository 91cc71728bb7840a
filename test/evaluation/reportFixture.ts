import { type Evaluation, evaluate } from '../../src/evaluation/evaluate.js';
import type { ReportData, ReportLedgerEntry, ReportRound } from '../../src/evaluation/report/reportData.js';
import { seededRng, uniforms } from '../../src/synthesis/randomness.js';
import type { Row } from '../../src/synthesis/synthesizer.js';
import { parseTableSchema } from '../../src/synthesis/table/schema.js';

export const SEED = new TextEncoder().encode('report fixture');

/** Rows that are part copies and part column-wise shuffles of `rows`: between perfect and independent. */
export function blurredRows(rows: readonly Row[], count: number, blur: number): Row[] {
  const draws = uniforms(seededRng(SEED, 'blurred rows'), count * 40);
  let next = 0;
  const pick = (): Row => rows[Math.floor(draws[next++ % draws.length]! * rows.length)]!;
  return Array.from({ length: count }, () => {
    const row: Record<string, string | number | boolean | null> = { ...pick() };
    for (const name of Object.keys(row)) {
      if (draws[next++ % draws.length]! < blur) row[name] = pick()[name] ?? null;
    }
    return row;
  });
}

const SCHEMA = {
  fields: [
    {
      name: 'size',
      title: 'Wildlife size',
      type: 'string',
      constraints: { required: true, enum: ['Small', 'Large'] },
    },
    {
      name: 'speed',
      type: 'integer',
      constraints: { minimum: 0, maximum: 300 },
      'chorale:bins': [0, 100, 200, 300],
    },
    { name: 'night', type: 'boolean', constraints: { required: true } },
  ],
};

/** A small evaluation, computed and not made up; `rename` gives its first column and category other names. */
export function smallEvaluation(hostile?: string): Promise<Evaluation> {
  const [size, ...others] = SCHEMA.fields;
  const first = hostile === undefined ? 'size' : hostile;
  const small = hostile === undefined ? 'Small' : hostile;
  const schema = parseTableSchema({
    fields: [
      { ...size, name: first, title: first, constraints: { required: true, enum: [small, 'Large'] } },
      ...others,
    ],
  });
  const rows: Row[] = Array.from({ length: 200 }, (_, i) => ({
    [first]: i % 3 === 0 ? 'Large' : small,
    speed: i % 7 === 0 ? null : (i * 37) % 301,
    night: i % 3 === 0 || i % 5 === 0,
  }));
  const [real, holdOut] = [rows.slice(0, 160), rows.slice(160)];
  return evaluate({ schema, real, holdOut, synthetic: blurredRows(real, 150, 0.4), seed: SEED });
}

export interface RunShape {
  readonly members: number;
  readonly rounds: number;
  /** 1-based round in which the third member vanishes for good. */
  readonly dropAt?: number;
  /** 1-based round that aborts. */
  readonly abortAt?: number;
}

/** A report on a made-up run over a real evaluation. */
export function reportData(evaluation: Evaluation, shape: RunShape, names?: readonly string[]): ReportData {
  const ids = Array.from({ length: shape.members }, (_, i) => `member-${i + 1}`);
  const limit = 3;
  const rounds: ReportRound[] = [];
  const ledger: ReportLedgerEntry[] = [];
  for (let number = 1; number <= shape.rounds; number++) {
    const gone = shape.dropAt !== undefined && number > shape.dropAt;
    const expected = gone ? ids.filter((_, i) => i !== 2) : ids;
    const drops = number === shape.dropAt;
    const aborts = number === shape.abortAt;
    const survivors = aborts ? [] : drops ? expected.filter((_, i) => i !== 2) : expected;
    const jitter = 1 + 0.3 * Math.sin(number * 12.9898);
    rounds.push({
      id: `round-${number}`,
      step: number,
      attempt: 1,
      outcome: aborts ? 'aborted' : 'completed',
      ...(aborts ? { abortReason: 'quorum not reached' } : {}),
      expected,
      survivors,
      recoveredShares: drops ? 5 : 0,
      bytesReceived: Object.fromEntries(survivors.map((id) => [id, 61_400])),
      timings: {
        'masked input': 88 * jitter,
        'consistency check': 9 * jitter,
        unmasking: 11 * jitter,
        absorb: 21 * jitter,
      },
    });
    ledger.push({
      sequence: number,
      roundId: `round-${number}`,
      status: aborts ? 'voided' : 'committed',
      epsilonAfter: 0.35 + (limit - 0.75) * Math.sqrt(number / shape.rounds),
      plannedEpsilonAfter: 0.4 + (limit - 0.42) * Math.sqrt(number / shape.rounds),
    });
  }
  return {
    title: 'Bird strikes at eight airlines: the run',
    generatedAt: '2026-11-23T10:20:30.000Z',
    run: {
      id: 'run-1',
      synthesizer: 'gan',
      status: 'completed',
      charterDigest: 'c0ffee'.repeat(10),
      planDigest: 'facade'.repeat(10),
      plannedRounds: shape.rounds,
      durationMs: 72_400,
      engine: 'TensorFlow.js 4.22, WebAssembly SIMD',
      machine: '2 cores, 8 GiB, Node 20.20',
      options: { mode: 'fedsgd', noiseMultiplier: 1.1, samplingRate: 0.04, clipNorm: 1 },
    },
    privacy: {
      epsilonLimit: limit,
      delta: 1e-6,
      epsilonSpent: 2.6,
      minSurvivors: shape.members - 2,
      maxColluders: 1,
      accountant: 'Rényi DP of the Poisson-subsampled Gaussian, integer orders',
      views: [
        { viewer: 'coordinator-and-colluders', epsilon: 2.6, ...trueView(2.21) },
        { viewer: 'public', epsilon: 2.31, ...trueView(1.98) },
        { viewer: 'another-member', epsilon: 2.6, ...trueView(2.21) },
        { viewer: 'coordinator-alone', epsilon: 2.31, ...trueView(1.98) },
        {
          viewer: 'secure-aggregation-broken',
          epsilon: null,
          interval: { lower: 0, upper: null },
          curve: [],
        },
      ],
      audit: {
        ...{ version: 1, kind: 'vector', steps: shape.rounds, delta: 1e-6, confidence: 0.95 },
        ...{ canaries: 2048, guesses: 512, rightGuesses: 323 },
        ...{ epsilonEmpirical: 0.42, epsilonAccounted: 2.41, epsilonDetectable: 5.82, passed: true },
      },
    },
    participants: ids.map((id, i) => ({
      id,
      name: names?.[i] ?? id,
      declaredRecords: 500 * (i + 1),
      setupBytes: 181_000,
    })),
    rounds,
    ledger,
    evaluation,
  };
}

/** An interval around ε at δ = 1e-6, and a curve through it. */
function trueView(epsilon: number) {
  const curve = Array.from({ length: 20 }, (_, i) => ({
    epsilon: (i * epsilon) / 14,
    delta: 10 ** (-(6 * i) / 14),
  }));
  return { interval: { lower: epsilon - 4e-4, upper: epsilon + 4e-4 }, curve };
}
