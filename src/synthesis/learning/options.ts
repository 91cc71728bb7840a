import { z } from 'zod';
import { InvalidOptions } from '../errors.js';

/** What every sum of clipped gradients asks of its options. */

/** C a power of two, so that a sum of clipped gradients is one of whole steps (exactSum.ts); so far from 1 that float32 holds all of them. */
export function isClipNorm(value: number): boolean {
  return value >= 2 ** -20 && value <= 2 ** 20 && Number.isInteger(Math.log2(value));
}

/** L2 norm to which one record's gradient is clipped. */
export const clipNormOption = z
  .number()
  .refine(isClipNorm, { message: 'must be a power of two from 2^-20 to 2^20, so that sums are exact' });

/**
 * Hazard P26: a layer that mixes the records of a batch makes one record's gradient depend on the others, so clipping it
 * bounds nothing. It is named in the refusal, whatever it is called, since leaving it out silently would train another
 * model than the one that was asked for.
 * @throws InvalidOptions where an option's name or its text asks for batch normalisation.
 */
export function refuseBatchNormalization(input: unknown): void {
  if (typeof input !== 'object' || input === null) return;
  for (const [name, value] of Object.entries(input)) {
    const mixes = [name, value].some((text) => typeof text === 'string' && /batch.?norm/i.test(text));
    if (mixes || (/normali[sz]ation$/i.test(name) && value !== 'none'))
      throw new InvalidOptions(
        name,
        'there can be no batch normalisation: it mixes records, and a gradient clipped per record would bound nothing; leave it out',
      );
  }
}
