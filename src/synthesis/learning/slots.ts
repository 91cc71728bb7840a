import type { Rng } from '../../crypto/rng.js';
import { uniforms } from '../randomness.js';

/**
 * Which records are summed together in float32. That sum has an error which depends on all of them, so a record more must not
 * regroup the others: cutting the sample into runs of 64 would (each later run changes), and the error of the difference
 * would grow with the batch, whose size is private.
 *
 * So every record draws its slot, independently of all else. Fix the draws of the others: one record more then changes one
 * slot. A slot that is full keeps its first `capacity` records, in the order of the table, and each record beyond is a slot
 * of its own; a record more may push one out, and changes two slots, never more. (The slots' number is public; the
 * guarantee for fixed draws carries over to random ones by convexity, as for the sampling itself.)
 */
export function slotsOf(
  records: number,
  expectedRecords: number,
  capacity: number,
  rng: Rng,
): readonly (readonly number[])[] {
  const mean = Math.max(1, Math.floor(MEAN_LOAD * capacity));
  const count = Math.max(1, Math.ceil(expectedRecords / mean));
  const slots: number[][] = Array.from({ length: count }, () => []);
  const beyond: number[][] = [];
  const draws = uniforms(rng, records);
  for (let record = 0; record < records; record++) {
    const slot = slots[Math.floor(count * (draws[record] as number))] as number[];
    if (slot.length < capacity) slot.push(record);
    else beyond.push([record]);
  }
  return [...slots.filter((slot) => slot.length > 0), ...beyond];
}

/** Two standard deviations (√64 = 8) below the capacity of 80: one record in a hundred lies beyond. Fewer would be slower. */
const MEAN_LOAD = 0.8;
