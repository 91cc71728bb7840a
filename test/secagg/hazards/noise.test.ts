import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openSpending } from '../../../clients/participant/spending.js';
import { inlineMaskWork } from '../../../src/crypto/maskWork.js';
import { nodePrimitives } from '../../../src/crypto/nodePrimitives.js';
import { seededRng } from '../../../src/crypto/rng.js';
import { costUnits, epsilonOfUnits } from '../../../src/privacy/filter.js';
import { eventOf, planEncoding } from '../../../src/privacy/index.js';
import { sampleDiscreteGaussian } from '../../../src/privacy/noise/discreteGaussian.js';
import { addShare, dequantize, quantize } from '../../../src/privacy/quantization.js';
import type { SumQuery } from '../../../src/privacy/sumQuery.js';
import { createMaskedInput, openRound, receiveMaskedInput, unmask } from '../../../src/secagg/index.js';
import { pairMask, selfMask } from '../../../src/secagg/keys.js';
import { addMasks } from '../../../src/secagg/mask.js';
import {
  accepted,
  answered,
  type Choir,
  idAt,
  maskedElements,
  roundOf,
  seedOf,
  setUp,
  slotSecrets,
  transcriptOf,
} from '../choir.js';

/** Where secure aggregation alone protects nobody: a crafted model, and cohorts that differ by one. */

const DIMENSION = 400;
const cohort = { minSurvivors: 3, maxColluders: 1 };
const query: SumQuery = {
  version: 1,
  kind: 'test/gradient',
  dimension: DIMENSION,
  l2Sensitivity: 1,
  samplingRate: 1,
  encoding: planEncoding({
    dimension: DIMENSION,
    l2Sensitivity: 1,
    noiseMultiplier: 2,
    maxCoordinate: 4,
    cohort,
    members: 5,
    rounding: 'nearest',
  }),
  models: [],
  parameters: {},
};
const shareDeviation = Math.sqrt(
  Number(query.encoding.shareVariance.numerator) / Number(query.encoding.shareVariance.denominator),
);

const rowOf = (id: string): Float64Array =>
  Float64Array.from({ length: DIMENSION }, (_, i) => (seedOf(id)[i % 32]! % 7) / 64 - 0.05);

/** What a participant masks (clients/participant/session.ts): its clamped sum plus its own noise share. */
function contribution(id: string, label: string, noisy = true): Uint32Array {
  const rng = seededRng(seedOf(`noise of ${id} ${label}`));
  const noise = noisy
    ? sampleDiscreteGaussian(query.encoding.shareVariance, DIMENSION, rng)
    : new Int32Array(DIMENSION);
  return addShare(query, quantize(query, rowOf(id)), noise);
}

/** Root mean square of a − b, ring steps. */
function distance(a: Float64Array, b: Float64Array): number {
  const squares = a.reduce((sum, x, i) => sum + ((x - b[i]!) / query.encoding.grid) ** 2, 0);
  return Math.sqrt(squares / a.length);
}

const { modulusBits } = query.encoding;
const ringOf = { dimension: DIMENSION, modulusBits };

describe('hazard S11: a model crafted so that the gradient is one member’s row', () => {
  /** What a server sees that has every other member's secrets and so takes all masks off one input. */
  async function seen(noisy: boolean): Promise<Float64Array> {
    const choir = setUp({ n: 5, slots: 1 });
    const round = roundOf(choir, ringOf);
    const victim = idAt(2);
    const party = choir.parties.get(victim)!;
    const x = contribution(victim, 'S11', noisy);
    const { outbound } = await createMaskedInput(party, choir.members.get(victim)!, round, x);
    const y = maskedElements(outbound.release('restart-abandons'), round);
    const transcript = transcriptOf(choir, round);
    const { seedRoot, pairSecrets } = slotSecrets(choir.members.get(victim)!);
    const masks = [
      selfMask(nodePrimitives, transcript, 2, seedRoot),
      ...pairSecrets.map(({ member, secret }) => pairMask(nodePrimitives, transcript, 2, member, secret)),
    ];
    addMasks(
      nodePrimitives,
      y,
      masks.map(({ key, sign }) => ({ key, sign: sign === 1 ? -1 : 1 })),
    );
    const modulus = modulusBits === 32 ? 0xffff_ffff : 2 ** modulusBits - 1;
    return dequantize(
      query,
      y.map((word) => word & modulus),
    );
  }

  it('hazard S11: the member’s own noise is under the masks, so that even all of them opened show the row with noise', async () => {
    const error = distance(await seen(true), rowOf(idAt(2)));
    // 400 samples: the root mean square is within a fifth of the deviation.
    expect(error).toBeGreaterThan(0.8 * shareDeviation);
    expect(error).toBeLessThan(1.2 * shareDeviation);
  });

  it('positive control: a member that leaves the noise to the server shows its row to the last step', async () => {
    expect(distance(await seen(false), rowOf(idAt(2)))).toBeLessThanOrEqual(1);
  });
});

