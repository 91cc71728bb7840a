import { existsSync } from 'node:fs';
import { basename, extname } from 'node:path';
import { globSync } from 'tinyglobby';
import { systemRng } from '../../crypto/rng.js';
import { MAX_MEMBERS } from '../../secagg/block.js';
import {
  InvalidRecords,
  type MovedCounts,
  type RecordSource,
  readCsv,
  type TableSchema,
} from '../../synthesis/index.js';
import { CliError, EXIT } from '../exits.js';

/** One organisation of the simulation: a CSV file. */
export interface Holding {
  readonly file: string;
  readonly name: string;
  readonly records: RecordSource;
  /** What was moved to fit the schema: for whoever holds the file. */
  readonly moved: MovedCounts;
  /** The number of its rows, rounded to the nearest fifty, at least fifty: public in the charter. */
  readonly declaredRecords: number;
}

/** What a person would declare: round. */
const ROUND = 50;
const NAME_CHARACTERS = 120;

/** The files that the patterns match, each once, in the order of their paths. Throws CliError unless there are 3 to 1,024. */
export function filesMatching(patterns: readonly string[]): readonly string[] {
  const matched = patterns.flatMap((pattern) =>
    // A name may hold what a pattern would read as its own signs.
    existsSync(pattern) ? [pattern] : globSync(pattern, { expandDirectories: false }),
  );
  const files = [...new Set(matched)].sort();
  const asked = patterns.join(' ');
  if (files.length === 0)
    throw new CliError(
      `No file matches ${asked}: name one CSV file for each participant.`,
      EXIT.refused,
      'InvalidInput',
    );
  if (files.length < 3 || files.length > MAX_MEMBERS)
    throw new CliError(
      `${asked} matches ${files.length} file${files.length === 1 ? '' : 's'}; a federation has 3 to ${MAX_MEMBERS} participants, a CSV file each.`,
      EXIT.refused,
      'InvalidInput',
    );
  return files;
}

/** Reads and checks every file, and lets it be divided into what is trained on and what is not. Throws CliError with file, line and column of the first value that is against the schema. */
export async function openHoldings(
  files: readonly string[],
  schema: TableSchema,
  outOfBounds: 'clamp' | 'refuse',
  divided: (records: RecordSource) => Promise<RecordSource>,
): Promise<readonly Holding[]> {
  const opened: Holding[] = [];
  try {
    for (const file of files) {
      let moved: MovedCounts = { clamped: new Map(), repaired: new Map() };
      const whole = await readCsv(file, schema, {
        outOfBounds,
        counted: (counts) => {
          moved = counts;
        },
      });
      const records = await divided(whole);
      const rows = await countOf(records);
      opened.push({
        file,
        name: basename(file, extname(file)).trim().slice(0, NAME_CHARACTERS).trim() || 'participant',
        records,
        moved,
        declaredRecords: Math.max(ROUND, ROUND * Math.round(rows / ROUND)),
      });
    }
    return opened;
  } catch (error) {
    await Promise.all(opened.map(({ records }) => records.close()));
    if (error instanceof InvalidRecords)
      throw new CliError(`${files[opened.length]}: ${error.message}.`, EXIT.refused, 'InvalidInput', {
        cause: error,
      });
    throw error;
  }
}

/** A source does not say how many records it has: that is private, and known here only because one person holds all files. */
async function countOf(records: RecordSource): Promise<number> {
  let rows = 0;
  for await (const { count } of records.sample(1, systemRng())) rows += count;
  return rows;
}
