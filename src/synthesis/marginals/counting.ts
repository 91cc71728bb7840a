import type { Rng } from '../../crypto/rng.js';
import type { SumQuery } from '../../privacy/sumQuery.js';
import { addCounts, countersOf } from '../counts/counting.js';
import { seededRng } from '../randomness.js';
import type { Models } from '../synthesizer.js';
import { cellsOf } from '../table/encoding.js';
import { fineCells } from '../table/fineCells.js';
import type { RecordSource } from '../table/records.js';
import { readQuestion } from './question.js';

/** The weighted counts of all marginals over a participant's records: whole numbers, length `query.dimension`. */
export async function contribute(
  query: SumQuery,
  models: Models,
  records: RecordSource,
  rng: Rng,
): Promise<Float64Array> {
  const fine = fineCells(records.schema);
  const counters = countersOf(readQuestion(query, models, fine), fine);
  const sum = new Float64Array(query.dimension);
  const columns = fine.blocks.length;
  // One seed before a record is touched, as every synthesizer takes it, though all records are counted.
  const coins = seededRng(rng(32), 'marginals/sampling');
  for await (const batch of records.sample(query.samplingRate, coins)) {
    addCounts(counters, cellsOf(fine, batch), columns, sum);
  }
  return sum;
}