describe('hazard S12: two cohorts that differ by one member', () => {
  const folder = mkdtempSync(join(tmpdir(), 'chorale-hazards-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  async function sumOver(
    choir: Choir,
    slot: number,
    expected: readonly string[],
    noisy: boolean,
  ): Promise<Float64Array> {
    const round = roundOf(choir, { ...ringOf, slot, round: `round-${slot}`, expected: [...expected] });
    // The answers don't depend on the vectors: they come from a round with others.
    const state = await answered(choir, round);
    let own = openRound(nodePrimitives, choir.block, round);
    for (const id of expected) {
      const x = contribution(id, `slot ${slot}`, noisy);
      const input = await createMaskedInput(choir.parties.get(id)!, choir.members.get(id)!, round, x);
      own = accepted(receiveMaskedInput(nodePrimitives, own, input.outbound.release('restart-abandons')));
    }
    const masks = inlineMaskWork(nodePrimitives);
    const outcome = await unmask(nodePrimitives, masks, { ...state, running: own.running });
    if (outcome.kind !== 'unmasked') throw new Error(outcome.reason);
    return dequantize(query, outcome.sum);
  }

  async function subtracted(noisy: boolean): Promise<number> {
    const choir = setUp({ n: 5, slots: 2 });
    const all = choir.config.members.map(({ id }) => id);
    const victim = idAt(2);
    const whole = await sumOver(choir, 0, all, noisy);
    const without = await sumOver(
      choir,
      1,
      all.filter((id) => id !== victim),
      noisy,
    );
    return distance(
      whole.map((x, i) => x - without[i]!),
      rowOf(victim),
    );
  }

  it('hazard S12: each sum has fresh noise of all its members, so that the difference has that of nine shares', async () => {
    const error = await subtracted(true);
    expect(error).toBeGreaterThan(0.8 * Math.sqrt(9) * shareDeviation);
    expect(error).toBeLessThan(1.2 * Math.sqrt(9) * shareDeviation);
  });

  it('positive control: without noise the difference is the member’s row', async () => {
    expect(await subtracted(false)).toBeLessThanOrEqual(5);
  });

  it('hazard S12: a member charges itself for both, and stops when its budget has no room for another', () => {
    const orders = [8];
    const [five, four] = [5, 4].map(
      (survivors) => costUnits(eventOf(query, survivors, cohort), orders)[0]!,
    ) as [bigint, bigint];
    const limit = { epsilon: 0, delta: 1e-6, orders };
    const epsilon = epsilonOfUnits({ ...limit, epsilon: 1 }, [five + four + four / 2n]);
    const spending = openSpending(join(folder, 'spending.jsonl'), { ...limit, epsilon });
    const charge = (slot: number, survivors: number): void =>
      spending.charge({
        blockId: 'block-1',
        slot,
        roundId: `round-${slot}`,
        event: eventOf(query, survivors, cohort),
      });
    charge(0, 5);
    charge(1, 4);
    expect(spending.units).toEqual([five + four]);
    expect(() => charge(2, 4)).toThrow(expect.objectContaining({ code: 'BudgetRefused' }));
    spending.close();
  });
});
