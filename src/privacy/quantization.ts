import { PrivacyError } from './errors.js';
import type { SumQuery } from './sumQuery.js';

export { drawShare, eventOf, integerSensitivity, planEncoding, planLocalEncoding } from './encoding.js';
export { checkQuery } from './queryCheck.js';

/**
 * Between real vectors and ring integers: the only place where floats become what is masked. Integers are two's complement;
 * the residue of v is v mod 2^modulusBits, and its centred lift is in −2^(b−1) … 2^(b−1) − 1.
 */

function checkLength(query: SumQuery, ...vectors: readonly ArrayLike<number>[]): void {
  for (const { length } of vectors) {
    if (length !== query.dimension) {
      throw new PrivacyError(
        'vector-invalid',
        `the query asks for ${query.dimension} coordinates, got ${length}`,
        {
          expected: query.dimension,
          actual: length,
        },
      );
    }
  }
}

/**
 * A participant's sum, real units, to ring steps: clamped to ± maxCoordinate, then rounded to the nearest integer, halves to
 * even (no drift either way; −x gives minus the integer of x). 'exact' asks that every coordinate be on the grid already. Throws
 * `vector-invalid` for a wrong length, a non-finite coordinate (a record's own is zeroed before the sum, hazard P5), or one
 * off the grid; the message never holds a value.
 */
export function quantize(query: SumQuery, sum: Float32Array | Float64Array): Int32Array {
  checkLength(query, sum);
  const { grid, maxCoordinate, rounding } = query.encoding;
  // A power of two: the product below is exact unless it underflows (to 0, where it would round anyway) or overflows (clamped).
  const stepsPerUnit = 1 / grid;
  const out = new Int32Array(sum.length);
  for (let i = 0; i < sum.length; i++) {
    const value = sum[i] as number;
    if (value - value !== 0)
      throw new PrivacyError('vector-invalid', `coordinate ${i} is not finite`, { coordinate: i });
    const steps = Math.min(maxCoordinate, Math.max(-maxCoordinate, value * stepsPerUnit));
    let rounded = Math.floor(steps);
    const rest = steps - rounded;
    if (rest > 0.5 || (rest === 0.5 && rounded % 2 !== 0)) rounded += 1;
    // The product may have underflowed: what isn't 0 must not pass for the grid point 0.
    if (rounding === 'exact' && (rest !== 0 || (rounded === 0 && value !== 0))) {
      throw new PrivacyError('vector-invalid', `coordinate ${i} is not a multiple of the grid`, {
        coordinate: i,
      });
    }
    out[i] = rounded;
  }
  return out;
}

/** values + noise as residues mod 2^modulusBits. The noise is drawn before data are touched (hazard P11). */
export function addShare(query: SumQuery, values: Int32Array, noise: Int32Array): Uint32Array {
  checkLength(query, values, noise);
  const mask = ringMask(query.encoding.modulusBits);
  const out = new Uint32Array(values.length);
  // 2^b divides 2^32, so that wrapping 32-bit sums first changes no residue.
  for (let i = 0; i < out.length; i++) out[i] = ((values[i] as number) + (noise[i] as number)) & mask;
  return out;
}

/** The sum of the ring, centred, in real units. Throws `vector-invalid` for a wrong length or a value that is no residue. */
export function dequantize(query: SumQuery, ringSum: Uint32Array): Float64Array {
  checkLength(query, ringSum);
  const { grid, modulusBits } = query.encoding;
  const modulus = 2 ** modulusBits;
  const half = modulus / 2;
  return Float64Array.from(ringSum, (residue, i) => {
    if (residue >= modulus) {
      throw new PrivacyError('vector-invalid', `coordinate ${i} is not below 2^${modulusBits}`, {
        coordinate: i,
      });
    }
    return (residue >= half ? residue - modulus : residue) * grid;
  });
}

function ringMask(modulusBits: number): number {
  return modulusBits === 32 ? -1 : 2 ** modulusBits - 1;
}
