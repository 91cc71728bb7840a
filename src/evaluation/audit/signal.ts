/**
 * Who is in the sums? A step opens Σ_j s_j·b_j·g_j + noise, with g_j the canary's own clipped vector at the step's model, s_j
 * whether it is in the data and b_j whether it was sampled. Least squares over all steps gives ŝ: the inner product of the
 * canary's vector with the sums (Nasr et al. 2023; Andrew et al. 2024), corrected for what the other canaries have in common
 * with it. Without that correction a sum without noise would hide them behind each other.
 *
 * The score uses the opened sums, the public models and the canaries, nothing of who is in or was sampled: it is
 * post-processing of what the mechanism gave out, as the theorem demands.
 */
export class CanarySignal {
  /** Σ_t G_t·G_tᵀ, canaries × canaries, and Σ_t G_t·y_t. */
  readonly #gram: Float64Array;
  readonly #projected: Float64Array;

  constructor(readonly canaries: number) {
    this.#gram = new Float64Array(canaries * canaries);
    this.#projected = new Float64Array(canaries);
  }

  /** One step: every canary's vector and the opened sum, in the same units. */
  observe(vectors: readonly Float64Array[], sum: Float64Array): void {
    for (let i = 0; i < this.canaries; i++) {
      const one = vectors[i]!;
      this.#projected[i]! += inner(one, sum);
      for (let j = 0; j <= i; j++) this.#gram[i * this.canaries + j]! += inner(one, vectors[j]!);
    }
  }

  /** One score a canary, higher for those that seem to be in. */
  scores(): Float64Array {
    const size = this.canaries;
    let trace = 0;
    for (let i = 0; i < size; i++) trace += this.#gram[i * size + i]!;
    // No vector reached the sums: nothing is known of anybody.
    if (!(trace > 0)) return new Float64Array(size);
    // A ridge: canaries whose vectors hardly differ are not told apart by their rounding errors.
    return solve(this.#gram, this.#projected, (RIDGE * trace) / size);
  }
}

const RIDGE = 0.3;

function inner(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** (A + ridge·I)⁻¹ b by Cholesky; A symmetric positive semi-definite, its lower triangle given row by row. */
function solve(a: Float64Array, b: Float64Array, ridge: number): Float64Array {
  const n = b.length;
  const l = a.slice();
  const x = b.slice();
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let rest = l[i * n + j]! + (i === j ? ridge : 0);
      for (let k = 0; k < j; k++) rest -= l[i * n + k]! * l[j * n + k]!;
      l[i * n + j] = i === j ? Math.sqrt(rest) : rest / l[j * n + j]!;
    }
    for (let k = 0; k < i; k++) x[i]! -= l[i * n + k]! * x[k]!;
    x[i]! /= l[i * n + i]!;
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) x[i]! -= l[k * n + i]! * x[k]!;
    x[i]! /= l[i * n + i]!;
  }
  return x;
}
