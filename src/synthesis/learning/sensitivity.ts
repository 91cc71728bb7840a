import { UNITS_PER_CLIP } from './exactSum.js';

/**
 * The float error of a clipped sum, bounded for every batch (Casacuberta et al. 2022 show what an unbounded one does).
 *
 * A record's vector is scaled to norm ≤ (1 − 2⁻¹⁰)·C. Terms whose per-record vectors are formed are summed exactly
 * (exactSum.ts): no error but the rounding to u. Products sum over records in float32, for which in any order of n terms
 *
 *   |computed − true| ≤ γₙ Σ|a||g|,  γₙ = n·2⁻²⁴ / (1 − n·2⁻²⁴)   (Higham 2002, section 3.1),
 *
 * and are cut into pieces of at most ROWS rows. Σ|a||g| over the rows of record i has norm at most Rᵢ = Σ_t ‖a_t‖‖g_t‖, which is
 * the norm itself when T = 1 and above it when rows cancel; clipping bounds Rᵢ by `cancelling`·C too. A record more changes one
 * slot and perhaps pushes one record out of it (slots.ts): the sums of that slot before and after and of the record
 * pushed out are in error, so the computed sums of neighbours differ by at most
 *
 *   (1 − 2⁻¹⁰)·C + (2·capacity + 1)·cancelling·γ_ROWS·C + pieces·(u/2)·√d  ≤  C,
 *
 * and C is the sensitivity. (A slot of one: the record pushed out has the same computed vector as before, so 1 instead
 * of 2·capacity + 1.) What is left of the 2⁻¹⁰ covers the rounding of c·g, 2⁻²⁴ of it, and of the norm.
 */
export const CLIP_MARGIN = 2 ** -10;
/** Rows in a float32 sum. 2·ROWS²·2⁻²⁴ must stay below the margin; fewer are slower. */
export const ROWS = 80;
/** Largest number of parameters for which the bound is at most C. */
export const MAX_DIMENSION = 2 ** 24;

export interface SlotShape {
  /** Records a slot. */
  readonly capacity: number;
  /** Rᵢ/C at most: room for rows of random signs, whose norm is about Rᵢ/√T. */
  readonly cancelling: number;
}

/** For a network whose products have `rows` rows a record (0: none), such that capacity · cancelling ≤ ROWS. */
export function slotShape(rows: number): SlotShape {
  const cancelling = rows <= 1 ? 1 : Math.min(ROWS, Math.ceil(2 * Math.sqrt(rows)));
  return { capacity: Math.floor(ROWS / cancelling), cancelling };
}

/** The left side of the inequality above, in C. */
export function sensitivityBound(dimension: number, rows: number): number {
  const { capacity, cancelling } = slotShape(rows);
  const gamma = (ROWS * 2 ** -24) / (1 - ROWS * 2 ** -24);
  const sums = capacity === 1 ? 1 : 2 * capacity + 1;
  // A slot's rows in pieces, plus one for the exact terms.
  const pieces = (capacity === 1 ? 1 : 3) * Math.ceil((capacity * rows) / ROWS) + 1;
  return (
    (1 - CLIP_MARGIN) * (1 + 2 ** -22) +
    sums * cancelling * gamma +
    (pieces * Math.sqrt(dimension)) / (2 * UNITS_PER_CLIP)
  );
}
