import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream';
import { parse } from 'csv-parse';
import type { Row } from '../../synthesis/synthesizer.js';
import type { Field, TableSchema } from '../../synthesis/table/schema.js';
import { CliError, EXIT } from '../exits.js';

/**
 * The rows of a CSV file as the schema types them. A value that the schema does not know stays the text that it is, so that the
 * evaluation counts it: of a synthetic table one wants to know all that is wrong, not the first. Throws CliError where a column is
 * missing or the file is no CSV.
 */
export async function* rowsOf(path: string, schema: TableSchema): AsyncGenerator<Row> {
  const parser = parse({
    bom: true,
    skip_empty_lines: true,
    relax_column_count: true,
    max_record_size: 2 ** 20,
  });
  const source = createReadStream(path);
  pipeline(source, parser, () => {}); // an error of the file destroys the parser with it, and the loop below throws it
  const values = schema.fields.map(cellReader);
  let columns: readonly number[] | undefined;
  try {
    for await (const cells of parser as AsyncIterable<string[]>) {
      if (columns === undefined) {
        columns = columnsIn(cells, schema, path);
        continue;
      }
      const row: Record<string, Row[string]> = {};
      for (let f = 0; f < schema.fields.length; f++)
        row[schema.fields[f]!.name] = values[f]!(cells[columns[f]!] ?? '');
      yield row;
    }
  } catch (error) {
    if (error instanceof Error && 'code' in error && String(error.code).startsWith('CSV_'))
      throw new CliError(
        `${path}: not well-formed CSV (${String(error.code)}); check the quotes around cells.`,
        EXIT.refused,
        'InvalidInput',
        { cause: error },
      );
    throw error;
  }
  if (columns === undefined)
    throw new CliError(
      `${path}: the file is empty; its first line must name the columns.`,
      EXIT.refused,
      'InvalidInput',
    );
}

function columnsIn(header: readonly string[], schema: TableSchema, path: string): number[] {
  return schema.fields.map(({ name }) => {
    const index = header.indexOf(name);
    if (index < 0 || header.indexOf(name, index + 1) >= 0)
      throw new CliError(
        `${path}: the header ${index < 0 ? 'does not name' : 'names twice'} the column "${name}" of the schema.`,
        EXIT.refused,
        'InvalidInput',
      );
    return index;
  });
}

const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;

function cellReader(field: Field): (text: string) => Row[string] {
  const numeric = field.type === 'integer' || field.type === 'number';
  const typed = (text: string): string | number => (numeric && DECIMAL.test(text) ? Number(text) : text);
  if (field.domain === 'range') return (text) => (field.missingValues.has(text) ? null : typed(text));
  return (text) => {
    if (field.missingValues.has(text)) return null;
    const index = field.indexOf.get(numeric ? String(typed(text)) : text);
    return index === undefined ? text : field.categories[index]!;
  };
}
