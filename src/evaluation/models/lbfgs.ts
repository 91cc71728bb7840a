/** Value and gradient of a smooth convex function; the gradient is written into `gradient`. */
export type Objective = (point: Float64Array, gradient: Float64Array) => number;

export interface MinimizeOptions {
  readonly iterations: number;
  /** Of the largest coordinate of the gradient. */
  readonly tolerance: number;
  /** What the Hessian's diagonal is about: coordinates may be of very different curvature. */
  readonly diagonal: Float64Array;
}

/** Pairs of steps that are remembered. */
const MEMORY = 10;

/**
 * The minimum by limited-memory BFGS (Nocedal, Wright 2006, Algorithms 7.4 and 7.5) with a backtracking line search that demands
 * sufficient decrease (eq. 3.4). Ends where no coordinate of the gradient is above `tolerance`, or after `iterations`.
 */
export function minimize(
  objective: Objective,
  start: Float64Array,
  { iterations, tolerance, diagonal }: MinimizeOptions,
): Float64Array {
  let point: Float64Array = start.slice();
  let gradient: Float64Array = new Float64Array(point.length);
  let value = objective(point, gradient);
  const steps: { readonly s: Float64Array; readonly y: Float64Array; readonly rho: number }[] = [];
  for (let iteration = 0; iteration < iterations; iteration++) {
    if (gradient.every((slope) => Math.abs(slope) <= tolerance)) break;
    const direction = twoLoops(gradient, steps, diagonal);
    let slope = dot(direction, gradient);
    if (!(slope < 0)) {
      // Rounding spoilt the memory: go down the gradient instead.
      steps.length = 0;
      direction.set(gradient.map((g, i) => -g / diagonal[i]!));
      slope = dot(direction, gradient);
    }
    let length = 1;
    const nextGradient = new Float64Array(point.length);
    let next: Float64Array;
    let nextValue: number;
    for (;;) {
      next = point.map((x, i) => x + length * direction[i]!);
      nextValue = objective(next, nextGradient);
      if (nextValue <= value + 1e-4 * length * slope || length < 1e-12) break;
      length /= 2;
    }
    if (!(nextValue < value)) break;
    const s = next.map((x, i) => x - point[i]!);
    const y = nextGradient.map((g, i) => g - gradient[i]!);
    const curvature = dot(s, y);
    if (curvature > 1e-12) steps.push({ s, y, rho: 1 / curvature });
    if (steps.length > MEMORY) steps.shift();
    [point, gradient, value] = [next, nextGradient, nextValue];
  }
  return point;
}

/** −H·gradient, H the inverse Hessian that the remembered steps imply. */
function twoLoops(
  gradient: Float64Array,
  steps: readonly { readonly s: Float64Array; readonly y: Float64Array; readonly rho: number }[],
  diagonal: Float64Array,
): Float64Array {
  const q = gradient.map((g) => -g);
  const alphas: number[] = [];
  for (const { s, y, rho } of [...steps].reverse()) {
    const alpha = rho * dot(s, q);
    alphas.unshift(alpha);
    for (let i = 0; i < q.length; i++) q[i]! -= alpha * y[i]!;
  }
  const last = steps.at(-1);
  const scaled = last?.y.map((y, i) => y / diagonal[i]!);
  const scale = last === undefined || scaled === undefined ? 1 : 1 / (last.rho * dot(last.y, scaled));
  for (let i = 0; i < q.length; i++) q[i]! *= scale / diagonal[i]!;
  for (const [k, { s, y, rho }] of steps.entries()) {
    const correction = alphas[k]! - rho * dot(y, q);
    for (let i = 0; i < q.length; i++) q[i]! += correction * s[i]!;
  }
  return q;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
