import type { Rng } from '../../crypto/rng.js';
import type { SumQuery } from '../../privacy/sumQuery.js';
import { addCounts, countersOf } from '../counts/counting.js';
import { seededRng } from '../randomness.js';
import type { Models } from '../synthesizer.js';
import { cellsOf, tableEncoding } from '../table/encoding.js';
import { fineCells } from '../table/fineCells.js';
import { holdOutOf } from '../table/holdOut.js';
import type { RecordSource } from '../table/records.js';
import { binOf } from './classifier.js';
import { categoriesOf } from './plan.js';
import { layoutOf, type Question, readQuestion } from './question.js';
import { featuresOf, mapsOf, nearestDistance, scoreOf } from './scoring.js';

/**
 * The weighted counts of a participant's held-out records on every table of the question, and of its training records on the
 * attack's second table: whole numbers, length `query.dimension`.
 * @throws InvalidOptions where the records were not divided.
 */
export async function contribute(
  query: SumQuery,
  models: Models,
  records: RecordSource,
  rng: Rng,
): Promise<Float64Array> {
  const cells = tableEncoding(records.schema);
  const fine = fineCells(records.schema);
  const { question, references } = readQuestion(query, models, { cells, fine });
  const holdOut = holdOutOf(records);
  const layout = layoutOf(question, cells);
  const counters = countersOf(question.counts, cells);
  const maps = mapsOf(question);
  const columns = cells.blocks.length;
  const { weight, trainingWeight } = question.membership;
  const sum = new Float64Array(query.dimension);
  const attack = (features: Uint16Array, table: number, own: number): void => {
    for (let first = 0; first < features.length; first += columns)
      add(sum, table + nearestDistance(features, first, columns, references), own);
  };
  // One seed before a record is touched, as every synthesizer takes it, though all records are counted.
  const coins = seededRng(rng(32), 'quality/sampling');
  for await (const batch of holdOut.sample(query.samplingRate, coins)) {
    const inCells = cellsOf(cells, batch);
    const features = featuresOf(cellsOf(fine, batch), maps);
    addCounts(counters, inCells, columns, sum);
    if (question.label !== null)
      addScores(question.label, categoriesOf(cells, question.label.column), inCells, features, layout, sum);
    attack(features, layout.heldOut, weight);
  }
  for await (const batch of records.sample(query.samplingRate, coins))
    attack(featuresOf(cellsOf(fine, batch), maps), layout.training, trainingWeight);
  return sum;
}

/** A record without a label is in no class and counts in none of the tables. */
function addScores(
  { column, classes }: NonNullable<Question['label']>,
  categories: number,
  cells: Uint16Array,
  features: Uint16Array,
  { scores, scoreBins }: ReturnType<typeof layoutOf>,
  sum: Float64Array,
): void {
  const columns = classes[0]?.coefficients.length as number;
  classes.forEach((one, c) => {
    const table = scores + 2 * c * scoreBins;
    for (let first = 0; first < cells.length; first += columns) {
      const category = cells[first + column] as number;
      if (category >= categories) continue;
      const bin = binOf(scoreOf(one, column, features, first), one.edges);
      add(sum, table + (category === one.category ? 0 : scoreBins) + bin, one.weight);
    }
  });
}

function add(sum: Float64Array, place: number, weight: number): void {
  sum[place] = (sum[place] as number) + weight;
}
