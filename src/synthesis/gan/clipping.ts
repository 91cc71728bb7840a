import type { LearningEngine, Matrix } from '../engine.js';
import { addFeatures, type FeatureTape, featureProducts } from './featureTape.js';
import type { Layer } from './network.js';

/**
 * The sum of per-record gradients, each clipped to L2 norm ≤ C, by book-keeping ("ghost") clipping (Goodfellow 2015;
 * Li et al. 2022; Bu et al. 2023): no per-record gradient is formed. A record is a sequence of T = 2 rows (itself and
 * one fake), so by layer, with a the inputs and g the output gradients of its rows,
 *
 *   ‖∇ᵢ‖² = Σ_{s,t ≤ 2} (a_s·a_t + 1)(g_s·g_t),
 *
 * the +1 being the bias, and Σᵢ cᵢ∇ᵢ = Aᵀ(c∘G).
 *
 * Sensitivity without a float error. Float32 sums depend on their order, which can raise the sensitivity of a "clipped"
 * sum (Casacuberta et al. 2022), and a proved bound for it grows with the batch, whose size is private. So the
 * products are made exact: a and c·g are rounded to integer steps before they are multiplied, at most
 *
 *   ROWS · A_STEPS · G_STEPS = 2⁷·255·511 < 2²⁴ (hidden layers), 2⁷·1·2¹⁴ (first layer, whose inputs are 0 or 1)
 *
 * for every partial sum of a product over ROWS rows, and integers up to 2²⁴ are exact in float32 in any order. Chunks
 * are added in float64, exact below 2⁵³. The norm that is clipped is the one of the rounded vector, in integers, so
 * the computed sum is exactly Σᵢ vᵢ with vᵢ a function of record i alone and ‖vᵢ‖ ≤ C: adding or removing a record
 * moves it by at most C. The rounding itself (1/512 C a coordinate) is far below the noise (about C).
 */
const CHUNK_RECORDS = 64;
const ROWS = 2 * CHUNK_RECORDS;
const A_STEPS = 255;
const A_PER_UNIT = 32;
/** Steps of c·g a clip norm: in the first layer, and in those after it. */
const G_PER_CLIP_FIRST = 2 ** 14;
const G_PER_CLIP_HIDDEN = 2 ** 9;
/** So that a product is a whole number of 2⁻¹⁴ C in every layer. */
export const STEPS_PER_CLIP = 2 ** 14;
/** A coordinate of the sum is clamped to this (1-Lipschitz), so that float32 holds it exactly. */
const MAX_STEPS = 2 ** 24;
/** Clip to a little less than C: room for the rounding of c·g, so that few records are shrunk a second time. */
const CLIP_MARGIN = 1 - 2 ** -10;

/** The inputs and output gradients of a critic's layers; rows 2i and 2i + 1 belong to record i. */
export interface Tape {
  readonly records: number;
  /** By layer. The first layer's inputs must be 0 or 1. */
  readonly inputs: readonly Matrix[];
  readonly outputGradients: readonly Matrix[];
  readonly features?: FeatureTape;
}

/** A layer's share of a record's squared norm: products of its rows' inputs, and their gradients. */
interface Part {
  /** (a_s·a_t + 1) of each record's two rows: [real·real, real·fake, fake·fake]. */
  readonly products: Float64Array;
  readonly gradient: Matrix;
  /** Steps of c·g a clip norm. */
  readonly steps: number;
  /** Of a step: what fits the exactness of the products. */
  readonly limit: number;
}

/** Adds clipped gradients up over any number of tapes. */
export class ClippedSum {
  /** In steps of C·2⁻¹⁴: of the layers, then of the features. */
  readonly #steps: Float64Array;
  readonly #features: number;

  /** @param features dimension of the feature layer that every tape has; 0: none has one. */
  constructor(
    readonly layers: readonly Layer[],
    readonly clipNorm: number,
    features = 0,
  ) {
    const last = layers.at(-1);
    this.#features = last === undefined ? 0 : last.bias + last.outputs;
    this.#steps = new Float64Array(this.#features + features);
  }

