import { createCipheriv, createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import type { Rng } from '../../src/crypto/rng.js';
import { distributedDiscreteGaussianEvent, type PrivacyEvent } from '../../src/privacy/events.js';
import type { Cohort, SumQuery } from '../../src/privacy/sumQuery.js';

export interface GoldenCase {
  readonly id: string;
  readonly mechanism: string;
  // biome-ignore lint/suspicious/noExplicitAny: the golden files are checked by the tests that read them
  readonly params: any;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  readonly expected: any;
}

/** The cases of one mechanism, or undefined where the golden numbers are not beside the checkout. */
export function goldenCases(file: string, mechanism: string): GoldenCase[] | undefined {
  const path = `../shared/golden/${file}`;
  if (!existsSync(path)) return undefined;
  const cases = (JSON.parse(readFileSync(path, 'utf8')) as { cases: GoldenCase[] }).cases;
  return cases.filter((one) => one.mechanism === mechanism);
}

/** A replayable stream of uniform bytes: AES-256-CTR under a hash of the label. */
export function seededRng(label: string): Rng {
  const cipher = createCipheriv(
    'aes-256-ctr',
    createHash('sha256').update(label).digest(),
    new Uint8Array(16),
  );
  return (length) => cipher.update(new Uint8Array(length));
}

/** `words`, little-endian, and then a seeded stream. */
export function scriptedRng(words: readonly number[], label = 'after the script'): Rng {
  const rest = seededRng(label);
  let script: readonly number[] = words;
  return (length) => {
    const bytes = Uint8Array.from(rest(length));
    const view = new DataView(bytes.buffer);
    script.slice(0, length / 4).forEach((word, i) => {
      view.setUint32(4 * i, word, true);
    });
    script = script.slice(length / 4);
    return bytes;
  };
}

/** P(X² > statistic) for a χ² of `freedom` degrees: the regularised upper gamma function (Numerical Recipes §6.2). */
export function chiSquareTail(statistic: number, freedom: number): number {
  const a = freedom / 2;
  const x = statistic / 2;
  if (x <= 0) return 1;
  const front = Math.exp(a * Math.log(x) - x - logGamma(a));
  if (x < a + 1) {
    let term = 1 / a;
    let sum = term;
    for (let n = 1; n < 10_000 && term > sum * 1e-16; n++) sum += term *= x / (a + n);
    return 1 - front * sum;
  }
  let b = x + 1 - a;
  let c = 1e300;
  let d = 1 / b;
  let h = d;
  for (let i = 1; i < 10_000; i++) {
    const an = -i * (i - a);
    b += 2;
    d = 1 / (an * d + b);
    c = b + an / c;
    h *= d * c;
    if (Math.abs(d * c - 1) < 1e-15) break;
  }
  return front * h;
}

function logGamma(x: number): number {
  const c = [
    76.18009172947146, -86.50532032941678, 24.01409824083091, -1.231739572450155, 0.001208650973866179,
    -5.395239384953e-6,
  ];
  const t = x + 5.5;
  const series = c.reduce((sum, value, i) => sum + value / (x + 1 + i), 1.000000000190015);
  return (x + 0.5) * Math.log(t) - t + Math.log((2.5066282746310007 * series) / x);
}

/** χ² p-value of counts against probabilities; cells with fewer than 8 expected are merged into their neighbour. */
export function goodnessOfFit(counts: readonly number[], probabilities: readonly number[]): number {
  const total = counts.reduce((a, b) => a + b, 0);
  let statistic = 0;
  let cells = 0;
  let observed = 0;
  let expected = 0;
  let merged = 0;
  counts.forEach((count, i) => {
    observed += count;
    expected += total * (probabilities[i] as number);
    const rest = total * probabilities.slice(i + 1).reduce((a, b) => a + b, 0);
    if (expected >= 8 && (rest >= 8 || i === counts.length - 1)) {
      statistic += (observed - expected) ** 2 / expected;
      cells += 1;
      observed = 0;
      expected = 0;
      merged = 0;
    } else merged += 1;
  });
  if (merged > 0 && expected > 0) {
    statistic += (observed - expected) ** 2 / expected;
    cells += 1;
  }
  return chiSquareTail(statistic, cells - 1);
}

export const cohort: Cohort = { minSurvivors: 5, maxColluders: 1 };

export function sumQuery(
  overrides: Partial<Omit<SumQuery, 'encoding'>> & { encoding?: Partial<SumQuery['encoding']> } = {},
): SumQuery {
  const { encoding, ...fields } = overrides;
  return {
    version: 1,
    kind: 'test/sum',
    dimension: 4,
    l2Sensitivity: 1,
    samplingRate: 1,
    models: [],
    parameters: {},
    ...fields,
    encoding: {
      grid: 2 ** -10,
      rounding: 'nearest',
      maxCoordinate: 2 ** 20,
      modulusBits: 32,
      shareVariance: { numerator: '1000000', denominator: '1' },
      ...encoding,
    },
  };
}

/** Four honest shares of discrete Gaussian noise, `noise` sensitivities together, and a colluder's. */
export const shares = (noise: number, dimension = 1000): PrivacyEvent =>
  distributedDiscreteGaussianEvent({
    contributors: 5,
    colluders: 1,
    shareVariance: { numerator: String(Math.ceil((40 * noise) ** 2 / 4) + 1), denominator: '1' },
    sensitivity: 40,
    dimension,
  });
