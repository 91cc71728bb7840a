import { Readable } from 'node:stream';
import { bytesToHex } from '@noble/hashes/utils.js';
import { describe, expect, it } from 'vitest';
import { nodePrimitives } from '../../src/crypto/nodePrimitives.js';
import { sourceOf } from '../../src/evaluation/audit/inventedRecords.js';
import type { SumQuery } from '../../src/privacy/sumQuery.js';
import { criticOf } from '../../src/synthesis/gan/critic.js';
import { synthesizerOf } from '../../src/synthesis/index.js';
import { layoutOf } from '../../src/synthesis/oneWays/columns.js';
import type { Step } from '../../src/synthesis/synthesizer.js';
import { readCsv } from '../../src/synthesis/table/csv.js';
import { fineCells } from '../../src/synthesis/table/fineCells.js';
import type { RecordSource } from '../../src/synthesis/table/records.js';
import { rngOf } from '../synthesis/fixtures.js';
import { KINDS } from '../synthesis/suite/kinds.js';
import { expectWithin, recordsOf } from '../synthesis/suite/neighbours.js';
import { littleNoise, masked, runOf, type Subject } from '../synthesis/suite/run.js';
import { distance, withinSensitivity } from './neighbouring.js';

/*
 * Neighbouring replay beyond what the suite of all synthesizers does (test/synthesis/suite): the GAN's gradient against hostile models,
 * and what a file can hold.
 */

const gan = synthesizerOf('gan');
const { context, runs } = KINDS.gan!;
const { schema } = context;
const subjectOf = (run: number, changed: object = {}): Subject => ({
  synthesizer: gan,
  options: gan.parseOptions({ ...(runs[run] as object), ...changed }),
  context,
});

/** The first sum of a run that asks for the critic's gradient. */
async function gradientStep(subject: Subject): Promise<Step> {
  const { steps } = await runOf(subject, littleNoise(subject));
  return steps.find(({ models }) => models.has('critic'))!;
}

describe('neighbouring replay against models that are built to break it', () => {
  const subject = subjectOf(0, { samplingRate: 1, clipNorm: 1 });
  const hidden = 9;

  const HOSTILE: readonly (readonly [string, (parameters: Float32Array, i: number) => number])[] = [
    ['all zero', () => 0],
    ['of huge weights', (p, i) => 1e30 * p[i]!],
    ['of weights that overflow', (p, i) => 3e38 * Math.sign(p[i]!)],
    ['of subnormal weights', (p, i) => 1e-42 * p[i]!],
    ['with a NaN', (p, i) => (i === 3 ? Number.NaN : p[i]!)],
    ['with infinities', (p, i) => (i % 50 === 0 ? Number.POSITIVE_INFINITY : p[i]!)],
    ['badly scaled from weight to weight', (p, i) => p[i]! * 10 ** ((i % 60) - 30)],
    /*
     * On the rounding borders: first layer 0, so D = 0 and its gradient is ∓½ exactly; the last layer's weights are (k + ½)·2⁻¹³,
     * so every gradient of the first layer is k + ½ steps of 2⁻¹⁴ before it is rounded.
     */
    ['on the rounding borders', (p, i) => (onLast(p, i) ? (((i * 37) % 2001) - 1000 + 0.5) * 2 ** -13 : 0)],
    [
      'a hair beside the rounding borders',
      (p, i) => (onLast(p, i) ? (i + 0.5) * 2 ** -13 * (1 + (i % 3) * 2 ** -23) : 0),
    ],
    // Gradients just as long as the clip norm: whether they are clipped is decided by the last bit.
    [
      'at the clip norm',
      (p, i) => (onLast(p, i) ? (2 * (1 + (i % 2) * 2 ** -20)) / Math.sqrt(16 * hidden) : 0),
    ],
  ];
  /** Weights of the critic's network's last layer: before its one bias, after all others, and before those of its features. */
  const features = criticOf(layoutOf(fineCells(schema), 16), { criticFeatures: 16_384, criticHidden: [] });
  const onLast = (p: Float32Array, i: number): boolean => {
    const deep = p.length - features.parameters;
    return i >= deep - 1 - hidden && i < deep - 1;
  };

  it.each(HOSTILE)('a critic %s', async (_, weight) => {
    const hostile = withCritic(await gradientStep(subject), weight);
    await expectWithin(subject, hostile, [0, 1, 65], [1]);
  });

  it('is on the borders: half a step off, and nearly every coordinate would be another integer', async () => {
    const step = await gradientStep(subject);
    const [, weight] = HOSTILE.find(([name]) => name === 'on the rounding borders')!;
    const table = await sourceOf(schema, recordsOf(schema).slice(0, 1));
    const vectorOf = async (query: Step) => gan.contribute(query.query, query.models, table, rngOf(1));
    const on = await vectorOf(withCritic(step, weight));
    const below = await vectorOf(withCritic(step, (p, i) => weight(p, i) * (1 - 2 ** -20)));
    const changed = on.filter((value, i) => value !== below[i]).length;
    expect(changed).toBeGreaterThan(0.3 * on.filter((value) => value !== 0).length);
  });

  function withCritic(step: Step, weight: (parameters: Float32Array, i: number) => number): Step {
    const critic = new Float32Array(step.models.get('critic')!.slice().buffer);
    const bytes = new Uint8Array(critic.map((_, i) => weight(critic, i)).buffer);
    return {
      models: new Map(step.models).set('critic', bytes),
      query: digestsOf(step.query, 'critic', bytes),
    };
  }
});

describe('neighbouring replay of what a file can hold', () => {
  const header = schema.fields.map(({ name }) => name).join(',');
  const line = 'red,true,120,0.5,2000-01-01,2000-01,1992,2';
  const read = (lines: readonly string[], outOfBounds: 'clamp' | 'refuse'): Promise<RecordSource> =>
    readCsv(Readable.from([`${[header, ...lines].join('\n')}\n`]), schema, { outOfBounds });

  it.each([
    ['a duplicate', line],
    ['one with all that may be missing', 'red,true,,0.5,NA,2000-01,1992,2'],
    ['one out of bounds', 'red,true,99999,-1e300,2999-01-01,2999-01,2999,2'],
  ])('%s, out of bounds moved onto them', async (_, extra) => {
    const step = await gradientStep(subjectOf(1));
    const a = await masked(gan, step, await read([line, line], 'clamp'), 1);
    const b = await masked(gan, step, await read([line, line, extra], 'clamp'), 1);
    expect(withinSensitivity(step.query, a, b)).toBe(true);
    expect(distance(step.query, a, b)).toBeGreaterThan(0);
  });

  it.each([
    ['NaN', 'red,true,NaN,0.5,2000-01-01,2000-01,1992,2'],
    ['a number out of bounds', 'red,true,401,0.5,2000-01-01,2000-01,1992,2'],
    ['an unknown category', 'violet,true,120,0.5,2000-01-01,2000-01,1992,2'],
  ])('%s is refused before any round, so no sum ever depends on it', async (_, extra) => {
    await expect(read([line, extra], 'refuse')).rejects.toMatchObject({ name: 'InvalidRecords' });
  });
});

function digestsOf(query: SumQuery, name: string, bytes: Uint8Array): SumQuery {
  const digest = bytesToHex(nodePrimitives.sha256(bytes));
  return {
    ...query,
    models: query.models.map((model) => (model.name === name ? { ...model, digest } : model)),
  };
}
