import { bytesToHex } from '@noble/hashes/utils.js';
import { z } from 'zod';
import { canonicalJson } from '../../crypto/canonical.js';
import { nodePrimitives } from '../../crypto/nodePrimitives.js';
import { planEncoding } from '../../privacy/quantization.js';
import type { SumQuery } from '../../privacy/sumQuery.js';
import { InvalidOptions, MalformedBytes } from '../errors.js';
import type { Models } from '../synthesizer.js';
import type { TableEncoding } from '../table/encoding.js';
import { STEPS_PER_CLIP } from './clipping.js';
import { type Layer, layersOf, parameterCount } from './network.js';
import { bytesToFloats, criticWidthsOf, type GanPlan, generatorWidthsOf } from './state.js';

export const CRITIC_GRADIENT = 'gan/critic-gradient';

const hidden = z.array(z.number().int().min(1).max(1024)).min(1).max(4).readonly();
const parametersJson = z.strictObject({
  clipNorm: z.number().positive(),
  criticHidden: hidden,
  generatorHidden: hidden,
  latent: z.number().int().min(2).max(512).multipleOf(2),
});

/** The sum of clipped gradients, to which the models of the moment are still to be added. */
export function criticGradientQuery(plan: GanPlan): Omit<SumQuery, 'models'> {
  const { clipNorm, criticHidden, generatorHidden, latent, noiseMultiplier, samplingRate } = plan.options;
  const { cohort, members } = plan.context;
  const dimension = parameterCount(plan.criticWidths);
  const largest = Math.max(...members.map((member) => member.declaredRecords));
  return {
    version: 1,
    kind: CRITIC_GRADIENT,
    dimension,
    // The clipped sum is exact, float error and all (clipping.ts), so a record moves it by the clip norm and no more.
    l2Sensitivity: clipNorm,
    samplingRate,
    encoding: planEncoding({
      dimension,
      l2Sensitivity: clipNorm,
      noiseMultiplier,
      maxCoordinate: clipNorm * coordinateBound(samplingRate * largest),
      cohort,
      members: members.length,
      rounding: 'exact',
      grid: clipNorm / STEPS_PER_CLIP,
    }),
    parameters: { clipNorm, criticHidden: [...criticHidden], generatorHidden: [...generatorHidden], latent },
  };
}

/** @throws InvalidOptions unless the query is the plan's own, but for the digests of its models. */
export function assertCriticGradientQuery(plan: GanPlan, query: SumQuery): void {
  const shapes = query.models.map(({ name, bytes }) => ({ name, bytes }));
  const expected = {
    ...criticGradientQuery(plan),
    models: [
      { name: 'critic', bytes: 4 * parameterCount(plan.criticWidths) },
      { name: 'generator', bytes: 4 * parameterCount(plan.generatorWidths) },
    ],
  };
  if (canonicalJson({ ...query, models: shapes }) !== canonicalJson(expected))
    throw new InvalidOptions('query', 'is not the one that the options of the run ask');
}

/**
 * In clip norms. A coordinate of a clipped gradient is at most one, so a participant's sum is below its sampled records;
 * one that holds what it declared is never clamped unless half of all its gradients point along one axis.
 */
function coordinateBound(expectedRecords: number): number {
  return Math.min(1024, Math.max(16, 2 ** Math.ceil(Math.log2(expectedRecords / 2))));
}

/** What a participant needs to answer. */
export interface Question {
  readonly clipNorm: number;
  readonly criticLayers: readonly Layer[];
  readonly generatorLayers: readonly Layer[];
  readonly critic: Float32Array;
  readonly generator: Float32Array;
}

/**
 * Reads a query that came from the coordinator, who may lie: what the participant computes must be what the query's cost
 * was reckoned with.
 * @throws InvalidOptions when the query contradicts itself or the schema, MalformedBytes when a model does.
 */
export function readQuestion(query: SumQuery, models: Models, encoding: TableEncoding): Question {
  if (query.kind !== CRITIC_GRADIENT)
    throw new InvalidOptions('query.kind', `the GAN does not answer ${query.kind}`);
  const parsed = parametersJson.safeParse(query.parameters);
  if (!parsed.success)
    throw new InvalidOptions('query.parameters', parsed.error.issues[0]?.message ?? 'not valid');
  const { clipNorm } = parsed.data;
  const { rounding, grid } = query.encoding;
  // On another grid the sum would have to be rounded, or refused for what it is: nothing of it may show in a refusal.
  if (clipNorm !== query.l2Sensitivity || rounding !== 'exact' || grid !== clipNorm / STEPS_PER_CLIP)
    throw new InvalidOptions(
      'query.clipNorm',
      'must be the sensitivity that is paid for, on the grid of its clipping',
    );
  const criticWidths = criticWidthsOf(encoding, parsed.data);
  const generatorWidths = generatorWidthsOf(encoding, parsed.data);
  if (query.dimension !== parameterCount(criticWidths))
    throw new InvalidOptions('query.dimension', 'is not the number of parameters of the critic');
  return {
    clipNorm,
    criticLayers: layersOf(criticWidths),
    generatorLayers: layersOf(generatorWidths),
    critic: model(query, models, 'critic', parameterCount(criticWidths)),
    generator: model(query, models, 'generator', parameterCount(generatorWidths)),
  };
}

function model(query: SumQuery, models: Models, name: string, parameters: number): Float32Array {
  const reference = query.models.find((candidate) => candidate.name === name);
  const bytes = models.get(name);
  if (reference === undefined || bytes === undefined || bytes.length !== 4 * parameters)
    throw new MalformedBytes(`the model "${name}" is missing or has the wrong size`);
  if (bytesToHex(nodePrimitives.sha256(bytes)) !== reference.digest)
    throw new MalformedBytes(`the model "${name}" is not the one that the query names by digest`);
  return bytesToFloats(bytes);
}
