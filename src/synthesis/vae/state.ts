import { z } from 'zod';
import { decodeArtefact, encodeArtefact } from '../artefact.js';
import { MalformedBytes } from '../errors.js';
import type { AdamMoments } from '../learning/adam.js';
import { type Columns, columnsOf } from '../oneWays/columns.js';
import type { OneWays } from '../oneWays/oneWays.js';
import type { VaePlan } from './question.js';

/** What is trained, once the first sum has given the columns. */
export interface Training {
  readonly ones: OneWays;
  readonly columns: Columns;
  /** Of encoder and decoder. */
  readonly parameters: Float32Array;
  readonly moments: AdamMoments;
  /** Moving average of the decoder's parameters: what is released. */
  readonly average: Float32Array;
}

/** The coordinator's state between two sums. Never changed in place. */
export interface VaeState {
  readonly plan: VaePlan;
  readonly seed: Uint8Array;
  /** Undefined before the first sum. */
  readonly training: Training | undefined;
}

const MAGIC = 'chorale/vae state';
const headerJson = z.strictObject({
  magic: z.literal(MAGIC),
  version: z.literal(1),
  seed: z.array(z.number().int().min(0).max(255)),
  training: z
    .strictObject({ variances: z.array(z.number().positive()), steps: z.number().int().min(0) })
    .nullable(),
});

/** Exact: the decoded state goes on bit for bit as the encoded one would have. */
export function encodeState({ seed, training }: VaeState): Uint8Array {
  const trained =
    training === undefined
      ? null
      : { variances: [...training.ones.variances], steps: training.moments.steps };
  const header = { magic: MAGIC, version: 1, seed: [...seed], training: trained };
  if (training === undefined) return encodeArtefact(header, []);
  const { ones, parameters, moments, average } = training;
  return encodeArtefact(header, [ones.counts, parameters, moments.first, moments.second, average]);
}

/** @throws MalformedBytes unless the bytes are a state of exactly this plan. */
export function decodeState(plan: VaePlan, bytes: Uint8Array): VaeState {
  const artefact = decodeArtefact(bytes, headerJson, 'a state of vae');
  const { seed, training: trained } = artefact.header;
  const state = { plan, seed: Uint8Array.from(seed) };
  if (trained === null) {
    artefact.end();
    return { ...state, training: undefined };
  }
  if (trained.variances.length !== plan.layout.fine.blocks.length)
    throw new MalformedBytes('the state is of another schema');
  const ones = { counts: artefact.take(plan.layout.fine.width), variances: trained.variances };
  const floats = () => artefact.takeFloats(plan.network.whole.parameters);
  const [parameters, first, second] = [floats(), floats(), floats()];
  const average = artefact.takeFloats(plan.network.decoder.parameters);
  artefact.end();
  const moments = { first, second, steps: trained.steps };
  return {
    ...state,
    training: {
      ones,
      columns: columnsOf(plan.layout, ones, plan.options.cells),
      parameters,
      moments,
      average,
    },
  };
}
