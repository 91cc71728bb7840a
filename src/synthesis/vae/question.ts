import { z } from 'zod';
import { planEncoding } from '../../privacy/quantization.js';
import type { SumQuery } from '../../privacy/sumQuery.js';
import { InvalidOptions } from '../errors.js';
import { modelNamed } from '../models.js';
import { type Columns, columnsBytes, decodeColumns, type Layout, layoutOf } from '../oneWays/columns.js';
import { oneWaysQuery } from '../oneWays/oneWays.js';
import type { Models, SynthesisContext } from '../synthesizer.js';
import { fineCells } from '../table/fineCells.js';
import type { TableSchema } from '../table/schema.js';
import { type VaeNetwork, vaeNetwork } from './network.js';
import type { VaeOptions } from './options.js';

export const VAE_GRADIENT = 'vae/gradient';

/** A run's shape, public before a row is read. */
export interface VaePlan {
  readonly context: SynthesisContext;
  readonly options: VaeOptions;
  readonly layout: Layout;
  readonly network: VaeNetwork;
  readonly first: SumQuery;
  /** Of every step after it; the models are those of the moment. */
  readonly gradient: Omit<SumQuery, 'models'>;
}

/** A step's records are in memory together: a member that declared so many in a step is refused, not killed. */
const MOST_RECORDS_A_STEP = 131_072;

/** @throws InvalidOptions, InvalidTableSchema for a schema of too many cells, PrivacyError where no ring holds the sums. */
export function vaePlan(context: SynthesisContext, options: VaeOptions): VaePlan {
  const fine = fineCells(context.schema);
  const layout = layoutOf(fine, options.cells);
  const { encoderHidden, decoderHidden, latent, cells, clipNorm, divergenceWeight } = options;
  const network = vaeNetwork({ width: layout.width, encoderHidden, decoderHidden, latent });
  const { samplingRate, steps, noiseMultiplier, oneWaysPart } = options;
  const largest = Math.max(1, ...context.members.map((member) => member.declaredRecords));
  const expectedRecords = Math.max(1, Math.ceil(samplingRate * largest));
  if (expectedRecords > MOST_RECORDS_A_STEP)
    throw new InvalidOptions(
      'samplingRate',
      `a step takes at most ${MOST_RECORDS_A_STEP} records of a member; sample fewer`,
    );
  // A sampled step costs about q²/2σ² of ρ (Bun, Dwork, Rothblum, Steinke 2018), so this is the part of T of them.
  const ratio = oneWaysPart / (1 - oneWaysPart);
  const oneWaysNoise = noiseMultiplier / (samplingRate * Math.sqrt((steps - 1) * ratio));
  const dimension = network.whole.parameters;
  return {
    ...{ context, options, layout, network },
    first: oneWaysQuery(context, fine, oneWaysNoise),
    gradient: {
      version: 1,
      kind: VAE_GRADIENT,
      dimension,
      // Float error included (learning/sensitivity.ts); the rounding of the sum is the encoding's.
      l2Sensitivity: clipNorm,
      samplingRate,
      encoding: planEncoding({
        dimension,
        l2Sensitivity: clipNorm,
        noiseMultiplier,
        maxCoordinate: clipNorm * coordinateBound(expectedRecords),
        cohort: context.cohort,
        members: context.members.length,
        rounding: 'nearest',
      }),
      parameters: {
        clipNorm,
        encoderHidden,
        decoderHidden,
        latent,
        cells,
        divergenceWeight,
        expectedRecords,
      },
    },
  };
}

/** In clip norms: a coordinate of a clipped gradient is at most one, and half of them do not point along one axis. */
function coordinateBound(expectedRecords: number): number {
  return Math.min(1024, Math.max(16, 2 ** Math.ceil(Math.log2(expectedRecords / 2))));
}

/** The plan's gradient query with the digests of `query`: which columns and weights they are follows from the sums before. */
export function gradientQueryLike({ gradient, layout, network }: VaePlan, { models }: SumQuery): SumQuery {
  const sizes = { columns: columnsBytes(layout), network: 4 * network.whole.parameters };
  return {
    ...gradient,
    models: Object.entries(sizes).map(([name, bytes], i) => ({
      name,
      bytes,
      digest: models[i]?.digest ?? '',
    })),
  };
}

const size = z.number().int().min(1).max(1024);
const parametersJson = z.strictObject({
  clipNorm: z.number().positive(),
  encoderHidden: size,
  decoderHidden: size,
  latent: z.number().int().min(2).max(512).multipleOf(2),
  cells: z.number().int().min(2).max(64),
  divergenceWeight: z.number().min(0).max(10),
  expectedRecords: z.number().int().min(1).max(MOST_RECORDS_A_STEP),
});

/** What a participant needs to answer. */
export interface Question {
  readonly parameters: z.infer<typeof parametersJson>;
  readonly network: VaeNetwork;
  readonly columns: Columns;
  readonly weights: Float32Array;
}

/**
 * Reads a query that came from the coordinator, who may lie: what the participant computes must be what the query's cost
 * was reckoned with.
 * @throws InvalidOptions when the query contradicts itself or the schema, MalformedBytes when a model does.
 */
export function readQuestion(query: SumQuery, models: Models, schema: TableSchema): Question {
  if (query.kind !== VAE_GRADIENT)
    throw new InvalidOptions('query.kind', `the VAE does not answer ${query.kind}`);
  const parsed = parametersJson.safeParse(query.parameters);
  if (!parsed.success)
    throw new InvalidOptions('query.parameters', parsed.error.issues[0]?.message ?? 'not valid');
  const { clipNorm, encoderHidden, decoderHidden, latent, cells } = parsed.data;
  if (clipNorm !== query.l2Sensitivity)
    throw new InvalidOptions('query.clipNorm', 'must be the sensitivity that is paid for');
  const layout = layoutOf(fineCells(schema), cells);
  const network = vaeNetwork({ width: layout.width, encoderHidden, decoderHidden, latent });
  if (query.dimension !== network.whole.parameters)
    throw new InvalidOptions('query.dimension', 'is not the number of parameters of the network');
  const columns = decodeColumns(layout, modelNamed(query, models, 'columns', columnsBytes(layout)));
  const weights = modelNamed(query, models, 'network', 4 * query.dimension);
  // A copy of its own: a Buffer's slice would be a view of its pool.
  const parameters32 = new Float32Array(Uint8Array.from(weights).buffer);
  return { parameters: parsed.data, network, columns, weights: parameters32 };
}
