import type { Rng } from '../../crypto/rng.js';
import type { Row } from '../synthesizer.js';
import { valueOfCode } from './codedRow.js';
import { MISSING_CATEGORY } from './layout.js';
import type { RecordSource } from './records.js';
import { type Field, parseTableSchema, type TableConstraint, type TableSchema } from './schema.js';

/**
 * The records as rows, in their order, as the schema writes them. For the organisation that they are of: what it makes of them stays
 * with it.
 */
export async function* recordRows({ schema, layout, sample }: RecordSource, rng: Rng): AsyncGenerator<Row> {
  for await (const { count, rows } of sample(1, rng)) {
    const view = new DataView(rows.buffer, rows.byteOffset, rows.byteLength);
    for (let record = 0; record < count; record++)
      yield Object.fromEntries(
        schema.fields.map((field, f) => {
          const at = record * layout.bytes + (layout.offsets[f] as number);
          return [field.name, valueOfCode(field, codeAt(field, view, at))];
        }),
      );
  }
}

function codeAt(field: Field, view: DataView, at: number): number {
  if (field.domain === 'range') return view.getFloat64(at, true);
  const category = view.getUint16(at, true);
  return category === MISSING_CATEGORY ? Number.NaN : category;
}

/**
 * The schema of some of the columns, in its own order, for a file that may have others. Of the constraints those remain that are about
 * these columns alone.
 */
export function schemaOfColumns(schema: TableSchema, names: ReadonlySet<string>): TableSchema {
  const {
    fieldsMatch: _,
    'chorale:constraints': constraints = [],
    ...rest
  } = schema.json as unknown as SchemaJson;
  return parseTableSchema({
    ...rest,
    fields: rest.fields.filter((_field, f) => names.has((schema.fields[f] as Field).name)),
    'chorale:constraints': constraints.filter((_constraint, c) =>
      columnsIn(schema.constraints[c] as TableConstraint).every((name) => names.has(name)),
    ),
  });
}
interface SchemaJson {
  readonly fields: readonly unknown[];
  readonly fieldsMatch?: unknown;
  readonly 'chorale:constraints'?: readonly unknown[];
}

function columnsIn(constraint: TableConstraint): readonly string[] {
  switch (constraint.type) {
    case 'inequality':
      return [constraint.low, constraint.high];
    case 'fixedCombinations':
      return constraint.columns;
    case 'impliedMissing':
      return [constraint.column, constraint.when.column];
  }
}
