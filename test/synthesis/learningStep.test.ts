import { beforeAll, describe, expect, it } from 'vitest';
import { type LearningEngine, startEngine } from '../../src/synthesis/engine.js';
import { tanh } from '../../src/synthesis/learning/activation.js';
import {
  type Batch,
  clippedGradientSum,
  type LossGradient,
} from '../../src/synthesis/learning/clippedGradient.js';
import { dense } from '../../src/synthesis/learning/dense.js';
import {
  costOf,
  drawNoise,
  noiseScale,
  noisyGradient,
  parseDpSgdPlan,
  stepStreams,
} from '../../src/synthesis/learning/dpSgd.js';
import { networkOf } from '../../src/synthesis/learning/network.js';
import { normals } from '../../src/synthesis/randomness.js';
import { poissonIndices } from '../../src/synthesis/table/poisson.js';
import { rngOf } from './fixtures.js';

const network = networkOf([dense(6, 20), tanh(20), dense(20, 3)]);
const parameters = network.initial(rngOf(3, 'parameters'));
const SEED = new Uint8Array(32).fill(5);
const plan = parseDpSgdPlan({
  clipNorm: 0.5,
  noiseMultiplier: 1.25,
  samplingRate: 0.1,
  declaredRecords: 500,
  steps: 40,
});
const pull: LossGradient = (output, _record, gradient) => gradient.set(output);
const batchOf = (records: number): Batch => ({ records, inputs: normals(rngOf(1, 'batch'), 6 * records) });
const silence = new Int32Array(network.parameters);

let engine: LearningEngine;
beforeAll(async () => {
  engine = await startEngine();
});
const step = (batch: Batch, noise: Int32Array, options = plan): Float64Array =>
  noisyGradient(engine, network, parameters, batch, pull, options, noise, stepStreams(SEED, 0).slots);

describe('a step of DP-SGD', () => {
  it('hazard P1: divides by rate × declared records, however many there are', () => {
    for (const records of [1, 37, 200]) {
      const clipping = { clipNorm: 0.5, expectedRecords: 50 };
      const slots = stepStreams(SEED, 0).slots;
      const sum = clippedGradientSum(engine, network, parameters, batchOf(records), pull, clipping, slots);
      const { grid } = noiseScale(plan, network.parameters);
      step(batchOf(records), silence).forEach((value, k) => {
        expect(Math.abs(50 * value - (sum[k] as number))).toBeLessThanOrEqual(grid / 2 + 1e-12);
      });
    }
  });

  it('hazard P3: of an empty sample is noise alone, of the full scale, and costs as much', () => {
    const noise = drawNoise(plan, network.parameters, stepStreams(SEED, 0).noise);
    const { grid } = noiseScale(plan, network.parameters);
    expect(step(batchOf(0), noise)).toEqual(Float64Array.from(noise, (value) => (value * grid) / 50));
    expect(noise.some((value) => value !== 0)).toBe(true);
    expect(costOf(plan)).toMatchObject({
      kind: 'local-dp-sgd',
      noiseMultiplier: 1.25,
      samplingRate: 0.1,
      steps: 40,
    });
  });

  it('has noise of at least the multiplier times clip norm, rounding and bridge', () => {
    const dimension = network.parameters;
    const { grid, variance } = noiseScale(plan, dimension);
    const sensitivity = plan.clipNorm + grid * Math.sqrt(dimension);
    expect(sensitivity / plan.clipNorm).toBeLessThan(1 + 2 ** -8 + 1e-9);
    const deviation = Math.sqrt(Number(variance.numerator) - 4) * grid;
    expect(deviation / sensitivity).toBeGreaterThanOrEqual(plan.noiseMultiplier);
    expect(deviation / sensitivity / plan.noiseMultiplier).toBeLessThan(1.0001);
    // 20,000 draws: the mean square is within 6 % of the variance but once in 10⁹ seeds.
    const draws = drawNoise(plan, 20_000, rngOf(1, 'noise'));
    const scale = Number(noiseScale(plan, 20_000).variance.numerator);
    expect(draws.reduce((sum, x) => sum + x * x, 0) / 20_000 / scale).toBeCloseTo(1, 1);
  });

  it.each([
    { samplingRate: undefined },
    { samplingRate: 1.5 },
    { batchSize: 50 },
    { declaredRecords: undefined },
    { declaredRecords: 12.5 },
  ])('hazard P2: takes its rate and count from the plan and computes neither: %j is refused', (change) => {
    expect(() => parseDpSgdPlan({ ...plan, ...change })).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTIONS' }),
    );
  });

  it.each([
    { clipNorm: 'adaptive' },
    { clipNorm: { quantile: 0.5 } },
    { adaptiveClipping: true },
    { targetQuantile: 0.5 },
  ])('hazard P4: has no clip norm that is fitted to the records: %j is refused', (change) => {
    expect(() => parseDpSgdPlan({ ...plan, ...change })).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTIONS' }),
    );
  });

  it('hazard P9: sampling, slots and noise have streams of their own, and each step has others', () => {
    const bytes = [0, 1].flatMap((at) => {
      const { sampling, slots, noise } = stepStreams(SEED, at);
      return [sampling, slots, noise].map((stream) => Buffer.from(stream(32)).toString('hex'));
    });
    expect(new Set(bytes).size).toBe(6);
    expect(() => stepStreams(new Uint8Array(4), 0)).toThrow(/32 bytes/);
    // One draw for all the layers: no two layers of one shape can have the same noise.
    const noise = drawNoise(plan, network.parameters, stepStreams(SEED, 0).noise);
    expect(noise.slice(0, 20)).not.toEqual(noise.slice(20, 40));
    expect(new Set(noise).size).toBeGreaterThan(network.parameters / 2);
  });

  it('hazard P9: a record more changes neither the noise nor who else is sampled', () => {
    const sampled = (records: number) => [...poissonIndices(0.3, stepStreams(SEED, 2).sampling)(records)];
    const noise = drawNoise(plan, network.parameters, stepStreams(SEED, 2).noise);
    const before = sampled(400);
    expect(sampled(401).slice(0, before.length)).toEqual(before);
    expect(drawNoise(plan, network.parameters, stepStreams(SEED, 2).noise)).toEqual(noise);
  });

  it('wants its noise before it looks at records, as many numbers as there are parameters', () => {
    expect(() => step(batchOf(3), new Int32Array(5))).toThrow(/noise/);
  });
});
