import { accessSync, constants, createWriteStream, renameSync, rmSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { stringify } from 'csv-stringify';
import type { Row, TableSchema } from '../../synthesis/index.js';

/** Known before the minutes of a training, not after them. */
export function checkWritable(file: string): void {
  accessSync(dirname(resolve(file)), constants.W_OK);
}

/**
 * RFC 4180 as the coordinator exports it; the file appears only when it is whole. `columns` in place of the schema's; `mode` of the
 * file, from its first byte on.
 */
export async function writeTable(
  file: string,
  schema: TableSchema,
  rows: AsyncIterable<Row>,
  { columns, mode }: { readonly columns?: readonly string[]; readonly mode?: number } = {},
): Promise<void> {
  const draft = `${file}.part`;
  const csv = stringify({
    columns: [...(columns ?? schema.fields.map(({ name }) => name))],
    header: true,
    cast: { boolean: String },
    record_delimiter: 'windows',
  });
  try {
    // A draft that somebody left would keep the mode that it has.
    rmSync(draft, { force: true });
    await pipeline(Readable.from(rows), csv, createWriteStream(draft, mode === undefined ? {} : { mode }));
    renameSync(draft, file);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
}