  add(engine: LearningEngine, tape: Tape): void {
    const usable = finiteRecords(tape);
    const inputs = roundedInputs(tape, usable);
    const gradients = this.#clipped(partsOf(tape, inputs), usable);
    if (tape.features !== undefined)
      addFeatures(tape.features, gradients.at(-1) as Matrix, this.#steps.subarray(this.#features));
    for (let record = 0; record < tape.records; record += CHUNK_RECORDS) {
      const first = 2 * record;
      const rows = Math.min(ROWS, 2 * tape.records - first);
      this.layers.forEach((layer, index) => {
        const gradient = slice(gradients[index] as Matrix, first, rows);
        const product = engine.multiply(transposedSlice(inputs[index] as Matrix, first, rows), gradient);
        // Both factors' steps: 1/32 · C/512 in the hidden layers, 1 · C/2¹⁴ in the first.
        for (let i = 0; i < product.length; i++) this.#steps[layer.weights + i]! += product[i] as number;
        const biasSteps = STEPS_PER_CLIP / gradientSteps(index);
        for (let row = 0, i = 0; row < rows; row++)
          for (let j = 0; j < layer.outputs; j++, i++)
            this.#steps[layer.bias + j]! += biasSteps * (gradient.data[i] as number);
      });
    }
  }

  /** In real units; with C a power of two every value is exact, and a whole number of C·2⁻¹⁴. */
  values(): Float32Array {
    const unit = this.clipNorm / STEPS_PER_CLIP;
    return Float32Array.from(this.#steps, (steps) => unit * Math.max(-MAX_STEPS, Math.min(MAX_STEPS, steps)));
  }

  /** c∘G in whole steps, with c such that the norm of every record's rounded gradient is at most C. */
  #clipped(parts: readonly Part[], usable: Uint8Array): readonly Matrix[] {
    const rounded = parts.map((part) => ({
      ...part,
      gradient: { ...part.gradient, data: new Float32Array(part.gradient.data.length) },
    }));
    for (let record = 0; record < usable.length; record++) {
      if (usable[record] === 0) continue;
      const norm = Math.sqrt(squaredNorm(record, parts, () => 1));
      // Two rows that nearly cancel may be far longer than their sum; both must fit the steps, or its direction would go.
      const longest = Math.max(norm, largestGradient(record, parts));
      let factor = longest > this.clipNorm * CLIP_MARGIN ? (this.clipNorm * CLIP_MARGIN) / longest : 1;
      for (let attempt = 0; ; attempt++) {
        // After the attempts the record is left out: v = 0 is within every norm.
        if (attempt === 4) factor = 0;
        roundRecord(record, factor / this.clipNorm, parts, rounded);
        const after = Math.sqrt(squaredNorm(record, rounded, ({ steps }) => 1 / steps));
        if (after <= 1) break;
        factor *= CLIP_MARGIN / after;
      }
    }
    return rounded.map(({ gradient }) => gradient);
  }
}

/** The squared norms of the records' unclipped gradients, for tests and figures of a simulation; never sent anywhere. */
export function ghostSquaredNorms(tape: Tape): Float64Array {
  const parts = partsOf(tape, roundedInputs(tape, finiteRecords(tape)));
  return Float64Array.from({ length: tape.records }, (_, record) => squaredNorm(record, parts, () => 1));
}

function gradientSteps(layer: number): number {
  return layer === 0 ? G_PER_CLIP_FIRST : G_PER_CLIP_HIDDEN;
}

/** The layers, and after them the features. */
function partsOf({ records, outputGradients, features }: Tape, inputs: readonly Matrix[]): readonly Part[] {
  const layers = outputGradients.map((gradient, layer): Part => {
    const steps = gradientSteps(layer);
    const products = inputProducts(records, inputs[layer] as Matrix, layer);
    return { products, gradient, steps, limit: layer === 0 ? steps : steps - 1 };
  });
  if (features === undefined) return layers;
  const linear = { products: featureProducts(records, features), gradient: features.gradient };
  return [...layers, { ...linear, steps: STEPS_PER_CLIP, limit: STEPS_PER_CLIP }];
}

function inputProducts(records: number, matrix: Matrix, layer: number): Float64Array {
  const scale = layer === 0 ? 1 : 1 / (A_PER_UNIT * A_PER_UNIT);
  const out = new Float64Array(3 * records);
  for (let record = 0; record < records; record++)
    dots(matrix, record, (rr, rf, ff) => {
      out[3 * record] = scale * rr + 1;
      out[3 * record + 1] = scale * rf + 1;
      out[3 * record + 2] = scale * ff + 1;
    });
  return out;
}

function squaredNorm(record: number, parts: readonly Part[], unit: (part: Part) => number): number {
  let total = 0;
  for (const part of parts)
    dots(part.gradient, record, (rr, rf, ff) => {
      const a = part.products;
      const sum =
        (a[3 * record] as number) * rr +
        2 * (a[3 * record + 1] as number) * rf +
        (a[3 * record + 2] as number) * ff;
      total += sum * unit(part) ** 2;
    });
  return Math.max(0, total); // a cancelling pair may come out as −1e-17
}

/** Dot products of rows 2r and 2r + 1 in float64: exact for whole steps, else within 2⁻⁵³ a term. */
function dots(matrix: Matrix, record: number, use: (rr: number, rf: number, ff: number) => void): void {
  const { columns, data } = matrix;
  const real = 2 * record * columns;
  let rr = 0;
  let rf = 0;
  let ff = 0;
  for (let j = real; j < real + columns; j++) {
    const a = data[j] as number;
    const b = data[j + columns] as number;
    rr += a * a;
    rf += a * b;
    ff += b * b;
  }
  use(rr, rf, ff);
}

function largestGradient(record: number, parts: readonly Part[]): number {
  let largest = 0;
  for (const { gradient } of parts)
    for (let i = 2 * record * gradient.columns; i < 2 * (record + 1) * gradient.columns; i++)
      largest = Math.max(largest, Math.abs(gradient.data[i] as number));
  return largest;
}

function roundRecord(record: number, factor: number, from: readonly Part[], to: readonly Part[]): void {
  from.forEach(({ gradient, steps, limit }, part) => {
    const out = (to[part] as Part).gradient.data;
    const start = 2 * record * gradient.columns;
    for (let i = start; i < start + 2 * gradient.columns; i++)
      out[i] = wholeSteps(steps * factor * (gradient.data[i] as number), limit);
  });
}

/**
 * 1 for each record whose rows are all finite. Hazard P5: one with a NaN or an infinity contributes zero; min(1, C/NaN)
 * would let it through, and 0 · NaN would spoil the product of everybody else's.
 */
function finiteRecords({ records, inputs, outputGradients, features }: Tape): Uint8Array {
  const finite = new Uint8Array(records).fill(1);
  const linear = features === undefined ? [] : [features.gradient];
  for (const { columns, data } of [...inputs, ...outputGradients, ...linear])
    for (let record = 0, i = 0; record < records; record++)
      for (const end = i + 2 * columns; i < end; i++) if (!Number.isFinite(data[i])) finite[record] = 0;
  return finite;
}

/** The layers' inputs in whole steps; the rows of a record that cannot be used are zero. */
function roundedInputs({ inputs }: Tape, usable: Uint8Array): readonly Matrix[] {
  return inputs.map(({ rows, columns, data }, layer) => {
    const perUnit = layer === 0 ? 1 : A_PER_UNIT;
    const limit = layer === 0 ? 1 : A_STEPS;
    const out = new Float32Array(data.length);
    for (let record = 0; record < usable.length; record++) {
      if (usable[record] === 0) continue;
      for (let i = 2 * record * columns; i < 2 * (record + 1) * columns; i++)
        out[i] = wholeSteps(perUnit * (data[i] as number), limit);
    }
    return { rows, columns, data: out };
  });
}

/** Nearest whole number within ± limit. Cheaper than Math.round, Math.min and Math.max, and this runs for every number. */
function wholeSteps(value: number, limit: number): number {
  if (value >= limit) return limit;
  if (value <= -limit) return -limit;
  return Math.floor(value + 0.5);
}

function slice({ columns, data }: Matrix, first: number, rows: number): Matrix {
  return { rows, columns, data: data.subarray(first * columns, (first + rows) * columns) };
}

function transposedSlice({ columns, data }: Matrix, first: number, rows: number): Matrix {
  const out = new Float32Array(rows * columns);
  for (let row = 0, i = first * columns; row < rows; row++)
    for (let column = 0; column < columns; column++, i++) out[column * rows + row] = data[i] as number;
  return { rows: columns, columns: rows, data: out };
}
