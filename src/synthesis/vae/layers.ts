import type { Layer } from '../learning/layer.js';

/**
 * A layer on the first numbers of a record; the last `extra` go past it as they are. So what belongs to one record, its own draws and what
 * its loss needs beside the output, stays with it through a network whose records are regrouped.
 */
export function beside(layer: Layer, extra: number): Layer {
  const { inputs, outputs } = layer;
  return {
    kind: `${layer.kind} beside ${extra}`,
    inputs: inputs + extra,
    outputs: outputs + extra,
    parameters: layer.parameters,
    summedRows: layer.summedRows,
    initial: layer.initial,
    bind(engine, parameters) {
      const forward = layer.bind(engine, parameters);
      return (input, records) => {
        const pass = forward(part(input, records, inputs + extra, 0, inputs), records);
        return {
          output: joined(pass.output, part(input, records, inputs + extra, inputs, extra), records),
          backward(gradient, withInput) {
            const past = part(gradient, records, outputs + extra, outputs, extra);
            const back = pass.backward(part(gradient, records, outputs + extra, 0, outputs), withInput);
            return {
              input: back.input === undefined ? undefined : joined(back.input, past, records),
              terms: back.terms,
            };
          },
        };
      };
    },
  };
}

/** Logarithms of variances beyond this are taken for it: e⁴ is as far from 1 as a latent's deviation has to be. */
const LARGEST = 8;

/** ln σ² as it is used, and as its gradient knows it. */
export const bounded = (logVariance: number): number => Math.min(LARGEST, Math.max(-LARGEST, logVariance));

/**
 * μ, ln σ², ε → μ + σ·ε, μ, ln σ² (Kingma, Welling 2014, section 2.4): the draws come with the record, so that a record's gradient is a
 * function of the record and its own draws.
 */
export function reparametrised(latent: number): Layer {
  return {
    kind: 'reparametrised',
    inputs: 3 * latent,
    outputs: 3 * latent,
    parameters: 0,
    summedRows: 0,
    initial: () => new Float32Array(0),
    bind: () => (input, records) => {
      const output = new Float32Array(input.length);
      const deviations = new Float32Array(records * latent);
      eachLatent(records, latent, (mean, logVariance, draw, i) => {
        const deviation = Math.exp(bounded(input[logVariance] as number) / 2);
        deviations[i] = deviation;
        output[mean] = (input[mean] as number) + deviation * (input[draw] as number);
        output[logVariance] = input[mean] as number;
        output[draw] = input[logVariance] as number;
      });
      return {
        output,
        backward(gradient) {
          const back = new Float32Array(input.length);
          eachLatent(records, latent, (mean, logVariance, draw, i) => {
            const byLatent = gradient[mean] as number;
            const own = input[logVariance] as number;
            const moves = own === bounded(own) ? (deviations[i] as number) / 2 : 0;
            back[mean] = byLatent + (gradient[logVariance] as number);
            back[logVariance] = byLatent * moves * (input[draw] as number) + (gradient[draw] as number);
            back[draw] = byLatent * (deviations[i] as number);
          });
          return { input: back, terms: [] };
        },
      };
    },
  };
}

/** Places of the first, second and third number of each latent of each record, and its number among all. */
function eachLatent(
  records: number,
  latent: number,
  use: (first: number, second: number, third: number, i: number) => void,
): void {
  for (let record = 0, i = 0; record < records; record++) {
    const start = 3 * latent * record;
    for (let k = start; k < start + latent; k++, i++) use(k, k + latent, k + 2 * latent, i);
  }
}

/** Of each record's `width` numbers those from `from` on, `count` of them. */
function part(
  values: Float32Array,
  records: number,
  width: number,
  from: number,
  count: number,
): Float32Array {
  const out = new Float32Array(records * count);
  for (let record = 0; record < records; record++) {
    const start = record * width + from;
    out.set(values.subarray(start, start + count), record * count);
  }
  return out;
}

function joined(left: Float32Array, right: Float32Array, records: number): Float32Array {
  const [first, second] = [left.length / Math.max(1, records), right.length / Math.max(1, records)];
  const out = new Float32Array(left.length + right.length);
  for (let record = 0; record < records; record++) {
    out.set(left.subarray(record * first, (record + 1) * first), record * (first + second));
    out.set(right.subarray(record * second, (record + 1) * second), record * (first + second) + first);
  }
  return out;
}
