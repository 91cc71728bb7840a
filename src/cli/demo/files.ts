import { mkdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { resolve } from 'node:path';
import { parse } from 'csv-parse/sync';
import type { Row } from '../../synthesis/synthesizer.js';
import type { TableSchema } from '../../synthesis/table/schema.js';

/** The folder asked for, or the next free name beside it: a second demo never writes into the first one's folder. */
export function freshFolder(wanted: string): string {
  for (let n = 1; ; n += 1) {
    const path = resolve(n === 1 ? wanted : `${wanted}-${n}`);
    try {
      mkdirSync(resolve(path, '..'), { recursive: true });
      mkdirSync(path);
      return path;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

/** The first port from `wanted` on that nobody listens on. */
export async function freePort(wanted: number): Promise<number> {
  for (let port = wanted; port < wanted + 100; port += 1) {
    const free = await new Promise<boolean>((done) => {
      const probe = createServer();
      probe.once('error', () => done(false));
      probe.listen(port, '127.0.0.1', () => probe.close(() => done(true)));
    });
    if (free) return port;
  }
  return 0;
}

/** A CSV file that the coordinator exported, as rows typed by the schema; empty cells are missing values. */
export function readRows(path: string, schema: TableSchema): Row[] {
  const records = parse(readFileSync(path), { columns: true, skip_empty_lines: true }) as Record<
    string,
    string
  >[];
  return records.map((record) =>
    Object.fromEntries(
      schema.fields.map((field) => [field.name, cellValue(record[field.name] ?? '', field.type)]),
    ),
  );
}

function cellValue(text: string, type: TableSchema['fields'][number]['type']): Row[string] {
  if (text === '') return null;
  if (type === 'integer' || type === 'number' || type === 'year') return Number(text);
  return type === 'boolean' ? text === 'true' : text;
}
