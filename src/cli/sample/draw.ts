import { systemRng } from '../../crypto/rng.js';
import { readCsv, type TableSchema } from '../../synthesis/index.js';
import { completeRows, type Published, sampleRows, seedOf } from '../../synthesis/sampling.js';
import type { Row, SampleConditions } from '../../synthesis/synthesizer.js';
import { recordRows, schemaOfColumns } from '../../synthesis/table/recordRows.js';
import { CliError, EXIT } from '../exits.js';
import { writeTable } from '../simulate/table.js';

/** What a file with somebody's own records is written with: its owner may read it, nobody else. */
export const OWN_RECORDS_MODE = 0o600;
/** Of a hybrid table: which rows are the caller's own. */
export const ORIGIN = 'chorale:origin';

export interface Draw extends SampleConditions {
  readonly rows: number;
  readonly seed: string;
  readonly out: string;
}

/** Synthetic rows alone, as the coordinator would give them. @returns how many. */
export async function drawSynthetic(published: Published, draw: Draw): Promise<number> {
  const count = { rows: 0 };
  await writeTable(draw.out, published.context.schema, counted(synthetic(published, draw), count));
  return count.rows;
}

/**
 * The caller's own records, each completed by columns that are drawn given the `columns` kept. Records are read and rows written here;
 * nothing of them goes anywhere else.
 */
export async function drawCompleted(
  published: Published,
  draw: Omit<Draw, 'rows'>,
  own: { readonly file: string; readonly columns: readonly string[] },
): Promise<number> {
  const { schema } = published.context;
  const unknown = own.columns.find((name) => !schema.fields.some((field) => field.name === name));
  if (unknown !== undefined)
    throw new CliError(`--columns: the schema has no column "${unknown}".`, EXIT.refused, 'InvalidInput');
  const given = schemaOfColumns(schema, new Set(own.columns));
  const records = await readCsv(own.file, given);
  const count = { rows: 0 };
  try {
    const rows = recordRows(records, systemRng());
    const completed = completeRows(published, { seed: seedOf(draw.seed), columns: own.columns, rows });
    await writeTable(draw.out, schema, counted(completed, count), { mode: OWN_RECORDS_MODE });
  } finally {
    await records.close();
  }
  return count.rows;
}

/** The caller's own records, then synthetic rows, told apart by a column. @returns how many there are of each. */
export async function drawHybrid(
  published: Published,
  draw: Draw,
  file: string,
): Promise<{ readonly real: number; readonly synthetic: number }> {
  const { schema } = published.context;
  const records = await readCsv(file, schema);
  const [real, drawn] = [{ rows: 0 }, { rows: 0 }];
  async function* both(): AsyncGenerator<Row> {
    for await (const row of counted(recordRows(records, systemRng()), real))
      yield { ...row, [ORIGIN]: 'real' };
    for await (const row of counted(synthetic(published, draw), drawn))
      yield { ...row, [ORIGIN]: 'synthetic' };
  }
  try {
    await writeTable(draw.out, schema, both(), {
      columns: [...namesOf(schema), ORIGIN],
      mode: OWN_RECORDS_MODE,
    });
  } finally {
    await records.close();
  }
  return { real: real.rows, synthetic: drawn.rows };
}

function synthetic(published: Published, { rows, seed, where, balance }: Draw): AsyncIterable<Row> {
  return sampleRows(published, {
    ...{ seed: seedOf(seed), offset: 0, count: rows },
    ...(where !== undefined && { where }),
    ...(balance !== undefined && { balance }),
  });
}

async function* counted(rows: AsyncIterable<Row>, count: { rows: number }): AsyncGenerator<Row> {
  for await (const row of rows) {
    count.rows += 1;
    yield row;
  }
}

function namesOf({ fields }: TableSchema): readonly string[] {
  return fields.map(({ name }) => name);
}
