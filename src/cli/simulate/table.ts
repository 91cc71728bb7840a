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

/** RFC 4180 as the coordinator exports it; the file appears only when it is whole. */
export async function writeTable(file: string, schema: TableSchema, rows: AsyncIterable<Row>): Promise<void> {
  const draft = `${file}.part`;
  const csv = stringify({
    columns: schema.fields.map(({ name }) => name),
    header: true,
    cast: { boolean: String },
    record_delimiter: 'windows',
  });
  try {
    await pipeline(Readable.from(rows), csv, createWriteStream(draft));
    renameSync(draft, file);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
}
