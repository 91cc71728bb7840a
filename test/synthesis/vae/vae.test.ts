import { beforeAll, describe, expect, it } from 'vitest';
import { sourceOf } from '../../../src/evaluation/audit/inventedRecords.js';
import { type LearningEngine, startEngine } from '../../../src/synthesis/engine.js';
import { InvalidOptions, MalformedBytes } from '../../../src/synthesis/errors.js';
import { type AnySynthesizer, synthesizerOf } from '../../../src/synthesis/index.js';
import { clippedGradientSum } from '../../../src/synthesis/learning/clippedGradient.js';
import { columnsOf, layoutOf } from '../../../src/synthesis/oneWays/columns.js';
import { normals } from '../../../src/synthesis/randomness.js';
import type { Step } from '../../../src/synthesis/synthesizer.js';
import { fineCells } from '../../../src/synthesis/table/fineCells.js';
import { bounded } from '../../../src/synthesis/vae/layers.js';
import { initialParameters, lossGradient, vaeNetwork } from '../../../src/synthesis/vae/network.js';
import { vaeSynthesizer as vae } from '../../../src/synthesis/vae/vae.js';
import { withinSensitivity } from '../../privacy/neighbouring.js';
import { mixedSchema, rngOf, smallContext, smallRecords, smallSchema } from '../fixtures.js';
import { KINDS } from '../suite/kinds.js';
import { recordsOf } from '../suite/neighbours.js';
import { littleNoise, masked, rowsOf, runOf, type Subject, sumOver } from '../suite/run.js';

let engine: LearningEngine;
beforeAll(async () => {
  engine = await startEngine();
});

const subjectOf = (options: object, context = smallContext()): Subject => ({
  synthesizer: vae as unknown as AnySynthesizer,
  options: vae.parseOptions(options),
  context,
});

describe('the options of the VAE', () => {
  it.each([
    [{ steps: 1 }, 'steps'],
    [{ latent: 3 }, 'latent'],
    [{ clipNorm: 3 }, 'clipNorm'],
    [{ mode: 'fedavg' }, 'mode'],
    [{ batchNorm: true }, 'batchNorm'],
    [{ epsilon: 1 }, 'vae'],
  ])('refuse %j, naming the option', (input, option) => {
    expect(() => vae.parseOptions(input)).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTIONS', option }),
    );
  });

  it('refuse a step of more records than are held together', () => {
    const context = smallContext();
    const members = context.members.map((member) => ({ ...member, declaredRecords: 2_000_000 }));
    expect(() => vae.plan({ ...context, members }, vae.parseOptions({ samplingRate: 0.5 }))).toThrow(
      /sample fewer/,
    );
  });
});

describe('the gradient of the VAE', () => {
  const layout = layoutOf(fineCells(smallSchema()), 16);
  const ones = {
    counts: Float64Array.from([0, 1, 2].flatMap((k) => [10 + k, 20, 30 - k])),
    variances: [1, 1, 1],
  };
  const columns = columnsOf(layout, ones, 16);
  const network = vaeNetwork({ width: layout.width, encoderHidden: 5, decoderHidden: 4, latent: 2 });
  const cells = Uint16Array.of(0, 1, 2);
  const weight = 0.5;

  /** Written out from the definition, in float64, sharing no code: one record's loss. */
  function loss(p: Float64Array, epsilon: readonly number[]): number {
    const { width, encoderHidden, decoderHidden, latent } = network;
    let next = 0;
    const dense = (x: readonly number[], outputs: number): number[] => {
      const out = Array.from({ length: outputs }, (_, j) => p[next + x.length * outputs + j] as number);
      x.forEach((value, i) => {
        for (let j = 0; j < outputs; j++) out[j]! += value * (p[next + i * outputs + j] as number);
      });
      next += (x.length + 1) * outputs;
      return out;
    };
    const relu = (x: readonly number[]) => x.map((value) => (value < 0 ? 0.2 * value : value));
    const input = new Array(width).fill(0);
    columns.columns.forEach(({ start }, c) => {
      input[start + (cells[c] as number)] = 1;
    });
    const code = dense(relu(dense(input, encoderHidden)), 2 * latent);
    const z = epsilon.map(
      (e, k) => (code[k] as number) + Math.exp(bounded(code[k + latent] as number) / 2) * e,
    );
    const logits = dense(relu(dense(z, decoderHidden)), width);
    let total = 0;
    columns.columns.forEach(({ start, cells: count }, c) => {
      const own = logits.slice(start, start + count);
      total += Math.log(own.reduce((sum, x) => sum + Math.exp(x), 0)) - (own[cells[c] as number] as number);
    });
    for (let k = 0; k < latent; k++) {
      const [mean, log] = [code[k] as number, code[k + latent] as number];
      total += (weight / 2) * (mean ** 2 + Math.exp(log) - log - 1);
    }
    return total;
  }

  it('is that of the loss, by central differences, draws and divergence included', () => {
    const parameters = initialParameters(network, columns, rngOf(1));
    // Louder than it begins, so that nothing is near 0.
    const wide = parameters.map(
      (value, i) => value + 0.3 * (normals(rngOf(2), parameters.length)[i] as number),
    );
    const epsilon = [0.7, -1.3];
    const inputs = new Float32Array(layout.width + 2);
    columns.columns.forEach(({ start }, c) => {
      inputs[start + (cells[c] as number)] = 1;
    });
    inputs.set(epsilon, layout.width);
    const computed = clippedGradientSum(
      engine,
      network.whole,
      wide,
      { records: 1, inputs },
      lossGradient(network, columns.columns, cells, weight),
      { clipNorm: 1024, expectedRecords: 1 },
      rngOf(3),
    );
    const shifted = Float64Array.from(wide);
    let largest = 0;
    wide.forEach((value, k) => {
      shifted[k] = value + 1e-5;
      const above = loss(shifted, epsilon);
      shifted[k] = value - 1e-5;
      const slope = (above - loss(shifted, epsilon)) / 2e-5;
      shifted[k] = value;
      largest = Math.max(largest, Math.abs(slope));
      expect(Math.abs(slope - (computed[k] as number))).toBeLessThan(1e-4);
    });
    expect(largest).toBeGreaterThan(0.5);
  });
});

