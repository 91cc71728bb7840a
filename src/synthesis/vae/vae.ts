import type { Rng } from '../../crypto/rng.js';
import { eventOf } from '../../privacy/quantization.js';
import type { SumQuery } from '../../privacy/sumQuery.js';
import { numbersToBytes } from '../artefact.js';
import { startEngine } from '../engine.js';
import { InvalidOptions } from '../errors.js';
import { adamStep, initialMoments } from '../learning/adam.js';
import { clippedGradientSum } from '../learning/clippedGradient.js';
import { stepOf } from '../models.js';
import { columnsOf, encodeColumns, recordCells } from '../oneWays/columns.js';
import { assertSameQuery, contributeOneWays, ONE_WAY_COUNTS, openedOneWays } from '../oneWays/oneWays.js';
import { normals, seededRng } from '../randomness.js';
import type { Models, NoisySum, Step, Synthesizer } from '../synthesizer.js';
import type { RecordSource } from '../table/records.js';
import { calibrated } from './calibration.js';
import { initialParameters, lossGradient } from './network.js';
import { parseVaeOptions, type VaeOptions } from './options.js';
import { gradientQueryLike, readQuestion, vaePlan } from './question.js';
import { encodeRelease, sampleRelease } from './release.js';
import { decodeState, encodeState, type Training, type VaeState } from './state.js';

/**
 * A variational autoencoder for tables (TVAE: Xu, Skoularidou, Cuesta-Infante, Veeramachaneni 2019) by DP-SGD: a first sum counts the
 * columns, which gives their cells and where the decoder begins; then each sum is one step, the clipped gradients of
 * encoder and decoder together. The decoder alone is released: the encoder has done its part.
 */
export const vaeSynthesizer: Synthesizer<VaeOptions, VaeState> = {
  kind: 'vae',
  parseOptions: parseVaeOptions,

  plan(context, options) {
    const { first, gradient } = vaePlan(context, options);
    const { cohort } = context;
    const costOf = (query: SumQuery) => eventOf(query, cohort.minSurvivors, cohort);
    return [
      { event: costOf(first), count: 1 },
      { event: costOf({ ...gradient, models: [] }), count: options.steps - 1 },
    ];
  },

  async initialState(context, options, seed) {
    if (seed.length < 16) throw new InvalidOptions('seed', 'needs at least 16 bytes');
    return { plan: vaePlan(context, options), seed: seed.slice(), training: undefined };
  },

  nextQuery({ plan, training }): Step | undefined {
    if (training === undefined) return { query: plan.first, models: new Map() };
    if (training.moments.steps >= plan.options.steps - 1) return undefined;
    const models = new Map([
      ['columns', encodeColumns(training.columns)],
      ['network', numbersToBytes(training.parameters)],
    ]);
    return stepOf(plan.gradient, models);
  },

  assertQuery(context, options, query) {
    const plan = vaePlan(context, options);
    assertSameQuery(query, query.kind === ONE_WAY_COUNTS ? plan.first : gradientQueryLike(plan, query));
  },

  contribute(query, models, records, rng) {
    return query.kind === ONE_WAY_COUNTS
      ? contributeOneWays(query, records, rng)
      : contributeGradient(query, models, records, rng);
  },

  absorb,
  encodeState,
  decodeState: async (context, options, bytes) => decodeState(vaePlan(context, options), bytes),

  release({ plan, seed, training }) {
    if (training === undefined)
      throw new InvalidOptions('release', 'there is none before the first sum is opened');
    const { columns, average } = training;
    const rng = seededRng(seed, 'vae/calibration');
    return encodeRelease(columns, calibrated(plan.network, columns, average, rng));
  },

  sample: sampleRelease,

  progress({ plan, training }) {
    return { step: training === undefined ? 0 : training.moments.steps + 1, steps: plan.options.steps };
  },
};

