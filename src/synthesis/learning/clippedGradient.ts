import type { Rng } from '../../crypto/rng.js';
import type { LearningEngine } from '../engine.js';
import { InvalidOptions } from '../errors.js';
import { ExactSum, MAX_RECORDS } from './exactSum.js';
import { type Network, passThrough } from './network.js';
import { type Norms, normsOf } from './norms.js';
import { isClipNorm } from './options.js';
import { formedIfSmall } from './perRecord.js';
import { assertRecordsApart } from './recordsApart.js';
import { CLIP_MARGIN, MAX_DIMENSION, slotShape } from './sensitivity.js';
import { slotsOf } from './slots.js';
import type { GradientTerm } from './terms.js';
import { addWeighted } from './weightedSum.js';

/** The records of one step's sample, as the network's input: records × network.inputs. */
export interface Batch {
  readonly records: number;
  readonly inputs: Float32Array;
}

/** Writes the gradient of record `record`'s loss by the network's output for it: one record at a time, so none can meet another. */
export type LossGradient = (output: Float32Array, record: number, gradient: Float32Array) => void;

export interface Clipping {
  /** C, a power of two from 2⁻²⁰ to 2²⁰: fixed beforehand, never fitted to the records (hazard P4). */
  readonly clipNorm: number;
  /** Sampling rate × declared records: public, and only the speed depends on it. */
  readonly expectedRecords: number;
}

/**
 * Σᵢ clip(∇ᵢ, C) by book-keeping ("ghost") clipping (Goodfellow 2015; Li et al. 2022; Bu et al. 2023): one forward and one backward
 * pass, norms from what they leave, one weighted product a layer. A record more or less moves the computed sum by at most
 * C, float error included (sensitivity.ts), if the engine's row i of a product does not depend on how many rows there are, which a
 * test asks of both engines. Each record is clipped by itself, before anything is added (hazard P7); one with a NaN
 * or an infinity adds zero (P5); no record, a sum of zeros (P3). gan/clipping.ts has book-keeping of its own: exact integers, for they
 * go into the ring of a secure sum, at the price of fixed ranges and two rows a record; here any layer, float32 with a bounded error.
 * @param slots an rng of its own, shared with nothing (slots.ts).
 * @returns length network.parameters, multiples of 2⁻³² C.
 */
export function clippedGradientSum(
  engine: LearningEngine,
  network: Network,
  parameters: Float32Array,
  batch: Batch,
  loss: LossGradient,
  { clipNorm, expectedRecords }: Clipping,
  slots: Rng,
): Float64Array {
  assertUsable(network, batch, clipNorm);
  assertRecordsApart(engine, network, parameters);
  const sum = new ExactSum(network.parameters, clipNorm);
  const { capacity, cancelling } = slotShape(network.summedRows);
  const forward = network.bind(engine, parameters);
  for (const block of blocksOf(slotsOf(batch.records, expectedRecords, capacity, slots))) {
    const order = block.flat();
    const terms: GradientTerm[] = [];
    passThrough(network, forward, gather(batch, order, network.inputs), order, loss, (term) =>
      terms.push(formedIfSmall(term, order.length)),
    );
    const factors = clipFactors(normsOf(terms, order.length), clipNorm, cancelling);
    const sizes = block.map((slot) => slot.length);
    for (const term of terms) addWeighted(engine, term, sizes, factors, sum);
  }
  return sum.values();
}

/**
 * Records that go through the network together: what is kept for the way back is kept for these alone. Measured on WebAssembly,
 * with 256 the MLP's step of the bench is up to a tenth slower, with 128 a quarter.
 */
const BLOCK_RECORDS = 512;

function* blocksOf(slots: readonly (readonly number[])[]): Iterable<readonly (readonly number[])[]> {
  let block: (readonly number[])[] = [];
  let records = 0;
  for (const slot of slots) {
    if (records > 0 && records + slot.length > BLOCK_RECORDS) {
      yield block;
      block = [];
      records = 0;
    }
    block.push(slot);
    records += slot.length;
  }
  if (records > 0) yield block;
}

function gather({ inputs }: Batch, order: readonly number[], size: number): Float32Array {
  const out = new Float32Array(order.length * size);
  order.forEach((record, i) => {
    out.set(inputs.subarray(record * size, (record + 1) * size), i * size);
  });
  return out;
}

/** c with ‖c∇‖ ≤ (1 − 2⁻¹⁰)C and cR ≤ cancelling·(1 − 2⁻¹⁰)C; 0 where the norm is no number: min(1, C/NaN) would be NaN. */
function clipFactors({ squared, absolute }: Norms, clipNorm: number, cancelling: number): Float64Array {
  const limit = clipNorm * (1 - CLIP_MARGIN);
  return squared.map((square, record) => {
    const length = Math.sqrt(Math.max(square, (absolute[record] as number) / cancelling ** 2));
    if (!Number.isFinite(length)) return 0;
    return length > limit ? limit / length : 1;
  });
}

function assertUsable(network: Network, batch: Batch, clipNorm: number): void {
  if (!isClipNorm(clipNorm))
    throw new InvalidOptions('clipNorm', 'must be a power of two from 2^-20 to 2^20, so that sums are exact');
  if (network.parameters > MAX_DIMENSION)
    throw new InvalidOptions(
      'network',
      `has more than the ${MAX_DIMENSION} parameters whose float error is bounded`,
    );
  if (batch.records > MAX_RECORDS)
    throw new InvalidOptions('samplingRate', `a step takes at most ${MAX_RECORDS} records; sample fewer`);
  if (batch.inputs.length !== batch.records * network.inputs)
    throw new InvalidOptions('inputs', `each record needs ${network.inputs} numbers`);
}
