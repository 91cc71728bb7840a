/** Adam's state (Kingma and Ba 2015): first and second moments, and how many steps were taken. */
export interface AdamMoments {
  readonly first: Float32Array;
  readonly second: Float32Array;
  readonly steps: number;
}

/** β₁ = 0.5 as is usual for GANs (Radford et al. 2016): the two networks chase each other, long memory makes them swing. The VAE keeps it. */
const BETA_1 = 0.5;
const BETA_2 = 0.9;
const EPSILON = 1e-8;

export function initialMoments(count: number): AdamMoments {
  return { first: new Float32Array(count), second: new Float32Array(count), steps: 0 };
}

/** One step down `gradient`, after the parameters have lost the share `decay` of themselves. New arrays: the state before stays as it was. */
export function adamStep(
  parameters: Float32Array,
  moments: AdamMoments,
  gradient: Float32Array | Float64Array,
  learningRate: number,
  decay = 0,
): { readonly parameters: Float32Array; readonly moments: AdamMoments } {
  const steps = moments.steps + 1;
  const next = parameters.slice();
  const first = moments.first.slice();
  const second = moments.second.slice();
  const rate = (learningRate * Math.sqrt(1 - BETA_2 ** steps)) / (1 - BETA_1 ** steps);
  for (let i = 0; i < next.length; i++) {
    const g = gradient[i] as number;
    const m = (first[i] = BETA_1 * (first[i] as number) + (1 - BETA_1) * g);
    const v = (second[i] = BETA_2 * (second[i] as number) + (1 - BETA_2) * g * g);
    next[i] = (1 - decay) * (next[i] as number) - (rate * m) / (Math.sqrt(v) + EPSILON);
  }
  return { parameters: next, moments: { first, second, steps } };
}
