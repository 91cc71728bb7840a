import { z } from 'zod';
import type { SumQuery } from '../../privacy/sumQuery.js';
import { InvalidOptions } from '../errors.js';
import { modelNamed } from '../models.js';
import { type Columns, columnsBytes, decodeColumns, layoutOf } from '../oneWays/columns.js';
import type { Models } from '../synthesizer.js';
import type { TableEncoding } from '../table/encoding.js';
import { STEPS_PER_CLIP } from './clipping.js';
import { type Critic, criticOf } from './critic.js';
import { generatorWidths } from './generator.js';
import { type Layer, layersOf, parameterCount } from './network.js';
import { CRITIC_GRADIENT, MODEL_DELTA } from './question.js';
import { bytesToFloats } from './state.js';

const count = (most: number) => z.number().int().min(1).max(most);
const widths = z.array(count(1024)).max(4).readonly();
const shapesJson = z.strictObject({
  clipNorm: z.number().positive(),
  cells: count(64).min(2),
  criticFeatures: count(1_048_576),
  criticHidden: widths,
  generatorHidden: z.array(count(1024)).min(1).max(4).readonly(),
  latent: count(512).multipleOf(2),
});
const localJson = z.strictObject({
  ...shapesJson.shape,
  featureLearningRate: z.number().positive(),
  criticLearningRate: z.number().positive(),
  criticDecay: z.number().min(0).max(0.5),
  generatorLearningRate: z.number().positive(),
  generatorBatch: count(4096),
  generatorSteps: count(100),
  expectedRecords: z.number().positive(),
});

/** What a participant needs to compute the sum of its records' clipped gradients. */
export interface Question {
  readonly clipNorm: number;
  readonly samplingRate: number;
  readonly columns: Columns;
  readonly criticShape: Critic;
  readonly generatorLayers: readonly Layer[];
  readonly critic: Float32Array;
  readonly generator: Float32Array;
}

/** And to train by itself. */
export type LocalQuestion = Question & {
  readonly rates: z.infer<typeof localJson>;
  readonly noiseMultiplier: number;
  readonly steps: number;
};

/**
 * Reads a query that came from the coordinator, who may lie: what the participant computes must be what the query's cost
 * was reckoned with.
 * @throws InvalidOptions when the query contradicts itself or the schema, MalformedBytes when a model does.
 */
export function readQuestion(query: SumQuery, models: Models, fine: TableEncoding): Question {
  const parameters = parametersOf(query, CRITIC_GRADIENT, shapesJson);
  const { rounding, grid } = query.encoding;
  // On another grid the sum would have to be rounded, or refused for what it is: nothing of it may show in a refusal.
  if (
    parameters.clipNorm !== query.l2Sensitivity ||
    rounding !== 'exact' ||
    grid !== query.l2Sensitivity / STEPS_PER_CLIP ||
    query.localNoise !== undefined
  )
    throw new InvalidOptions(
      'query.clipNorm',
      'must be the sensitivity that is paid for, on the grid of its clipping',
    );
  const question = questionOf(query, models, fine, parameters);
  if (query.dimension !== question.criticShape.parameters)
    throw new InvalidOptions('query.dimension', 'is not the number of parameters of the critic');
  return question;
}

/** The same for a query with local noise. */
export function readLocalQuestion(query: SumQuery, models: Models, fine: TableEncoding): LocalQuestion {
  const rates = parametersOf(query, MODEL_DELTA, localJson);
  const { localNoise } = query;
  if (localNoise === undefined || rates.clipNorm !== query.l2Sensitivity)
    throw new InvalidOptions(
      'query.localNoise',
      'must be there, on sums of the sensitivity that is paid for',
    );
  const question = questionOf(query, models, fine, rates);
  if (query.dimension !== question.critic.length + question.generator.length)
    throw new InvalidOptions('query.dimension', 'is not the number of parameters of both models');
  return { ...question, ...localNoise, rates };
}

function parametersOf<T>(query: SumQuery, kind: string, json: z.ZodType<T>): T {
  if (query.kind !== kind) throw new InvalidOptions('query.kind', `the GAN does not answer ${query.kind}`);
  const parsed = json.safeParse(query.parameters);
  if (!parsed.success)
    throw new InvalidOptions('query.parameters', parsed.error.issues[0]?.message ?? 'not valid');
  return parsed.data;
}

function questionOf(
  query: SumQuery,
  models: Models,
  fine: TableEncoding,
  parameters: z.infer<typeof shapesJson>,
): Question {
  const layout = layoutOf(fine, parameters.cells);
  const criticShape = criticOf(layout, parameters);
  const layerWidths = generatorWidths(layout, parameters);
  return {
    clipNorm: parameters.clipNorm,
    samplingRate: query.samplingRate,
    columns: decodeColumns(layout, modelNamed(query, models, 'columns', columnsBytes(layout))),
    criticShape,
    generatorLayers: layersOf(layerWidths),
    critic: bytesToFloats(modelNamed(query, models, 'critic', 4 * criticShape.parameters)),
    generator: bytesToFloats(modelNamed(query, models, 'generator', 4 * parameterCount(layerWidths))),
  };
}