describe('a run of the VAE', () => {
  it('learns that two columns always agree, and keeps each column’s shares', async () => {
    const subject = subjectOf({
      steps: 120,
      samplingRate: 1,
      noiseMultiplier: 2,
      encoderHidden: 16,
      decoderHidden: 16,
      latent: 4,
      learningRate: 0.02,
    });
    const tables = await Promise.all(subject.context.members.map(() => smallRecords(99)));
    const { release } = await runOf(subject, sumOver(subject, tables));
    const rows = await rowsOf(subject, release, 0, 3000);
    const share = (keep: (row: (typeof rows)[number]) => boolean) => rows.filter(keep).length / rows.length;
    // 1/3 if the columns knew nothing of each other, 1 in the records.
    expect(share(({ a, b }) => a === b)).toBeGreaterThan(0.8);
    for (const value of ['x', 'y', 'z'])
      expect(Math.abs(share(({ a }) => a === value) - 1 / 3)).toBeLessThan(0.08);
  });

  it('begins at the noisy one-ways: after the first sum alone it is independent columns', async () => {
    const subject = subjectOf({ steps: 2, samplingRate: 1, noiseMultiplier: 0.5 });
    const tables = await Promise.all(subject.context.members.map(() => smallRecords(90)));
    const { states } = await runOf(subject, sumOver(subject, tables));
    const rows = await rowsOf(subject, vae.release(states[1] as Parameters<typeof vae.release>[0]), 0, 4000);
    const xs = rows.filter(({ c }) => c === 'x').length / rows.length;
    expect(Math.abs(xs - 0.5)).toBeLessThan(0.05);
    expect(() => vae.release(states[0] as Parameters<typeof vae.release>[0])).toThrow(InvalidOptions);
  });
});

describe('the VAE against a coordinator that lies', () => {
  const { context, runs } = KINDS.vae!;
  const subject = subjectOf({ ...(runs[0] as object), samplingRate: 1 }, context);
  const gradientStep = async (): Promise<Step> => (await runOf(subject, littleNoise(subject))).steps[1]!;

  it.each<[string, (weight: number, i: number) => number]>([
    ['all zero', () => 0],
    ['of huge weights', (weight) => 1e18 * weight],
    ['badly scaled from weight to weight', (weight, i) => weight * 10 ** ((i % 20) - 10)],
  ])('a network %s moves the sum by no more', async (_, weight) => {
    const { query, models } = await gradientStep();
    const { schema } = context;
    const weights = new Float32Array(models.get('network')!.slice().buffer).map(weight);
    const bytes = new Uint8Array(weights.buffer);
    const step: Step = {
      query: await withDigest(query, bytes),
      models: new Map(models).set('network', bytes),
    };
    const rows = recordsOf(schema);
    const [before, after] = [
      await sourceOf(schema, rows.slice(0, 80)),
      await sourceOf(schema, rows.slice(0, 81)),
    ];
    const ofTable = (table: typeof before) => masked(synthesizerOf('vae'), step, table, 1);
    expect(withinSensitivity(step.query, await ofTable(before), await ofTable(after))).toBe(true);
  });

  it('refuses columns or weights that are not those of the query, before a record is read', async () => {
    const { query, models } = await gradientStep();
    const untouched = {
      ...(await sourceOf(mixedSchema(), [])),
      sample: () => {
        throw new Error('a record was touched');
      },
    };
    for (const name of ['columns', 'network']) {
      const other = models.get(name)!.slice();
      other[0]! ^= 1;
      for (const bytes of [other, other.slice(1)])
        await expect(
          (async () => vae.contribute(query, new Map(models).set(name, bytes), untouched, rngOf(1)))(),
        ).rejects.toThrow(MalformedBytes);
    }
    for (const lie of [
      { l2Sensitivity: 2 },
      { dimension: 5 },
      { kind: 'gan/critic-gradient' },
      { parameters: {} },
    ])
      await expect(
        (async () => vae.contribute({ ...query, ...lie }, models, untouched, rngOf(1)))(),
      ).rejects.toThrow(InvalidOptions);
  });
});

async function withDigest(query: Step['query'], bytes: Uint8Array): Promise<Step['query']> {
  const digest = Buffer.from(await crypto.subtle.digest('SHA-256', Uint8Array.from(bytes))).toString('hex');
  return {
    ...query,
    models: query.models.map((model) => (model.name === 'network' ? { ...model, digest } : model)),
  };
}
