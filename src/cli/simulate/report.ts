import { basename } from 'node:path';
import { utf8ToBytes } from '@noble/hashes/utils.js';
import { type Assessment, assess } from '../../evaluation/assess.js';
import type { TableSchema } from '../../synthesis/index.js';
import type { Row } from '../../synthesis/synthesizer.js';
import { holdOutOf } from '../../synthesis/table/holdOut.js';
import { recordRows } from '../../synthesis/table/recordRows.js';
import { writePage } from '../evaluate/page.js';
import { rowsOf } from '../evaluate/rows.js';
import type { Holding } from './records.js';

/** Part of each participant's records that a simulation with a report keeps from the generator, to test the table with. */
export const HELD_OUT = 0.2;

/** What `chorale evaluate` says of the table: `holdings` are divided by HELD_OUT. Writes the page and its JSON, each only when it is whole. */
export async function writeReport(
  file: string,
  request: {
    readonly schema: TableSchema;
    readonly holdings: readonly Holding[];
    readonly synthetic: string;
    readonly privacy: { readonly epsilon: number; readonly delta: number };
    readonly seed: string;
  },
  now: Date,
): Promise<Assessment> {
  const { schema, holdings, synthetic, privacy, seed } = request;
  const assessment = await assess({
    schema,
    train: rowsOfAll(holdings, ({ records }) => records),
    real: rowsOfAll(holdings, ({ records }) => holdOutOf(records)),
    synthetic: rowsOf(synthetic, schema),
    privacy,
    seed: utf8ToBytes(`chorale/simulate/report/${seed}`),
  });
  const names = { train: 'the participants’ training rows', real: 'the rows that they held out' };
  writePage(file, assessment, { ...names, synthetic: basename(synthetic) }, now);
  return assessment;
}

async function* rowsOfAll(
  holdings: readonly Holding[],
  part: (holding: Holding) => Holding['records'],
): AsyncGenerator<Row> {
  for (const holding of holdings) yield* recordRows(part(holding), everyRecord);
}

/** All records are taken, and nothing is drawn for it. */
function everyRecord(): never {
  throw new Error('a sample of all records draws nothing');
}
