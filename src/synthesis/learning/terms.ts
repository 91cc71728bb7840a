/**
 * What the backward pass of a layer leaves of the gradient by its parameters: enough for the norm of every record's gradient
 * and for any weighted sum of them. `offset` is where the parameters start, in the layer's, later in the network's vector.
 */
export type GradientTerm = ProductTerm | DirectTerm | ScatterTerm;

/**
 * ∇ᵢ = Σ_t a_t g_tᵀ over the T rows of record i: weights left × right, row-major. With `bias` a has a last coordinate that is 1,
 * so that the bias is one more row of the weights.
 */
export interface ProductTerm {
  readonly kind: 'product';
  readonly offset: number;
  /** T: rows a record. */
  readonly rows: number;
  /** p without the bias. */
  readonly left: number;
  /** D. */
  readonly right: number;
  readonly bias: boolean;
  /** records·T × left. */
  readonly a: Float32Array;
  /** records·T × right. */
  readonly g: Float32Array;
}

/** ∇ᵢ itself, records × size: where it is no larger than what the layer holds anyhow (biases, norms, small kernels). */
export interface DirectTerm {
  readonly kind: 'direct';
  readonly offset: number;
  readonly size: number;
  readonly values: Float32Array;
}

/** ∇ᵢ has row `g_t` added at row `ids[t]` of a table: an embedding. An id that is none (not a row of the table) spoils its record. */
export interface ScatterTerm {
  readonly kind: 'scatter';
  readonly offset: number;
  /** T: ids a record. */
  readonly rows: number;
  readonly vocabulary: number;
  readonly width: number;
  /** records·T. */
  readonly ids: Float32Array;
  /** records·T × width. */
  readonly g: Float32Array;
}

/**
 * The rule of Bu, Wang, Zha, Karypis 2023 (arXiv 2210.00038, section 4; Bu, Mao, Xu 2022): the norm by T × T inner products
 * while 2T² ≤ pD, by forming the per-record gradient, which is then smaller, beyond.
 */
export function formsPerRecord(rows: number, left: number, right: number): boolean {
  return 2 * rows * rows > left * right;
}
