import type { Rng } from '../../crypto/rng.js';

const RESOLUTION = 2 ** 53;
const BYTES_PER_CALL = 65_536;

/**
 * Independent Bernoulli trials: each call takes the next `size` records and returns which of them are in the sample.
 *
 * A trial compares a 53-bit uniform with ⌊rate·2⁵³⌋, so the true rate is never above the declared one and at most 2⁻⁵³
 * below it; the privacy cost grows with the rate, so the declared one covers it. Only the upper 32 bits are drawn
 * unless they tie, which decides the same event with half the randomness.
 * @throws RangeError unless 0 < rate ≤ 1.
 */
export function poissonIndices(rate: number, rng: Rng): (size: number) => Uint32Array {
  if (!(rate > 0 && rate <= 1)) throw new RangeError('the sampling rate must be above 0 and at most 1');
  const threshold = Math.floor(rate * RESOLUTION);
  const high = Math.floor(threshold / 2 ** 21);
  const low = threshold % 2 ** 21;
  let words: DataView = new DataView(new ArrayBuffer(0));
  let position = 0;
  const word = (): number => {
    if (position === words.byteLength) {
      const bytes = rng(BYTES_PER_CALL);
      words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      position = 0;
    }
    const value = words.getUint32(position, true);
    position += 4;
    return value;
  };
  return (size) => {
    if (rate === 1) return Uint32Array.from({ length: size }, (_, index) => index);
    const found: number[] = [];
    for (let index = 0; index < size; index++) {
      const upper = word();
      if (upper < high || (upper === high && word() >>> 11 < low)) found.push(index);
    }
    return Uint32Array.from(found);
  };
}
