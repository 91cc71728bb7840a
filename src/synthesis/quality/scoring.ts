import type { Question, ScoredClass } from './question.js';

/** The features of records: `records × columns`, from their fine cells in the same order. */
export function featuresOf(fineCells: Uint16Array, maps: readonly Uint16Array[]): Uint16Array {
  const columns = maps.length;
  return fineCells.map((cell, i) => (maps[i % columns] as Uint16Array)[cell] as number);
}

/** As typed arrays: read once a sum, not once a record. */
export function mapsOf({ features }: Pick<Question, 'features'>): readonly Uint16Array[] {
  return features.map((map) => Uint16Array.from(map));
}

/** Σ of the coefficients of a record's features, added in the order of the columns: the same number on every machine. */
export function scoreOf(
  { coefficients }: Pick<ScoredClass, 'coefficients'>,
  labelColumn: number,
  features: Uint16Array,
  first: number,
): number {
  let score = 0;
  for (let column = 0; column < coefficients.length; column++)
    if (column !== labelColumn)
      score += (coefficients[column] as readonly number[])[features[first + column] as number] as number;
  return score;
}

/**
 * Columns in which a record differs from the reference row that is nearest to it: a member that was learnt by heart is at 0 (the
 * distance of Chen et al. 2020, GAN-Leaks, on cells).
 */
export function nearestDistance(
  features: Uint16Array,
  first: number,
  columns: number,
  references: Uint16Array,
): number {
  let nearest = columns;
  for (let row = 0; row < references.length && nearest > 0; row += columns) {
    let distance = 0;
    for (let column = 0; column < columns && distance < nearest; column++)
      if (references[row + column] !== features[first + column]) distance++;
    nearest = Math.min(nearest, distance);
  }
  return nearest;
}
