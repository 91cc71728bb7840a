import { createReadStream } from 'node:fs';
import { pipeline, type Readable } from 'node:stream';
import { CsvError, parse } from 'csv-parse';
import { InvalidRecords } from '../errors.js';

/** Takes the header's cells, and gives what takes each record's; `line` is the one on which a record ends, from 1. */
export type TakeHeader = (header: readonly string[], line: number) => TakeRecord;
/** A promise makes the file wait. */
export type TakeRecord = (cells: readonly string[], line: number) => Promise<void> | undefined;

/**
 * Reads CSV (RFC 4180; UTF-8, with or without a byte order mark; LF or CRLF; empty lines are skipped) in one pass with flat
 * memory, and hands over each record, all of the header's width.
 * @throws InvalidRecords at the first record that is no such CSV, naming the line and never a value; also for a file without
 * records. What `takeHeader` and its `TakeRecord` throw goes on to the caller.
 */
export async function eachRecord(input: string | Readable, takeHeader: TakeHeader): Promise<void> {
  const source = typeof input === 'string' ? createReadStream(input) : input;
  // relax_column_count: the count is checked below, where the message can leave the cells out. The parser's own line
  // counter runs ahead of the records it has handed over, so lines are counted here.
  const parser = parse({
    bom: true,
    relax_column_count: true,
    max_record_size: 1024 * 1024,
  });
  pipeline(source, parser, () => {}); // an error of the file destroys the parser with it, and the loop below throws it
  let take: TakeRecord | undefined;
  let width = 0;
  let nextLine = 1;
  let records = false;
  try {
    for await (const cells of parser as AsyncIterable<string[]>) {
      const line = nextLine;
      nextLine += 1 + lineBreaks(cells);
      if (take === undefined) {
        take = takeHeader(cells, line);
        width = cells.length;
        continue;
      }
      if (cells.length !== width) {
        if (cells.length === 1 && cells[0] === '') continue; // an empty line
        const message = `the record has ${cells.length} cells and the header ${width}; quote cells that contain a comma`;
        throw new InvalidRecords('cell-count', line, undefined, message);
      }
      records = true;
      const busy = take(cells, line);
      if (busy !== undefined) await busy;
    }
    if (take === undefined) throw new InvalidRecords('empty-file', undefined, undefined, EMPTY);
    if (!records) throw new InvalidRecords('empty-file', undefined, undefined, ONLY_HEADER);
  } catch (error) {
    source.destroy();
    if (error instanceof CsvError) throw malformed(error);
    throw error;
  }
}

const EMPTY = 'the file is empty; its first line must name the columns';
const ONLY_HEADER = 'the file has a header and no record; was the right file given?';

/** csv-parse's own message quotes the file, so only its code and line go on. */
function malformed(error: CsvError): InvalidRecords {
  const line = typeof error.lines === 'number' ? error.lines : undefined;
  const message = `not well-formed CSV (${error.code}); check the quotes around cells`;
  return new InvalidRecords('malformed-csv', line, undefined, message);
}

function lineBreaks(cells: readonly string[]): number {
  let breaks = 0;
  for (const cell of cells)
    for (let at = cell.indexOf('\n'); at >= 0; at = cell.indexOf('\n', at + 1)) breaks += 1;
  return breaks;
}