/**
 * Sampling, latents' draws and slots have streams of their own, each in the order of the records: a record more at the end shifts
 * nothing of the others', so two neighbouring tables differ by that record's vector and nothing else.
 */
async function contributeGradient(
  query: SumQuery,
  models: Models,
  records: RecordSource,
  rng: Rng,
): Promise<Float64Array> {
  const engine = await startEngine();
  const { parameters, network, columns, weights } = readQuestion(query, models, records.schema);
  const seed = rng(32);
  const draws = seededRng(seed, 'vae/latents');
  const { width, latent } = network;
  const inputs: Float32Array[] = [];
  const cells: Uint16Array[] = [];
  let count = 0;
  for await (const batch of records.sample(query.samplingRate, seededRng(seed, 'vae/sampling'))) {
    const own = recordCells(columns, batch);
    const input = new Float32Array(batch.count * (width + latent));
    const epsilons = normals(draws, batch.count * latent);
    for (let record = 0, i = 0; record < batch.count; record++) {
      const start = record * (width + latent);
      for (const column of columns.columns) input[start + column.start + (own[i++] as number)] = 1;
      input.set(epsilons.subarray(record * latent, (record + 1) * latent), start + width);
    }
    inputs.push(input);
    cells.push(own);
    count += batch.count;
  }
  const batch = { records: count, inputs: concatenated(inputs, Float32Array) };
  const loss = lossGradient(
    network,
    columns.columns,
    concatenated(cells, Uint16Array),
    parameters.divergenceWeight,
  );
  return clippedGradientSum(
    engine,
    network.whole,
    weights,
    batch,
    loss,
    parameters,
    seededRng(seed, 'vae/slots'),
  );
}

function concatenated<T extends Float32Array | Uint16Array>(
  parts: readonly T[],
  Type: new (length: number) => T,
): T {
  const out = new Type(parts.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const part of parts) {
    out.set(part, offset);
    offset += part.length;
  }
  return out;
}

async function absorb(state: VaeState, query: SumQuery, sum: NoisySum): Promise<VaeState> {
  const { plan, seed, training } = state;
  if (training === undefined) {
    const ones = openedOneWays(plan.layout.fine, query, sum);
    const columns = columnsOf(plan.layout, ones, plan.options.cells);
    const parameters = initialParameters(plan.network, columns, seededRng(seed, 'vae/initial'));
    const average = decoderOf(plan.network.decoder.parameters, parameters);
    const moments = initialMoments(parameters.length);
    return { ...state, training: { ones, columns, parameters, moments, average } };
  }
  if (sum.values.length !== plan.gradient.dimension)
    throw new InvalidOptions('sum', 'has not the dimension of its query');
  // Hazard P1: the divisor is made of public constants, the declared counts of those who are in the sum.
  const declared = plan.context.members
    .filter((member) => sum.contributors.includes(member.id))
    .reduce((total, member) => total + member.declaredRecords, 0);
  if (declared === 0) throw new InvalidOptions('contributors', 'none of them is a member with records');
  const gradient = sum.values.map((value) => value / (query.samplingRate * declared));
  const { parameters, moments } = adamStep(
    training.parameters,
    training.moments,
    gradient,
    plan.options.learningRate,
  );
  return {
    ...state,
    training: { ...training, parameters, moments, average: averaged(state, training, parameters) },
  };
}

const decoderOf = (count: number, parameters: Float32Array): Float32Array =>
  parameters.slice(parameters.length - count);

/** With the warm-up of an unbiased average: early on the decay is smaller, so that where it began is soon forgotten. */
function averaged({ plan }: VaeState, training: Training, parameters: Float32Array): Float32Array {
  const seen = training.moments.steps;
  const decay = Math.min(plan.options.decoderAverage, seen / (seen + 10));
  const decoder = decoderOf(training.average.length, parameters);
  return training.average.map((value, i) => decay * value + (1 - decay) * (decoder[i] as number));
}
