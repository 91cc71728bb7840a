import type { Json } from '../crypto/canonical.js';
import type { Rational } from './events.js';

/**
 * A public question: which vector each participant adds, how far one record can move the sum, how records are
 * sampled, the grid and the noise. Its canonical JSON (RFC 8785) is hashed into every mask key of the round.
 */
export interface SumQuery {
  readonly version: 1;
  /** e.g. 'gan/critic-gradient' */
  readonly kind: string;
  /** Coordinates of the vector. */
  readonly dimension: number;
  /** How far one record can move the exact sum, L2, real units; float error included, rounding not. */
  readonly l2Sensitivity: number;
  /** Poisson sampling of records; 1 asks all of them. */
  readonly samplingRate: number;
  readonly encoding: SumEncoding;
  /**
   * There where each participant's vector is a result of DP-SGD on its own records, with noise of its own in full: `l2Sensitivity` and
   * `samplingRate` are then those of each of its steps, and the sum itself needs no noise. Nowhere else is a share of noise 0.
   */
  readonly localNoise?: LocalNoise;
  /** Public models that the participants need, content-addressed. */
  readonly models: readonly ModelReference[];
  /** What the synthesizer's `contribute` needs beside the models: public constants only. */
  readonly parameters: Json;
}

export interface SumEncoding {
  /** Real units per ring step, a power of two, so that scaling is exact. */
  readonly grid: number;
  /** 'nearest': a participant's sum is rounded once; 'exact': the data are integers on the grid already. */
  readonly rounding: 'nearest' | 'exact';
  /** Each participant clamps every coordinate of its sum to ± this, ring steps (1-Lipschitz: the sensitivity stays). */
  readonly maxCoordinate: number;
  /** The ring is the integers modulo 2^modulusBits, 8 ≤ modulusBits ≤ 32. */
  readonly modulusBits: number;
  /** Variance of each participant's own discrete Gaussian share, ring steps squared; 0 with `localNoise`, and only then. */
  readonly shareVariance: Rational;
}

/** Steps of DP-SGD that a participant takes by itself before it answers. */
export interface LocalNoise {
  /** Standard deviation of the noise on each step's sum / its L2 sensitivity. */
  readonly noiseMultiplier: number;
  readonly steps: number;
}

export interface ModelReference {
  readonly name: string;
  /** SHA-256 of the bytes, lower-case hex. */
  readonly digest: string;
  readonly bytes: number;
}

/** The part of the charter that decides how much noise survives. */
export interface Cohort {
  /** Fewest contributions that a sum may have; fewer abort the round. */
  readonly minSurvivors: number;
  /** Members that may share what they know with the coordinator, ≥ 1. */
  readonly maxColluders: number;
}
