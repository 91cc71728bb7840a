import { InvalidRecords } from '../errors.js';
import type { TableSchema } from './schema.js';

/**
 * Where each field's column is in a file, by name.
 * @throws InvalidRecords where one is missing, is there twice, or is not in a schema that allows no others.
 */
export function columnIndices(
  header: readonly string[],
  schema: TableSchema,
  line: number,
): readonly number[] {
  const names = new Set(schema.fields.map((field) => field.name));
  const extra = header.findIndex((name) => !names.has(name));
  if (schema.onlyTheseColumns && extra >= 0) {
    const message = `column ${extra + 1} is not in the schema, whose fieldsMatch allows no others; remove it from the file`;
    throw new InvalidRecords('extra-column', line, undefined, message);
  }
  return schema.fields.map(({ name }) => {
    const index = header.indexOf(name);
    if (index < 0)
      throw new InvalidRecords(
        'missing-column',
        line,
        name,
        'the header does not name it; add or rename the column',
      );
    if (header.indexOf(name, index + 1) >= 0)
      throw new InvalidRecords('duplicate-column', line, name, 'the header names it twice; keep one');
    return index;
  });
}
