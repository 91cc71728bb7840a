import type { Layer } from './layer.js';

/** Added to the variance. */
const EPSILON = 1e-5;

/** Layer norm (Ba, Kiros, Hinton 2016): each position's channels have mean 0 and variance 1, then a scale and a shift a channel. */
export function layerNorm(positions: number, channels: number): Layer {
  return normalization('layer-norm', positions, 1, channels, 1);
}

/** Group norm (Wu and He 2018): the channels of a group, over all positions of a record. Unlike BatchNorm it mixes no records. */
export function groupNorm(positions: number, channels: number, groups: number): Layer {
  return normalization('group-norm', 1, positions, channels, groups);
}

/** `sets` a record, each of `positions` × `channels` numbers, normalised group by group. Parameters: scales, then shifts. */
function normalization(
  kind: string,
  sets: number,
  positions: number,
  channels: number,
  groups: number,
): Layer {
  const size = sets * positions * channels;
  const width = channels / groups;
  /** Calls `use` with the first index of each (set, group) and its running number. */
  const eachGroup = (records: number, use: (first: number, group: number, number: number) => void): void => {
    for (let set = 0, number = 0; set < records * sets; set++)
      for (let group = 0; group < groups; group++, number++)
        use(set * positions * channels + group * width, group, number);
  };
  return {
    kind,
    inputs: size,
    outputs: size,
    parameters: 2 * channels,
    summedRows: 0,
    initial: () => Float32Array.from({ length: 2 * channels }, (_, i) => (i < channels ? 1 : 0)),
    bind: (_engine, parameters) => (input, records) => {
      const normalised = new Float32Array(input.length);
      const inverse = new Float64Array(records * sets * groups);
      const output = new Float32Array(input.length);
      eachGroup(records, (first, group, number) => {
        let mean = 0;
        for (let t = 0; t < positions; t++)
          for (let j = 0; j < width; j++) mean += input[first + t * channels + j] as number;
        mean /= positions * width;
        let variance = 0;
        for (let t = 0; t < positions; t++)
          for (let j = 0; j < width; j++)
            variance += ((input[first + t * channels + j] as number) - mean) ** 2;
        const scale = 1 / Math.sqrt(variance / (positions * width) + EPSILON);
        inverse[number] = scale;
        for (let t = 0; t < positions; t++)
          for (let j = 0; j < width; j++) {
            const i = first + t * channels + j;
            const channel = group * width + j;
            normalised[i] = scale * ((input[i] as number) - mean);
            output[i] =
              (parameters[channel] as number) * (normalised[i] as number) +
              (parameters[channels + channel] as number);
          }
      });
      return {
        output,
        backward(gradient, withInput) {
          const values = scaleAndShift(gradient, normalised, channels, records);
          const terms = [{ kind: 'direct', offset: 0, size: 2 * channels, values }] as const;
          if (!withInput) return { input: undefined, terms };
          const byInput = new Float32Array(input.length);
          eachGroup(records, (first, group, number) => {
            let mean = 0;
            let along = 0;
            for (let t = 0; t < positions; t++)
              for (let j = 0; j < width; j++) {
                const i = first + t * channels + j;
                const byNormalised = (gradient[i] as number) * (parameters[group * width + j] as number);
                mean += byNormalised;
                along += byNormalised * (normalised[i] as number);
              }
            mean /= positions * width;
            along /= positions * width;
            for (let t = 0; t < positions; t++)
              for (let j = 0; j < width; j++) {
                const i = first + t * channels + j;
                const byNormalised = (gradient[i] as number) * (parameters[group * width + j] as number);
                byInput[i] =
                  (inverse[number] as number) * (byNormalised - mean - along * (normalised[i] as number));
              }
          });
          return { input: byInput, terms };
        },
      };
    },
  };
}

/** records × 2·channels: Σ g·x̂ and Σ g over a record's positions. */
function scaleAndShift(
  gradient: Float32Array,
  normalised: Float32Array,
  channels: number,
  records: number,
): Float32Array {
  const out = new Float32Array(records * 2 * channels);
  const size = gradient.length / records;
  for (let record = 0; record < records; record++)
    for (let j = 0; j < channels; j++) {
      let scale = 0;
      let shift = 0;
      for (let i = record * size + j; i < (record + 1) * size; i += channels) {
        scale += (gradient[i] as number) * (normalised[i] as number);
        shift += gradient[i] as number;
      }
      out[record * 2 * channels + j] = scale;
      out[(record * 2 + 1) * channels + j] = shift;
    }
  return out;
}
