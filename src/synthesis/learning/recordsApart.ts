import type { LearningEngine } from '../engine.js';
import { InvalidOptions } from '../errors.js';
import type { LossGradient } from './clippedGradient.js';
import { type Network, passThrough } from './network.js';
import { normsOf } from './norms.js';
import { formedIfSmall } from './perRecord.js';
import type { GradientTerm } from './terms.js';

/** Between two float32 results of the same computation, and far from what a batch statistic does. */
const TOLERANCE = 1e-4;

const tried = new WeakSet<Network>();

/**
 * Tries, once a network, that what it does with a record does not change with its company (hazard P26): the described layers
 * are built so, this is for those that somebody writes. Made-up records; no real one is looked at.
 * @throws InvalidOptions naming the layer that mixes records, or that makes no number of them.
 */
export function assertRecordsApart(engine: LearningEngine, network: Network, parameters: Float32Array): void {
  if (tried.has(network)) return;
  const forward = network.bind(engine, parameters);
  const inCompany = (...records: readonly number[]) => {
    const inputs = Float32Array.from({ length: records.length * network.inputs }, (_, i) =>
      madeUp(network, records[Math.floor(i / network.inputs)] as number, i % network.inputs),
    );
    const outputs: Float32Array[] = [];
    let output = inputs;
    for (const layer of forward) {
      output = layer(output, records.length).output as Float32Array<ArrayBuffer>;
      outputs.push(output);
    }
    const order = records.map((_, i) => i);
    const terms: GradientTerm[] = [];
    const ones: LossGradient = (_output, _record, gradient) => gradient.fill(1);
    passThrough(network, forward, inputs, order, ones, (term) =>
      terms.push(formedIfSmall(term, records.length)),
    );
    return { outputs, norm: normsOf(terms, records.length).squared[0] as number };
  };
  const one = inCompany(0, 1);
  const other = inCompany(0, 2, 3);
  network.layers.forEach((layer, index) => {
    for (let i = 0; i < layer.outputs; i++)
      requireAlike(one.outputs[index]?.[i], other.outputs[index]?.[i], `layers[${index}]`, layer.kind);
  });
  requireAlike(one.norm, other.norm, 'layers', 'the way back');
  tried.add(network);
}

/** Number `i` of record `record`, in [0, 1] or an id: valid inputs, and no two records the same where the layer has room for two. */
function madeUp(network: Network, record: number, i: number): number {
  const vocabulary = network.layers[0]?.vocabulary;
  if (vocabulary !== undefined) return (record + i) % vocabulary;
  return (1 + Math.cos((1 + record) * (1 + i))) / 2;
}

/** A NaN is alike to nothing: |NaN − b| > t is false, and the trial would pass whatever a layer does. */
function requireAlike(a: number | undefined, b: number | undefined, option: string, what: string): void {
  const [first, second] = [a ?? Number.NaN, b ?? Number.NaN];
  if (!(Number.isFinite(first) && Number.isFinite(second)))
    throw new InvalidOptions(
      option,
      `${what} makes no finite number of a made-up record, so it cannot be tried`,
    );
  if (Math.abs(first - second) > TOLERANCE * (1 + Math.abs(first)))
    throw new InvalidOptions(
      option,
      `${what} mixes the records of a batch, so that no record’s gradient is its own to be clipped`,
    );
}
