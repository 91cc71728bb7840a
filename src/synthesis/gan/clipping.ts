import type { LearningEngine, Matrix } from '../engine.js';
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
}

/** Adds clipped gradients up over any number of tapes. */
export class ClippedSum {
  /** In steps of C·2⁻¹⁴. */
  readonly #steps: Float64Array;

  constructor(
    readonly layers: readonly Layer[],
    readonly clipNorm: number,
  ) {
    const last = layers.at(-1) as Layer;
    this.#steps = new Float64Array(last.bias + last.outputs);
  }

  add(engine: LearningEngine, tape: Tape): void {
    const usable = finiteRecords(tape);
    const inputs = roundedInputs(tape, usable);
    const gradients = this.#clipped(tape, inputs, usable);
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
  #clipped(tape: Tape, inputs: readonly Matrix[], usable: Uint8Array): readonly Matrix[] {
    const products = inputProducts(tape.records, inputs);
    const rounded = tape.outputGradients.map(({ rows, columns }) => ({
      rows,
      columns,
      data: new Float32Array(rows * columns),
    }));
    for (let record = 0; record < tape.records; record++) {
      if (usable[record] === 0) continue;
      const norm = Math.sqrt(squaredNorm(record, products, tape.outputGradients, () => 1));
      // Two rows that nearly cancel may be far longer than their sum; both must fit the steps, or its direction would go.
      const longest = Math.max(norm, largestGradient(record, tape.outputGradients));
      let factor = longest > this.clipNorm * CLIP_MARGIN ? (this.clipNorm * CLIP_MARGIN) / longest : 1;
      for (let attempt = 0; ; attempt++) {
        // After the attempts the record is left out: v = 0 is within every norm.
        if (attempt === 4) factor = 0;
        roundRecord(record, factor / this.clipNorm, tape.outputGradients, rounded);
        const after = Math.sqrt(squaredNorm(record, products, rounded, (layer) => 1 / gradientSteps(layer)));
        if (after <= 1) break;
        factor *= CLIP_MARGIN / after;
      }
    }
    return rounded;
  }
}

/** The squared norms of the records' unclipped gradients, for tests and figures of a simulation; never sent anywhere. */
export function ghostSquaredNorms(tape: Tape): Float64Array {
  const products = inputProducts(tape.records, roundedInputs(tape, finiteRecords(tape)));
  return Float64Array.from({ length: tape.records }, (_, record) =>
    squaredNorm(record, products, tape.outputGradients, () => 1),
  );
}

function gradientSteps(layer: number): number {
  return layer === 0 ? G_PER_CLIP_FIRST : G_PER_CLIP_HIDDEN;
}

/** By layer, (a_s·a_t + 1) of each record's two rows: [real·real, real·fake, fake·fake]. */
function inputProducts(records: number, inputs: readonly Matrix[]): readonly Float64Array[] {
  return inputs.map((matrix, layer) => {
    const scale = layer === 0 ? 1 : 1 / (A_PER_UNIT * A_PER_UNIT);
    const out = new Float64Array(3 * records);
    for (let record = 0; record < records; record++)
      dots(matrix, record, (rr, rf, ff) => {
        out[3 * record] = scale * rr + 1;
        out[3 * record + 1] = scale * rf + 1;
        out[3 * record + 2] = scale * ff + 1;
      });
    return out;
  });
}

function squaredNorm(
  record: number,
  products: readonly Float64Array[],
  gradients: readonly Matrix[],
  unit: (layer: number) => number,
): number {
  let total = 0;
  gradients.forEach((matrix, layer) => {
    const a = products[layer] as Float64Array;
    dots(matrix, record, (rr, rf, ff) => {
      const sum =
        (a[3 * record] as number) * rr +
        2 * (a[3 * record + 1] as number) * rf +
        (a[3 * record + 2] as number) * ff;
      total += sum * unit(layer) ** 2;
    });
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

function largestGradient(record: number, gradients: readonly Matrix[]): number {
  let largest = 0;
  for (const { columns, data } of gradients)
    for (let i = 2 * record * columns; i < 2 * (record + 1) * columns; i++)
      largest = Math.max(largest, Math.abs(data[i] as number));
  return largest;
}

function roundRecord(record: number, factor: number, from: readonly Matrix[], to: readonly Matrix[]): void {
  from.forEach((matrix, layer) => {
    const steps = gradientSteps(layer);
    const limit = layer === 0 ? steps : steps - 1;
    const out = (to[layer] as Matrix).data;
    const start = 2 * record * matrix.columns;
    for (let i = start; i < start + 2 * matrix.columns; i++)
      out[i] = wholeSteps(steps * factor * (matrix.data[i] as number), limit);
  });
}

/**
 * 1 for each record whose rows are all finite. Hazard P5: one with a NaN or an infinity contributes zero; min(1, C/NaN)
 * would let it through, and 0 · NaN would spoil the product of everybody else's.
 */
function finiteRecords({ records, inputs, outputGradients }: Tape): Uint8Array {
  const finite = new Uint8Array(records).fill(1);
  for (const { columns, data } of [...inputs, ...outputGradients])
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
