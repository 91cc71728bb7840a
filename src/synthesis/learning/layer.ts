import type { Rng } from '../../crypto/rng.js';
import type { LearningEngine } from '../engine.js';
import type { GradientTerm } from './terms.js';

/**
 * A layer of a network that is trained record by record. Activations are flat float32 arrays, `inputs` or `outputs` numbers a
 * record, records one after another, positions before channels (NHWC). What comes out for record i depends on record i
 * alone (hazard P26); `recordsApart.ts` tries it.
 */
export interface Layer {
  readonly kind: string;
  readonly inputs: number;
  readonly outputs: number;
  /** Inputs are ids, whole numbers below this; undefined: any numbers. */
  readonly vocabulary?: number;
  /** How many parameters, weights before biases. */
  readonly parameters: number;
  /**
   * Rows of a record in the products that float32 sums over records: 1 for a dense layer, T for a sequence whose per-record
   * gradient is not formed, 0 for a layer that has no such product.
   */
  readonly summedRows: number;
  initial(rng: Rng): Float32Array;
  /** The layer at these parameters (a view of the network's): what depends on them alone is reckoned once. */
  bind(engine: LearningEngine, parameters: Float32Array): Forward;
}

export type Forward = (input: Float32Array, records: number) => Pass;

/** A forward pass: its output, and a closure that holds what the way back needs and no more. */
export interface Pass {
  readonly output: Float32Array;
  /** Owns `gradient`, the loss's by the output: it may be overwritten, or kept in the terms. */
  backward(gradient: Float32Array, withInput: boolean): Backward;
}

export interface Backward {
  /** The gradient by the layer's input; undefined unless asked for. */
  readonly input: Float32Array | undefined;
  readonly terms: readonly GradientTerm[];
}

/** What a record looks like between two layers. */
export interface Shape {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

export const sizeOf = ({ height, width, channels }: Shape): number => height * width * channels;
