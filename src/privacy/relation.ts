/**
 * Which data sets count as neighbours; an argument of every accountant.
 *
 * - `add-remove`   one record more or less (the default, DESIGN §5)
 * - `zero-out`     one record replaced by one that contributes nothing; the number of records is public
 * - `replace-one`  one record replaced by any other; the number of records is public
 *
 * Events carry the sensitivity of add/remove. Zeroing a record moves a sum as far as removing it. Replacing is removing and
 * adding, so that a norm moves by at most twice as much (triangle inequality; both ends of ±C reach it): hazard P8.
 * Randomized response has no sum: it is defined for `replace-one` only.
 */
export const NEIGHBOURINGS = Object.freeze(['add-remove', 'replace-one', 'zero-out'] as const);
export type Neighbouring = (typeof NEIGHBOURINGS)[number];

/** Sensitivity of a sum under `relation`, in units of its add/remove sensitivity. */
export function sensitivityFactor(relation: Neighbouring): 1 | 2 {
  return relation === 'replace-one' ? 2 : 1;
}
